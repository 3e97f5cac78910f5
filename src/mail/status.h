#ifndef NIGHTMAIL_MAIL_STATUS_H
#define NIGHTMAIL_MAIL_STATUS_H

/* Enhanced mail system status codes (RFC 3463): class.subject.detail. */

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

struct mail_status {
	unsigned klass;   /* 2, 4 or 5; 0: none */
	unsigned subject; /* 0-999 */
	unsigned detail;  /* 0-999 */
};

/* Takes "5.1.1" from the front. */
bool mail_status_take(struct span *in, struct mail_status *ret);
/* Appends "5.1.1", or "0.0.0" never: nothing when klass is 0. */
int mail_status_add(struct buf *out, struct mail_status s);
/* Returns the words of the table for a code ("bad destination mailbox address"), from the
 * most specific row that matches; never NULL. */
const char *mail_status_words(struct mail_status s);

#endif
