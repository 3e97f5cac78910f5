#ifndef NIGHTMAIL_NET_CRYPTO_H
#define NIGHTMAIL_NET_CRYPTO_H

/*
 * What signatures of mail are made of: SHA-256, RSA and Ed25519 keys, signatures over a
 * digest. Knows nothing of mail. An Ed25519 signature is over the 32 octets of the digest,
 * as RFC 8463 section 3 wants it. Which keys are strong enough is the caller's question.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define CRYPTO_SHA256_SIZE 32u

struct crypto_digest {
	uint8_t byte[CRYPTO_SHA256_SIZE];
};

struct crypto_hash; /* SHA-256 of bytes that come in pieces */

/* NULL: out of memory. */
struct crypto_hash *crypto_hash_new(void);
void crypto_hash_add(struct crypto_hash *h, struct span s);
/* What the bytes so far give; more may follow. False: out of memory. */
bool crypto_hash_peek(const struct crypto_hash *h, struct crypto_digest *ret);
void crypto_hash_free(struct crypto_hash *h); /* NULL is fine */
/* The digest of bytes that are all there. */
bool crypto_sha256(struct span s, struct crypto_digest *ret);

enum crypto_kind { CRYPTO_RSA, CRYPTO_ED25519 };

struct crypto_public;

/* Reads a public key as DNS publishes it, decoded: RSA as SubjectPublicKeyInfo or, for it
 * occurs, as bare RSAPublicKey (PKCS#1); Ed25519 as 32 octets. ERR_SYNTAX. */
struct crypto_public *crypto_public_read(enum crypto_kind kind, struct span bytes,
					 struct err *err);
unsigned crypto_public_bits(const struct crypto_public *k);
bool crypto_public_verify(const struct crypto_public *k,
			  const struct crypto_digest *digest, struct span signature);
void crypto_public_free(struct crypto_public *k); /* NULL is fine */

struct crypto_private;

/* Reads a key in PEM, PKCS#8 or traditional, without a password. ERR_SYNTAX says what it is
 * instead. */
struct crypto_private *crypto_private_read(struct span pem, struct err *err);
/* Makes a key; bits are for RSA. */
struct crypto_private *crypto_private_make(enum crypto_kind kind, unsigned bits,
					   struct err *err);
enum crypto_kind crypto_private_kind(const struct crypto_private *k);
unsigned crypto_private_bits(const struct crypto_private *k);
/* Appends the key as PKCS#8 in PEM: a secret (buf_wipe). */
int crypto_private_write(const struct crypto_private *k, struct buf *out,
			 struct err *err);
/* Appends the public half in the form that crypto_public_read() takes. */
int crypto_private_public(const struct crypto_private *k, struct buf *out,
			  struct err *err);
/* Appends the signature. */
int crypto_private_sign(const struct crypto_private *k,
			const struct crypto_digest *digest, struct buf *out,
			struct err *err);
void crypto_private_free(struct crypto_private *k); /* NULL is fine */

#include "base/banned.h"

#endif
