#ifndef NIGHTMAIL_QUEUE_SEGMENT_H
#define NIGHTMAIL_QUEUE_SEGMENT_H

/*
 * Completion journals: each delivery worker owns one preallocated file delivered/N, so that
 * a full disk cannot turn a success into a duplicate, and a batch of messages costs one
 * fdatasync. Records are 64 bytes of text: kind, generation, sequence, ID, recipient range,
 * time, CRC-32C.
 *
 *   intent     written and made durable before the first terminator of a window
 *   delivered  written (not synced) at each 2xx, before the message's file is changed
 *   void       the intent is settled: refused, or never sent
 *
 * An intent with neither behind it after a crash means: a copy may have gone out. Replay
 * records it in the message (maybe_twice), and records every `delivered` that the message's
 * own file does not have yet.
 *
 * A full segment is recycled by starting the next generation at its beginning; before that
 * queue/ is fsynced, so that everything the old generation stands for is durable elsewhere.
 * Replay is idempotent.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "queue/queue.h"

#define SEGMENT_RECORDS 4096u /* 64 bytes each */
#define SEGMENT_MAX 128u      /* numbers 0..127 */

struct segment;

/* Opens and locks delivered/N, made and zero-filled when it is not there; replays it first
 * when a crash left something in it (errors as segment_replay()). ERR_DENIED: another process
 * has it. */
struct segment *segment_open(struct queue *q, unsigned number, struct err *err);
/* Syncs, marks it as settled unless intents are open or it is pinned, unlocks. NULL is fine. */
void segment_free(struct segment *s);

struct segment_range {
	struct queue_id id;
	uint32_t first, count; /* recipients */
};

/* Writes a window's intents and makes them durable, with every outcome written before.
 * Recycles the segment when records of the whole window (intents and as many outcomes as
 * outcomes_max) would not fit: then every earlier intent must be settled, and its outcome be
 * in the message's file (or the file gone); ERR_LIMIT otherwise. */
int segment_intents(struct segment *s, const struct segment_range *r, size_t n,
	size_t outcomes_max, struct err *err);
/* Records a 2xx (durable with the next sync, at the latest by segment_sync). */
int segment_delivered(struct segment *s, const struct segment_range *r, struct err *err);
/* Settles an intent without a delivery. */
int segment_void(struct segment *s, const struct segment_range *r, struct err *err);
int segment_sync(struct segment *s, struct err *err);
/* Something the segment says could not be recorded in its message (disk full): the segment
 * must not be recycled; segment_intents() fails from now on, until it is replayed. */
void segment_pin(struct segment *s);

/* Replays one segment: settles all its messages (claiming each), then queue_sync(). 0 also
 * when it does not exist. ERR_DENIED: its worker lives. Other errors (disk full): try again
 * later; nothing may be delivered meanwhile. */
int segment_replay(struct queue *q, unsigned number, struct err *err);
/* Replays all. *ret_busy: how many are still locked by workers (ask again). */
int segment_replay_all(struct queue *q, unsigned *ret_busy, struct err *err);

#endif
