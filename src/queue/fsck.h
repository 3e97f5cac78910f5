#ifndef NIGHTMAIL_QUEUE_FSCK_H
#define NIGHTMAIL_QUEUE_FSCK_H

/*
 * `mailq check`: reads everything in the spool, verifies every checksum, and says what is
 * wrong. With repair (the caller owns the spool) incomplete and damaged files go to dead/,
 * finished ones are removed.
 */

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "queue/queue.h"

struct fsck_report {
	unsigned long sound, incomplete, damaged, finished, journal_tails, segments, strangers, dead;
	unsigned long repaired;
};

/* Called for each thing that is wrong, with words. */
typedef void fsck_fn(void *ctx, const char *name, const char *words);

int queue_fsck(struct queue *q, bool repair, fsck_fn *fn, void *ctx, struct fsck_report *ret,
	struct err *err);

#endif
