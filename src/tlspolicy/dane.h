#ifndef NIGHTMAIL_TLSPOLICY_DANE_H
#define NIGHTMAIL_TLSPOLICY_DANE_H

/*
 * Which TLSA records speak for a server (RFC 7672 section 2.2): only those that DNSSEC validated, of
 * a server whose addresses are validated too. Written for dns_get(): DANE_PENDING means "run DNS
 * and call again" (net/dns.h).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "net/dns.h"

#define DANE_RECORDS_MAX 16u

enum dane_status {
	DANE_PENDING,
	DANE_NONE,      /* nothing is published, or not safely: as if there were no DANE */
	DANE_RECORDS,   /* the server must match one of them */
	DANE_UNUSABLE,  /* records that nobody can use: TLS is a must, whoever it is (section 2.2) */
	DANE_TEMPORARY, /* it cannot be known now: mail waits */
	DANE_NO_HOST    /* the host does not exist, or has no address */
};

struct dane_result {
	enum dane_status status;
	/* where the records stand, without "_25._tcp."; the certificate may be for this name */
	char base[256];
	struct dns_tlsa record[DANE_RECORDS_MAX]; /* data lives as long as the struct dns */
	size_t count;
	char reason[260]; /* in words, always */
};

/* host: of an MX record that was validated itself, or one that an administrator configured. */
enum dane_status dane_lookup(struct dns *d, struct span host, uint16_t port,
			     struct dane_result *ret);

#include "base/banned.h"

#endif
