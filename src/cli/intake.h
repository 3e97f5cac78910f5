#ifndef NIGHTMAIL_CLI_INTAKE_H
#define NIGHTMAIL_CLI_INTAKE_H

/*
 * A message on its way in: from a descriptor, from memory, or from whatever makes it, in
 * pieces, so that memory stays small however big the message is.
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
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "mail/eol.h"

/* Makes the message while it is read: at most size bytes at a time, 0 at the end. -1: the
 * reason is told, ERR_SYSTEM when something could not be read. */
struct intake_source {
	ssize_t (*read)(void *ctx, char *room, size_t size, struct err *err);
	void *ctx;
};

struct intake {
	int in;
	struct intake_source source; /* with read: instead of the descriptor */
	struct span text;            /* with from_memory: what is not taken yet */
	bool from_memory;
	bool at_end;     /* nothing more comes, and body is the last piece */
	struct buf raw;  /* read, and not used yet */
	struct buf body; /* a piece in wire form */
	struct eol eol;  /* what went through so far */
};

/* Reads from descriptor in, or, if text.p is not NULL, takes the text; m->source may be set
 * right after. */
void intake_init(struct intake *m, int in, struct span text);
void intake_release(struct intake *m);
/* Reads until the header block is whole. *ret is valid until it is dropped. */
int intake_header(struct intake *m, struct span *ret, struct err *err);
/* Drops the header block of that length, and the empty line behind it. */
void intake_drop_header(struct intake *m, size_t len);
int intake_body(struct intake *m, struct err *err);
int intake_next(struct intake *m, struct err *err);

#endif
