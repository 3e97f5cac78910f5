#ifndef NIGHTMAIL_QUEUE_JOURNAL_H
#define NIGHTMAIL_QUEUE_JOURNAL_H

/*
 * The journal behind a message in its queue file: one line an event, "CRC32C kind
 * key=value...", appended under the claim. Replaying the lines gives the message's state.
 * A reader stops at the first line that is cut or whose checksum is wrong.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/span.h"
#include "queue/id.h"

enum recipient_state { RECIPIENT_PENDING, RECIPIENT_DEFERRED, RECIPIENT_DELIVERED, RECIPIENT_FAILED };
const char *recipient_state_name(enum recipient_state s);
/* True for one who is neither served nor given up. */
static inline bool recipient_waits(enum recipient_state s) {
	return s == RECIPIENT_PENDING || s == RECIPIENT_DEFERRED;
}

/* What an attempt said of one recipient. */
struct journal_result {
	enum recipient_state state;
	struct span reply; /* "450 4.7.1 greylisted", raw bytes */
	struct span host;  /* who said it, "mx1.example[192.0.2.1]"; empty: ourselves */
};

/* State of one recipient after replay; spans point into the journal's storage. */
struct journal_recipient {
	struct journal_result last;
	bool maybe_twice;    /* a copy may have gone out before */
	int64_t wall_ms;     /* of the last result */
	struct queue_id notice; /* FAILED: its bounce; all zero: none wanted */
};

#define JOURNAL_NOTICES_MAX 64
/* The hold reason of a message that is part of a storm: this and the ID of the first one held. */
#define JOURNAL_STORM "storm="
/* The hold reason of a message whose only open recipients are names that nobody knows. */
#define JOURNAL_LOCAL_NAME "local-name"
/* The same of one whose route says so: both may be otherwise with another configuration. */
#define JOURNAL_ROUTE "route"

/* One address of an alias got the message, while others of it did not yet. */
struct journal_reached {
	size_t to; /* the recipient that is the alias */
	struct span address;
};

/* State of the whole message. */
struct journal {
	struct journal_recipient *to; /* one for each recipient of the envelope */
	size_t to_count;
	unsigned attempts;     /* counted ones */
	struct moment last;    /* of the last attempt or of acceptance: age and wait run from here */
	int64_t age_ms;        /* at `last` */
	int64_t wait_ms;       /* planned pause from `last` to the next attempt */
	bool flushed;          /* once, by a person */
	char relay[64];        /* of the last attempt, "" none */
	bool held;
	char hold_reason[32];  /* "admin", JOURNAL_LOCAL_NAME, ... */
	struct journal_reached *reached;
	size_t reached_count, reached_cap;
	bool no_memory;        /* while it was read */
	bool maybe_twice;      /* any recipient has it */
	bool delay_noticed;    /* a delay notice was asked for */
	bool edited;           /* unless `replacement` was never made, it takes this one's place */
	struct queue_id replacement;
	unsigned notices;      /* notices asked for so far: the next one's sequence number */
	struct {
		struct queue_id id;
		bool delayed;  /* a delay notice; with neither of these a bounce */
		bool digest;   /* what is told of a storm that this message began */
		bool done;     /* `noticed` is recorded */
	} notice[JOURNAL_NOTICES_MAX];
	struct {
		bool asked;            /* one notice of this message is the digest */
		int64_t held;          /* messages of the storm, this one included */
		struct queue_id last;  /* of these */
	} digest;
	char dead_reason[128]; /* of a message in dead/, else "" */
	int64_t dead_wall_ms;
	int64_t dead_keep_ms;  /* how long dead/ keeps it */
	size_t valid;          /* bytes up to the end of the last valid record */
	char *storage;
};

/* --- writing: each appends one record, checksum included, to a batch that
 *     queue_claim_append() writes in one piece --- */

/* An attempt that counts. wait_ms: until the next one. */
int journal_add_attempt(struct buf *out, const struct moment *now, int64_t age_ms,
	int64_t wait_ms, struct span relay);
/* A result for recipients [first, first+count). notice (may be NULL): the bounce that must
 * exist once this record does. */
int journal_add_result(struct buf *out, const struct moment *now, size_t first, size_t count,
	const struct journal_result *r, const struct queue_id *notice);
/* This address of recipient `to` has the message; the recipient itself is not settled. */
int journal_add_reached(struct buf *out, size_t to, struct span address);
/* A copy for these recipients may have gone out without our knowing. */
int journal_add_maybe_twice(struct buf *out, size_t first, size_t count);
/* A delay notice must exist. */
int journal_add_delayed(struct buf *out, const struct moment *now, const struct queue_id *notice);
/* The digest of the storm that this message began must exist: so many are held, the last is that. */
int journal_add_digest(struct buf *out, const struct moment *now, const struct queue_id *notice,
	int64_t held, const struct queue_id *last);
/* The notice exists durably. */
int journal_add_noticed(struct buf *out, const struct queue_id *notice);
int journal_add_hold(struct buf *out, const struct moment *now, const char *reason);
/* That message takes this one's place once it exists; see deliver/verb_edit.c. */
int journal_add_edited(struct buf *out, const struct queue_id *replacement);
int journal_add_release(struct buf *out, const struct moment *now);
/* "Try at once": the wait is over. */
int journal_add_flush(struct buf *out, const struct moment *now, int64_t age_ms);
int journal_add_dead(struct buf *out, const struct moment *now, const char *reason, int64_t keep_ms);
/* Back from dead/: failed recipients without a bounce are pending again, age starts anew. */
int journal_add_revived(struct buf *out, const struct moment *now);

/* --- reading --- */

/* Replays the records over a message of to_count recipients created at `created`. Never
 * fails on bad bytes (they end the journal); -1 only when out of memory. */
int journal_parse(struct span bytes, size_t to_count, const struct moment *created,
	struct journal *ret);
void journal_release(struct journal *j);

/* One record as people want to see it; what it does not have is empty or zero. */
struct journal_entry {
	const char *kind;
	int64_t wall_ms;
	size_t first, count; /* recipients; count 0: none named */
	struct span state, reply, host, relay, reason;
	int64_t wait_ms;
};
typedef void journal_entry_fn(void *ctx, const struct journal_entry *e);
/* Calls fn for each sound record. -1: no memory. */
int journal_each(struct span bytes, size_t to_count, journal_entry_fn *fn, void *ctx);

/* How many rows of `notice` are in use. */
size_t journal_notice_slots(const struct journal *j);
/* True when that address of recipient `to` has the message already. */
bool journal_has_reached(const struct journal *j, size_t to, struct span address);
/* True when it is held for a reason of the configuration alone: names that nobody knows, a route. */
bool journal_waits_for_name(const struct journal *j);
/* True when it is held as part of a storm; ret (may be NULL): which. */
bool journal_storm(const struct journal *j, struct queue_id *ret);
/* True when no recipient is pending or deferred and no notice is outstanding: the file can go. */
bool journal_finished(const struct journal *j);
/* Age now; held_ms of the time since j->last does not count. */
int64_t journal_age_ms(const struct journal *j, const struct moment *now, int64_t held_ms);
/* Milliseconds until the next attempt is due; <= 0: due. */
int64_t journal_due_ms(const struct journal *j, const struct moment *now);

#endif
