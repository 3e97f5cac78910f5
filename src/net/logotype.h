#ifndef NIGHTMAIL_NET_LOGOTYPE_H
#define NIGHTMAIL_NET_LOGOTYPE_H

/* The logotype extension of a certificate (RFC 9399): which picture it vouches for. Pure. */

#include <stdbool.h>

#include "base/span.h"

struct logotype {
	struct span type;   /* "image/svg+xml" */
	struct span digest; /* the algorithm, as the bytes of its object identifier */
	struct span hash;   /* of the picture */
	struct span uri;    /* where it is; mostly "data:..." */
};

/* der: the value of the extension. The subject's logo, its first image with its first hash and
 * place. False: it has none, or cannot be read. */
bool logotype_read(struct span der, struct logotype *ret);
/* True for the identifier of SHA-256. */
bool logotype_is_sha256(struct span digest);

#include "base/banned.h"

#endif
