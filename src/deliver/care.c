/*
 * What the manager itself does with a message, under its claim: notices, expiry, burial,
 * removal. A message whose claim is refused is looked at again soon; one that could not be
 * settled (disk full) again after a minute.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/term.h"
#include "deliver/notify.h"
#include "deliver/state.h"
#include "deliver/storm.h"
#include "deliver/verb_edit.h"

#define CARE_BATCH 20u
#define RETRY_CLAIM_MS 100
#define RETRY_TROUBLE_MS 60000
#define RETRY_EDITED_MS 1000

struct notified {
	struct manager *manager;
	struct queue_id_text original;
	const char *event;
};

static void notice_made(void *ctx, const struct queue_id *notice) {
	struct notified *n = ctx;
	log_info("id=%s notice=%s status=queued event=\"%s\"", n->original.s,
		 queue_id_text(notice).s, n->event);
	id_list_add(&n->manager->pending, notice);
	manager_kick(n->manager);
}

static void trouble(struct manager *m, struct message *msg, int64_t now_ms,
		    const struct err *err) {
	log_error("id=%s %s; tried again in a minute", queue_id_text(&msg->id).s,
		  err->msg);
	message_due(m, msg, true, now_ms + RETRY_TROUBLE_MS);
}

static void bury(struct manager *m, struct message *msg, struct queue_claim *c,
		 const char *reason, int64_t now_ms) {
	struct err err = ERR_INIT;
	if (queue_claim_bury(c, reason, DEAD_KEEP_MS, &err) != 0) {
		trouble(m, msg, now_ms, &err);
		return;
	}
	log_warn(
		"id=%s status=dead: %s; it is kept for a person to look at (mailq --all)",
		queue_id_text(&msg->id).s, reason);
	events_act(m, msg, "dead", "daemon", reason);
	message_gone(m, msg, "dead", NULL);
}

void care_bury_damaged(struct manager *m, const struct queue_id *id,
		       enum queue_damage damage, const char *words) {
	struct err err = ERR_INIT;
	struct queue_id_text text = queue_id_text(id);
	if (queue_bury_damaged(m->queue, id, &err) != 0)
		log_error("id=%s cannot be moved to dead/: %s", text.s, err.msg);
	else if (damage == QUEUE_INCOMPLETE)
		log_info("id=%s was never acknowledged, its writer died: moved to dead/",
			 text.s);
	else
		log_error("id=%s status=dead: %s; moved to dead/", text.s, words);
}

/* True when a sender that cannot be told (none) has failed recipients and nothing waits. */
static bool undeliverable_bounce(const struct queue_message *q) {
	bool failed = false;
	if (q->env.from.len)
		return false;
	for (size_t i = 0; i < q->journal.to_count; i++) {
		enum recipient_state s = q->journal.to[i].last.state;
		if (recipient_waits(s))
			return false;
		failed |= s == RECIPIENT_FAILED;
	}
	return failed;
}

static void settle(struct manager *m, struct message *msg, struct queue_claim *c,
		   int64_t now_ms) {
	struct notified n = { m, queue_id_text(&msg->id),
			      msg->storm ? "its storm is told" : "the sender is told" };
	struct err err = ERR_INIT;
	bool finished;
	events_note_failure(m, queue_claim_message(c));
	if (notify_settle(m->queue, c, &m->settings, notice_made, &n, &finished, &err) !=
	    0) {
		trouble(m, msg, now_ms, &err);
	} else if (finished) {
		message_gone(m, msg, msg->failed ? "bounced" : "delivered", NULL);
	} else {
		struct queue_id id = msg->id;
		message_load(m, &id);
	}
}

static void given_up(void *ctx, const struct queue_message *q, size_t recipient) {
	events_given_up(ctx, q, recipient);
}

static bool is_spared(void *ctx, const struct queue_message *q, size_t recipient) {
	struct manager *m = ctx;
	const struct message *msg = table_find(&m->messages, &q->env.id);
	return msg && place_spares(m, msg, q, recipient);
}

/* Records what expiry or a delay mean; -1: failed, 1: buried, 0: go on. */
static int record_first(struct manager *m, struct message *msg, struct queue_claim *c,
			struct err *err) {
	bool asked = false, null_sender = false;
	if (msg->warn && notify_delay(c, &asked, err) != 0)
		return -1;
	if (msg->digest && storm_ask_digest(m, msg, c, err) != 0)
		return -1;
	if (msg->warn && asked)
		alert_delayed(m, &msg->id, queue_claim_message(c)->env.from);
	msg->warn = false;
	msg->warned = true;
	if (!msg->expire)
		return 0;
	AUTO_BUF struct buf reply = BUF_INIT(1024);
	const char *failure = msg->attempted
				      ? NULL
				      : place_failure(m, msg, queue_claim_message(c));
	buf_adds(&reply, "5.4.7 not delivered within ");
	term_duration(&reply, msg->null_sender ? m->settings.bounce_lifetime_ms
					       : m->settings.lifetime_ms);
	if (failure)
		buf_addf(&reply, ": %s", failure);
	if (notify_fail_some(c, buf_str(&reply), is_spared, given_up, m, &null_sender, err) !=
	    0)
		return -1;
	msg->expire = false;
	msg->failed = true;
	log_info("id=%s status=expired reply=\"%s\"", queue_id_text(&msg->id).s,
		 buf_str(&reply));
	events_act(m, msg, "expired", "daemon", buf_str(&reply));
	return null_sender;
}

static const char *burial_reason(const struct message *msg,
				 const struct queue_message *q) {
	struct moment now = clock_now();
	if (msg->damaged)
		return "damaged: its bytes do not match the checksum they were queued with";
	if (msg->loops)
		return "loop: it has more than 50 Received fields";
	if (msg->crashes >= 2)
		return "crashes-worker: two delivery processes crashed with it";
	if (msg->stuck)
		return "its relay did not work for 30 d";
	if (journal_storm(&q->journal, NULL) && !msg->digest && !msg->owes &&
	    storm_is_stale(&q->journal.last, &now))
		return "held by storm control for 7 d";
	return undeliverable_bounce(q)
		       ? "refused for good, and there is no sender to tell"
		       : NULL;
}

static void take_care(struct manager *m, struct message *msg, struct queue_claim *c,
		      int64_t now_ms) {
	struct err err = ERR_INIT;
	const char *reason = burial_reason(msg, queue_claim_message(c));
	if (reason) {
		bury(m, msg, c, reason, now_ms);
		return;
	}
	if (msg->storm && !queue_claim_message(c)->journal.held) {
		if (storm_hold(m, msg, c, &err) == 0)
			return;
		queue_claim_release(c);
		trouble(m, msg, now_ms, &err);
		return;
	}
	int r = record_first(m, msg, c, &err);
	if (r < 0) {
		queue_claim_release(c);
		trouble(m, msg, now_ms, &err);
	} else if (r == 1) {
		bury(m, msg, c, "expired, and there is no sender to tell", now_ms);
	} else {
		settle(m, msg, c, now_ms);
	}
}

/* 1: it may be delivered; 0: not yet, or never; -1. Frees the claim unless it is 1. */
static int look_into_edit(struct manager *m, struct message *msg, struct queue_claim *c,
			  int64_t now_ms, struct err *err) {
	struct queue_id new_id = queue_claim_message(c)->journal.replacement;
	bool replaced;
	if (verb_edit_settle(m->queue, c, &replaced, err) != 0)
		return -1;
	if (replaced) {
		message_gone(m, msg, "edited", &new_id);
		scan_note(m, &new_id);
		return 0;
	}
	int r = verb_edit_is_free(m->queue, queue_claim_message(c), err);
	if (r == 1)
		return 1;
	queue_claim_release(c);
	if (r == 0)
		message_due(m, msg, true, now_ms + RETRY_EDITED_MS);
	return r;
}

/* Who replaces whom is settled before anything else is done with either of them. */
static void take_care_of_edited(struct manager *m, struct message *msg, struct queue_claim *c,
				int64_t now_ms) {
	struct err err = ERR_INIT;
	struct queue_id id = msg->id;
	int r = look_into_edit(m, msg, c, now_ms, &err);
	if (r < 0)
		trouble(m, msg, now_ms, &err);
	if (r != 1)
		return;
	queue_claim_release(c);
	msg->edit_known = true;
	message_load(m, &id);
}

static void visit(struct manager *m, struct message *msg, int64_t now_ms) {
	enum queue_damage damage = QUEUE_SOUND;
	struct err err = ERR_INIT;
	struct queue_claim *c = queue_claim(m->queue, &msg->id, &damage, &err);
	if (c && msg->edited) {
		take_care_of_edited(m, msg, c, now_ms);
	} else if (c) {
		take_care(m, msg, c, now_ms);
	} else if (err.kind == ERR_DENIED) {
		message_due(m, msg, true, now_ms + RETRY_CLAIM_MS);
	} else if (damage == QUEUE_SOUND && err.kind != ERR_MISSING) {
		trouble(m, msg, now_ms, &err);
	} else {
		struct queue_id id = msg->id;
		message_gone(m, msg, damage != QUEUE_SOUND ? "dead" : "removed", NULL);
		if (damage != QUEUE_SOUND)
			care_bury_damaged(m, &id, damage, err.msg);
	}
}

/* Care that cannot be taken of other messages must not keep the bounces back for ever. */
static bool owes_notice(const struct manager *m) {
	for (size_t i = 0; i < m->care.count; i++)
		if (heap_nth(&m->care, i)->owes)
			return true;
	return false;
}

/* The notices of the time before us are made: bounces may go. */
static void free_bounces(struct manager *m) {
	m->bounces_free = true;
	for (size_t i = 0; i < m->late.count; i++)
		id_list_add(&m->pending, &m->late.id[i]);
	id_list_release(&m->late);
	manager_kick(m);
}

int64_t care_step(struct manager *m, int64_t now_ms) {
	struct message *msg;
	for (unsigned i = 0; i < CARE_BATCH; i++) {
		msg = heap_top(&m->care);
		if (!msg || msg->due_ms > now_ms)
			break;
		visit(m, msg, now_ms);
	}
	msg = heap_top(&m->care);
	if (!m->bounces_free && m->scanned && m->pending.count == 0 && !owes_notice(m))
		free_bounces(m);
	return msg ? msg->due_ms : NEVER_MS;
}
