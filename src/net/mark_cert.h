#ifndef NIGHTMAIL_NET_MARK_CERT_H
#define NIGHTMAIL_NET_MARK_CERT_H

/* Mark certificates (VMC and CMC): who may show which logo. */

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "net/tls_cert.h"

struct mark_cert {
	struct tls_cert leaf;
	size_t count;  /* certificates in the file */
	bool is_mark;  /* its purpose is brand indication */
	bool chained;  /* each is signed by the one behind it */
	bool has_logo; /* it names a logo, with a hash of SHA-256 */
	uint8_t logo_hash[TLS_HASH_SIZE];
	bool logo_packed; /* that hash is of the compressed file, which stands in it */
};

/* pem: the leaf, then those above it. ERR_SYNTAX. */
int mark_cert_read(struct span pem, struct mark_cert *ret, struct err *err);

#include "base/banned.h"

#endif
