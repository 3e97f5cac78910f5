#ifndef NIGHTMAIL_DELIVER_STORM_COUNT_H
#define NIGHTMAIL_DELIVER_STORM_COUNT_H

/*
 * How often mail repeats itself: for each user, sender and subject the times of the last
 * messages, and the storm that is going on, if any. Pure; times are boot times in
 * milliseconds. A bounded number of kinds of mail is known; those that were not seen for
 * longest make room, except that a storm is known until its digest is made.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "queue/id.h"

#define STORM_KINDS_MAX 1024u
/* A digest comes when a storm was quiet for a window, and at the latest so long after its
 * start; when the mail goes on nevertheless, after a day each. */
#define STORM_FIRST_MS (3600 * 1000LL)
#define STORM_AGAIN_MS (24 * 3600 * 1000LL)

/* What makes messages the same. */
struct storm_key {
	uint32_t uid;
	uint64_t hash; /* of sender and subject */
};
struct storm_key storm_key(uint32_t uid, struct span from, struct span subject);

struct storm_table;

/* NULL: no memory. limit 0: nothing is beyond it, but storms of another time can end. */
struct storm_table *storm_table_new(unsigned limit, int64_t window_ms);
void storm_table_free(struct storm_table *t);
/* Sets another limit; what was counted and what is going on stays. */
void storm_table_set(struct storm_table *t, unsigned limit, int64_t window_ms);

/* Counts a message. True when as many as the limit came in the window before it. */
bool storm_count(struct storm_table *t, struct storm_key key, int64_t now_ms);
/* The storm of such mail that goes on. False: none. */
bool storm_current(const struct storm_table *t, struct storm_key key, struct queue_id *ret);
/* A message is held as part of that storm, which begins or goes on. False: it is not known
 * (there are too many at a time, or it has ended). */
bool storm_join(struct storm_table *t, struct storm_key key, const struct queue_id *storm,
		const struct queue_id *message, int64_t now_ms);
/* The same for a message found held at the start, which came at that time. */
void storm_restore(struct storm_table *t, struct storm_key key, const struct queue_id *storm,
		   const struct queue_id *message, int64_t at_ms);
/* What the digest tells. False: that storm is not going on. */
bool storm_find(const struct storm_table *t, const struct queue_id *storm, int64_t *ret_held,
		struct queue_id *ret_last);
/* The storm is over: what comes next is another one. */
void storm_end(struct storm_table *t, const struct queue_id *storm, int64_t now_ms);
/* Gives a storm whose digest is due, once. False: none; *ret_next is when to ask again,
 * INT64_MAX: not before something happens. */
bool storm_due(struct storm_table *t, int64_t now_ms, struct queue_id *ret, int64_t *ret_next);

#endif
