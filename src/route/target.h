#ifndef NIGHTMAIL_ROUTE_TARGET_H
#define NIGHTMAIL_ROUTE_TARGET_H

/*
 * The servers behind a name: MX (RFC 5321 section 5, 7505), SRV (RFC 2782, 6186, 8314) and
 * lists with weights, down to addresses in the order in which they are tried. Written over
 * net/dns.h as if every answer were known: TARGET_PENDING asks for dns_run() and another call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/inet.h"
#include "base/span.h"
#include "net/dns.h"

#define TARGET_HOSTS_MAX 10u
#define TARGET_RECORDS_MAX 50u /* of MX or SRV that are looked at */
#define TARGET_ADDRESSES_MAX 6u /* of one host */

enum target_result {
	TARGET_PENDING,
	TARGET_FOUND,
	TARGET_REFUSED, /* an answer proves that no mail can go there */
	TARGET_LATER,   /* nothing is known for sure */
};

struct target_host {
	char name[256];
	uint16_t port;  /* 0: the relay's */
	bool implicit;  /* TLS comes first (submissions) */
	bool plain;     /* no TLS that comes first (submission); neither: as the relay says */
	unsigned preference;
	struct inet_addr addr[TARGET_ADDRESSES_MAX]; /* IPv6 before IPv4 */
	size_t addrs;   /* 0: not looked up here */
	bool secure;    /* validated: the way from the domain to this host (RFC 7672) */
};

struct target {
	struct target_host host[TARGET_HOSTS_MAX];
	size_t count;
	bool mx;          /* there are MX records; else it is the domain's own address */
	unsigned left_out; /* records beyond our limits, not better than we are, without address */
	/* not found: an enhanced status and words for people; FOUND: how it was found */
	unsigned code, subject, detail;
	char words[400];
};

/* What is called or has an address like this machine is no place to deliver to. */
struct target_self {
	const char *names[4]; /* NULL: fewer */
	bool (*has)(void *ctx, const struct inet_addr *a); /* or NULL: no address counts */
	void *ctx;
};

/* The servers for mail to a domain (A-labels, or an address literal in brackets). random: any
 * bits; servers of one preference come in an order made of them. */
enum target_result target_mx(struct dns *d, const char *domain, const struct target_self *self,
			     uint64_t random, struct target *ret);

/* Which of a domain's submission servers: those with TLS first, those with STARTTLS. */
enum { TARGET_SUBMISSIONS = 1, TARGET_SUBMISSION = 2 };
enum target_result target_srv(struct dns *d, const char *domain, unsigned which, uint64_t random,
			      struct target *ret);

/* "HOST" or "HOST*WEIGHT": those with a weight that stand side by side take turns by it, the
 * others keep their place. The addresses are not looked up. */
void target_list(char *const *hosts, size_t count, uint64_t random, struct target *ret);

#endif
