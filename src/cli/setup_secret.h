#ifndef NIGHTMAIL_CLI_SETUP_SECRET_H
#define NIGHTMAIL_CLI_SETUP_SECRET_H

/* The file that holds a relay's password. */

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Appends where the password is kept unless somebody says otherwise: for root the system's
 * place, else beside the person's configuration. -1: the person has no home directory. */
int setup_secret_path(struct buf *out, struct err *err);

/*
 * Writes the password as the file's one line, mode 0600, in place of what is there. As root,
 * with for_daemon, it becomes the property of the user nightmail (where there is one), who
 * has to read it.
 */
int setup_secret_write(const char *path, struct span password, bool for_daemon,
		       struct err *err);

#endif
