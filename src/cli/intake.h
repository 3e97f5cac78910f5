#ifndef NIGHTMAIL_CLI_INTAKE_H
#define NIGHTMAIL_CLI_INTAKE_H

/*
 * A message on its way in: from a descriptor or from memory, in pieces, so that memory
 * stays small however big the message is.
 *
 *     intake_init();
 *     intake_header();         unless the header comes from elsewhere
 *     intake_drop_header();
 *     intake_body();           the beginning of the body, all of it when it is short
 *     while (!m.at_end)
 *             intake_next();   the following piece, in place of the one before
 *     intake_release();
 *
 * Functions that can fail return -1: ERR_SYSTEM, reading failed; ERR_SYNTAX, a NUL byte;
 * ERR_LIMIT, a header of more than HEADER_BLOCK_MAX; ERR_MEMORY.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "mail/eol.h"

struct intake {
	int in;
	struct span text; /* with from_memory: what is not taken yet */
	bool from_memory;
	bool at_end;     /* nothing more comes, and body is the last piece */
	struct buf raw;  /* read, and not used yet */
	struct buf body; /* a piece in wire form */
	struct eol eol;  /* what went through so far */
};

/* Reads from descriptor in, or, if text.p is not NULL, takes the text. */
void intake_init(struct intake *m, int in, struct span text);
void intake_release(struct intake *m);
/* Reads until the header block is whole. *ret is valid until it is dropped. */
int intake_header(struct intake *m, struct span *ret, struct err *err);
/* Drops the header block of that length, and the empty line behind it. */
void intake_drop_header(struct intake *m, size_t len);
int intake_body(struct intake *m, struct err *err);
int intake_next(struct intake *m, struct err *err);

#endif
