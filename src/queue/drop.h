#ifndef NIGHTMAIL_QUEUE_DROP_H
#define NIGHTMAIL_QUEUE_DROP_H

/*
 * drop/: where nightmail-drop leaves the messages of ordinary users while no daemon listens.
 * A file there has the form of a queue file without a journal, belongs to the user who
 * submitted it, and can be read by the group of drop/ alone. The spool's owner copies it into
 * queue/ (the user may hold the file open still) and only then removes it:
 *
 *     drop_take(), drop_read()         check it, by what fstat says of the open file
 *     queue_accept_*(same ID)          the copy, durable, and kept claimed
 *     drop_remove()                    durable: the file cannot come back
 *     queue_claim_release()            now the message may be delivered
 *
 * A process that dies in between leaves the message under both names. queue_own() settles
 * that by drop_settle() before anything is delivered, so nothing goes twice.
 */

#include <sys/stat.h>

#include "queue/queue.h"

/* Makes drop/ for a group whose members may add files: mode 1770. Called by root or by the
 * spool's owner. */
int drop_create(const char *dir, gid_t group, struct err *err);
/* The group of drop/, whose members may read what is in it. False: there is no drop/. */
bool drop_group(const char *dir, gid_t *ret);
/* Opens drop/ alone, to accept messages into it: files get mode 0440. ERR_MISSING: there is
 * no drop/, ERR_DENIED: not for us. */
struct queue *drop_open(const char *dir, struct err *err);

/* Removes from drop/ what stands in queue/ as well, whole and durable. */
int drop_settle(struct queue *q, struct err *err);
/* Calls fn for the ID of each file in drop/, until it returns true. No drop/: nothing to do. What
 * has another name and is not being written is removed. */
typedef bool drop_fn(void *ctx, const struct queue_id *id);
int drop_each(struct queue *q, drop_fn *fn, void *ctx, struct err *err);

struct drop_file {
	int fd;    /* locked */
	uid_t uid; /* whose it is: who submitted the message */
	struct stat st;
	struct queue_message m; /* after drop_read() */
};

enum drop_fate {
	DROP_TAKEN,
	DROP_BUSY,    /* being written; or gone */
	DROP_RUBBISH, /* no promise was given for it: to be removed */
	DROP_DAMAGED, /* one may have been given: to be put into dead/ */
	DROP_TROUBLE, /* cannot be told now */
};
/* Opens a file and looks at it from outside: regular, of one name, not longer than an envelope
 * and size_max. Other than DROP_TAKEN: words in err. */
enum drop_fate drop_take(struct queue *q, const struct queue_id *id, uint64_t size_max,
			 struct drop_file *ret, struct err *err);
/* Reads its envelope and compares its checksum. */
enum drop_fate drop_read(struct drop_file *f, const struct queue_id *id, struct err *err);
/* Reads content bytes [offset, offset+len) of the message. */
int drop_content(const struct drop_file *f, uint64_t offset, void *p, size_t len,
		 struct err *err);
void drop_release(struct drop_file *f);
/* Unlinks it, durably. */
int drop_remove(struct queue *q, const struct queue_id *id, struct err *err);
/* Copies the bytes to dead/ as they are, durably, then removes the file. */
int drop_bury(struct queue *q, const struct queue_id *id, uint64_t size_max,
	      struct err *err);

#endif
