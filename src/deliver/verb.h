#ifndef NIGHTMAIL_DELIVER_VERB_H
#define NIGHTMAIL_DELIVER_VERB_H

/*
 * What a person may ask of the queue, as functions over an owned spool: the manager runs
 * them for control requests, mailq runs them itself when no manager does. Answers are JSON,
 * one object a line.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/settings.h"
#include "deliver/notify.h"
#include "queue/queue.h"

/* What only a running manager knows of a message; all zero without one. */
struct verb_live {
	bool active;           /* a worker has it now */
	bool has_due;
	int64_t due_ms;        /* from now; <= 0: as soon as possible */
	const char *relay;     /* name, or NULL */
	bool relay_held;
	const char *relay_words; /* why it is held, raw bytes */
	int64_t probe_ms;      /* next try of a held relay, from now */
	const char *waits;     /* for which rate or quota, a sentence; NULL: for none */
	bool daemon;           /* a manager runs */
	bool deliverable;      /* false: the configuration names no usable relay */
	bool dropped;          /* it stands in drop/ still */
};

/*
 * Appends one message as a JSON object and a newline: id state created from size attempts
 * next relay reason why flags recipients[{address,state,status,reply}]. `created` and `next`
 * are seconds since 1970 (UTC), `next` may be null; `size` counts bytes; `relay`, `reason`,
 * `status`, `reply` are texts or null. `why` is the sentence mailq prints: what the message
 * waits for. Returns -1 (ERR_MISSING) when gone.
 */
int verb_describe(struct queue *q, const struct queue_id *id, bool dead,
	const struct verb_live *live, struct buf *out, struct err *err);
/* The same for a message that was read already. */
int verb_describe_message(struct queue *q, const struct queue_message *m, bool dead,
	const struct verb_live *live, struct buf *out, struct err *err);
/* The state that it shows. */
enum queue_state verb_state(struct queue *q, const struct queue_message *m, bool dead,
	const struct verb_live *live);
/* Appends the same object with uid, origin and journal (control/control.h): what happened to the
 * message, record by record. */
int verb_describe_fully(struct queue *q, const struct queue_id *id, bool dead,
	const struct verb_live *live, struct buf *out, struct err *err);

/* Who wishes it: an administrator, or the user whose message it is. What an administrator
 * holds, and what is in dead/ for another reason than that its sender deleted it, is none of
 * the user's business. */
enum verb_by { VERB_BY_ADMIN, VERB_BY_USER };
const char *verb_by_name(enum verb_by by); /* "admin", "user": also the reason of a hold */

enum verb_act { VERB_FLUSH, VERB_HOLD, VERB_RELEASE, VERB_DELETE, VERB_BOUNCE };

struct verb_wish {
	enum verb_act act;
	enum verb_by by;
	notify_failed_fn *failed; /* told each recipient that BOUNCE gives up; or NULL */
	void *ctx;
};

/* Appends what a message that is due has to wait for still: its relay, which does not work and is
 * tried again when, or a usable configuration. False: for nothing. */
bool verb_add_relay_wait(struct buf *out, const struct verb_live *live);

/*
 * Does it to one message, claiming it. ERR_DENIED: it is being delivered right now, or may not
 * be changed so.
 * DELETE moves to dead/ for a day (from dead/: removes); RELEASE and FLUSH of a dead
 * message revive it; RELEASE of one that is not held is refused; BOUNCE fails the undelivered recipients and makes the notice. The
 * settings give host name and lifetimes.
 */
int verb_apply(struct queue *q, const struct settings *settings, const struct verb_wish *wish,
	const struct queue_id *id, bool dead, struct err *err);
/* May it be changed by this one, as far as a hold goes? */
int verb_check_hold(enum verb_by by, const struct journal *j, struct err *err);
/* What a RELEASE of a message that is not held is told. */
extern const char verb_not_held[];
/* Asked for all, or for those that are there still, what cannot be meant is passed over without
 * a word: what is gone meanwhile, a flush of what is held and a release of what is not. */
bool verb_passed_over(enum verb_act act, const struct err *err);
const char *verb_name(enum verb_act act);
bool verb_parse(struct span word, enum verb_act *ret);

#endif
