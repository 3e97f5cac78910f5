/*
 * One message for people and programs. The sentence `why` says what the message waits for,
 * who said so in which words, and when it goes on; it is chosen by the first condition of
 * a list that holds, from "nobody can change that" to "nothing is wrong".
 */

#include <stdio.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/term.h"
#include "deliver/verb.h"
#include "mail/date.h"
#include "mail/status.h"
#include "mail/wishes.h"

#define WHY_MAX 4096u
#define REPLY_SHOWN 300u
#define RECORDS_SHOWN 500u
#define RECORDS_MAX (64u << 20)

struct view {
	const struct queue_message *m;
	const struct verb_live *live;
	enum queue_state state;
	struct moment now;
	int64_t due_ms; /* from now */
	const struct buf *records; /* the journal's bytes; NULL: not asked for */
};

/* Mail for later, and nobody has asked for it before. */
static bool is_for_later(const struct queue_message *m, int64_t wall_ms) {
	return m->env.at_ms > wall_ms && m->journal.attempts == 0 && !m->journal.flushed;
}

enum queue_state verb_state(struct queue *q, const struct queue_message *m, bool dead,
			    const struct verb_live *live) {
	if (dead)
		return QUEUE_DEAD;
	if (live->active || (!live->daemon && queue_is_claimed(q, &m->env.id)))
		return QUEUE_ACTIVE;
	if (m->journal.held)
		return QUEUE_HELD;
	return m->journal.attempts > 0 || live->relay_held || live->waits ||
			       is_for_later(m, clock_wall_ms())
		       ? QUEUE_DEFERRED
		       : QUEUE_QUEUED;
}

/* The recipient whose last answer explains the wait: the first that is deferred. */
static const struct journal_recipient *spokesman(const struct journal *j) {
	for (size_t i = 0; i < j->to_count; i++)
		if (j->to[i].last.state == RECIPIENT_DEFERRED)
			return &j->to[i];
	return NULL;
}

static bool speaks_of(struct span text, struct span word) {
	while (text.len >= word.len) {
		if (span_starts_nocase(text, word))
			return true;
		text = span_from(text, 1);
	}
	return false;
}

static bool greylisted(struct span reply) {
	return speaks_of(reply, SPAN("greylist")) || speaks_of(reply, SPAN("graylist")) ||
	       speaks_of(reply, SPAN("grey list"));
}

/* "in 4 min (14:05:10)"; another day is written out. */
static void add_when(struct buf *out, const struct moment *now, int64_t due_ms) {
	AUTO_BUF struct buf at = BUF_INIT(64), today = BUF_INIT(64);
	if (due_ms <= 0) {
		buf_adds(out, "now");
		return;
	}
	date_add_local(&at, (now->wall_ms + due_ms) / 1000);
	date_add_local(&today, now->wall_ms / 1000);
	struct span shown = buf_span(&at);
	if (span_eq(span_head(shown, 10), span_head(buf_span(&today), 10)))
		shown = span_from(shown, 11);
	buf_adds(out, "in ");
	term_duration(out, due_ms < 1000 ? 1000 : due_ms);
	buf_adds(out, " (");
	buf_add(out, shown);
	buf_addc(out, ')');
}

static void add_next(struct buf *out, const struct view *v, int64_t due_ms) {
	buf_adds(out, "next try ");
	add_when(out, &v->now, due_ms);
}

static void why_dead(struct buf *out, const struct view *v) {
	const struct journal *j = &v->m->journal;
	buf_adds(out, "given up: ");
	buf_adds(out, j->dead_reason[0] ? j->dead_reason : "no reason recorded");
	if (j->dead_keep_ms > 0) {
		buf_adds(out, "; kept until ");
		date_add_local(out, (j->dead_wall_ms + j->dead_keep_ms) / 1000);
	}
}

static void why_held(struct buf *out, const struct view *v) {
	const struct journal_recipient *r = spokesman(&v->m->journal);
	if (r && strcmp(v->m->journal.hold_reason, JOURNAL_ROUTE) == 0) {
		struct span words = r->last.reply;
		struct mail_status status;
		/* its code is ours, and tells people nothing */
		if (!mail_status_take(&words, &status) || !span_take_char(&words, ' '))
			words = r->last.reply;
		buf_adds(out, "held by its route: ");
		buf_add(out, span_head(words, REPLY_SHOWN));
		buf_adds(out, "; with another route 'nightmail reload' lets it go");
		return;
	}
	if (r && journal_waits_for_name(&v->m->journal)) {
		buf_add(out, span_head(r->last.reply, REPLY_SHOWN));
		buf_adds(out, "; set that, then 'nightmail reload' lets it go");
		return;
	}
	if (journal_storm(&v->m->journal, NULL)) {
		buf_addf(out, "held by storm control: there was too much with its sender and "
			      "subject (%s); 'mailq release' lets it go",
			 v->m->journal.hold_reason);
		return;
	}
	buf_addf(out, "held by %s; 'mailq release' lets it go",
		 v->m->journal.hold_reason);
}

static void why_unconfigured(struct buf *out, const struct view *v) {
	buf_adds(out, "cannot be delivered: ");
	buf_adds(out, v->live->relay_words ? v->live->relay_words
					   : "the configuration names no usable relay");
}

static void why_relay_held(struct buf *out, const struct view *v) {
	const struct verb_live *l = v->live;
	buf_addf(out, "waiting for relay %s: ", l->relay ? l->relay : "default");
	buf_adds(out, l->relay_words && l->relay_words[0] ? l->relay_words
							  : "it does not work");
	buf_adds(out, "; ");
	add_next(out, v, l->probe_ms > v->due_ms ? l->probe_ms : v->due_ms);
}

bool verb_add_relay_wait(struct buf *out, const struct verb_live *live) {
	struct view v = { .live = live, .now = clock_now() };
	if (!live->deliverable)
		why_unconfigured(out, &v);
	else if (live->relay_held && live->probe_ms > 0)
		why_relay_held(out, &v);
	else
		return false;
	return true;
}

/* "refused for now by mx1.example[192.0.2.1] (450 4.2.0 mailbox busy)" */
static void add_answer(struct buf *out, const struct journal_result *r) {
	if (!r->host.len) { /* our own words: a sentence already */
		buf_add(out, span_head(r->reply, REPLY_SHOWN));
		return;
	}
	buf_adds(out, greylisted(r->reply) ? "greylisted by " : "refused for now by ");
	buf_add(out, r->host);
	buf_adds(out, " (");
	buf_add(out, span_head(r->reply, REPLY_SHOWN));
	buf_addc(out, ')');
}

static void add_affected(struct buf *out, const struct journal *j) {
	size_t waiting = 0;
	for (size_t i = 0; i < j->to_count; i++)
		waiting += j->to[i].last.state == RECIPIENT_DEFERRED ||
			   j->to[i].last.state == RECIPIENT_PENDING;
	if (waiting < j->to_count)
		buf_addf(out, "; %zu of %zu recipients wait", waiting, j->to_count);
}

static void why_deferred(struct buf *out, const struct view *v) {
	const struct journal *j = &v->m->journal;
	const struct journal_recipient *r = spokesman(j);
	if (r)
		add_answer(out, &r->last);
	else
		buf_adds(out, "the last attempt was not finished");
	add_affected(out, j);
	if (j->attempts == 1)
		buf_adds(out, "; tried once, ");
	else
		buf_addf(out, "; tried %u times, ", j->attempts);
	add_next(out, v, v->due_ms);
}

static void why_queued(struct buf *out, const struct view *v) {
	buf_adds(out, "queued; ");
	if (v->due_ms > 0)
		add_next(out, v, v->due_ms);
	else
		buf_adds(out, "its turn comes next");
}

static void why_for_later(struct buf *out, const struct view *v) {
	buf_adds(out, "to be sent at a later time: ");
	add_when(out, &v->now, v->m->env.at_ms - v->now.wall_ms);
	buf_adds(out, "; 'mailq flush' sends it now");
}

static void add_why(struct buf *out, const struct view *v) {
	const struct verb_live *l = v->live;
	if (v->state == QUEUE_DEAD) {
		why_dead(out, v);
	} else if (v->state == QUEUE_ACTIVE) {
		buf_adds(out, "being delivered now");
	} else if (v->state == QUEUE_HELD) {
		why_held(out, v);
	} else if (l->dropped) {
		buf_adds(out, "left by its sender while nightmaild was not running; it is "
			      "picked up when nightmaild starts");
	} else if (!l->daemon) {
		const struct journal_recipient *r = spokesman(&v->m->journal);
		if (r)
			add_answer(out, &r->last);
		buf_adds(out, r ? "; nightmaild is not running"
				: "queued; nightmaild is not running");
	} else if (!l->deliverable) {
		why_unconfigured(out, v);
	} else if (l->relay_held) {
		why_relay_held(out, v);
	} else if (is_for_later(v->m, v->now.wall_ms)) {
		why_for_later(out, v);
	} else if (l->waits) {
		buf_adds(out, l->waits);
	} else if (v->m->journal.attempts > 0) {
		why_deferred(out, v);
	} else {
		why_queued(out, v);
	}
}

static void add_status(struct json *j, struct span reply) {
	AUTO_BUF struct buf text = BUF_INIT(32);
	struct mail_status s;
	uint64_t code;
	struct span in = reply;
	if (!mail_status_take(&in, &s) &&
	    !(span_take_uint(&in, 599, &code) && span_take_char(&in, ' ') &&
	      mail_status_take(&in, &s))) {
		json_null(j, "status");
		return;
	}
	mail_status_add(&text, s);
	json_str(j, "status", buf_span(&text));
}

static void add_recipients(struct json *j, const struct queue_message *m) {
	json_array(j, "recipients");
	for (size_t i = 0; i < m->env.to_count; i++) {
		const struct journal_result *last = &m->journal.to[i].last;
		json_object(j, NULL);
		json_str(j, "address", m->env.to[i].address);
		json_str(j, "state", span_str(recipient_state_name(last->state)));
		add_status(j, last->reply);
		json_str_or_null(j, "reply",
				 last->reply.len ? last->reply
						 : (struct span){ NULL, 0 });
		json_end(j);
	}
	json_end(j);
}

/* When the next attempt is; a held relay's probe, if that is later. */
static void add_next_time(struct json *j, const struct view *v) {
	bool waits = v->state == QUEUE_QUEUED || v->state == QUEUE_DEFERRED;
	if (!waits || !v->live->daemon || !v->live->deliverable) {
		json_null(j, "next");
		return;
	}
	int64_t due = v->due_ms > 0 ? v->due_ms : 0;
	if (v->live->relay_held && v->live->probe_ms > due)
		due = v->live->probe_ms;
	json_int(j, "next", (v->now.wall_ms + due) / 1000);
}

/* --- what happened, record by record --- */

struct history {
	struct json *j;
	const struct queue_message *m;
	size_t count, skip; /* records; those before `skip` are not shown */
	size_t seen;
};

static void count_record(void *ctx, const struct journal_entry *e) {
	struct history *h = ctx;
	(void)e;
	h->count++;
}

static void add_some(struct json *j, const char *key, struct span text) {
	if (text.len > 0)
		json_str(j, key, text);
}

static void add_record(void *ctx, const struct journal_entry *e) {
	struct history *h = ctx;
	if (h->seen++ < h->skip)
		return;
	json_object(h->j, NULL);
	if (e->wall_ms > 0)
		json_int(h->j, "time", e->wall_ms / 1000);
	else
		json_null(h->j, "time");
	json_str(h->j, "what", e->state.len > 0 ? e->state : span_str(e->kind));
	if (e->count > 0) {
		json_str(h->j, "to", h->m->env.to[e->first].address);
		json_int(h->j, "recipients", (int64_t)e->count);
	}
	add_some(h->j, "relay", e->relay);
	add_some(h->j, "host", e->host);
	add_some(h->j, "reply", e->reply);
	add_some(h->j, "reason", e->reason);
	if (e->wait_ms > 0)
		json_int(h->j, "wait", e->wait_ms / 1000);
	json_end(h->j);
}

static int add_history(struct json *j, const struct view *v) {
	struct history h = { .j = j, .m = v->m };
	size_t recipients = v->m->env.to_count;
	if (journal_each(buf_span(v->records), recipients, count_record, &h) != 0)
		return -1;
	h.skip = h.count > RECORDS_SHOWN ? h.count - RECORDS_SHOWN : 0;
	json_int(j, "uid", v->m->env.uid);
	json_str(j, "origin", v->m->env.origin);
	json_array(j, "journal");
	int r = journal_each(buf_span(v->records), recipients, add_record, &h);
	json_end(j);
	return r;
}

static struct span hold_reason(const struct view *v) {
	if (v->state != QUEUE_HELD)
		return (struct span){ NULL, 0 };
	return journal_storm(&v->m->journal, NULL) ? SPAN("storm")
						   : span_str(v->m->journal.hold_reason);
}

static int write_view(struct json *j, const struct view *v) {
	const struct queue_message *m = v->m;
	struct queue_id_text id = queue_id_text(&m->env.id);
	AUTO_BUF struct buf why = BUF_INIT(WHY_MAX);
	const char *relay = v->live->relay ? v->live->relay : m->journal.relay;
	add_why(&why, v);
	json_object(j, NULL);
	json_str(j, "id", span_str(id.s));
	json_str(j, "state", span_str(queue_state_name(v->state)));
	json_int(j, "created", m->env.created.wall_ms / 1000);
	json_str(j, "from", m->env.from);
	json_int(j, "size", (int64_t)m->content_len);
	json_int(j, "attempts", m->journal.attempts);
	add_next_time(j, v);
	json_str_or_null(j, "relay",
			 relay[0] ? span_str(relay) : (struct span){ NULL, 0 });
	json_str(j, "priority", span_str(priority_name(m->env.priority)));
	json_str_or_null(j, "reason", hold_reason(v));
	json_str(j, "why", buf_span(&why));
	json_array(j, "flags");
	if (m->journal.maybe_twice)
		json_str(j, NULL, SPAN("possibly-twice"));
	if (m->env.requiretls)
		json_str(j, NULL, SPAN("requiretls"));
	if (m->env.tls_optional)
		json_str(j, NULL, SPAN("tls-optional"));
	if (journal_storm(&m->journal, NULL)) /* names the storm */
		json_str(j, NULL, span_str(m->journal.hold_reason));
	json_end(j);
	add_recipients(j, m);
	int r = v->records ? add_history(j, v) : 0;
	json_end(j);
	buf_addc(j->out, '\n');
	return r;
}

/* records: NULL, or where the journal's bytes may go: then all of it is told. */
static int describe(struct queue *q, const struct queue_message *m, bool dead,
		    const struct verb_live *live, struct buf *records, struct buf *out,
		    struct err *err) {
	struct view v = { .m = m, .live = live, .now = clock_now(), .records = records };
	struct json j = json_into(out);
	v.state = verb_state(q, m, dead, live);
	v.due_ms = live->has_due ? live->due_ms : journal_due_ms(&m->journal, &v.now);
	if (is_for_later(m, v.now.wall_ms))
		v.due_ms = m->env.at_ms - v.now.wall_ms;
	if (records && queue_read_journal(q, m, dead, records, err) != 0)
		return -1;
	if (write_view(&j, &v) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	return buf_failed(out) ? err_set(err, ERR_LIMIT, "the description is too long")
			       : 0;
}

static int read_and_describe(struct queue *q, const struct queue_id *id, bool dead,
			     const struct verb_live *live, struct buf *records,
			     struct buf *out, struct err *err) {
	struct queue_message m;
	if (queue_read(q, id, dead, &m, NULL, err) != 0)
		return -1;
	int r = describe(q, &m, dead, live, records, out, err);
	queue_message_release(&m);
	return r;
}

int verb_describe_message(struct queue *q, const struct queue_message *m, bool dead,
			  const struct verb_live *live, struct buf *out, struct err *err) {
	return describe(q, m, dead, live, NULL, out, err);
}

int verb_describe(struct queue *q, const struct queue_id *id, bool dead,
		  const struct verb_live *live, struct buf *out, struct err *err) {
	return read_and_describe(q, id, dead, live, NULL, out, err);
}

int verb_describe_fully(struct queue *q, const struct queue_id *id, bool dead,
			const struct verb_live *live, struct buf *out, struct err *err) {
	AUTO_BUF struct buf records = BUF_INIT(RECORDS_MAX);
	return read_and_describe(q, id, dead, live, &records, out, err);
}
