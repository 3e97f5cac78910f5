#ifndef NIGHTMAIL_NET_LOOKUP_H
#define NIGHTMAIL_NET_LOOKUP_H

/* Addresses of a host by a struct dns of ours, where net_lookup() asks the system. */

#include "net/addr.h"
#include "net/dns.h"

/* Looks up A and AAAA at once; literals and localhost (RFC 6761 §6.3) need no question. Names are
 * complete: no search list, no hosts file. The order: what this machine has a route to comes
 * before what it has none to, and then IPv6 before IPv4 (RFC 6724 §6, rules 1 and 6); within
 * a family as answered.
 *
 * ERR_MISSING: there is no such host or no address; ERR_TIMEOUT: nothing can be said now (no
 * answer, or one that DNSSEC rejects); ERR_MEMORY. What one of the two families answers is
 * enough, whatever becomes of the other. */
int net_lookup_dns(struct dns *dns, const char *host, uint16_t port,
		   struct net_addrs *ret, struct err *err);

#include "base/banned.h"

#endif
