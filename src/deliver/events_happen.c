/*
 * What happens, as events: each function gathers what is known of one kind, counts it for
 * `status`, and tells those who follow (events.c).
 */

#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "deliver/state.h"

#define LINE_MAX_BYTES 8192u

void events_queued(struct manager *m, const struct message *msg,
		   const struct queue_message *q) {
	counts_add(&m->counts, COUNTS_QUEUED, 1, clock_wall_ms() / 1000);
	struct event e = {
		.what = "queued",
		.id = &msg->id,
		.uid = msg->uid,
		.has_from = true,
		.from = q->env.from,
		.to = q->env.to[0].address,
		.recipients = q->env.to_count,
		.size = q->content_len,
	};
	events_emit(m, &e);
}

void events_started(struct manager *m, const struct message *msg, const struct lane *lane) {
	struct event e = {
		.what = "started", .id = &msg->id, .uid = msg->uid, .relay = lane->name
	};
	events_emit(m, &e);
}

static const struct {
	const char *what;
	enum counts_what count;
} results[] = {
	[RECIPIENT_PENDING] = { "deferred", COUNTS_DEFERRED },
	[RECIPIENT_DEFERRED] = { "deferred", COUNTS_DEFERRED },
	[RECIPIENT_DELIVERED] = { "delivered", COUNTS_DELIVERED },
	[RECIPIENT_FAILED] = { "bounced", COUNTS_BOUNCED },
};

static enum recipient_state state_of(const struct wire_report *report) {
	unsigned i = RECIPIENT_FAILED;
	while (i > RECIPIENT_PENDING &&
	       strcmp(recipient_state_name((enum recipient_state)i), report->state) != 0)
		i--;
	return (enum recipient_state)i;
}

void events_result(struct manager *m, struct message *msg, const struct lane *lane,
		   const struct wire_report *report) {
	enum recipient_state state = state_of(report);
	counts_add(&m->counts, results[state].count, 1, clock_wall_ms() / 1000);
	events_remember(m, &report->id, span_str(report->text));
	if (!msg)
		return;
	msg->failed |= state == RECIPIENT_FAILED;
	if (state == RECIPIENT_DEFERRED)
		trouble_set(&m->troubles, &msg->trouble, span_str(report->to),
			    span_str(report->text));
	struct event e = {
		.what = results[state].what,
		.id = &msg->id,
		.uid = msg->uid,
		.has_from = true,
		.from = span_str(report->from),
		.to = span_str(report->to),
		.relay = lane ? lane->name : NULL,
		.config_relay = lane ? lane->relay : NULL,
		.host = span_str(report->host),
		.status = span_str(report->dsn),
		.reply = span_str(report->text),
		.timed = state == RECIPIENT_DELIVERED,
		.queue_ms = report->queue_ms,
		.connect_ms = report->connect_ms,
		.send_ms = report->send_ms,
	};
	events_emit(m, &e);
}

void events_given_up(struct manager *m, const struct queue_message *q, size_t recipient) {
	const struct journal_result *last = &q->journal.to[recipient].last;
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct span dsn, in = last->reply;
	struct moment now = clock_now();
	if (!span_take_word(&in, &dsn))
		dsn = SPAN("5.0.0");
	buf_addf(&line, "id=%s", queue_id_text(&q->env.id).s);
	log_field_addr(&line, "from", q->env.from);
	log_field_addr(&line, "to", q->env.to[recipient].address);
	log_field(&line, "relay", SPAN("none"));
	log_field(&line, "status", SPAN("bounced"));
	log_field(&line, "dsn", dsn);
	log_field_ms(&line, "delay", clock_elapsed_ms(&q->env.created, &now));
	log_field(&line, "reply", last->reply);
	log_info("%s", buf_str(&line));
	counts_add(&m->counts, COUNTS_BOUNCED, 1, now.wall_ms / 1000);
	events_remember(m, &q->env.id, last->reply);
	struct event e = {
		.what = "bounced",
		.id = &q->env.id,
		.uid = q->env.uid,
		.has_from = true,
		.from = q->env.from,
		.to = q->env.to[recipient].address,
		.status = dsn,
		.reply = last->reply,
	};
	events_emit(m, &e);
}

void events_note_failure(struct manager *m, const struct queue_message *q) {
	for (size_t i = 0; i < q->journal.to_count; i++)
		if (q->journal.to[i].last.state == RECIPIENT_FAILED)
			events_remember(m, &q->env.id, q->journal.to[i].last.reply);
}

void events_waits(struct manager *m, const struct message *msg, int64_t wait_ms) {
	struct event e = {
		.what = "waits",
		.id = &msg->id,
		.uid = msg->uid,
		.next_s = (clock_wall_ms() + wait_ms) / 1000,
	};
	events_emit(m, &e);
}

void events_act(struct manager *m, const struct message *msg, const char *what,
		const char *by, const char *reply) {
	struct event e = {
		.what = what,
		.id = &msg->id,
		.uid = msg->uid,
		.by = by,
		.reply = span_str(reply),
	};
	if (reply)
		events_remember(m, &msg->id, span_str(reply));
	events_emit(m, &e);
}

void events_relay(struct manager *m, const struct lane *lane) {
	int64_t wait = lane->breaker.probe_at_ms - clock_boot_ms();
	struct event e = { .what = "relay-ok", .relay = lane->name };
	if (lane->state.held) {
		e.what = "relay-held";
		e.reply = span_str(lane->state.reason);
		e.words = relays_words(lane);
		e.next_s = (clock_wall_ms() + (wait > 0 ? wait : 0)) / 1000;
	}
	events_emit(m, &e);
}

void events_reload(struct manager *m) {
	struct event e = { .what = "reload" };
	events_emit(m, &e);
}
