#ifndef NIGHTMAIL_SUBMIT_WAY_H
#define NIGHTMAIL_SUBMIT_WAY_H

/*
 * The ways a message can take into the queue, behind one face: straight into the files
 * (their owner and the daemon), through the daemon's socket, or by nightmail-drop.
 *
 *     way_open_...()
 *     way_begin(envelope), way_write(...)..., way_commit() or way_abort()    any number of times
 *     way_free()
 *
 * What an error means is its kind, whatever the way: ERR_SYNTAX and ERR_LIMIT, never to be
 * accepted; ERR_DENIED, not from this user; ERR_SYSTEM with ENOSPC, no room now; every other
 * one, not now. After an error of begin, write or commit nothing was queued, and the way takes
 * no further message.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "queue/envelope.h"
#include "queue/queue.h"

struct longline;

struct way_place {
	const char *dir, *rundir;
	uint64_t size_limit;
	uint64_t reserve_bytes, reserve_inodes;
	bool keep_long_lines;
};

struct way;

/* The files; with WAY_QUEUE_OWN the queue becomes the way's. */
enum way_queue_use { WAY_QUEUE_OWN, WAY_QUEUE_BORROW };
struct way *way_open_queue(const struct way_place *p, struct queue *queue,
			   enum way_queue_use use, struct err *err);
/* The socket. ERR_MISSING: nobody listens there; ERR_DENIED: we may not connect. */
struct way *way_open_socket(const struct way_place *p, const char *helo, struct err *err);
/* The set-gid helper. ERR_MISSING: it is not installed; ERR_DENIED: it would not get its group. */
struct way *way_open_helper(struct err *err);
void way_free(struct way *w);
/* From now on lines over 998 octets go as they are (mail/longline.h). */
void way_keep_long_lines(struct way *w);

/* The message that begins next was seen to have none: nothing of it need be held back. */
void way_has_short_lines(struct way *w);

/* True when the other side adds Received and knows by itself who we are. */
bool way_is_traced(const struct way *w);
/* Is there room for so many bytes? Asked before the content is sent. */
int way_room(struct way *w, uint64_t bytes, struct err *err);
/* size: of the message, 0 when it is not known yet. The envelope lives until commit or abort. */
int way_begin(struct way *w, const struct envelope *e, uint64_t size, struct err *err);
int way_write(struct way *w, struct span wire, struct err *err);
/* Durable: *ret is the ID, e->id only when it goes straight into the files. */
int way_commit(struct way *w, struct queue_id *ret, struct err *err);
/* The same for the files, and the message stays claimed. */
int way_commit_claimed(struct way *w, struct queue_claim **ret, struct err *err);
void way_abort(struct way *w);

/* --- for those who implement one --- */

struct way_ops {
	bool traced;
	int (*room)(struct way *w, uint64_t bytes, struct err *err);
	int (*begin)(struct way *w, const struct envelope *e, uint64_t size,
		     struct err *err);
	int (*write)(struct way *w, struct span wire, struct err *err);
	int (*commit)(struct way *w, struct queue_id *ret, struct err *err);
	void (*abort)(struct way *w);
	void (*free)(struct way *w);
};
struct way {
	const struct way_ops *ops;
	bool keep_long_lines;
	bool short_lines;       /* of the next message */
	struct longline *lines; /* what holds the message back; NULL: nothing does */
};
/* Writes what is held back; a commit that way_commit() does not know of begins with it. */
int way_finish(struct way *w, struct err *err);

#endif
