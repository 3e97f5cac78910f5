#ifndef NIGHTMAIL_AUTHRES_CANON_H
#define NIGHTMAIL_AUTHRES_CANON_H

/*
 * Canonical forms of header fields and bodies (RFC 6376 section 3.4). Lines may end with CRLF
 * or, as in files, with LF alone: both count as CRLF. A CR alone is content. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum canon { CANON_SIMPLE, CANON_RELAXED };

/* Appends a field, "Name: value" with its folds, with or without its last line end, in
 * canonical form and with CRLF at its end. */
int canon_field(struct buf *out, enum canon kind, struct span raw);

/* Takes a piece of the canonical body. */
typedef void canon_sink_fn(void *ctx, struct span piece);

/* A body that comes in pieces, cut anywhere: the result does not depend on where. */
struct canon_body {
	enum canon kind;
	canon_sink_fn *sink;
	void *ctx;
	uint64_t limit; /* octets that reach the sink at most (l=) */
	uint64_t total; /* octets of the canonical body, those past the limit too */
	uint64_t empty; /* line ends that count only if something follows */
	bool blank;     /* relaxed: white space that counts only if something follows */
	bool cr;        /* a CR that may belong to an LF */
	size_t held;    /* of out */
	char out[4096];
};

#define CANON_NO_LIMIT UINT64_MAX

void canon_body_init(struct canon_body *b, enum canon kind, uint64_t limit,
		     canon_sink_fn *sink, void *ctx);
void canon_body_feed(struct canon_body *b, struct span piece);
void canon_body_end(struct canon_body *b);

#include "base/banned.h"

#endif
