#ifndef NIGHTMAIL_CLI_TRACE_INPUT_H
#define NIGHTMAIL_CLI_TRACE_INPUT_H

/* Where a message to be looked at comes from: a file (also of a Maildir), standard input, the
 * n-th of an mbox, the queue. */

#include "base/buf.h"
#include "base/err.h"

#define TRACE_MESSAGE_MAX (1u << 30)

/* what: "FILE", "-", "FILE#N" (from 1, of an mbox) or a queue ID; a file of that name comes
 * first. config: for the queue, may be NULL. Appends the bytes. */
int trace_input_read(const char *what, const char *config, struct buf *out,
		     struct err *err);
/* Puts the message inside a bounce, or its header, in the place of the bounce. ERR_MISSING:
 * there is none. */
int trace_input_original(struct buf *message, struct err *err);

#include "base/banned.h"

#endif
