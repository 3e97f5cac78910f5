#ifndef NIGHTMAIL_AUTHRES_DMARC_H
#define NIGHTMAIL_AUTHRES_DMARC_H

/*
 * What DMARC says of a message whose From domain, and whose domains with a passing signature
 * or SPF, are known: by the tree walk of RFC 9989, or by RFC 7489 and the public suffix list,
 * which receivers use until they change. Written as net/dns.h says.
 */

#include "authres/dmarc_record.h"
#include "net/dns.h"

#define DMARC_WALK_MAX 8 /* queries, RFC 9989 section 4.10 */

enum dmarc_rules { DMARC_RFC9989, DMARC_RFC7489 };

enum dmarc_result {
	DMARC_PENDING,
	DMARC_NO_RECORD,
	DMARC_PASS,
	DMARC_FAIL,
	DMARC_TEMPERROR
};
const char *dmarc_result_name(enum dmarc_result r); /* "none", "pass" ... */

/* The TXT records of _dmarc.DOMAIN. */
enum dmarc_fetch {
	DMARC_FETCH_PENDING,
	DMARC_FETCH_FOUND,
	DMARC_FETCH_NONE,
	DMARC_FETCH_SEVERAL, /* counts as none */
	DMARC_FETCH_BAD,     /* begins like one, and is none */
	DMARC_FETCH_TEMPORARY
};
/* text (replaced) holds the bytes that *ret points to. */
enum dmarc_fetch dmarc_fetch(struct dns *dns, const char *domain, struct buf *text,
			     struct dmarc_record *ret);

/* The tree walk from a domain up. */
struct dmarc_step {
	char name[256]; /* without "_dmarc." */
	enum dmarc_fetch found;
	char psd; /* of a record that was found */
};
struct dmarc_walk {
	struct dmarc_step step[DMARC_WALK_MAX];
	size_t count;   /* steps taken; a psd=y or psd=n ends them */
	bool temporary; /* a step is not known: neither is what follows from it */
	char org[256];  /* the organisational domain */
};
/* False: pending. domain: lower case A-labels. */
bool dmarc_walk(struct dns *dns, const char *domain, struct dmarc_walk *ret);

struct dmarc_query {
	struct span from;        /* domain, or a mailbox; U-labels are fine */
	const struct span *dkim; /* domains (d=) of signatures that pass */
	size_t dkim_count;
	const struct span *spf; /* domains for which SPF passes */
	size_t spf_count;
	enum dmarc_rules rules;
};

struct dmarc_report {
	enum dmarc_result result;
	enum dmarc_policy
		policy; /* to apply: after sp, np and t; UNSET without a record */
	enum dmarc_policy published; /* before t=y lowers it */
	char from[256];              /* as evaluated */
	char record_domain[256];     /* "_dmarc." left out; "" without a record */
	char org[256]; /* organisational domain of From; "" when there is none */
	bool dkim_aligned, spf_aligned;
	bool testing;
	char why[200]; /* none, temperror: the reason, safe to show */
};

/* Returns ret->result. */
enum dmarc_result dmarc_check(struct dns *dns, const struct dmarc_query *q,
			      struct dmarc_report *ret);

enum dmarc_consent {
	DMARC_CONSENT_PENDING,
	DMARC_CONSENT_YES,
	DMARC_CONSENT_NO,
	DMARC_CONSENT_TEMPORARY
};
/* Whether `to` takes reports about `domain` (RFC 9990 section 4, RFC 7489 section 7.1). Within
 * one organisational domain nobody asks. */
enum dmarc_consent dmarc_consent(struct dns *dns, const char *domain, const char *to);

#include "base/banned.h"

#endif
