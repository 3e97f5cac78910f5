#ifndef NIGHTMAIL_DELIVER_VERB_EDIT_H
#define NIGHTMAIL_DELIVER_VERB_EDIT_H

/*
 * Editing a queued message's envelope. Nothing in a queue file is ever changed: a new message
 * with an ID of its own takes the place of the old one, for the recipients that have not got
 * it yet, by an order that no crash can break:
 *
 *     1. `edited` is recorded in the old message's journal, with the ID of the new one;
 *     2. the new message is accepted, its envelope saying what it replaces, and kept claimed;
 *     3. what the old one's journal says of its recipients, and a hold, are recorded in it;
 *     4. the old one is removed, durably;
 *     5. the new one is released.
 *
 * Whoever finds an old message that was edited asks first whether the new one exists: then
 * the rest is done (verb_edit_settle), else the edit never happened. And no message that
 * replaces another is delivered before that one is gone.
 */

#include "base/err.h"
#include "base/span.h"
#include "deliver/verb.h"
#include "queue/queue.h"

#define VERB_CHANGES_MAX 100u

struct verb_change {
	struct span old, new; /* addresses; new.p NULL: `old` is to get nothing */
};

struct verb_edit {
	struct verb_change change[VERB_CHANGES_MAX];
	size_t count;
	bool has_from;
	struct span from; /* empty: the null sender */
	bool has_relay, has_at, has_priority;
	char relay[WISHES_RELAY_SIZE]; /* "": by the routes */
	int64_t at_ms;                 /* wall time; 0: at once */
	enum mail_priority priority;
	struct buf storage;
};

/* Reads the words of an edit request behind its id: "to=OLD new=NEW", "remove=ADDRESS",
 * "from=ADDRESS", "relay=NAME", "at=WALL_MS", "priority=WORD", any number of the first two. *ret owns copies also after an error.
 * ERR_SYNTAX. */
int verb_edit_parse(struct span words, struct verb_edit *ret, struct err *err);
void verb_edit_release(struct verb_edit *e);

/* Does it. ERR_DENIED: it is being delivered, or not to be changed by this one; ERR_SYNTAX: an
 * address is none, or is no recipient that still waits; ERR_MISSING: gone. */
int verb_edit(struct queue *q, const struct verb_edit *edit, enum verb_by by,
	const struct queue_id *id, struct queue_id *ret_new, struct err *err);

/* Finishes what a crash cut off. *ret_replaced: the new message exists, and the old one is gone
 * now. The claim is freed then, and after an error; else it is as it was. */
int verb_edit_settle(struct queue *q, struct queue_claim *old, bool *ret_replaced,
	struct err *err);
/* The same from the other side, for a message that may replace another: before anything is done
 * with it, because the old one would go again without it. 0 also when there is no such message. */
int verb_edit_finish(struct queue *q, const struct queue_id *id, struct err *err);
/* May a message that replaces another be delivered? 1; 0: the other one is there still. */
int verb_edit_is_free(struct queue *q, const struct queue_message *m, struct err *err);

#endif
