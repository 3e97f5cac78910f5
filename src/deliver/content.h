#ifndef NIGHTMAIL_DELIVER_CONTENT_H
#define NIGHTMAIL_DELIVER_CONTENT_H

/*
 * The bytes of a queued message as lines {"content":BASE64}, a piece at a time, so that they
 * come through JSON unchanged and a big message needs no big buffer.
 */

#include "base/buf.h"
#include "queue/queue.h"

struct content {
	int fd; /* -1: closed */
	uint64_t at, left;
};

/* Opens the message: all of it, or its header alone. */
int content_open(struct content *c, struct queue *q, const struct queue_id *id, bool dead,
		 bool whole, struct err *err);
/* Appends the next line. 1; 0 at the end; -1: the file cannot be read. */
int content_next(struct content *c, struct buf *out);
void content_close(struct content *c);

#endif
