/*
 * The control socket's requests. What names messages becomes a job: the IDs are gathered
 * first, then done or described some at a time, so that a long list or a big deletion does
 * not keep the mail waiting. Who asks sees and changes what is theirs (requests_find.c).
 */

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/log.h"
#include "deliver/state.h"

#define PIECE_BYTES 32768u
#define PIECE_READS 100u
#define PIECE_ACTS 20u
#define COMPLAINTS_MAX (1u << 20)

static const char not_understood[] = "the request is not understood";

struct entry {
	struct queue_id id;
	bool dead;
};

struct job {
	struct manager *manager;
	struct control_peer peer;
	bool list;
	enum verb_act act;
	bool all;
	bool scan_dead; /* while gathering */
	struct entry *entry;
	size_t count, cap, next;
};

static void job_free(void *ctx) {
	struct job *j = ctx;
	free(j->entry);
	free(j);
}

static int job_add(struct job *j, const struct queue_id *id, bool dead) {
	if (j->count == j->cap) {
		size_t cap = j->cap ? j->cap * 2 : 64;
		struct entry *grown = reallocarray(j->entry, cap, sizeof(*grown));
		if (!grown)
			return -1;
		j->entry = grown;
		j->cap = cap;
	}
	j->entry[j->count++] = (struct entry){ *id, dead };
	return 0;
}

static int add_name(void *ctx, const struct queue_id *id) {
	struct job *j = ctx;
	/* Whose a dead message is stands in its file: that is looked up piece by piece. */
	if (!j->scan_dead && !find_may_see(j->manager, &j->peer, id, false))
		return 0;
	return job_add(j, id, j->scan_dead);
}

static int by_time(const void *a, const void *b) {
	return queue_id_cmp(&((const struct entry *)a)->id,
			    &((const struct entry *)b)->id);
}

/* --- describing --- */

/* What a server said of a login is the administrators' alone. */
static const char *words_for(const struct lane *lane, const struct control_peer *peer) {
	static char words[sizeof(lane->state.reason)];
	if (peer->admin)
		return lane->state.reason;
	snprintf(words, sizeof(words), "%.*s", (int)relays_words(lane).len, lane->state.reason);
	return words;
}

struct verb_live requests_live(struct manager *m, const struct queue_id *id,
			       const struct control_peer *peer) {
	const struct message *msg = table_find(&m->messages, id);
	const struct lane *lane = message_lane(m, msg);
	int64_t now = clock_boot_ms();
	struct verb_live live = {
		.active = msg && msg->state == MESSAGE_ACTIVE,
		.has_due = msg && msg->state == MESSAGE_WAITING,
		.due_ms = msg ? msg->due_ms - now : 0,
		.relay = lane->name,
		.relay_held = lane->state.held,
		.relay_words = words_for(lane, peer),
		.probe_ms = lane->breaker.probe_at_ms - now,
		.daemon = true,
		.deliverable = lane->config != NULL,
	};
	static struct buf waits = BUF_INIT(1024);
	buf_reset(&waits);
	if (msg && msg->state == MESSAGE_WAITING && throttling_words(m, lane, msg, &waits))
		live.waits = buf_str(&waits);
	if (!live.deliverable) {
		live.relay_words = peer->admin ? m->complaint : NULL;
	} else if (m->paused_until_ms > now) {
		live.relay_held = true;
		live.relay_words = "delivery crashed five times within a minute";
		live.probe_ms = m->paused_until_ms - now;
	}
	return live;
}

static bool produce_list(void *ctx, struct buf *out) {
	struct job *j = ctx;
	size_t full = out->len + PIECE_BYTES;
	for (unsigned i = 0; i < PIECE_READS && j->next < j->count && out->len < full; i++) {
		const struct entry *e = &j->entry[j->next++];
		if (e->dead && !find_may_see(j->manager, &j->peer, &e->id, true))
			continue;
		struct verb_live live = requests_live(j->manager, &e->id, &j->peer);
		struct err err = ERR_INIT;
		int r = verb_describe(j->manager->queue, &e->id, e->dead, &live, out, &err);
		if (r != 0 && err.kind != ERR_MISSING && err.kind != ERR_SYNTAX)
			log_error("id=%s cannot be listed: %s", queue_id_text(&e->id).s, err.msg);
	}
	return j->next < j->count;
}

/* --- doing --- */

static void probe_all(struct manager *m) {
	int64_t now = clock_boot_ms();
	m->paused_until_ms = 0;
	for (size_t i = 0; i < m->lanes.end; i++) {
		struct lane *lane = m->lanes.at[i];
		if (!lane)
			continue;
		breaker_probe_now(&lane->breaker, now);
		lane->restart_at_ms = 0;
		lane_touch(&m->lanes, lane);
	}
	manager_kick(m);
}

/* A flush needs no record: what is due stands in memory. */
static int flush(struct manager *m, struct message *msg, struct err *err) {
	if (msg->state == MESSAGE_HELD)
		return err_set(err, ERR_DENIED, "it is held; release it first");
	msg->scheduled = msg->partial = false;
	message_due(m, msg, msg->lane == LANE_CARE, clock_boot_ms());
	return 0;
}

int requests_may_wish(const struct message *msg, enum verb_by by, struct err *err) {
	bool by_admin = msg->verb != 0 && !(msg->verb & WISH_BY_USER);
	if (by == VERB_BY_ADMIN || !by_admin || msg->verb == VERB_FLUSH + 1)
		return 0;
	return err_set(err, ERR_DENIED, "an administrator has asked for something else once the "
					"attempt that is under way has ended");
}

/* What is to follow the attempt; a flush asks for nothing that a wish before it
 * denies, and a release takes that wish back. */
static int remember(struct message *msg, enum verb_act act, enum verb_by by, struct err *err) {
	if (act == VERB_FLUSH && msg->verb != 0)
		return 1;
	if (requests_may_wish(msg, by, err) != 0)
		return -1;
	if (act == VERB_RELEASE) {
		unsigned wish = msg->verb & ~WISH_BY_USER;
		if (wish == 0 || wish == VERB_FLUSH + 1)
			return err_set(err, ERR_DENIED, "%s", verb_not_held);
		msg->verb = 0;
		return 0;
	}
	msg->verb = (uint8_t)((act + 1) | (by == VERB_BY_USER ? WISH_BY_USER : 0));
	return 1;
}

static const struct {
	const char *event, *outcome; /* outcome: it leaves the queue */
} acts[] = {
	[VERB_FLUSH] = { "flushed", NULL },       [VERB_HOLD] = { "held", NULL },
	[VERB_RELEASE] = { "released", NULL },    [VERB_DELETE] = { "deleted", "deleted" },
	[VERB_BOUNCE] = { NULL, "bounced" },
};

static void given_up(void *ctx, const struct queue_message *q, size_t recipient) {
	events_given_up(ctx, q, recipient);
}

int requests_act(struct manager *m, enum verb_act act, enum verb_by by,
		 const struct queue_id *id, bool dead, struct err *err) {
	struct verb_wish wish = { act, by, given_up, m };
	struct queue_id copy = *id; /* may point into the message that goes */
	if (verb_apply(m->queue, &m->settings, &wish, &copy, dead, err) != 0)
		return -1;
	log_info("id=%s %s on request%s", queue_id_text(&copy).s, verb_name(act),
		 by == VERB_BY_USER ? " of its sender" : "");
	struct message *msg = dead ? NULL : table_find(&m->messages, &copy);
	if (msg && acts[act].event)
		events_act(m, msg, acts[act].event, verb_by_name(by), NULL);
	if (msg && acts[act].outcome)
		message_gone(m, msg, acts[act].outcome, NULL);
	message_load(m, &copy);
	return 0;
}

/* 0: done; 1: after the attempt; -1. */
static int act_on(struct job *j, const struct entry *e, struct err *err) {
	struct manager *m = j->manager;
	enum verb_by by = j->peer.admin ? VERB_BY_ADMIN : VERB_BY_USER;
	struct message *msg = e->dead ? NULL : table_find(&m->messages, &e->id);
	if (msg && msg->state == MESSAGE_ACTIVE)
		return remember(msg, j->act, by, err);
	if (!msg || j->act != VERB_FLUSH)
		return requests_act(m, j->act, by, &e->id, e->dead, err);
	events_act(m, msg, "flushed", verb_by_name(by), NULL);
	return flush(m, msg, err);
}

/* "Now" would be no true answer to a flush while the relay does not work: only what an
 * administrator flushes has the relay tried as well. */
static void add_wait(struct json *j, const struct job *job, const struct entry *e) {
	AUTO_BUF struct buf why = BUF_INIT(4096);
	struct verb_live live = requests_live(job->manager, &e->id, &job->peer);
	if (job->act == VERB_FLUSH && verb_add_relay_wait(&why, &live))
		json_str(j, "why", buf_span(&why));
}

static void answer_one(struct buf *out, const struct job *job, const struct entry *e,
		       int result, const struct err *err) {
	struct queue_id_text id = queue_id_text(&e->id);
	struct json j = json_into(out);
	json_object(&j, NULL);
	json_str(&j, "id", span_str(id.s));
	if (result < 0)
		json_str(&j, "error", span_str(err->msg));
	else
		json_bool(&j, "pending", result == 1);
	if (result == 0 && e->dead && job->act == VERB_DELETE)
		json_bool(&j, "purged", true);
	if (result == 0)
		add_wait(&j, job, e);
	json_end(&j);
	buf_addc(out, '\n');
}

static bool produce_acts(void *ctx, struct buf *out) {
	struct job *j = ctx;
	for (unsigned i = 0; i < PIECE_ACTS && j->next < j->count; i++) {
		const struct entry *e = &j->entry[j->next++];
		struct err err = ERR_INIT;
		int r = act_on(j, e, &err);
		if (r >= 0 || !(j->all && verb_passed_over(j->act, &err)))
			answer_one(out, j, e, r, &err);
	}
	if (j->next < j->count)
		return true;
	if (j->act == VERB_BOUNCE) /* its notices are new names */
		scan_names(j->manager);
	return false;
}

/* --- gathering --- */

static int gather_all(struct job *j, struct err *err) {
	struct queue *q = j->manager->queue;
	if (queue_scan(q, false, add_name, j, err) != 0)
		return -1;
	j->scan_dead = true;
	if (j->list && j->all && queue_scan(q, true, add_name, j, err) != 0)
		return -1;
	return 0;
}

static int gather_one(struct job *j, struct span coded, struct err *err) {
	AUTO_BUF struct buf ending = BUF_INIT(64);
	struct queue_id id;
	bool dead;
	if (codec_percent_decode(&ending, coded) != 0)
		return err_set(err, ERR_SYNTAX, "an ID is not understood");
	if (find_message(j->manager, &j->peer, buf_span(&ending), &id, &dead, err) != 0)
		return j->all && err->kind == ERR_MISSING ? 0 : -1;
	return job_add(j, &id, dead) == 0 ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int gather(struct job *j, struct span words, struct err *err) {
	struct span key, value;
	bool named = false;
	while (codec_word_take(&words, &key, &value)) {
		if (value.p && span_eq(key, SPAN("all")) && span_eq(value, SPAN("1"))) {
			j->all = true;
		} else if (value.p && span_eq(key, SPAN("id"))) {
			named = true;
			if (gather_one(j, value, err) != 0)
				return -1;
		} else {
			return err_set(err, ERR_SYNTAX,
				       "a word of the request is not understood");
		}
	}
	if (!named && !j->list && !j->all)
		return err_set(err, ERR_SYNTAX, "which messages? an ID, or all of them");
	return named ? 0 : gather_all(j, err);
}

static void start_job(struct manager *m, struct control_client *c,
		      const struct control_peer *peer, bool list, enum verb_act act,
		      struct span words) {
	struct err err = ERR_INIT;
	struct job *j = calloc(1, sizeof(*j));
	if (!j) {
		control_end(c, "out of memory");
		return;
	}
	*j = (struct job){ .manager = m, .peer = *peer, .list = list, .act = act };
	if (gather(j, words, &err) != 0) {
		job_free(j);
		control_fail(c, &err);
		return;
	}
	if (j->count > 0)
		qsort(j->entry, j->count, sizeof(*j->entry), by_time);
	if (!list && act == VERB_FLUSH && peer->admin)
		probe_all(m);
	control_stream(c, list ? produce_list : produce_acts, job_free, j);
}

/* --- the others --- */

static void answer_reload(struct manager *m, struct control_client *c) {
	AUTO_BUF struct buf complaints = BUF_INIT(COMPLAINTS_MAX),
			    out = BUF_INIT(8 * COMPLAINTS_MAX);
	struct span rest, line;
	int r = manager_reload(m, &complaints);
	rest = buf_span(&complaints);
	while (r != 0 && span_take_line(&rest, &line)) {
		struct json j = json_into(&out);
		json_object(&j, NULL);
		json_str(&j, "complaint", line);
		json_end(&j);
		buf_addc(&out, '\n');
	}
	control_answer(c, buf_span(&out));
	control_end(c,
		    r == 0 ? NULL
			   : "the configuration has errors; the old one stays in force");
}

/* trust relay=NAME */
static void answer_trust(struct manager *m, struct control_client *c, struct span rest) {
	AUTO_BUF struct buf name = BUF_INIT(64);
	struct err err = ERR_INIT;
	struct span key, value;
	if (!codec_word_take(&rest, &key, &value) || !value.p || !span_eq(key, SPAN("relay")) ||
	    codec_percent_decode(&name, value) != 0 || rest.len > 0)
		control_end(c, not_understood);
	else if (relay_trust(m, buf_str(&name), &err) != 0)
		control_fail(c, &err);
	else
		control_end(c, NULL);
}

/* events [id=ENDING] [format=words] */
static void answer_events(struct manager *m, struct control_client *c,
			  const struct control_peer *peer, struct span rest) {
	AUTO_BUF struct buf ending = BUF_INIT(64);
	struct err err = ERR_INIT;
	struct queue_id id;
	struct span key, value;
	bool words = false, dead = false, valid = true, named = false;
	while (valid && codec_word_take(&rest, &key, &value)) {
		if (value.p && span_eq(key, SPAN("id")) && !named)
			named = valid = codec_percent_decode(&ending, value) == 0;
		else if (value.p && span_eq(key, SPAN("format")))
			words = valid = span_eq(value, SPAN("words"));
		else
			valid = false;
	}
	if (!valid)
		control_end(c, not_understood);
	else if (!named)
		events_follow(m, c, peer, NULL, false, words);
	else if (find_message(m, peer, buf_span(&ending), &id, &dead, &err) == 0)
		events_follow(m, c, peer, &id, dead, words);
	else if (err.kind != ERR_MISSING ||
		 !events_recall(m, c, peer, buf_span(&ending), words))
		control_fail(c, &err);
}

static bool names_messages(struct span word) {
	enum verb_act act;
	return span_eq(word, SPAN("list")) || span_eq(word, SPAN("show")) ||
	       span_eq(word, SPAN("edit")) || span_eq(word, SPAN("events")) ||
	       verb_parse(word, &act);
}

void requests_take(void *ctx, struct control_client *c, struct span line,
		   const struct control_peer *peer) {
	struct manager *m = ctx;
	struct span word, value;
	enum verb_act act = VERB_FLUSH;
	wake_catch_up(m);
	if (!codec_word_take(&line, &word, &value) || value.p)
		control_end(c, not_understood);
	else if (names_messages(word) && (!m->replayed || (!peer->admin && !m->scanned)))
		control_end(c, "nightmaild is finishing what an earlier run left; "
			       "try again in a moment");
	else if (span_eq(word, SPAN("list")))
		start_job(m, c, peer, true, act, line);
	else if (verb_parse(word, &act))
		start_job(m, c, peer, false, act, line);
	else if (span_eq(word, SPAN("show")))
		show_request(m, c, peer, line);
	else if (span_eq(word, SPAN("edit")))
		edit_request(m, c, peer, line);
	else if (span_eq(word, SPAN("events")))
		answer_events(m, c, peer, line);
	else if (span_eq(word, SPAN("status")))
		status_request(m, c, peer);
	else if (!span_eq(word, SPAN("reload")) && !span_eq(word, SPAN("trust")) &&
		 !span_eq(word, SPAN("watch")) && !span_eq(word, SPAN("limits")))
		control_end(c, not_understood);
	else if (!peer->admin)
		control_end(c, "not allowed: only an administrator may ask for that");
	else if (span_eq(word, SPAN("trust")))
		answer_trust(m, c, line);
	else if (span_eq(word, SPAN("watch")))
		watch_request(m, c, line);
	else if (span_eq(word, SPAN("limits")))
		throttling_request(m, c, line);
	else
		answer_reload(m, c);
}
