#ifndef NIGHTMAIL_QUEUE_QUOTASTATE_H
#define NIGHTMAIL_QUEUE_QUOTASTATE_H

/*
 * What was used of each quota and rate (deliver/throttle.h), kept across restarts. One small
 * file, replaced as a whole; what stands in it is never less than what was let out.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "queue/queue.h"

struct quotastate_window {
	int64_t length_ms; /* from `at`; 0: none is open */
	uint64_t used;
};

struct quotastate {
	char relay[64];
	char domain[256]; /* "": of the whole relay */
	struct moment at; /* when this was so */
	int64_t wait_ms;  /* from `at`: no message before */
	struct quotastate_window hour, day;
	int64_t start_day, step; /* of the warm-up: which, and how far it is */
};

#define QUOTASTATE_MAX 2048u

/* Parses the file's bytes, up to a damaged line. */
size_t quotastate_parse(struct span bytes, struct quotastate *ret, size_t max);
/* Reads at most max entries; a missing or damaged file gives those before the damage. */
size_t quotastate_read(struct queue *q, struct quotastate *ret, size_t max);
/* Durable when it returns 0. */
int quotastate_write(struct queue *q, const struct quotastate *s, size_t count,
		     struct err *err);

#endif
