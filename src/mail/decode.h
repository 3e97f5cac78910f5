#ifndef NIGHTMAIL_MAIL_DECODE_H
#define NIGHTMAIL_MAIL_DECODE_H

/*
 * Reading what mime.h and fixup.h write, and what everybody else does: transfer encodings
 * and encoded words. Nothing is refused; what does not follow its grammar is taken as it
 * stands. Pure.
 */

#include "base/buf.h"
#include "base/span.h"

/* Appends the bytes of base64 (RFC 2045 section 6.8); other characters are passed over, and
 * padding may be followed by more. -1: out is full. */
int decode_base64(struct buf *out, struct span s);
/* Appends the bytes of quoted-printable (RFC 2045 section 6.7): blanks at a line's end go, "="
 * without two digits stands for itself. */
int decode_qp(struct buf *out, struct span s);
/* Appends a field's value as UTF-8 text: unfolded, its encoded words decoded (RFC 2047),
 * control characters in them as spaces. Neighbours in one character set are joined before
 * they are converted, since some programs split characters. */
int decode_words(struct buf *out, struct span value);
/* The same for text that is one line already; its blanks stay. */
int decode_line(struct buf *out, struct span text);

#endif
