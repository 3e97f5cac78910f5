#ifndef NIGHTMAIL_DELIVER_ALIASES_FILE_H
#define NIGHTMAIL_DELIVER_ALIASES_FILE_H

/* The aliases file and what it includes, read from the disk (mail/aliases.h). */

#include "base/buf.h"
#include "base/err.h"
#include "mail/aliases.h"

/* Reads the file at `path`; one that is not there is like an empty one. complaints may be
 * NULL. Release *ret with aliases_release(). -1: it cannot be read, with words. */
int aliases_file_read(const char *path, struct aliases *ret, struct buf *complaints,
		      struct err *err);

#endif
