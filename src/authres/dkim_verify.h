#ifndef NIGHTMAIL_AUTHRES_DKIM_VERIFY_H
#define NIGHTMAIL_AUTHRES_DKIM_VERIFY_H

/*
 * Verifies the DKIM signatures of a message (RFC 6376 section 6, RFC 8301, 8463, 8616).
 *
 *     v = dkim_verify_new(header, now, &err);
 *     dkim_verify_feed(v, body), again and again; dkim_verify_end(v);
 *     while (!dkim_verify_run(v, dns) && dns_run(dns) > 0)
 *             ;
 *     dkim_verify_result(v, i)
 *
 * A signature that cannot count, for whatever reason, says nothing against the message
 * (section 6.1): in particular a key that is no longer published is unknown, no more.
 */

#include "authres/dkim_key.h"
#include "authres/dkim_sig.h"

#define DKIM_VERIFY_MAX 20u /* signatures that are looked at; those after are `policy` */

/* The results of RFC 8601 section 2.7.1. */
enum dkim_verdict {
	DKIM_PENDING,
	DKIM_PASS,
	DKIM_FAIL,      /* what was signed is not what is there */
	DKIM_NEUTRAL,   /* it may be fine, but here nothing can be concluded */
	DKIM_POLICY,    /* it verifies, but is not to be relied on: a weak key ... */
	DKIM_PERMERROR, /* cannot be verified, and never will: no key, not well-formed */
	DKIM_TEMPERROR  /* DNS did not answer */
};

struct dkim_result {
	enum dkim_verdict verdict;
	char reason
		[ERR_MSG_SIZE]; /* safe to show; PASS: what is odd all the same, or "" */
	struct dkim_sig sig;    /* as far as it could be read */
	unsigned bits;          /* of the key; 0: it was not seen */
	bool testing;           /* the key says t=y */
	uint64_t uncovered;     /* octets of the body behind l= */
};

struct dkim_verify;

/* header: the message's, which must stay; now_s: seconds since 1970. ERR_LIMIT, ERR_MEMORY. */
struct dkim_verify *dkim_verify_new(struct span header, int64_t now_s, struct err *err);
void dkim_verify_feed(struct dkim_verify *v, struct span body);
void dkim_verify_end(struct dkim_verify *v);
/* True when every signature has its verdict; false: some wait for dns_run(). */
bool dkim_verify_run(struct dkim_verify *v, struct dns *dns);
size_t dkim_verify_count(const struct dkim_verify *v);
/* In the order of the header; owned by v. */
const struct dkim_result *dkim_verify_result(const struct dkim_verify *v, size_t i);
void dkim_verify_free(struct dkim_verify *v); /* NULL is fine */

const char *dkim_verdict_name(enum dkim_verdict v); /* "pass" ... */

#include "base/banned.h"

#endif
