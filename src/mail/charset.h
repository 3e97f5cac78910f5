#ifndef NIGHTMAIL_MAIL_CHARSET_H
#define NIGHTMAIL_MAIL_CHARSET_H

/* Text of other times and places as UTF-8. */

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/* Appends bytes in that character set as UTF-8. What is no character becomes U+FFFD; text in
 * a character set that is not known is taken for UTF-8. -1: out is full. */
int charset_add(struct buf *out, struct span name, struct span bytes);

#endif
