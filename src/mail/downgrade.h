#ifndef NIGHTMAIL_MAIL_DOWNGRADE_H
#define NIGHTMAIL_MAIL_DOWNGRADE_H

/*
 * A header for a server without SMTPUTF8: text becomes encoded words (RFC 2047), domains
 * become A-labels. Bodies are converted by longline.h. Pure.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* True when there is a byte >= 0x80. */
bool downgrade_is_8bit(struct span s);
/*
 * Appends the fields of a header block, those with characters beyond ASCII converted. What is
 * not UTF-8, and fields that are neither text nor addresses, stay as they are. ERR_SYNTAX: it
 * cannot be converted, an address needs SMTPUTF8 or a signature would break; ERR_MEMORY.
 */
int downgrade_header(struct span block, struct buf *out, struct err *err);

#endif
