#ifndef NIGHTMAIL_AUTHRES_DKIM_BODY_H
#define NIGHTMAIL_AUTHRES_DKIM_BODY_H

/*
 * One body, read once, hashed in every form that the signatures of a message ask for: several
 * that ask for the same share the work. Pure.
 */

#include "authres/canon.h"
#include "net/crypto.h"

#define DKIM_BODIES_MAX 32u

struct dkim_body {
	struct canon_body canon;
	struct crypto_hash *hash;
};

struct dkim_bodies {
	struct dkim_body *item[DKIM_BODIES_MAX];
	size_t count;
};

/* Asks for a form; returns its number. -1: out of memory, or more than DKIM_BODIES_MAX. */
int dkim_bodies_want(struct dkim_bodies *b, enum canon kind, uint64_t limit);
void dkim_bodies_feed(struct dkim_bodies *b, struct span piece);
void dkim_bodies_end(struct dkim_bodies *b);
/* After the end. *ret_octets (may be NULL): how long the canonical body is, l= left aside. */
bool dkim_bodies_digest(const struct dkim_bodies *b, int number,
			struct crypto_digest *ret, uint64_t *ret_octets);
void dkim_bodies_release(struct dkim_bodies *b);

#include "base/banned.h"

#endif
