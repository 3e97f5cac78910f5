#ifndef NIGHTMAIL_NET_TLS_CERT_H
#define NIGHTMAIL_NET_TLS_CERT_H

/* A certificate as people want to see it. All text in it is the server's: untrusted. */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "net/tls.h"

struct tls_cert {
	char subject[256], issuer[256]; /* distinguished names (RFC 4514), cut if longer */
	char names[1024];               /* DNS names and addresses, with blanks between them */
	unsigned names_left;            /* how many more there are than have room */
	int64_t not_before_s, not_after_s; /* seconds since 1970 */
	char key[32];                   /* "RSA", "EC/ECDSA" ... */
	unsigned bits;
	char signature[32];             /* "RSA-SHA256" ... */
	bool self_signed;
	uint8_t hash[TLS_HASH_SIZE];     /* SHA-256 of all of it */
	uint8_t key_hash[TLS_HASH_SIZE]; /* of SubjectPublicKeyInfo: what 3 1 1 publishes */
};

/* False: not a certificate. */
bool tls_cert_read(struct span der, struct tls_cert *ret);

#include "base/banned.h"

#endif
