#ifndef NIGHTMAIL_MAIL_QP_H
#define NIGHTMAIL_MAIL_QP_H

/* Quoted-printable (RFC 2045 section 6.7). Pure. */

#include "base/buf.h"
#include "base/span.h"

/* Appends text with LF or CRLF line ends as quoted-printable; each line end of the input
 * is one LF of the output, lines stay within 76 octets, blanks at a line's end are
 * encoded. */
int qp_encode_text(struct span text, struct buf *out);

#endif
