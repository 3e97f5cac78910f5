/*
 * The request `status`: how the daemon, its queue and its relays are (control/control.h).
 * Everything comes from memory, but for the number of files in dead/, which is looked up at
 * most every few seconds. Users other than administrators get their own mail's numbers, and
 * no more of the relays than whether they work.
 */

#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/log.h"
#include "deliver/state.h"

#define DEAD_FRESH_MS 5000
#define DESTINATIONS_SHOWN 20u

struct state_count {
	int64_t count, oldest_ms, next_ms; /* wall and boot time; NEVER_MS: none */
};

struct survey {
	struct manager *manager;
	const struct control_peer *peer;
	struct moment now;
	struct state_count state[QUEUE_DEAD + 1];
	int64_t waiting, active, held;
	int64_t next_of[TROUBLES_MAX]; /* boot time */
};

static enum queue_state state_of(const struct manager *m, const struct message *msg) {
	if (msg->state == MESSAGE_ACTIVE)
		return QUEUE_ACTIVE;
	if (msg->state == MESSAGE_HELD)
		return QUEUE_HELD;
	const struct lane *lane = message_lane(m, msg);
	bool waits = lane->state.held || msg->scheduled || msg->throttled ||
		     lane->limited_ms > clock_boot_ms();
	return msg->attempted || waits ? QUEUE_DEFERRED : QUEUE_QUEUED;
}

static void look_at(void *ctx, struct message *msg) {
	struct survey *s = ctx;
	if (!s->peer->admin && msg->uid != s->peer->uid)
		return;
	struct state_count *n = &s->state[state_of(s->manager, msg)];
	int64_t created_ms = queue_id_us(&msg->id) / 1000;
	bool waits = msg->state == MESSAGE_WAITING;
	n->count++;
	if (created_ms < n->oldest_ms)
		n->oldest_ms = created_ms;
	if (waits && msg->due_ms < n->next_ms)
		n->next_ms = msg->due_ms;
	if (waits && msg->trouble > 0 && msg->due_ms < s->next_of[msg->trouble - 1])
		s->next_of[msg->trouble - 1] = msg->due_ms;
	s->waiting += waits;
	s->active += msg->state == MESSAGE_ACTIVE;
	s->held += msg->state == MESSAGE_HELD;
}

static int count_one(void *ctx, const struct queue_id *id) {
	struct state_count *n = ctx;
	int64_t created_ms = queue_id_us(id) / 1000;
	n->count++;
	if (created_ms < n->oldest_ms)
		n->oldest_ms = created_ms;
	return 0;
}

/* The answer is kept for a moment: dashboards ask again and again. */
static void count_dead(struct manager *m, struct state_count *ret) {
	static struct state_count known;
	struct err err = ERR_INIT;
	int64_t now = clock_boot_ms();
	if (m->dead_counted_ms == 0 || now - m->dead_counted_ms >= DEAD_FRESH_MS) {
		known = *ret;
		if (queue_scan(m->queue, true, count_one, &known, &err) != 0)
			log_error("dead/ cannot be read: %s", err.msg);
		m->dead_counted_ms = now;
	}
	*ret = known;
}

static int64_t wall_s_of(const struct moment *now, int64_t boot_ms) {
	int64_t wait = boot_ms - now->boot_ms;
	if (boot_ms == NEVER_MS)
		return 0;
	return (now->wall_ms + (wait > 0 ? wait : 0)) / 1000;
}

static void add_time(struct json *j, const char *key, int64_t seconds, bool known) {
	if (known)
		json_int(j, key, seconds);
	else
		json_null(j, key);
}

static void add_states(struct json *j, const struct survey *s) {
	json_object(j, "states");
	for (unsigned i = 0; i <= (s->peer->admin ? QUEUE_DEAD : QUEUE_HELD); i++) {
		const struct state_count *n = &s->state[i];
		json_object(j, queue_state_name((enum queue_state)i));
		json_int(j, "count", n->count);
		add_time(j, "oldest", n->oldest_ms / 1000, n->oldest_ms != NEVER_MS);
		add_time(j, "next", wall_s_of(&s->now, n->next_ms),
			 n->next_ms != NEVER_MS);
		json_end(j);
	}
	json_end(j);
}

static void add_some(struct json *j, const char *key, const char *text) {
	json_str_or_null(j, key, text[0] ? span_str(text) : span_str(NULL));
}

/* What of a relay only administrators see. */
static void add_private(struct json *j, const struct lane *lane) {
	if (lane->state.held)
		json_str(j, "reason", span_str(lane->state.reason));
	json_array(j, "hosts");
	for (size_t i = 0; i < lane->config->host_count; i++)
		json_str(j, NULL, span_str(lane->config->host[i]));
	json_end(j);
	add_some(j, "host", lane->host);
	add_some(j, "auth", lane->auth);
	add_some(j, "last_reply", lane->last_reply);
	add_some(j, "failure", lane->failure);
}

static void add_slow(struct json *j, const struct lane *lane, const struct moment *now) {
	const char *words;
	int64_t left = relay_slow_ms(lane, now, &words);
	if (left == 0)
		return;
	json_str(j, "slow", span_str(words));
	json_int(j, "slow_until", (now->wall_ms + left) / 1000);
}

static void add_relay(struct json *j, const struct lane *lane, const struct survey *s) {
	static const char *const states[] = {
		[BREAKER_UNKNOWN] = "unknown",
		[BREAKER_UP] = "up",
		[BREAKER_HELD] = "held",
	};
	json_object(j, NULL);
	json_str(j, "name", span_str(lane->name));
	json_str(j, "state", span_str(states[lane->breaker.state]));
	json_int(j, "connections", lane->open);
	json_int(j, "connections_max", lane->breaker.max);
	if (s->peer->admin)
		json_int(j, "messages", (int64_t)lane->heap.count);
	if (lane->state.held) {
		json_str(j, "words", relays_words(lane));
		json_int(j, "since", lane->state.since.wall_ms / 1000);
		json_int(j, "next", wall_s_of(&s->now, lane->breaker.probe_at_ms));
	}
	AUTO_BUF struct buf waits = BUF_INIT(1024);
	if (lane->heap.count > 0 && throttling_words(s->manager, lane, NULL, &waits))
		json_str(j, "waits", buf_span(&waits));
	add_slow(j, lane, &s->now);
	add_some(j, "tls", lane->tls);
	add_some(j, "cipher", lane->cipher);
	add_time(j, "last_success", lane->succeeded_ms / 1000, lane->succeeded_ms > 0);
	add_time(j, "last_failure", lane->failed_ms / 1000, lane->failed_ms > 0);
	if (s->peer->admin)
		add_private(j, lane);
	json_end(j);
}

/* The relays of the configuration, then what is going on at single destinations. */
static void add_relays(struct json *j, const struct manager *m, const struct survey *s) {
	unsigned left = DESTINATIONS_SHOWN;
	for (size_t i = 0; i < m->lanes.end; i++)
		if (m->lanes.at[i] && m->lanes.at[i]->config && !lane_is_direct(m->lanes.at[i]))
			add_relay(j, m->lanes.at[i], s);
	for (size_t i = 0; i < m->lanes.end && s->peer->admin && left > 0; i++) {
		const struct lane *lane = m->lanes.at[i];
		if (!lane || !lane_is_direct(lane) || (!lane->state.held && lane->open == 0))
			continue;
		add_relay(j, lane, s);
		left--;
	}
}

static int by_messages(const void *a, const void *b) {
	const struct trouble *x = *(const struct trouble *const *)a;
	const struct trouble *y = *(const struct trouble *const *)b;
	return (x->messages < y->messages) - (x->messages > y->messages);
}

static void add_destinations(struct json *j, const struct survey *s) {
	const struct trouble *shown[TROUBLES_MAX], *list = s->manager->troubles.list;
	size_t count = 0;
	for (unsigned i = 0; list && i < TROUBLES_MAX; i++)
		if (list[i].messages > 0)
			shown[count++] = &list[i];
	if (count > 0)
		qsort(shown, count, sizeof(shown[0]), by_messages);
	json_array(j, "destinations");
	for (size_t i = 0; i < count && i < DESTINATIONS_SHOWN; i++) {
		int64_t next = s->next_of[shown[i] - list];
		json_object(j, NULL);
		json_str(j, "domain", span_str(shown[i]->domain));
		json_int(j, "waiting", shown[i]->messages);
		add_time(j, "next", wall_s_of(&s->now, next), next != NEVER_MS);
		add_some(j, "reply", shown[i]->reply);
		json_end(j);
	}
	json_end(j);
}

/* Of the configuration users hear only that something is wrong with it. */
static void add_complaint(struct json *j, const char *key, const char *words, bool admin) {
	if (!words[0])
		json_null(j, key);
	else
		json_str(j, key, admin ? span_str(words) : SPAN("the configuration has errors"));
}

static void add_daemon(struct json *j, const struct survey *s) {
	const struct manager *m = s->manager;
	unsigned workers = 0;
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		workers += m->slot[i].manager != NULL;
	json_int(j, "pid", getpid());
	json_str(j, "version", SPAN(VERSION));
	json_int(j, "since", m->started.wall_ms / 1000);
	json_int(j, "now", s->now.wall_ms / 1000);
	json_bool(j, "admin", s->peer->admin);
	json_bool(j, "stopping", m->stopping);
	add_complaint(j, "complaint", m->complaint, s->peer->admin);
	add_complaint(j, "rejected", m->rejected, s->peer->admin);
	add_time(j, "paused_until", wall_s_of(&s->now, m->paused_until_ms),
		 m->paused_until_ms > s->now.boot_ms);
	json_int(j, "workers", workers);
	if (s->peer->admin)
		json_str(j, "queue", span_str(m->settings.dir));
}

static void survey_begin(struct survey *s, struct manager *m, const struct control_peer *peer) {
	s->manager = m;
	s->peer = peer;
	s->now = clock_now();
	for (unsigned i = 0; i <= QUEUE_DEAD; i++)
		s->state[i] = (struct state_count){ 0, NEVER_MS, NEVER_MS };
	for (unsigned i = 0; i < TROUBLES_MAX; i++)
		s->next_of[i] = NEVER_MS;
}

void status_request(struct manager *m, struct control_client *c,
		    const struct control_peer *peer) {
	AUTO_BUF struct buf out = BUF_INIT(1u << 20);
	AUTO_FREE struct survey *s = calloc(1, sizeof(*s));
	struct json j = json_into(&out);
	if (!s) {
		control_end(c, "out of memory");
		return;
	}
	survey_begin(s, m, peer);
	table_each(&m->messages, look_at, s);
	if (peer->admin)
		count_dead(m, &s->state[QUEUE_DEAD]);
	json_object(&j, NULL);
	add_daemon(&j, s);
	json_int(&j, "waiting", s->waiting);
	json_int(&j, "active", s->active);
	json_int(&j, "held", s->held);
	add_states(&j, s);
	json_array(&j, "relays");
	add_relays(&j, m, s);
	json_end(&j);
	if (peer->admin) {
		add_destinations(&j, s);
		alert_json(m, &j, "warnings");
		watch_status(m, &j);
		counts_json(&m->counts, &j, s->now.wall_ms / 1000);
	}
	json_end(&j);
	buf_addc(&out, '\n');
	control_answer(c, buf_span(&out));
	control_end(c, NULL);
}
