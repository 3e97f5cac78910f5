#ifndef NIGHTMAIL_SMTP_COMMAND_H
#define NIGHTMAIL_SMTP_COMMAND_H

/* The commands of an envelope as text, without their line ends: RFC 5321, 1870, 3461, 6152,
 * 6531. Parameters of extensions that were not offered are left out. */

#include "smtp/client.h"

int smtp_mail_add(struct buf *out, const struct smtp_transaction *t,
		  const struct smtp_extensions *ext);
int smtp_rcpt_add(struct buf *out, const struct smtp_recipient *to,
		  const struct smtp_extensions *ext);
/* Our own files made the spans of an envelope, but a line end in one would be a command of
 * its own: ERR_SYNTAX then, and when there is no recipient. */
int smtp_transaction_check(const struct smtp_transaction *t, struct err *err);

#endif
