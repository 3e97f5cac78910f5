#ifndef NIGHTMAIL_QUEUE_RELAYSTATE_H
#define NIGHTMAIL_QUEUE_RELAYSTATE_H

/*
 * Since when, and until when, each relay was held the last time: kept across restarts, so
 * that held time never counts towards a message's lifetime; and when replies of it were out of
 * place, so that it is not streamed to; which login mechanisms its servers offered; and how long
 * their certificates hold. One small file, replaced as a whole at each change.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "queue/queue.h"

struct relaystate {
	char relay[64];
	bool held;
	struct moment since; /* start of the last hold */
	struct moment until; /* its end; not meaningful while held */
	char reason[256];    /* words, raw bytes */
	struct moment out_of_step; /* when replies were; boot_id 0: never */
	char offers[1024]; /* login mechanisms of its servers (deliver/offers.h) */
	char certs[512];   /* how long their certificates hold (deliver/validity.h) */
};

/* Parses the file's bytes. */
size_t relaystate_parse(struct span bytes, struct relaystate *ret, size_t max);
/* Reads at most max entries; a missing or damaged file gives 0 entries. Returns the count. */
size_t relaystate_read(struct queue *q, struct relaystate *ret, size_t max);
int relaystate_write(struct queue *q, const struct relaystate *r, size_t count, struct err *err);
/* How much of [from, now] the last hold covers, in milliseconds. */
int64_t relaystate_overlap_ms(const struct relaystate *r, const struct moment *from,
	const struct moment *now);

#endif
