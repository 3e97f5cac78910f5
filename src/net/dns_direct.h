#ifndef NIGHTMAIL_NET_DNS_DIRECT_H
#define NIGHTMAIL_NET_DNS_DIRECT_H

/*
 * Questions to one name server each, without recursion and without a cache: what does this one
 * say? They go out at once and are waited for together, so other things can be done meanwhile.
 */

#include "net/dns.h"

#define DNS_DIRECT_MAX 128u

struct dns_direct;

struct dns_direct_answer {
	enum dns_status status; /* PENDING: not waited for yet; TIMEOUT: silent */
	bool authoritative;
	const struct span *record;
	size_t count;
	const char *why; /* FOUND: "" */
	int64_t took_ms;
};

/* NULL: out of memory. */
struct dns_direct *dns_direct_new(void);
/* Sends it. name: checked (dns_name_parse). Returns its number, or -1 (no memory, too many). A
 * server that cannot be reached is a silent one. */
int dns_direct_ask(struct dns_direct *d, const struct inet_port *server, const char *name,
		   enum dns_type type);
/* Waits until all have answered, timeout_ms at most; who is silent is asked again twice meanwhile.
 * What does not fit into a datagram is asked again by TCP. */
void dns_direct_wait(struct dns_direct *d, int64_t timeout_ms);
/* Valid until dns_direct_free(). */
const struct dns_direct_answer *dns_direct_answer(const struct dns_direct *d, int number);
void dns_direct_free(struct dns_direct *d); /* NULL is fine */

#include "base/banned.h"

#endif
