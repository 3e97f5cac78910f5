#ifndef NIGHTMAIL_NET_RESOLVE_H
#define NIGHTMAIL_NET_RESOLVE_H

/*
 * The answering side of channels to nightmail-resolve (net/dns_frame.h): one libunbound, one
 * cache, for all who ask. Whoever starts it hands it one channel after the other over a control
 * channel, each with a frame of any content.
 */

#include "net/dns_unbound.h"

/* How long it stays without a channel. */
#define RESOLVE_IDLE_MS 60000

/* Serves until the control channel ends, SIGTERM, or a minute without a channel. Returns the exit
 * code of the process. */
int resolve_serve(int control, const struct dns_unbound_options *o);

#include "base/banned.h"

#endif
