#ifndef NIGHTMAIL_MAIL_EOL_H
#define NIGHTMAIL_MAIL_EOL_H

/*
 * Line ends on their way into wire form. Feed bytes in any pieces; CR LF, bare LF and bare
 * CR each become CR LF; a NUL is refused. Counts what a submitter must know.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct eol {
	bool seen_cr;   /* last byte was a CR whose line end is written already */
	bool at_start;  /* at the start of a line */
	bool has_8bit;  /* a byte >= 0x80 went through */
	size_t line;    /* octets of the current line */
	size_t longest; /* octets of the longest line, without CRLF */
};

void eol_init(struct eol *e);
/* Appends the normalised bytes; -1 with ERR_SYNTAX on a NUL (then nothing more is valid) or
 * ERR_LIMIT when out is full. */
int eol_feed(struct eol *e, struct span in, struct buf *out, struct err *err);
/* Appends a last CRLF when the text does not end in one. An empty text stays empty. */
int eol_finish(struct eol *e, struct buf *out);

#endif
