/* A PEM file with a mark certificate, read by GnuTLS; the logo's extension by logotype.c. */

#include "net/mark_cert.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/auto.h"
#include "base/codec.h"
#include "net/logotype.h"

#define PURPOSE_BRAND "1.3.6.1.5.5.7.3.31"
#define EXTENSION_LOGOTYPE "1.3.6.1.5.5.7.1.12"
#define DER_MAX (256u << 10)
#define CERTS_MAX 8u

/* Each purpose of an extension that cannot be read gives the same error again. */
static bool has_purpose(gnutls_x509_crt_t x) {
	char oid[128];
	for (unsigned i = 0;; i++) {
		size_t len = sizeof(oid);
		int r = gnutls_x509_crt_get_key_purpose_oid(x, i, oid, &len, NULL);
		if (r == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue;
		if (r < 0)
			return false;
		if (strcmp(oid, PURPOSE_BRAND) == 0)
			return true;
	}
}

/* True when the certificate's own copy of the logo, compressed as it is, has the hash. */
static bool is_packed(const struct logotype *logo) {
	AUTO_BUF struct buf bytes = BUF_INIT(DER_MAX);
	uint8_t hash[TLS_HASH_SIZE];
	struct span data = logo->uri, head;
	if (!span_take_lit_nocase(&data, SPAN("data:")) ||
	    !span_take_until(&data, ',', &head) ||
	    !span_ends_nocase(head, SPAN(";base64")) ||
	    codec_base64_decode(&bytes, data) != 0 || bytes.len < 2 ||
	    (uint8_t)buf_str(&bytes)[0] != 0x1f)
		return false;
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, buf_str(&bytes), bytes.len, hash) ==
		       0 &&
	       memcmp(hash, logo->hash.p, sizeof(hash)) == 0;
}

static void read_logo(gnutls_x509_crt_t x, struct mark_cert *ret) {
	AUTO_BUF struct buf der = BUF_INIT(DER_MAX);
	size_t len = DER_MAX;
	char *room = buf_room(&der, DER_MAX);
	struct logotype logo;
	if (!room || gnutls_x509_crt_get_extension_by_oid(x, EXTENSION_LOGOTYPE, 0, room,
							  &len, NULL) != 0)
		return;
	buf_grew(&der, len);
	if (!logotype_read(buf_span(&der), &logo) || !logotype_is_sha256(logo.digest) ||
	    logo.hash.len != sizeof(ret->logo_hash))
		return;
	ret->has_logo = true;
	memcpy(ret->logo_hash, logo.hash.p, sizeof(ret->logo_hash));
	ret->logo_packed = is_packed(&logo);
}

static bool is_chained(gnutls_x509_crt_t *list, unsigned count) {
	for (unsigned i = 0; i + 1 < count; i++) {
		unsigned status = 0;
		if (gnutls_x509_crt_verify(list[i], &list[i + 1], 1,
					   GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
					   &status) != 0 ||
		    status != 0)
			return false;
	}
	return true;
}

static int read_leaf(gnutls_x509_crt_t x, struct mark_cert *ret, struct err *err) {
	gnutls_datum_t der = { .data = NULL };
	if (gnutls_x509_crt_export2(x, GNUTLS_X509_FMT_DER, &der) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	bool good = tls_cert_read(span_of((const char *)der.data, der.size), &ret->leaf);
	gnutls_free(der.data);
	return good ? 0 : err_set(err, ERR_SYNTAX, "the certificate cannot be read");
}

int mark_cert_read(struct span pem, struct mark_cert *ret, struct err *err) {
	const gnutls_datum_t bytes = { .data = (unsigned char *)(uintptr_t)pem.p,
				       .size = (unsigned)pem.len };
	gnutls_x509_crt_t list[CERTS_MAX];
	unsigned count = CERTS_MAX;
	memset(ret, 0, sizeof(*ret));
	int r = gnutls_x509_crt_list_import(list, &count, &bytes, GNUTLS_X509_FMT_PEM,
					    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	if (r <= 0)
		return err_set(err, ERR_SYNTAX, "no certificates in PEM: %s",
			       r < 0 ? gnutls_strerror(r) : "it is empty");
	ret->count = (size_t)r;
	int status = read_leaf(list[0], ret, err);
	if (status == 0) {
		ret->is_mark = has_purpose(list[0]);
		ret->chained = is_chained(list, (unsigned)r);
		read_logo(list[0], ret);
	}
	for (int i = 0; i < r; i++)
		gnutls_x509_crt_deinit(list[i]);
	return status;
}
