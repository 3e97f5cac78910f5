/*
 * DANE for SMTP by hand: the library's own takes usages 0 and 1 for matches, does not check names
 * below a published issuer, and cannot be tested without the Internet.
 *
 * Usage 3 compares, and asks for neither name nor dates (RFC 7672 section 3.1.1). Usage 2 makes the
 * published certificate the only trusted one, and verifies as usual. A record that cannot be
 * used is as if it were not there.
 */
#include "net/tls_dane.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <string.h>

#include "base/auto.h"

#define CHAIN_MAX 16
#define USAGE_TA 2
#define USAGE_EE 3
#define SELECTOR_CERT 0
#define SELECTOR_KEY 1

bool tls_tlsa_usable(const struct dns_tlsa *r) {
	static const size_t digest[] = { 0, 32, 64 };
	return (r->usage == USAGE_TA || r->usage == USAGE_EE) &&
	       r->selector <= SELECTOR_KEY && r->matching <= 2 && r->data.len > 0 &&
	       (r->matching == 0 || r->data.len == digest[r->matching]);
}

/* Appends the SubjectPublicKeyInfo of a certificate. */
static int add_key(struct buf *out, const gnutls_datum_t *der) {
	gnutls_pubkey_t key = NULL;
	gnutls_x509_crt_t x = NULL;
	gnutls_datum_t spki = { .data = NULL };
	int r = gnutls_x509_crt_init(&x);

	if (r == 0)
		r = gnutls_x509_crt_import(x, der, GNUTLS_X509_FMT_DER);
	if (r == 0)
		r = gnutls_pubkey_init(&key);
	if (r == 0)
		r = gnutls_pubkey_import_x509(key, x, 0);
	if (r == 0)
		r = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &spki);
	if (r == 0)
		r = buf_addm(out, spki.data, spki.size);
	gnutls_free(spki.data);
	if (key)
		gnutls_pubkey_deinit(key);
	if (x)
		gnutls_x509_crt_deinit(x);
	return r == 0 ? 0 : -1;
}

bool tls_dane_key_hash(const gnutls_datum_t *der, uint8_t ret[TLS_HASH_SIZE]) {
	AUTO_BUF struct buf key = BUF_INIT(16384);
	return add_key(&key, der) == 0 &&
	       gnutls_hash_fast(GNUTLS_DIG_SHA256, key.data, key.len, ret) == 0;
}

static bool matches(const struct dns_tlsa *r, const gnutls_datum_t *der) {
	AUTO_BUF struct buf what = BUF_INIT(65536);
	uint8_t digest[64];

	if ((r->selector == SELECTOR_KEY ? add_key(&what, der)
					 : buf_addm(&what, der->data, der->size)) != 0)
		return false;
	if (r->matching == 0)
		return span_eq(buf_span(&what), r->data);
	return gnutls_hash_fast(r->matching == 1 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA512,
				what.data, what.len, digest) == 0 &&
	       memcmp(digest, r->data.p, r->data.len) == 0;
}

struct chain {
	gnutls_x509_crt_t crt[CHAIN_MAX];
	unsigned count;
};

static void chain_load(struct chain *c, const gnutls_datum_t *der, unsigned count) {
	for (c->count = 0; c->count < count && c->count < CHAIN_MAX; c->count++) {
		gnutls_x509_crt_t *x = &c->crt[c->count];
		if (gnutls_x509_crt_init(x) != 0)
			return;
		if (gnutls_x509_crt_import(*x, &der[c->count], GNUTLS_X509_FMT_DER) !=
		    0) {
			gnutls_x509_crt_deinit(*x);
			return;
		}
	}
}

static void chain_release(struct chain *c) {
	for (unsigned i = 0; i < c->count; i++)
		gnutls_x509_crt_deinit(c->crt[i]);
}

static bool verifies(gnutls_x509_trust_list_t trust, struct chain *c, const char *name) {
	gnutls_typed_vdata_st data[2] = {
		{ .type = GNUTLS_DT_DNS_HOSTNAME,
		  .data = (unsigned char *)(uintptr_t)name },
		{ .type = GNUTLS_DT_KEY_PURPOSE_OID,
		  .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER },
	};
	unsigned status = 0;
	return gnutls_x509_trust_list_verify_crt2(trust, c->crt, c->count, data, 2, 0,
						  &status, NULL) == 0 &&
	       status == 0;
}

/* Does the chain lead to this one certificate, under one of the names? */
static bool leads_to(struct chain *c, gnutls_x509_crt_t anchor,
		     const struct tls_policy *policy, const char *host) {
	gnutls_x509_trust_list_t trust;
	bool good = false;

	if (gnutls_x509_trust_list_init(&trust, 0) != 0)
		return false;
	if (gnutls_x509_trust_list_add_cas(trust, &anchor, 1, 0) == 1) {
		good = verifies(trust, c, host);
		for (size_t i = 0; !good && i < TLS_NAMES_MAX && policy->names[i]; i++)
			good = verifies(trust, c, policy->names[i]);
	}
	gnutls_x509_trust_list_deinit(trust, 0);
	return good;
}

/* What a certificate's signature is over: its first member (RFC 5280 section 4.1), with its DER
 * header. */
static bool signed_part(const gnutls_datum_t *der, gnutls_datum_t *ret) {
	const unsigned char *p = der->data, *end = der->data + der->size;
	for (int level = 0; level < 2; level++) {
		const unsigned char *begin = p;
		size_t len;
		if (end - p < 2 || *p++ != 0x30)
			return false;
		len = *p++;
		if (len > 0x80) {
			unsigned n = (unsigned)(len & 0x7f);
			if (n > 3 || (size_t)(end - p) < n)
				return false;
			for (len = 0; n > 0; n--)
				len = len << 8 | *p++;
		}
		if (len > (size_t)(end - p))
			return false;
		*ret = (gnutls_datum_t){ (unsigned char *)(uintptr_t)begin,
					 (unsigned)(p + len - begin) };
	}
	return true;
}

static bool is_signed_by(gnutls_x509_crt_t x, const gnutls_datum_t *der, gnutls_pubkey_t key) {
	unsigned char bytes[2048];
	size_t len = sizeof(bytes);
	gnutls_datum_t part;
	int algorithm = gnutls_x509_crt_get_signature_algorithm(x);
	if (algorithm < 0 || gnutls_x509_crt_get_signature(x, (char *)bytes, &len) != 0 ||
	    !signed_part(der, &part))
		return false;
	const gnutls_datum_t signature = { bytes, (unsigned)len };
	return gnutls_pubkey_verify_data2(key, (gnutls_sign_algorithm_t)algorithm, 0, &part,
					  &signature) >= 0;
}

/* A bare key, of an issuer whose certificate nobody sends: what it signed is the anchor. */
static bool leads_to_key(struct chain *c, const gnutls_datum_t *der,
			 const gnutls_datum_t *spki, const struct tls_policy *policy,
			 const char *host) {
	gnutls_pubkey_t key;
	bool good = false;
	if (gnutls_pubkey_init(&key) != 0)
		return false;
	if (gnutls_pubkey_import(key, spki, GNUTLS_X509_FMT_DER) == 0)
		for (unsigned i = 0; i < c->count && !good; i++)
			good = is_signed_by(c->crt[i], &der[i], key) &&
			       leads_to(c, c->crt[i], policy, host);
	gnutls_pubkey_deinit(key);
	return good;
}

/* The published certificate, or its key, may be in the record itself, where servers need not
 * send it. */
static bool leads_to_record(struct chain *c, const gnutls_datum_t *chain,
			    const struct dns_tlsa *r, const struct tls_policy *policy,
			    const char *host) {
	const gnutls_datum_t der = { .data = (unsigned char *)(uintptr_t)r->data.p,
				     .size = (unsigned)r->data.len };
	gnutls_x509_crt_t anchor;

	if (r->matching != 0)
		return false;
	if (r->selector == SELECTOR_KEY)
		return leads_to_key(c, chain, &der, policy, host);
	if (gnutls_x509_crt_init(&anchor) != 0)
		return false;
	bool good = gnutls_x509_crt_import(anchor, &der, GNUTLS_X509_FMT_DER) == 0 &&
		    leads_to(c, anchor, policy, host);
	gnutls_x509_crt_deinit(anchor);
	return good;
}

static bool is_ta(const struct dns_tlsa *r, const gnutls_datum_t *der, unsigned count,
		  struct chain *c, const struct tls_policy *policy, const char *host,
		  bool *ret_seen) {
	for (unsigned i = 0; i < count && i < c->count; i++) {
		if (!matches(r, &der[i]))
			continue;
		*ret_seen = true;
		if (leads_to(c, c->crt[i], policy, host))
			return true;
	}
	return leads_to_record(c, der, r, policy, host);
}

enum tls_dane tls_dane_verify(const gnutls_datum_t *chain, unsigned count,
			      const struct tls_policy *policy, const char *host,
			      struct buf *why) {
	struct chain c;
	size_t usable = 0;
	bool seen = false;
	enum tls_dane result = TLS_DANE_MISMATCH;

	chain_load(&c, chain, chain ? count : 0);
	for (size_t i = 0; i < policy->tlsa_count && result == TLS_DANE_MISMATCH; i++) {
		const struct dns_tlsa *r = &policy->tlsa[i];
		if (!tls_tlsa_usable(r))
			continue;
		usable++;
		if (c.count > 0 && r->usage == USAGE_EE && matches(r, &chain[0]))
			result = TLS_DANE_EE;
		else if (r->usage == USAGE_TA &&
			 is_ta(r, chain, count, &c, policy, host, &seen))
			result = TLS_DANE_TA;
	}
	chain_release(&c);
	if (usable == 0) {
		buf_adds(why,
			 "is not looked at: no TLSA record of the server can be used");
		return TLS_DANE_UNUSABLE;
	}
	if (result == TLS_DANE_MISMATCH && seen)
		buf_adds(why,
			 "is below an issuer that TLSA names, but its name or its dates "
			 "are not right");
	else if (result == TLS_DANE_MISMATCH)
		buf_adds(why, "matches none of the server's TLSA records");
	return result;
}
