/* Certificates as data, for those who show them. */

#include "net/tls_cert.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/buf.h"
#include "net/tls_dane.h"

static void add_name(struct tls_cert *c, unsigned type, const void *p, size_t len) {
	char address[INET6_ADDRSTRLEN] = "";
	size_t have = strlen(c->names);
	if (type == GNUTLS_SAN_IPADDRESS) {
		if (!inet_ntop(len == 4 ? AF_INET : AF_INET6, p, address, sizeof(address)))
			return;
		p = address;
		len = strlen(address);
	}
	if (have + len + 2 > sizeof(c->names)) {
		c->names_left++;
		return;
	}
	char *at = c->names + have;
	if (have > 0)
		*at++ = ' ';
	memcpy(at, p, len);
	at[len] = '\0';
	/* No name may look like two, or like another that ends earlier. */
	for (size_t i = 0; i < len; i++)
		if (at[i] == '\0' || at[i] == ' ')
			at[i] = '?';
}

static void read_names(gnutls_x509_crt_t x, struct tls_cert *c) {
	char name[256];
	for (unsigned i = 0;; i++) {
		size_t len = sizeof(name);
		unsigned type;
		int r = gnutls_x509_crt_get_subject_alt_name2(x, i, name, &len, &type, NULL);
		if (r == GNUTLS_E_SHORT_MEMORY_BUFFER) {
			c->names_left++;
			continue;
		}
		if (r < 0 && r != GNUTLS_E_X509_UNKNOWN_SAN)
			return; /* there are no more, or they cannot be read */
		bool fits = len == 4 || len == 16 || type != GNUTLS_SAN_IPADDRESS;
		if (r >= 0 && fits &&
		    (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_IPADDRESS))
			add_name(c, type, name, len);
	}
}

static void read_key(gnutls_x509_crt_t x, struct tls_cert *c) {
	int algorithm = gnutls_x509_crt_get_pk_algorithm(x, &c->bits);
	int signature = gnutls_x509_crt_get_signature_algorithm(x);
	const char *name = algorithm >= 0
				   ? gnutls_pk_get_name((gnutls_pk_algorithm_t)algorithm)
				   : NULL;
	snprintf(c->key, sizeof(c->key), "%s", name ? name : "unknown");
	name = signature >= 0 ? gnutls_sign_get_name((gnutls_sign_algorithm_t)signature) : NULL;
	snprintf(c->signature, sizeof(c->signature), "%s", name ? name : "unknown");
}

bool tls_cert_read(struct span der, struct tls_cert *ret) {
	const gnutls_datum_t bytes = { .data = (unsigned char *)(uintptr_t)der.p,
				       .size = (unsigned)der.len };
	gnutls_x509_crt_t x;
	size_t len;
	*ret = (struct tls_cert){ .bits = 0 };
	if (gnutls_x509_crt_init(&x) != 0)
		return false;
	bool good = gnutls_x509_crt_import(x, &bytes, GNUTLS_X509_FMT_DER) == 0;
	if (good) {
		len = sizeof(ret->subject) - 1;
		if (gnutls_x509_crt_get_dn(x, ret->subject, &len) != 0)
			ret->subject[0] = '\0';
		len = sizeof(ret->issuer) - 1;
		if (gnutls_x509_crt_get_issuer_dn(x, ret->issuer, &len) != 0)
			ret->issuer[0] = '\0';
		ret->not_before_s = gnutls_x509_crt_get_activation_time(x);
		ret->not_after_s = gnutls_x509_crt_get_expiration_time(x);
		ret->self_signed = gnutls_x509_crt_check_issuer(x, x) == 1;
		read_names(x, ret);
		read_key(x, ret);
		good = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.p, der.len, ret->hash) == 0 &&
		       tls_dane_key_hash(&bytes, ret->key_hash);
	}
	gnutls_x509_crt_deinit(x);
	return good;
}
