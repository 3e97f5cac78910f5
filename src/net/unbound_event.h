#ifndef NIGHTMAIL_NET_UNBOUND_EVENT_H
#define NIGHTMAIL_NET_UNBOUND_EVENT_H

/*
 * libunbound on our loop: the base of events that ub_ctx_create_ub_event(3) wants, so that the
 * library starts neither a thread nor a process, and needs no loop of its own.
 */

#include <unbound.h>

#include <unbound-event.h>

#include "base/loop.h"

/* NULL: no memory. To be freed after the context that uses it. */
struct ub_event_base *unbound_events_new(struct loop *loop);
void unbound_events_free(struct ub_event_base *base);

#include "base/banned.h"

#endif
