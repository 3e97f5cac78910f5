#ifndef NIGHTMAIL_DELIVER_MAILDIR_H
#define NIGHTMAIL_DELIVER_MAILDIR_H

/*
 * Maildir: one file a message, written below tmp/ and moved to new/ when it is whole and on
 * disk. The name is made of the message and its recipient: a delivery that is done again after
 * a crash finds its file, and makes no second one, as long as nobody has read it.
 */

#include "base/err.h"
#include "base/span.h"

struct maildir;

/* Makes what is missing of path, its tmp, new and cur (the folder above it must be there) and
 * refuses to go on as root: the files would be root's. */
int maildir_make(const char *path, struct err *err);

/* Begins a file for this unique name (letters, digits, dots and the like, no slash). */
struct maildir *maildir_begin(const char *path, const char *name, struct err *err);
/* Bytes in wire form; lines end in LF in the file. */
int maildir_write(struct maildir *m, struct span wire, struct err *err);
/* Durably in new/, or there already. Frees it in both cases. */
int maildir_commit(struct maildir *m, struct err *err);
void maildir_abort(struct maildir *m); /* NULL is fine */

#endif
