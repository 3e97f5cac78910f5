#ifndef NIGHTMAIL_MAIL_HEADER_H
#define NIGHTMAIL_MAIL_HEADER_H

/*
 * Header fields of a message as bytes (RFC 5322 section 2.2). Works on LF and CRLF. The
 * spans point into the message; nothing is copied or changed.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

#define HEADER_BLOCK_MAX (8u << 20) /* bytes of a header block that we read into memory */
#define HEADER_NAME_MAX 998         /* a longer run before a colon is no field name */

struct header_field {
	struct span name;  /* without the colon and blanks before it */
	struct span value; /* after the colon, with folds, without the last line end */
	struct span raw;   /* the whole field, last line end included */
};

/* Takes one field. False at the empty line, at the end, or at a line that is no field. */
bool header_take(struct span *in, struct header_field *ret);

/* Takes an mbox line ("From " or ">From ") that stands before the first field. */
bool header_take_mbox(struct span *in);

/* Returns the length of the header block in bytes: up to, not including, the empty line;
 * where a line is no header field the block ends before it (a message without a header has
 * length 0). An mbox "From " or ">From " line at the very start counts as part of it. */
size_t header_block_len(struct span message);

/* For a message that is still being read: true when the block ends within these bytes,
 * whatever follows them, with its length; false: more bytes are needed. */
bool header_block_end(struct span so_far, size_t *ret_len);

/* Takes the line end that makes the empty line between header and body. */
bool header_take_empty(struct span *in);

/* Finds the first field of that name (no case) in a header block. */
bool header_find(struct span block, const char *name, struct header_field *ret);

bool header_has(struct span block, const char *name);
/* True when somebody signed the message, body and all (RFC 6376, RFC 8617). */
bool header_is_signed(struct span block);

/* Appends the value unfolded: line ends removed, blanks around folds one space, trimmed. */
int header_unfold(struct span value, struct buf *out);

#endif
