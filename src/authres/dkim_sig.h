#ifndef NIGHTMAIL_AUTHRES_DKIM_SIG_H
#define NIGHTMAIL_AUTHRES_DKIM_SIG_H

/*
 * The fields that carry a signature: DKIM-Signature (RFC 6376 section 3.5), and the two of ARC
 * that follow its grammar (RFC 8617 section 4.1). Pure; spans point into the message.
 */

#include <stdbool.h>
#include <stdint.h>

#include "authres/canon.h"
#include "authres/tags.h"
#include "mail/header.h"
#include "net/crypto.h"

#define DKIM_FIELDS_MAX 5000u /* of a message */
#define DKIM_NAMES_MAX 1000u  /* in one h= */

enum dkim_sig_form {
	DKIM_SIG_DKIM, /* DKIM-Signature */
	DKIM_SIG_AMS,  /* ARC-Message-Signature: no v=, i= is an instance */
	DKIM_SIG_SEAL  /* ARC-Seal: neither h= nor bh= nor c=, but cv= */
};

struct dkim_sig {
	enum dkim_sig_form form;
	struct span raw; /* the field */
	struct tags tags;
	struct span b; /* in raw: what is taken out before the field is hashed */
	enum crypto_kind kind;
	enum canon header, body;
	struct span domain, selector;
	struct span identity; /* i=, else empty */
	struct span fields;   /* h= */
	struct crypto_digest body_hash;
	struct buf signature;
	uint64_t limit;           /* l=, or CANON_NO_LIMIT */
	int64_t made_s, expiry_s; /* t=, x=; -1: not there */
	unsigned instance;        /* of ARC */
};

/* Reads a field. ERR_SYNTAX: it cannot count, err says why; domain and selector are set where
 * they could be read. Release *ret in both cases. */
int dkim_sig_parse(enum dkim_sig_form form, const struct header_field *field,
		   struct dkim_sig *ret, struct err *err);
void dkim_sig_release(struct dkim_sig *s);

/* The fields of a message in order. */
struct dkim_fields {
	struct header_field *item;
	size_t count;
};

/* Reads a header block. ERR_LIMIT: more than DKIM_FIELDS_MAX fields. */
int dkim_fields_read(struct span block, struct dkim_fields *ret, struct err *err);
void dkim_fields_release(struct dkim_fields *f);
size_t dkim_fields_count(const struct dkim_fields *f, struct span name);

/* Adds to the hash the fields that a list like h= names: each name stands for the lowest field
 * of that name that was not taken yet, or for nothing; `except` is none of them. */
int dkim_sig_hash_fields(struct crypto_hash *hash, enum canon kind, struct span names,
			 const struct dkim_fields *f, const char *except);
/* Adds the field of the signature itself, b= emptied, without CRLF at its end. */
int dkim_sig_hash_self(struct crypto_hash *hash, enum canon kind, struct span raw,
		       struct span b);
/* How often a list like h= names a field. */
size_t dkim_sig_names(struct span names, struct span name);

#include "base/banned.h"

#endif
