/*
 * Storm control in the manager: every new message is counted when it is first read; one
 * beyond the limit is held under its claim, as care; and when a storm is over the message
 * that began it is looked after once more, for the digest. Once that message was released or
 * deleted somebody knows of the storm: it ends, without a digest.
 */

#include "base/auto.h"
#include "base/log.h"
#include "base/term.h"
#include "deliver/state.h"
#include "deliver/storm.h"

#define DEFAULT_WINDOW_MS (10 * 60 * 1000LL)

static const char broken[] = "a storm cannot be followed";

/* The table; made when it is first needed. */
static struct storm_table *table(struct manager *m) {
	const struct config_storm_limit *limit = &m->settings.storm_limit;
	if (!m->storms)
		m->storms = storm_table_new(limit->count, limit->count
								  ? limit->window_ms
								  : DEFAULT_WINDOW_MS);
	if (!m->storms)
		log_error("out of memory: %s", broken);
	return m->storms;
}

void storm_settings(struct manager *m) {
	const struct config_storm_limit *limit = &m->settings.storm_limit;
	if (m->storms)
		storm_table_set(m->storms, limit->count,
				limit->count ? limit->window_ms : DEFAULT_WINDOW_MS);
}

/* What came by itself, and while we ran: not notices, not what was edited, not what had
 * gathered before. */
static bool counts(const struct manager *m, const struct queue_message *q) {
	return m->settings.storm_limit.count > 0 && !q->journal.held &&
	       q->journal.attempts == 0 && !q->env.replaces && !q->journal.edited &&
	       !span_eq(q->env.origin, SPAN("bounce")) &&
	       q->env.created.boot_id == m->started.boot_id &&
	       q->env.created.boot_ms >= m->started.boot_ms;
}

bool storm_must_wait(struct manager *m, const struct queue_message *q) {
	return !m->scanned && counts(m, q);
}

/* The storms of before are known: what came meanwhile can be counted. */
static void count_late(struct manager *m) {
	for (size_t i = 0; i < m->uncounted.count; i++)
		scan_note(m, &m->uncounted.id[i]);
	id_list_release(&m->uncounted);
}

void storm_note(struct manager *m, struct message *msg, const struct queue_message *q) {
	struct err err = ERR_INIT;
	struct moment now = clock_now();
	struct storm_key key;
	struct queue_id storm;
	bool part = journal_storm(&q->journal, &storm);
	if ((!part && !counts(m, q)) || !table(m))
		return;
	msg->storm = part;
	if (storm_key_of(m->queue, q, &key, &err) != 0) {
		log_error("id=%s %s: %s", queue_id_text(&msg->id).s, broken, err.msg);
	} else if (!part) {
		msg->storm = storm_count(m->storms, key, now.boot_ms);
	} else {
		storm_restore(m->storms, key, &storm, &msg->id,
			      now.boot_ms - clock_elapsed_ms(&q->env.created, &now));
		if (q->journal.digest.asked)
			storm_end(m->storms, &storm, now.boot_ms);
		manager_kick(m);
	}
}

/* While the queue is still being read, a message that is not known may be there. */
static bool is_held(const struct manager *m, const struct queue_id *storm) {
	const struct message *first = table_find(&m->messages, storm);
	return first ? first->storm : !m->scanned;
}

static void tell(const struct manager *m, const struct queue_message *q,
		 const struct queue_id *storm) {
	struct queue_id_text id = queue_id_text(&q->env.id), of = queue_id_text(storm);
	AUTO_BUF struct buf window = BUF_INIT(64);
	if (queue_id_cmp(&q->env.id, storm) != 0) {
		log_info("id=%s storm=%s status=held", id.s, of.s);
		return;
	}
	term_duration(&window, m->settings.storm_limit.window_ms);
	log_warn(
		"id=%s storm=%s status=held uid=%u event=\"a storm: more than %u messages with "
		"its sender and subject within %s; what is beyond that is held\"",
		id.s, of.s, (unsigned)q->env.uid, m->settings.storm_limit.count,
		buf_str(&window));
}

int storm_hold(struct manager *m, struct message *msg, struct queue_claim *c,
	       struct err *err) {
	const struct queue_message *q = queue_claim_message(c);
	struct queue_id id = msg->id, storm;
	int64_t now = clock_boot_ms();
	struct storm_key key;
	if (storm_key_of(m->queue, q, &key, err) != 0)
		return -1;
	bool goes_on = storm_current(m->storms, key, &storm);
	if (goes_on && !is_held(m, &storm)) {
		storm_end(m->storms, &storm, now);
		goes_on = false;
	}
	if (!goes_on)
		storm = id;
	if (storm_record_hold(c, &storm, err) != 0)
		return -1;
	if (!storm_join(m->storms, key, &storm, &id, now))
		log_error("id=%s %s: there are too many", queue_id_text(&id).s, broken);
	tell(m, q, &storm);
	queue_claim_release(c);
	events_act(m, msg, "held", "daemon", "storm");
	message_load(m, &id);
	return 0;
}

int storm_ask_digest(struct manager *m, struct message *msg, struct queue_claim *c,
		     struct err *err) {
	struct queue_id last;
	int64_t held;
	if (storm_find(m->storms, &msg->id, &held, &last) &&
	    storm_record_digest(c, held, &last, err) != 0)
		return -1;
	storm_end(m->storms, &msg->id, clock_boot_ms());
	msg->digest = false;
	return 0;
}

int64_t storm_step(struct manager *m, int64_t now_ms) {
	struct queue_id storm;
	int64_t next;
	if (m->scanned && m->uncounted.count > 0)
		count_late(m);
	if (!m->storms || !m->scanned || m->pending.count > 0)
		return NEVER_MS;
	while (storm_due(m->storms, now_ms, &storm, &next)) {
		struct message *msg = table_find(&m->messages, &storm);
		if (!msg || !msg->storm) {
			storm_end(m->storms, &storm, now_ms);
			continue;
		}
		msg->digest = true;
		message_due(m, msg, true, now_ms);
	}
	return next;
}

static void bury_stale(void *ctx, struct message *msg) {
	struct manager *m = ctx;
	struct moment now = clock_now();
	if (msg->storm && msg->state == MESSAGE_HELD && storm_is_stale(&msg->last, &now))
		message_due(m, msg, true, now.boot_ms);
}

void storm_hourly(struct manager *m) {
	if (m->storms)
		table_each(&m->messages, bury_stale, m);
}
