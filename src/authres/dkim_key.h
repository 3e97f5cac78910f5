#ifndef NIGHTMAIL_AUTHRES_DKIM_KEY_H
#define NIGHTMAIL_AUTHRES_DKIM_KEY_H

/* Key records of DKIM (RFC 6376 section 3.6.1, RFC 8301, RFC 8463), which ARC shares. */

#include <stdbool.h>

#include "authres/tags.h"
#include "net/crypto.h"
#include "net/dns.h"

#define DKIM_KEY_BITS_MIN 1024u /* RFC 8301 section 3.2 */
#define DKIM_KEY_BITS_GOOD 2048u

struct dkim_key {
	enum crypto_kind kind;
	struct crypto_public *key; /* NULL: revoked */
	bool revoked;              /* p= is empty */
	bool sha256;               /* h= allows it */
	bool email;                /* s= allows it */
	bool testing;              /* t=y */
	bool strict;               /* t=s: i= must be in d= itself */
	unsigned bits;
};

/* Reads a record, the strings of the TXT joined. ERR_SYNTAX says what is wrong; a short key,
 * or one that may not be used for this, is none of that. Release *ret after success. */
int dkim_key_parse(struct span record, struct dkim_key *ret, struct err *err);
void dkim_key_release(struct dkim_key *k);

enum dkim_key_found {
	DKIM_KEY_PENDING,
	DKIM_KEY_FOUND,
	DKIM_KEY_NONE,      /* it is not, or no longer, published */
	DKIM_KEY_BAD,       /* what is published there is no key, or there are several */
	DKIM_KEY_TEMPORARY, /* DNS does not answer */
};

/* Looks up the key of a selector; both names may have U-labels. err has the words for all but
 * FOUND and PENDING; release *ret after FOUND only. */
enum dkim_key_found dkim_key_get(struct dns *dns, struct span selector,
				 struct span domain, struct dkim_key *ret,
				 struct err *err);
/* Appends "selector._domainkey.domain" in A-labels. ERR_SYNTAX: not names. */
int dkim_key_name(struct span selector, struct span domain, struct buf *out,
		  struct err *err);

/* Appends what is to be published for a key: "v=DKIM1; k=rsa; p=...". */
int dkim_key_record(const struct crypto_private *key, struct buf *out, struct err *err);

/* True for a name that d= and s= may have: labels of letters, digits, "-", "_" or UTF-8. */
bool dkim_key_is_name(struct span s);

#include "base/banned.h"

#endif
