/*
 * Who follows what happens, and in which form each event reaches them: JSON or words, with
 * what administrators alone see or without. Each form is written at most once an event.
 */

#include "deliver/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/list.h"
#include "deliver/state.h"

#define LINE_MAX_BYTES 32768u
#define GONE_MAX 512u /* messages whose end is remembered */
#define GONE_REPLY_MAX 160u

struct follower {
	struct list node;
	struct control_client *client;
	struct control_peer peer;
	bool words, one;
	struct queue_id id;
};

struct gone {
	struct queue_id id, replacement;
	uint32_t uid;
	bool replaced;
	const char *outcome; /* NULL: free */
	char reply[GONE_REPLY_MAX];
};

struct events {
	struct list followers;
	struct gone *gone; /* a ring, NULL until a message leaves */
	unsigned next_gone;
	struct queue_id last_id; /* of the last result */
	char last_reply[GONE_REPLY_MAX];
};

struct events *events_new(void) {
	struct events *e = calloc(1, sizeof(*e));
	if (e)
		list_init(&e->followers);
	return e;
}

void events_free(struct events *e) {
	if (!e)
		return;
	free(e->gone);
	free(e);
}

/* --- one event as a line --- */

/* The two forms behind one face. */
struct writer {
	bool words;
	struct buf *out;
	struct json j;
};

static void put_text(struct writer *w, const char *key, struct span value) {
	if (w->words)
		codec_word_add(w->out, key, value);
	else
		json_str(&w->j, key, value);
}

static void put_some(struct writer *w, const char *key, struct span value) {
	if (value.len > 0)
		put_text(w, key, value);
}

static void put_int(struct writer *w, const char *key, int64_t value) {
	if (w->words)
		codec_word_add_int(w->out, key, value);
	else
		json_int(&w->j, key, value);
}

static void put_id(struct writer *w, const char *key, const struct queue_id *id) {
	struct queue_id_text text = queue_id_text(id);
	put_text(w, key, span_str(text.s));
}

static void put_time(struct writer *w, int64_t ms) {
	if (w->words)
		buf_addf(w->out, " time=%lld.%03d", (long long)(ms / 1000),
			 (int)(ms % 1000));
	else
		json_ms(&w->j, "time", ms);
}

static void put_message(struct writer *w, const struct event *e) {
	if (!e->id)
		return;
	put_id(w, "id", e->id);
	put_int(w, "uid", e->uid);
	if (e->has_from)
		put_text(w, "from", e->from);
	put_some(w, "to", e->to);
	if (e->recipients)
		put_int(w, "recipients", (int64_t)e->recipients);
	if (e->size)
		put_int(w, "size", (int64_t)e->size);
}

static void put_rest(struct writer *w, const struct event *e, bool admin) {
	put_some(w, "state", span_str(e->state));
	put_some(w, "relay", span_str(e->relay));
	put_some(w, "host", e->host);
	put_some(w, "status", e->status);
	put_some(w, "reply", e->id || admin ? e->reply : e->words);
	if (e->timed) {
		put_int(w, "queue_ms", e->queue_ms);
		put_int(w, "connect_ms", e->connect_ms);
		put_int(w, "send_ms", e->send_ms);
	}
	if (e->next_s)
		put_int(w, "next", e->next_s);
	put_some(w, "by", span_str(e->by));
	put_some(w, "outcome", span_str(e->outcome));
	if (e->replacement)
		put_id(w, "new", e->replacement);
}

static void write_event(struct buf *out, const struct event *e, bool words, bool admin) {
	struct writer w = { .words = words, .out = out, .j = json_into(out) };
	if (words) {
		buf_adds(out, e->what);
	} else {
		json_object(&w.j, NULL);
		json_str(&w.j, "event", span_str(e->what));
	}
	put_time(&w, clock_wall_ms());
	put_message(&w, e);
	put_rest(&w, e, admin);
	if (!words)
		json_end(&w.j);
	buf_addc(out, '\n');
}

/* --- who follows --- */

static bool may_see(const struct control_peer *peer, const struct event *e) {
	return peer->admin || !e->id || e->uid == peer->uid;
}

static bool wants(const struct follower *f, const struct event *e) {
	if (f->one && e->id)
		return queue_id_cmp(e->id, &f->id) == 0;
	return may_see(&f->peer, e);
}

static void emit_form(struct manager *m, const struct event *e, bool words, bool admin) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct list *it, *tmp;
	list_each(it, tmp, &m->events->followers) {
		struct follower *f = list_entry(it, struct follower, node);
		if (f->words != words || f->peer.admin != admin || !wants(f, e))
			continue;
		if (line.len == 0)
			write_event(&line, e, words, admin);
		control_push(f->client, buf_span(&line));
		if (f->one && strcmp(e->what, "gone") == 0)
			control_end(f->client, NULL);
	}
}

void events_emit(struct manager *m, const struct event *e) {
	alert_event(m, e);
	for (unsigned form = 0; form < 4 && !list_empty(&m->events->followers); form++)
		emit_form(m, e, form & 1, form & 2);
}

static void leaves(void *ctx) {
	struct follower *f = ctx;
	list_remove(&f->node);
	free(f);
}

/* What is known of the message now. -1: it has just gone. */
static int push_state(struct manager *m, struct control_client *c,
		      const struct control_peer *peer, const struct queue_id *id, bool dead,
		      bool words, struct err *err) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct verb_live live = requests_live(m, id, peer);
	struct queue_message q;
	if (queue_read(m->queue, id, dead, &q, NULL, err) != 0)
		return -1;
	struct event e = {
		.what = "state",
		.id = id,
		.uid = q.env.uid,
		.has_from = true,
		.from = q.env.from,
		.to = q.env.to[0].address,
		.recipients = q.env.to_count,
		.size = q.content_len,
		.state = queue_state_name(verb_state(m->queue, &q, dead, &live)),
		.relay = live.relay,
		.next_s = live.has_due ? (clock_wall_ms() +
					  (live.due_ms > 0 ? live.due_ms : 0)) / 1000
				       : 0,
	};
	for (size_t i = 0; i < q.journal.to_count && e.reply.len == 0; i++) {
		e.reply = q.journal.to[i].last.reply;
		e.host = q.journal.to[i].last.host;
	}
	if (e.reply.len == 0 && live.relay_held)
		e.reply = span_str(live.relay_words);
	write_event(&line, &e, words, peer->admin);
	queue_message_release(&q);
	control_push(c, buf_span(&line));
	return 0;
}

void events_follow(struct manager *m, struct control_client *c,
		   const struct control_peer *peer, const struct queue_id *id, bool dead,
		   bool words) {
	struct err err = ERR_INIT;
	struct follower *f = calloc(1, sizeof(*f));
	if (!f) {
		control_end(c, "out of memory");
		return;
	}
	*f = (struct follower){ .client = c, .peer = *peer, .words = words, .one = id };
	if (id)
		f->id = *id;
	list_add_tail(&m->events->followers, &f->node);
	control_follow(c, leaves, f);
	if (!id) {
		AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
		struct event e = { .what = "following" };
		write_event(&line, &e, words, peer->admin);
		control_push(c, buf_span(&line));
	} else if (push_state(m, c, peer, id, dead, words, &err) != 0) {
		control_fail(c, &err);
	} else if (dead) {
		control_end(c, NULL);
	}
}

/* --- what left --- */

void events_remember(struct manager *m, const struct queue_id *id, struct span reply) {
	struct events *e = m->events;
	reply = span_head(reply, sizeof(e->last_reply) - 1);
	e->last_id = *id;
	if (reply.len > 0)
		memcpy(e->last_reply, reply.p, reply.len);
	e->last_reply[reply.len] = '\0';
}

static void gone_event(const struct gone *g, struct event *ret) {
	*ret = (struct event){
		.what = "gone",
		.id = &g->id,
		.uid = g->uid,
		.outcome = g->outcome,
		.reply = span_str(g->reply),
		.replacement = g->replaced ? &g->replacement : NULL,
	};
}

bool events_recall(struct manager *m, struct control_client *c,
		   const struct control_peer *peer, struct span ending, bool words) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	const struct events *e = m->events;
	for (unsigned i = 1; e->gone && i <= GONE_MAX; i++) {
		const struct gone *g = &e->gone[(e->next_gone + GONE_MAX - i) % GONE_MAX];
		struct event event;
		if (!g->outcome)
			break;
		gone_event(g, &event);
		if (!may_see(peer, &event) ||
		    !span_ends_nocase(span_str(queue_id_text(&g->id).s), ending))
			continue;
		write_event(&line, &event, words, peer->admin);
		control_answer(c, buf_span(&line));
		control_end(c, NULL);
		return true;
	}
	return false;
}

void events_gone(struct manager *m, const struct message *msg, const char *outcome,
		 const struct queue_id *replacement) {
	struct events *e = m->events;
	struct event event;
	if (!e->gone)
		e->gone = calloc(GONE_MAX, sizeof(*e->gone));
	if (!e->gone)
		return;
	struct gone *g = &e->gone[e->next_gone++ % GONE_MAX];
	*g = (struct gone){ .id = msg->id, .uid = msg->uid, .outcome = outcome };
	if (replacement) {
		g->replacement = *replacement;
		g->replaced = true;
	}
	if (queue_id_cmp(&e->last_id, &msg->id) == 0)
		memcpy(g->reply, e->last_reply, sizeof(g->reply));
	gone_event(g, &event);
	events_emit(m, &event);
}
