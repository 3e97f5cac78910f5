#ifndef NIGHTMAIL_TLSPOLICY_HTTP_REPLY_H
#define NIGHTMAIL_TLSPOLICY_HTTP_REPLY_H

/* One answer of HTTP/1.1 (RFC 9112) that is all there. Pure. */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct http_reply {
	unsigned status;
	struct span type;     /* Content-Type as sent; p is NULL without one */
	struct span location; /* of a redirect; p is NULL without one */
};

/* True when the bytes so far are a whole answer: the length that was announced is there, or the
 * last chunk. An answer without either ends with the connection. */
bool http_reply_is_whole(struct span bytes);
/* Reads it; the body, without chunks, is appended to `body` (its ceiling is the limit).
 * ERR_SYNTAX, ERR_LIMIT, ERR_REMOTE when it is cut. */
int http_reply_parse(struct span bytes, struct http_reply *ret, struct buf *body,
		     struct err *err);

#include "base/banned.h"

#endif
