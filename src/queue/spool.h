#ifndef NIGHTMAIL_QUEUE_SPOOL_H
#define NIGHTMAIL_QUEUE_SPOOL_H

/*
 * Inside src/queue only: the opened spool, the first line of a queue file, and how a file
 * is locked and read. Callers outside use queue.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/span.h"
#include "queue/queue.h"

struct queue {
	char *path;
	int dir;     /* the spool itself */
	int queue;   /* queue/ */
	int dead;    /* dead/, -1 until somebody needs it */
	int lock;    /* `lock` while we own the spool, else -1 */
	bool named;  /* this file system has no unnamed files */
	mode_t mode; /* of new files */
};

#define SPOOL_QUEUE "queue"
#define SPOOL_DEAD "dead"
#define SPOOL_DELIVERED "delivered"
#define SPOOL_LOCK "lock"
#define SPOOL_RELAYS "relays"
#define SPOOL_QUOTAS "quotas"
#define SPOOL_ALERTS "alerts"
#define SPOOL_WATCH "watch"
#define SPOOL_LAST_RESORT "last-resort"
#define SPOOL_DROP "drop"
#define SPOOL_STS "sts"
#define SPOOL_TLSRPT "tlsrpt"
/* Begins the names, in the spool itself, of files that get their place by rename. */
#define SPOOL_TEMPORARY "tmp-"

/* Opens dead/ once; the descriptor stays the queue's. */
int spool_dead(struct queue *q, int *ret_dirfd, struct err *err);
/* The descriptor of queue/ or dead/. */
int spool_dirfd(struct queue *q, bool dead, int *ret_dirfd, struct err *err);
/* True when the name is an ID in its one spelling. */
bool spool_name_id(const char *name, struct queue_id *ret);

/* --- the first line --- */

#define FIRST_LINE_LEN 53

struct first_line {
	uint64_t envelope_len, message_len;
	uint32_t crc;
};

/* Writes FIRST_LINE_LEN bytes. */
void first_line_write(char *out, const struct first_line *f);
/* Parses them. ERR_SYNTAX: they are no first line; ERR_LIMIT: that of another version. */
int first_line_parse(struct span bytes, struct first_line *ret, struct err *err);

/* --- a file that is open --- */

/* Reads all but the content of an open queue file. Errors as queue_read(). */
int spool_read(int fd, const struct stat *st, const struct queue_id *id,
	       struct queue_message *ret, enum queue_damage *ret_damage, struct err *err);
/* Reads the content and compares the checksum. ERR_SYNTAX: it differs. */
int spool_verify(int fd, const struct queue_message *m, const char *name,
		 struct err *err);
/* Opens and locks the file of a name; *ret_st is what fstat says of it. ERR_MISSING: there is
 * none (any more); ERR_DENIED: locked by somebody else. */
int spool_lock_file(int dirfd, const char *name, int *ret_fd, struct stat *ret_st,
		    struct err *err);
/* Moves the locked file fd from queue/ to dead/: at no moment is it without a durable name. */
int spool_to_dead(struct queue *q, int fd, const struct stat *st, const char *name,
		  struct err *err);

/* True when the file can be unlinked by whoever sees it. A failure that nobody can be told
 * of (no sender) is not finished: that file is for a person. */
bool spool_may_remove(const struct queue_message *m);

/* --- a claimed file --- */

struct queue_claim {
	struct queue *q;
	struct queue_id_text name;
	int fd;
	uint64_t size; /* of the file */
	struct stat st;
	struct queue_message m;
};

/* Locks and reads a file of queue/ or dead/ as it stands; mends nothing. */
struct queue_claim *claim_take(struct queue *q, const struct queue_id *id, bool dead,
			       enum queue_damage *ret_damage, struct err *err);
/* Wraps a locked descriptor, which then belongs to the claim (also when this fails). */
struct queue_claim *claim_wrap(struct queue *q, const struct queue_id *id, int fd,
			       const struct stat *st, enum queue_damage *ret_damage,
			       struct err *err);

#endif
