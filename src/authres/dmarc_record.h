#ifndef NIGHTMAIL_AUTHRES_DMARC_RECORD_H
#define NIGHTMAIL_AUTHRES_DMARC_RECORD_H

/* DMARC records (RFC 9989 section 4.7, RFC 7489 section 6.3). Pure. */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum dmarc_policy { DMARC_UNSET, DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };
const char *dmarc_policy_name(enum dmarc_policy p); /* "" for UNSET */

struct dmarc_record {
	enum dmarc_policy p, sp, np;
	bool adkim_strict, aspf_strict;
	bool testing; /* t=y */
	char psd;     /* 'y', 'n' or 'u' */
	uint8_t pct;  /* of RFC 7489; 100 without one */
	/* what was there, for those who give advice */
	bool has_pct, has_rf, has_ri, has_p, bad_policy;
	bool p_second;        /* p stands right behind v, as RFC 7489 wants it */
	bool any_rua;         /* at least one address is valid */
	struct span rua, ruf; /* the lists; p is NULL without one */
};

/* True when the text begins with "v=DMARC1", case included, and the field ends there. */
bool dmarc_is_record(struct span text);
/* Reads what a receiver would: unknown tags and bad values are passed over; without a valid p,
 * or with a bad sp or np, it is p=none when it has an address for reports (section 4.7). False:
 * it is no record. */
bool dmarc_record_parse(struct span text, struct dmarc_record *ret);
/* Takes the next address of rua or ruf, a size behind '!' apart. False at the end. */
struct dmarc_uri {
	struct span uri;
	struct span size; /* what follows '!'; p is NULL without one */
	bool valid;
};
bool dmarc_take_uri(struct span *list, struct dmarc_uri *ret);

#include "base/banned.h"

#endif
