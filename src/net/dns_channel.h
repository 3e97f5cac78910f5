#ifndef NIGHTMAIL_NET_DNS_CHANNEL_H
#define NIGHTMAIL_NET_DNS_CHANNEL_H

/*
 * DNS by nightmail-resolve (net/resolve.h), over a descriptor: no library here, and one cache
 * for all who ask. A resolver that dies is replaced behind the same descriptor: what it had not
 * answered is asked again, twice at most, then it is a SERVFAIL.
 */

#include "net/dns.h"

/* fd: one end of proc_channel(), owned from now on, also when this fails. deadline_ms: of one
 * dns_run(); 0: 5 s. NULL: no memory. */
struct dns *dns_channel_open(int fd, int64_t deadline_ms, struct err *err);

#include "base/banned.h"

#endif
