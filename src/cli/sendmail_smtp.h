#ifndef NIGHTMAIL_CLI_SENDMAIL_SMTP_H
#define NIGHTMAIL_CLI_SENDMAIL_SMTP_H

#include "config/settings.h"

/* sendmail -bs: an SMTP session on standard input and output, for the caller. Returns an exit
 * code. */
int sendmail_smtp(const struct settings *set);

#endif
