#ifndef NIGHTMAIL_AUTHRES_DKIM_SIGN_H
#define NIGHTMAIL_AUTHRES_DKIM_SIGN_H

/*
 * Signs a message (RFC 6376 section 5, RFC 8463), by several keys at once.
 *
 *     s = dkim_signer_new(how, count, &err);
 *     dkim_signer_feed(s, body), again and again;
 *     dkim_signer_finish(s, header, now, "\r\n", out, &err);
 *
 * The body is hashed as it passes, once for each canonical form; nothing of it is kept. Fields
 * that a stranger might add are signed once more often than they are there, so that an added
 * one breaks the signature.
 */

#include <stdint.h>

#include "authres/canon.h"
#include "net/crypto.h"

#define DKIM_SIGNERS_MAX 8u

struct dkim_signing {
	struct span domain, selector; /* U-labels become A-labels */
	const struct crypto_private *key;
	enum canon header, body;
	int64_t valid_s;      /* x= so much after t=; 0: none */
	struct span identity; /* i=, or empty */
};

struct dkim_signer;

/* how: copied, but not what it points to. ERR_SYNTAX: a name is none, or the key is too weak. */
struct dkim_signer *dkim_signer_new(const struct dkim_signing *how, size_t count,
				    struct err *err);
void dkim_signer_feed(struct dkim_signer *s, struct span body);
/* Appends one DKIM-Signature field for each key, to stand before the header. line_end: CRLF, or
 * LF for a file. ERR_MISSING: the header has no From. */
int dkim_signer_finish(struct dkim_signer *s, struct span header, int64_t now_s,
		       const char *line_end, struct buf *out, struct err *err);
void dkim_signer_free(struct dkim_signer *s); /* NULL is fine */

/* "relaxed/simple" and the like. */
bool dkim_canon_parse(struct span s, enum canon *ret_header, enum canon *ret_body);

#include "base/banned.h"

#endif
