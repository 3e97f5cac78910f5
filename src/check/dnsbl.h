#ifndef NIGHTMAIL_CHECK_DNSBL_H
#define NIGHTMAIL_CHECK_DNSBL_H

/* The blocklists that are asked, and what their answers mean (RFC 5782). Data. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dnsbl_meaning {
	DNSBL_LISTED,
	DNSBL_POLICY, /* its owner says that no mail comes from there directly */
	DNSBL_REFUSED /* the list does not answer this resolver */
};

struct dnsbl_code {
	/* last number of 127.0.x.y, x being the zone's; REFUSED: of 127.255.255.y, or of 127.0.0.1
	 * where that is what the zone says then; in zones of bits: those of which one is set */
	uint8_t from, to;
	enum dnsbl_meaning meaning;
	const char *words;
};

#define DNSBL_CODES_MAX 10

struct dnsbl_zone {
	const char *zone;
	const char *removal;                     /* where to ask */
	bool ipv6;                               /* has entries of IPv6 */
	const char *test; /* a list of domains: the one that is always on it; NULL: addresses */
	uint8_t third;    /* x of 127.0.x.y */
	bool bits;        /* y is a set of bits */
	struct dnsbl_code code[DNSBL_CODES_MAX]; /* words NULL: the end */
};

extern const struct dnsbl_zone dnsbl_zones[];
extern const size_t dnsbl_zone_count;

#endif
