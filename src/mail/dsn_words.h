#ifndef NIGHTMAIL_MAIL_DSN_WORDS_H
#define NIGHTMAIL_MAIL_DSN_WORDS_H

/* The part of a delivery status notification that people read; used by dsn_write.c. */

#include "mail/dsn_write.h"

/* Appends the subject line's text, one line of ASCII. */
void dsn_words_subject(struct buf *out, const struct dsn_recipient *r, size_t count);
/* Appends the text, UTF-8 with LF line ends. What came from elsewhere is indented and
 * free of control characters, so none of its bytes begins a line or ends one. */
void dsn_words_text(struct buf *out, const struct dsn_params *p,
		    const struct dsn_recipient *r, size_t count);

#endif
