/*
 * The primitives of signatures by GnuTLS. It enforces nothing of RFC 8301 (short keys sign,
 * SHA-1 verifies), so everything here is SHA-256 by construction, and lengths are told to the
 * caller, who decides.
 */

#include "net/crypto.h"

#include <stdlib.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/auto.h"

#define ED25519_SIZE 32u

struct crypto_hash {
	gnutls_hash_hd_t state;
};

struct crypto_public {
	enum crypto_kind kind;
	gnutls_pubkey_t key;
};

struct crypto_private {
	enum crypto_kind kind;
	gnutls_x509_privkey_t x509;
	gnutls_privkey_t key;
};

static gnutls_datum_t datum(struct span s) {
	unsigned char *p;
	memcpy(&p, &s.p, sizeof(p)); /* GnuTLS does not write there */
	return (gnutls_datum_t){ p, (unsigned)s.len };
}

static int failed(struct err *err, const char *what, int code) {
	return err_set(err, code == GNUTLS_E_MEMORY_ERROR ? ERR_MEMORY : ERR_SYNTAX,
		       "%s: %s", what, gnutls_strerror(code));
}

/* --- digests --- */

struct crypto_hash *crypto_hash_new(void) {
	struct crypto_hash *h = calloc(1, sizeof(*h));
	if (h && gnutls_hash_init(&h->state, GNUTLS_DIG_SHA256) != 0) {
		free(h);
		return NULL;
	}
	return h;
}

void crypto_hash_add(struct crypto_hash *h, struct span s) {
	if (s.len)
		gnutls_hash(h->state, s.p, s.len);
}

bool crypto_hash_peek(const struct crypto_hash *h, struct crypto_digest *ret) {
	gnutls_hash_hd_t copy = gnutls_hash_copy(h->state);
	if (!copy)
		return false;
	gnutls_hash_deinit(copy, ret->byte);
	return true;
}

void crypto_hash_free(struct crypto_hash *h) {
	if (!h)
		return;
	gnutls_hash_deinit(h->state, NULL);
	free(h);
}

bool crypto_sha256(struct span s, struct crypto_digest *ret) {
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, s.len ? s.p : "", s.len, ret->byte) ==
	       0;
}

/* --- public keys --- */

static void der_length(struct buf *out, size_t len) {
	if (len >= 256)
		buf_addf(out, "%c%c", 0x82, (int)(len >> 8));
	else if (len >= 128)
		buf_addc(out, (char)0x81);
	buf_addc(out, (char)(len & 0xff));
}

/* Puts SEQUENCE { AlgorithmIdentifier rsaEncryption, BIT STRING } around an RSAPublicKey. */
static int wrap_pkcs1(struct span key, struct buf *out) {
	static const char algorithm[] =
		"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
		"\x05\x00\x03";
	AUTO_BUF struct buf inner = BUF_INIT(1u << 16);
	buf_addm(&inner, algorithm, sizeof(algorithm) - 1);
	der_length(&inner, key.len + 1);
	buf_addc(&inner, '\0');
	buf_add(&inner, key);
	buf_addc(out, '\x30');
	der_length(out, inner.len);
	return buf_add(out, buf_span(&inner));
}

static int read_rsa(struct crypto_public *k, struct span bytes, struct err *err) {
	AUTO_BUF struct buf spki = BUF_INIT(1u << 16);
	gnutls_datum_t der = datum(bytes);
	int r = gnutls_pubkey_import(k->key, &der, GNUTLS_X509_FMT_DER);
	if (r != 0 && bytes.len < 60000 && wrap_pkcs1(bytes, &spki) == 0) {
		der = datum(buf_span(&spki));
		if (gnutls_pubkey_import(k->key, &der, GNUTLS_X509_FMT_DER) == 0)
			r = 0;
	}
	if (r != 0)
		return failed(err, "not a public RSA key", r);
	if (gnutls_pubkey_get_pk_algorithm(k->key, NULL) != GNUTLS_PK_RSA)
		return err_set(err, ERR_SYNTAX, "a public key, but not of RSA");
	return 0;
}

static int read_ed25519(struct crypto_public *k, struct span bytes, struct err *err) {
	gnutls_datum_t x = datum(bytes);
	if (bytes.len != ED25519_SIZE)
		return err_set(err, ERR_SYNTAX,
			       "a public Ed25519 key has 32 octets, this has %zu",
			       bytes.len);
	int r = gnutls_pubkey_import_ecc_raw(k->key, GNUTLS_ECC_CURVE_ED25519, &x, NULL);
	return r == 0 ? 0 : failed(err, "not a public Ed25519 key", r);
}

struct crypto_public *crypto_public_read(enum crypto_kind kind, struct span bytes,
					 struct err *err) {
	struct crypto_public *k = calloc(1, sizeof(*k));
	if (!k || gnutls_pubkey_init(&k->key) != 0) {
		free(k);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	k->kind = kind;
	if ((kind == CRYPTO_RSA ? read_rsa : read_ed25519)(k, bytes, err) != 0) {
		crypto_public_free(k);
		return NULL;
	}
	return k;
}

unsigned crypto_public_bits(const struct crypto_public *k) {
	unsigned bits = 0;
	gnutls_pubkey_get_pk_algorithm(k->key, &bits);
	return bits;
}

bool crypto_public_verify(const struct crypto_public *k,
			  const struct crypto_digest *digest, struct span signature) {
	gnutls_datum_t hash = datum(span_of(digest->byte, sizeof(digest->byte)));
	gnutls_datum_t sig = datum(signature);
	unsigned flags =
		GNUTLS_VERIFY_ALLOW_BROKEN; /* lengths are the caller's business */
	if (k->kind == CRYPTO_ED25519)
		return gnutls_pubkey_verify_data2(k->key, GNUTLS_SIGN_EDDSA_ED25519,
						  flags, &hash, &sig) >= 0;
	return gnutls_pubkey_verify_hash2(k->key, GNUTLS_SIGN_RSA_SHA256, flags, &hash,
					  &sig) >= 0;
}

void crypto_public_free(struct crypto_public *k) {
	if (!k)
		return;
	gnutls_pubkey_deinit(k->key);
	free(k);
}

/* --- private keys --- */

static struct crypto_private *private_new(struct err *err) {
	struct crypto_private *k = calloc(1, sizeof(*k));
	if (k && gnutls_x509_privkey_init(&k->x509) == 0 &&
	    gnutls_privkey_init(&k->key) == 0)
		return k;
	crypto_private_free(k);
	err_set(err, ERR_MEMORY, "out of memory");
	return NULL;
}

/* The abstract key signs, the other one is written down. */
static int private_ready(struct crypto_private *k, struct err *err) {
	int algorithm = gnutls_x509_privkey_get_pk_algorithm(k->x509);
	if (algorithm != GNUTLS_PK_RSA && algorithm != GNUTLS_PK_EDDSA_ED25519)
		return err_set(err, ERR_SYNTAX,
			       "a key of %s, where RSA or Ed25519 is needed",
			       gnutls_pk_get_name((gnutls_pk_algorithm_t)algorithm));
	k->kind = algorithm == GNUTLS_PK_RSA ? CRYPTO_RSA : CRYPTO_ED25519;
	int r = gnutls_privkey_import_x509(k->key, k->x509, 0);
	return r == 0 ? 0 : failed(err, "the key cannot be used", r);
}

/* What stands there instead of a key, for people. */
static int no_key(struct span pem, int code, struct err *err) {
	static const struct {
		const char *mark, *words;
	} known[] = {
		{ "-----BEGIN ENCRYPTED PRIVATE KEY",
		  "the key is encrypted with a password" },
		{ "Proc-Type: 4,ENCRYPTED", "the key is encrypted with a password" },
		{ "-----BEGIN PUBLIC KEY", "that is the public half of a key" },
		{ "-----BEGIN CERTIFICATE", "that is a certificate, not a key" },
		{ "-----BEGIN OPENSSH PRIVATE KEY", "that is a key of OpenSSH" },
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memmem(pem.p, pem.len, known[i].mark, strlen(known[i].mark)))
			return err_set(err, ERR_SYNTAX,
				       "%s; a private key in PEM is needed",
				       known[i].words);
	return failed(err, "no private key in PEM", code);
}

struct crypto_private *crypto_private_read(struct span pem, struct err *err) {
	struct crypto_private *k = private_new(err);
	gnutls_datum_t data = datum(pem);
	if (!k)
		return NULL;
	int r = gnutls_x509_privkey_import2(k->x509, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
	if ((r == 0 ? private_ready(k, err) : no_key(pem, r, err)) != 0) {
		crypto_private_free(k);
		return NULL;
	}
	return k;
}

struct crypto_private *crypto_private_make(enum crypto_kind kind, unsigned bits,
					   struct err *err) {
	struct crypto_private *k = private_new(err);
	if (!k)
		return NULL;
	int r = kind == CRYPTO_RSA
			? gnutls_x509_privkey_generate(k->x509, GNUTLS_PK_RSA, bits, 0)
			: gnutls_x509_privkey_generate(k->x509, GNUTLS_PK_EDDSA_ED25519,
						       GNUTLS_CURVE_TO_BITS(
							       GNUTLS_ECC_CURVE_ED25519),
						       0);
	if ((r == 0 ? private_ready(k, err) : failed(err, "no key can be made", r)) !=
	    0) {
		crypto_private_free(k);
		return NULL;
	}
	return k;
}

enum crypto_kind crypto_private_kind(const struct crypto_private *k) {
	return k->kind;
}

unsigned crypto_private_bits(const struct crypto_private *k) {
	unsigned bits = 0;
	gnutls_privkey_get_pk_algorithm(k->key, &bits);
	return bits;
}

int crypto_private_write(const struct crypto_private *k, struct buf *out,
			 struct err *err) {
	gnutls_datum_t pem = { NULL, 0 };
	int r = gnutls_x509_privkey_export2_pkcs8(k->x509, GNUTLS_X509_FMT_PEM, NULL,
						  GNUTLS_PKCS_PLAIN, &pem);
	if (r != 0)
		return failed(err, "the key cannot be written", r);
	buf_addm(out, pem.data, pem.size);
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return buf_failed(out) ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

int crypto_private_public(const struct crypto_private *k, struct buf *out,
			  struct err *err) {
	gnutls_pubkey_t public = NULL;
	gnutls_datum_t bytes = { NULL, 0 };
	int r = gnutls_pubkey_init(&public);
	if (r == 0)
		r = gnutls_pubkey_import_privkey(public, k->key, 0, 0);
	if (r == 0)
		r = k->kind == CRYPTO_RSA
			    ? gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &bytes)
			    : gnutls_pubkey_export_ecc_raw2(public, NULL, &bytes, NULL,
							    GNUTLS_EXPORT_FLAG_NO_LZ);
	if (r == 0)
		buf_addm(out, bytes.data, bytes.size);
	gnutls_free(bytes.data);
	if (public)
		gnutls_pubkey_deinit(public);
	if (r != 0)
		return failed(err, "the key has no public half", r);
	return buf_failed(out) ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

int crypto_private_sign(const struct crypto_private *k,
			const struct crypto_digest *digest, struct buf *out,
			struct err *err) {
	gnutls_datum_t hash = datum(span_of(digest->byte, sizeof(digest->byte)));
	gnutls_datum_t sig = { NULL, 0 };
	int r = k->kind == CRYPTO_RSA
			? gnutls_privkey_sign_hash2(k->key, GNUTLS_SIGN_RSA_SHA256, 0,
						    &hash, &sig)
			: gnutls_privkey_sign_data2(k->key, GNUTLS_SIGN_EDDSA_ED25519, 0,
						    &hash, &sig);
	if (r != 0)
		return failed(err, "the key does not sign", r);
	buf_addm(out, sig.data, sig.size);
	gnutls_free(sig.data);
	return buf_failed(out) ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

void crypto_private_free(struct crypto_private *k) {
	if (!k)
		return;
	if (k->key)
		gnutls_privkey_deinit(k->key);
	if (k->x509)
		gnutls_x509_privkey_deinit(k->x509);
	free(k);
}
