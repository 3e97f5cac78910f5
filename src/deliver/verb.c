/*
 * One person's wish, one message: under its claim, the record that says so is appended, or
 * the file moves. What is in dead/ has no claim; only the spool's owner touches it.
 */

#include "deliver/verb.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "deliver/notify.h"
#include "deliver/verb_edit.h"
#include "queue/relaystate.h"

#define RECORD_MAX 1024u
#define RELAYS_READ_MAX 64u
#define DAY_MS (24 * 3600 * 1000LL)

static const char *const names[] = {
	[VERB_FLUSH] = "flush",   [VERB_HOLD] = "hold",     [VERB_RELEASE] = "release",
	[VERB_DELETE] = "delete", [VERB_BOUNCE] = "bounce",
};

const char *verb_name(enum verb_act act) {
	return names[act];
}

bool verb_parse(struct span word, enum verb_act *ret) {
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_eq(word, span_str(names[i]))) {
			*ret = (enum verb_act)i;
			return true;
		}
	}
	return false;
}

static const char *const by_names[] = {
	[VERB_BY_ADMIN] = "admin",
	[VERB_BY_USER] = "user",
};

const char *verb_by_name(enum verb_by by) {
	return by_names[by];
}

const char verb_not_held[] = "it is not held";

bool verb_passed_over(enum verb_act act, const struct err *err) {
	return err->kind == ERR_MISSING || (act == VERB_FLUSH && err->kind == ERR_DENIED) ||
	       (act == VERB_RELEASE && strcmp(err->msg, verb_not_held) == 0);
}

static const struct {
	const char *deleted, *returned, *buried;
} words_by[] = {
	[VERB_BY_ADMIN] = { "deleted by the administrator",
			    "5.7.1 returned by the administrator",
			    "returned by the administrator, but it has no sender" },
	[VERB_BY_USER] = { "deleted by its sender", "5.7.1 returned at its sender's wish",
			   "returned at its sender's wish, but it has no sender" },
};

static int bounce(struct queue *q, const struct settings *settings,
		  const struct verb_wish *wish, struct queue_claim *c, struct err *err) {
	bool bury, finished;
	if (notify_fail_rest(c, words_by[wish->by].returned, wish->failed, wish->ctx, &bury,
			     err) != 0) {
		queue_claim_release(c);
		return -1;
	}
	if (bury)
		return queue_claim_bury(c, words_by[wish->by].buried, 30 * DAY_MS, err);
	return notify_settle(q, c, settings, NULL, NULL, &finished, err);
}

int verb_check_hold(enum verb_by by, const struct journal *j, struct err *err) {
	if (by == VERB_BY_ADMIN || !j->held || journal_waits_for_name(j) ||
	    journal_storm(j, NULL) ||
	    strcmp(j->hold_reason, by_names[VERB_BY_USER]) == 0)
		return 0;
	return err_set(err, ERR_DENIED, "it is held by %s; only an administrator may change that",
		       j->hold_reason);
}

/* How old it is when its wait ends: time in which it was held, or its relay was, does not
 * count towards its lifetime. */
static int64_t age_of(struct queue *q, const struct journal *j, const struct moment *now) {
	int64_t held_ms = 0;
	if (j->held)
		return j->age_ms;
	AUTO_FREE struct relaystate *relay = malloc(RELAYS_READ_MAX * sizeof(*relay));
	size_t n = relay ? relaystate_read(q, relay, RELAYS_READ_MAX) : 0;
	const char *name = j->relay[0] ? j->relay : "default";
	for (size_t i = 0; i < n; i++)
		if (strcmp(relay[i].relay, name) == 0)
			held_ms = relaystate_overlap_ms(&relay[i], &j->last, now);
	return journal_age_ms(j, now, held_ms);
}

/* Appends the records of hold, release and flush. */
static int record(struct queue *q, struct queue_claim *c, const struct verb_wish *wish,
		  struct err *err) {
	const struct journal *j = &queue_claim_message(c)->journal;
	AUTO_BUF struct buf records = BUF_INIT(RECORD_MAX);
	struct moment now = clock_now();
	enum verb_act act = wish->act;
	if (act == VERB_FLUSH && j->held)
		return err_set(err, ERR_DENIED, "it is held; release it first");
	if (act == VERB_RELEASE && !j->held)
		return err_set(err, ERR_DENIED, "%s", verb_not_held);
	bool theirs = strcmp(j->hold_reason, verb_by_name(VERB_BY_USER)) == 0;
	if (act == VERB_HOLD && (!j->held || (theirs && wish->by == VERB_BY_ADMIN)))
		journal_add_hold(&records, &now, verb_by_name(wish->by));
	if (act == VERB_RELEASE)
		journal_add_release(&records, &now);
	if (act == VERB_FLUSH || act == VERB_RELEASE)
		journal_add_flush(&records, &now, age_of(q, j, &now));
	return records.len ? queue_claim_append(c, buf_span(&records), true, err) : 0;
}

static int apply_claimed(struct queue *q, const struct settings *settings,
			 const struct verb_wish *wish, struct queue_claim *c,
			 struct err *err) {
	struct queue_id id = queue_claim_message(c)->env.id;
	bool replaced;
	if (verb_edit_settle(q, c, &replaced, err) != 0)
		return -1;
	if (replaced)
		return err_set(err, ERR_MISSING, "%s: no such message any more; it was edited",
			       queue_id_text(&id).s);
	int r = verb_check_hold(wish->by, &queue_claim_message(c)->journal, err);
	if (r == 0 && wish->act == VERB_DELETE)
		return queue_claim_bury(c, words_by[wish->by].deleted, DAY_MS, err);
	if (r == 0 && wish->act == VERB_BOUNCE)
		return bounce(q, settings, wish, c, err);
	if (r == 0)
		r = record(q, c, wish, err);
	queue_claim_release(c);
	return r;
}

/* A user may change their mind about what they deleted, and nothing else that is dead. */
static int check_dead(struct queue *q, enum verb_by by, const struct queue_id *id,
		      struct err *err) {
	struct queue_message m;
	if (by == VERB_BY_ADMIN)
		return 0;
	if (queue_read(q, id, true, &m, NULL, err) != 0)
		return -1;
	bool theirs = strcmp(m.journal.dead_reason, words_by[by].deleted) == 0;
	queue_message_release(&m);
	return theirs ? 0
		      : err_set(err, ERR_DENIED,
				"it is in dead/; only an administrator may change that");
}

static int apply_dead(struct queue *q, const struct settings *settings,
		      const struct verb_wish *wish, const struct queue_id *id,
		      struct err *err) {
	if (check_dead(q, wish->by, id, err) != 0)
		return -1;
	switch (wish->act) {
	case VERB_FLUSH:
	case VERB_RELEASE:
		return queue_dead_revive(q, id, err);
	case VERB_DELETE:
		return queue_dead_remove(q, id, err);
	case VERB_BOUNCE:
		if (queue_dead_revive(q, id, err) != 0)
			return -1;
		return verb_apply(q, settings, wish, id, false, err);
	case VERB_HOLD:
		break;
	}
	return err_set(err, ERR_DENIED,
		       "it is in dead/ and stays there; release brings it back");
}

int verb_apply(struct queue *q, const struct settings *settings, const struct verb_wish *wish,
	       const struct queue_id *id, bool dead, struct err *err) {
	enum queue_damage damage = QUEUE_SOUND;
	if (dead)
		return apply_dead(q, settings, wish, id, err);
	if (verb_edit_finish(q, id, err) != 0)
		return -1;
	struct queue_claim *c = queue_claim(q, id, &damage, err);
	if (c)
		return apply_claimed(q, settings, wish, c, err);
	if (wish->act == VERB_DELETE && wish->by == VERB_BY_ADMIN && damage != QUEUE_SOUND)
		return queue_bury_damaged(q, id, err);
	return -1;
}
