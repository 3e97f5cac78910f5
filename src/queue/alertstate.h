#ifndef NIGHTMAIL_QUEUE_ALERTSTATE_H
#define NIGHTMAIL_QUEUE_ALERTSTATE_H

/* What is wrong and was told, when (deliver/alert.h): kept across restarts, so that nothing is
 * told twice. One small file, replaced as a whole. */

#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "queue/queue.h"

#define ALERTSTATE_MAX 64u

struct alertstate {
	char key[400];      /* "relay default" */
	struct moment told; /* the last time */
};

/* Parses the file's bytes, up to a damaged line. */
size_t alertstate_parse(struct span bytes, struct alertstate *ret, size_t max);
/* Reads at most max entries; a missing or damaged file gives those before the damage. */
size_t alertstate_read(struct queue *q, struct alertstate *ret, size_t max);
int alertstate_write(struct queue *q, const struct alertstate *s, size_t count,
		     struct err *err);

#endif
