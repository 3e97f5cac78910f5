/*
 * Straight into the queue's files. Space is asked for piece by piece: acceptance stops where
 * the reserve begins, also in the middle of a long message.
 */

#include "submit/way.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

/* What one look at the disk is good for. */
#define ROOM_BYTES (1u << 20)
#define ROOM_MS 100

struct way_queue {
	struct way way;
	struct way_place place;
	struct queue *queue;
	bool own;
	struct queue_accept *accept; /* NULL between messages */
	struct queue_id id;
	uint64_t room; /* so many bytes may still be written without looking again */
	int64_t looked_ms;
};

static struct way_queue *self(struct way *w) {
	return (struct way_queue *)w;
}

/* A lack of space is no fault of the message. It is asked for at every step of every message,
 * so a disk with plenty is looked at only now and then. */
static int room(struct way *w, uint64_t bytes, struct err *err) {
	struct way_queue *q = self(w);
	const struct way_place *p = &q->place;
	struct err why = ERR_INIT;
	int64_t now = clock_boot_ms();
	if (bytes < q->room && now - q->looked_ms < ROOM_MS)
		return 0;
	q->looked_ms = now;
	bool plenty = queue_space(q->queue, ROOM_BYTES, p->reserve_bytes, p->reserve_inodes,
				  NULL) == 0;
	q->room = plenty ? ROOM_BYTES : 0;
	if (bytes < q->room ||
	    queue_space(q->queue, bytes, p->reserve_bytes, p->reserve_inodes, &why) == 0)
		return 0;
	if (why.kind == ERR_LIMIT) {
		why.kind = ERR_SYSTEM;
		why.sys = ENOSPC;
	}
	if (err)
		*err = why;
	return -1;
}

static int check_size(const struct way_queue *q, uint64_t size, struct err *err) {
	if (size <= q->place.size_limit)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "the message is bigger than the limit of %llu bytes",
		       (unsigned long long)q->place.size_limit);
}

static int begin(struct way *w, const struct envelope *e, uint64_t size,
		 struct err *err) {
	struct way_queue *q = self(w);
	if (check_size(q, size, err) != 0 || room(w, size, err) != 0)
		return -1;
	q->id = e->id;
	q->accept = queue_accept_begin(q->queue, e, err);
	return q->accept ? 0 : -1;
}

static int write_some(struct way *w, struct span wire, struct err *err) {
	struct way_queue *q = self(w);
	if (check_size(q, queue_accept_size(q->accept) + wire.len, err) != 0 ||
	    room(w, wire.len, err) != 0)
		return -1;
	q->room -= wire.len < q->room ? wire.len : q->room;
	return queue_accept_write(q->accept, wire, err);
}

int way_commit_claimed(struct way *w, struct queue_claim **ret, struct err *err) {
	if (way_finish(w, err) != 0)
		return -1;
	struct queue_accept *a = self(w)->accept;
	self(w)->accept = NULL;
	return queue_accept_commit(a, ret, err);
}

static int commit(struct way *w, struct queue_id *ret, struct err *err) {
	if (way_commit_claimed(w, NULL, err) != 0)
		return -1;
	*ret = self(w)->id;
	return 0;
}

static void give_up(struct way *w) {
	queue_accept_abort(self(w)->accept);
	self(w)->accept = NULL;
}

static void release(struct way *w) {
	give_up(w);
	if (self(w)->own)
		queue_free(self(w)->queue);
	free(w);
}

static const struct way_ops ops = {
	.traced = false,
	.room = room,
	.begin = begin,
	.write = write_some,
	.commit = commit,
	.abort = give_up,
	.free = release,
};

struct way *way_open_queue(const struct way_place *p, struct queue *queue,
			   enum way_queue_use use, struct err *err) {
	struct way_queue *q = calloc(1, sizeof(*q));
	if (!q) {
		if (use == WAY_QUEUE_OWN)
			queue_free(queue);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	q->way.ops = &ops;
	q->way.keep_long_lines = p->keep_long_lines;
	q->place = *p;
	q->queue = queue;
	q->own = use == WAY_QUEUE_OWN;
	return (struct way *)q; /* its first member */
}
