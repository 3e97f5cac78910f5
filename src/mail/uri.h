#ifndef NIGHTMAIL_MAIL_URI_H
#define NIGHTMAIL_MAIL_URI_H

/* The URIs that policy records name: where reports go, where a logo is (RFC 3986). Pure. */

#include <stdbool.h>

#include "base/span.h"

/* A scheme, a colon, something behind it; bytes that a URI may have, '%' with two hexadecimal
 * digits. */
bool uri_ok(struct span s);
bool uri_is_mailto(struct span s);
bool uri_is_https(struct span s);
/* The host of an https: URI, without port; false when there is none, or a user before it. */
bool uri_https_host(struct span s, struct span *ret);
/* The domain of a mailto: URI (one address); false when there is none. */
bool uri_mailto_domain(struct span s, struct span *ret);

#include "base/banned.h"

#endif
