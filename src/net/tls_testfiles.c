/*
 * Throw-away certificates: a CA of its own, whose key is forgotten at once, and one server
 * certificate signed by it. Good enough for a loopback sink and for tests, for nothing else.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/file.h"
#include "net/addr.h"

#define SKEW_S 3600 /* valid a little in the past, for clocks that are behind */

struct pair {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

static void pair_release(struct pair *p) {
	if (p->crt)
		gnutls_x509_crt_deinit(p->crt);
	if (p->key)
		gnutls_x509_privkey_deinit(p->key);
}

#define AUTO_PAIR __attribute__((cleanup(pair_release)))

static int pair_init(struct pair *p) {
	int r = gnutls_x509_crt_init(&p->crt);

	if (r >= 0)
		r = gnutls_x509_privkey_init(&p->key);
	if (r >= 0)
		r = gnutls_x509_privkey_generate(p->key, GNUTLS_PK_ECDSA,
						 GNUTLS_CURVE_TO_BITS(
							 GNUTLS_ECC_CURVE_SECP256R1),
						 0);
	return r;
}

/* What both certificates have: version, serial, dates, key, name. */
static int fill_common(struct pair *p, const char *name, unsigned days) {
	time_t now = time(NULL);
	unsigned char serial[16] = { 0 }, id[64];
	size_t id_len = sizeof(id);
	int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	serial[0] &= 0x7f;
	serial[0] |= 0x40;
	if (r >= 0)
		r = gnutls_x509_crt_set_version(p->crt, 3);
	if (r >= 0)
		r = gnutls_x509_crt_set_serial(p->crt, serial, sizeof(serial));
	if (r >= 0)
		r = gnutls_x509_crt_set_activation_time(p->crt, now - SKEW_S);
	if (r >= 0)
		r = gnutls_x509_crt_set_expiration_time(p->crt,
							now + (time_t)days * 86400);
	if (r >= 0)
		r = gnutls_x509_crt_set_key(p->crt, p->key);
	if (r >= 0)
		r = gnutls_x509_crt_set_dn_by_oid(p->crt, GNUTLS_OID_X520_COMMON_NAME, 0,
						  name, (unsigned)strlen(name));
	if (r >= 0)
		r = gnutls_x509_crt_get_key_id(p->crt, GNUTLS_KEYID_USE_SHA256, id,
					       &id_len);
	if (r >= 0)
		r = gnutls_x509_crt_set_subject_key_id(p->crt, id, id_len);
	return r;
}

static int make_ca(struct pair *ca, unsigned days) {
	int r = pair_init(ca);

	if (r >= 0)
		r = fill_common(ca, "nightmail test CA", days);
	if (r >= 0)
		r = gnutls_x509_crt_set_basic_constraints(ca->crt, 1, 0);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_usage(ca->crt, GNUTLS_KEY_KEY_CERT_SIGN |
								   GNUTLS_KEY_CRL_SIGN);
	if (r >= 0)
		r = gnutls_x509_crt_sign2(ca->crt, ca->crt, ca->key, GNUTLS_DIG_SHA256,
					  0);
	return r;
}

static int add_name(gnutls_x509_crt_t crt, const char *name) {
	unsigned char ip[16];

	if (!net_is_literal(name))
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
							    (unsigned)strlen(name),
							    GNUTLS_FSAN_APPEND);
	if (inet_pton(AF_INET, name, ip) == 1)
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip,
							    4, GNUTLS_FSAN_APPEND);
	if (inet_pton(AF_INET6, name, ip) == 1)
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip,
							    16, GNUTLS_FSAN_APPEND);
	return GNUTLS_E_INVALID_REQUEST;
}

static int make_leaf(struct pair *leaf, const struct pair *ca, const char *const names[],
		     size_t count, unsigned days) {
	int r = pair_init(leaf);

	if (r >= 0)
		r = fill_common(leaf, count > 0 ? names[0] : "nightmail test server",
				days);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = add_name(leaf->crt, names[i]);
	if (r >= 0)
		r = gnutls_x509_crt_set_basic_constraints(leaf->crt, 0, -1);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_usage(leaf->crt,
						  GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_purpose_oid(leaf->crt,
							GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (r >= 0)
		r = gnutls_x509_crt_sign2(leaf->crt, ca->crt, ca->key, GNUTLS_DIG_SHA256,
					  0);
	return r;
}

/* Writes what an export call gave; frees it. */
static int put(int dirfd, const char *name, mode_t mode, int exported,
	       gnutls_datum_t *pem, struct err *err) {
	int r;

	if (exported < 0)
		return err_set(err, ERR_SYSTEM, "%s: cannot export: %s", name,
			       gnutls_strerror(exported));
	r = file_replace(dirfd, name, mode, span_of(pem->data, pem->size), err);
	gnutls_memset(pem->data, 0, pem->size);
	gnutls_free(pem->data);
	return r;
}

/* The key first: a certificate that stands there always has its key. */
static int write_files(int dirfd, const struct pair *ca, const struct pair *leaf,
		       struct err *err) {
	gnutls_datum_t pem = { NULL, 0 };

	if (put(dirfd, "key.pem", 0600,
		gnutls_x509_privkey_export2(leaf->key, GNUTLS_X509_FMT_PEM, &pem), &pem,
		err) < 0)
		return -1;
	if (put(dirfd, "ca.pem", 0644,
		gnutls_x509_crt_export2(ca->crt, GNUTLS_X509_FMT_PEM, &pem), &pem,
		err) < 0)
		return -1;
	return put(dirfd, "cert.pem", 0644,
		   gnutls_x509_crt_export2(leaf->crt, GNUTLS_X509_FMT_PEM, &pem), &pem,
		   err);
}

int tls_make_test_files(int dirfd, const char *const names[], size_t count, unsigned days,
			struct err *err) {
	AUTO_PAIR struct pair ca = { NULL, NULL }, leaf = { NULL, NULL };
	int r = make_ca(&ca, days);

	if (r >= 0)
		r = make_leaf(&leaf, &ca, names, count, days);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, "cannot make a test certificate: %s",
			       gnutls_strerror(r));
	return write_files(dirfd, &ca, &leaf, err);
}
