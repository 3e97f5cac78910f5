/*
 * One person's wish, one message: under its claim, the record that says so is appended, or
 * the file moves. What is in dead/ has no claim; only the spool's owner touches it.
 */

#include "deliver/verb.h"

#include <string.h>

#include "base/auto.h"
#include "deliver/notify.h"
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

static int bounce(struct queue *q, const struct settings *settings, struct queue_claim *c,
		  struct err *err) {
	bool bury, finished;
	if (notify_fail_rest(c, "5.7.1 returned by the administrator", &bury, err) != 0) {
		queue_claim_release(c);
		return -1;
	}
	if (bury)
		return queue_claim_bury(
			c, "returned by the administrator, but it has no sender",
			30 * DAY_MS, err);
	return notify_settle(q, c, settings, NULL, NULL, &finished, err);
}

/* How old it is when its wait ends: time in which it was held, or its relay was, does not
 * count towards its lifetime. */
static int64_t age_of(struct queue *q, const struct journal *j, const struct moment *now) {
	struct relaystate relay[RELAYS_READ_MAX];
	int64_t held_ms = 0;
	if (j->held)
		return j->age_ms;
	size_t n = relaystate_read(q, relay, RELAYS_READ_MAX);
	const char *name = j->relay[0] ? j->relay : "default";
	for (size_t i = 0; i < n; i++)
		if (strcmp(relay[i].relay, name) == 0)
			held_ms = relaystate_overlap_ms(&relay[i], &j->last, now);
	return journal_age_ms(j, now, held_ms);
}

/* Appends the records of hold, release and flush. */
static int record(struct queue *q, struct queue_claim *c, enum verb_act act, struct err *err) {
	const struct journal *j = &queue_claim_message(c)->journal;
	AUTO_BUF struct buf records = BUF_INIT(RECORD_MAX);
	struct moment now = clock_now();
	if (act == VERB_FLUSH && j->held)
		return err_set(err, ERR_DENIED, "it is held; release it first");
	if (act == VERB_HOLD && !j->held)
		journal_add_hold(&records, "admin");
	if (act == VERB_RELEASE && j->held)
		journal_add_release(&records);
	if (act == VERB_FLUSH || act == VERB_RELEASE)
		journal_add_flush(&records, &now, age_of(q, j, &now));
	return records.len ? queue_claim_append(c, buf_span(&records), true, err) : 0;
}

static int apply_claimed(struct queue *q, const struct settings *settings,
			 enum verb_act act, struct queue_claim *c, struct err *err) {
	if (act == VERB_DELETE)
		return queue_claim_bury(c, "deleted by the administrator", DAY_MS, err);
	if (act == VERB_BOUNCE)
		return bounce(q, settings, c, err);
	int r = record(q, c, act, err);
	queue_claim_release(c);
	return r;
}

static int apply_dead(struct queue *q, const struct settings *settings, enum verb_act act,
		      const struct queue_id *id, struct err *err) {
	switch (act) {
	case VERB_FLUSH:
	case VERB_RELEASE:
		return queue_dead_revive(q, id, err);
	case VERB_DELETE:
		return queue_dead_remove(q, id, err);
	case VERB_BOUNCE:
		if (queue_dead_revive(q, id, err) != 0)
			return -1;
		return verb_apply(q, settings, act, id, false, err);
	case VERB_HOLD:
		break;
	}
	return err_set(err, ERR_DENIED,
		       "it is in dead/ and stays there; release brings it back");
}

int verb_apply(struct queue *q, const struct settings *settings, enum verb_act act,
	       const struct queue_id *id, bool dead, struct err *err) {
	enum queue_damage damage = QUEUE_SOUND;
	if (dead)
		return apply_dead(q, settings, act, id, err);
	struct queue_claim *c = queue_claim(q, id, &damage, err);
	if (c)
		return apply_claimed(q, settings, act, c, err);
	if (act == VERB_DELETE && damage != QUEUE_SOUND)
		return queue_bury_damaged(q, id, err);
	return -1;
}
