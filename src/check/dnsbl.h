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
	uint8_t from, to; /* last number of 127.0.0.x; REFUSED: of 127.255.255.x */
	enum dnsbl_meaning meaning;
	const char *words;
};

#define DNSBL_CODES_MAX 8

struct dnsbl_zone {
	const char *zone;
	const char *removal;                     /* where to ask */
	bool ipv6;                               /* has entries of IPv6 */
	struct dnsbl_code code[DNSBL_CODES_MAX]; /* words NULL: the end */
};

extern const struct dnsbl_zone dnsbl_zones[];
extern const size_t dnsbl_zone_count;

#endif
