/*
 * Handing over, and what comes back. A worker gets at most WIRE_BATCH messages, in shares
 * when several workers are at work, and one alone while nothing has succeeded yet or when
 * a worker has crashed with it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/proc.h"
#include "deliver/state.h"

#define REFILL_AT (WIRE_BATCH / 2)
#define BUSY_CLAIM_MS 1000
#define CARE_MS 20

static int64_t lifetime_ms(const struct manager *m, const struct message *msg) {
	return msg->null_sender ? m->settings.bounce_lifetime_ms
				: m->settings.lifetime_ms;
}

/* --- handing over --- */

static void add_line(struct buf *frame, const struct relay *r, const struct message *msg,
		     const struct moment *now) {
	int64_t held_ms = r->state.relay[0]
				  ? relaystate_overlap_ms(&r->state, &msg->last, now)
				  : 0;
	wire_message_write(frame, &msg->id, held_ms);
}

/* How many messages this worker should have in all, now. */
static unsigned share_of(const struct manager *m, const struct slot *s, int64_t now_ms) {
	unsigned workers = 0, has = 0;
	if (breaker_careful(&s->relay->breaker))
		return 1;
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		const struct slot *other = &m->slot[i];
		if (!other->manager || other->relay != s->relay || !other->up ||
		    other->fd < 0)
			continue;
		workers++;
		has += other->count;
	}
	if (workers <= 1)
		return WIRE_BATCH;
	size_t due = heap_count_due(&s->relay->heap, now_ms,
				    (size_t)workers * WIRE_BATCH);
	size_t share = (due + has + workers - 1) / workers;
	return share < WIRE_BATCH ? (unsigned)share : WIRE_BATCH;
}

static struct message *next_for(const struct slot *s, int64_t now_ms) {
	struct message *msg = heap_top(&s->relay->heap);
	if (!msg || msg->due_ms > now_ms || s->alone || (msg->suspect && s->count > 0))
		return NULL;
	return msg;
}

static void feed(struct manager *m, struct slot *s, const struct moment *now) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	unsigned before = s->count, share;
	struct message *msg;
	if (s->count > REFILL_AT || !next_for(s, now->boot_ms))
		return;
	share = share_of(m, s, now->boot_ms);
	while (s->count < share && (msg = next_for(s, now->boot_ms)) != NULL) {
		message_take(m, msg, MESSAGE_ACTIVE);
		msg->slot = (uint8_t)s->number;
		msg->generation = m->generation;
		s->alone = msg->suspect;
		s->message[s->count++] = msg;
		events_started(m, msg, s->relay);
		add_line(&frame, s->relay, msg, now);
	}
	if (s->count == before || proc_send(s->fd, buf_span(&frame), -1) == 0)
		return;
	s->alone = false;
	while (s->count > before) /* it is leaving; its end is seen by its channel */
		message_due(m, s->message[--s->count], false,
			    now->boot_ms + BUSY_CLAIM_MS);
	s->up = false;
}

static bool is_starting(const struct slot *s, const struct relay *r) {
	return s->manager && s->relay == r && s->fd >= 0 && !s->up && !s->excused;
}

/* Starts workers for what no worker could take: as many as may be, one for a message. */
static void start_more(struct manager *m, struct relay *r, int64_t now_ms) {
	size_t starting = 0;
	for (unsigned i = 0; i < SEGMENT_MAX && r->open > 0; i++)
		starting += is_starting(&m->slot[i], r);
	while (r->open < breaker_connections(&r->breaker, now_ms) &&
	       now_ms >= r->restart_at_ms &&
	       heap_count_due(&r->heap, now_ms, starting + 1) > starting) {
		unsigned before = r->open;
		pool_start(m, r);
		if (r->open == before)
			return;
		starting++;
	}
}

/* Returns when to come again for this relay, if nothing happens before. */
static int64_t dispatch_relay(struct manager *m, struct relay *r,
			      const struct moment *now) {
	if (!r->config)
		return NEVER_MS;
	for (unsigned i = 0; i < SEGMENT_MAX && r->open > 0; i++) {
		struct slot *s = &m->slot[i];
		if (s->manager && s->relay == r && s->up && s->fd >= 0)
			feed(m, s, now);
	}
	const struct message *top = heap_top(&r->heap);
	if (!top)
		return NEVER_MS;
	if (top->due_ms > now->boot_ms)
		return top->due_ms;
	start_more(m, r, now->boot_ms);
	if (r->restart_at_ms > now->boot_ms)
		return r->restart_at_ms;
	if (r->breaker.state == BREAKER_HELD && r->open == 0)
		return r->breaker.probe_at_ms;
	return NEVER_MS; /* a worker's report comes first */
}

/* What is new always begins at the default relay. */
bool dispatch_can_take(const struct manager *m, int64_t now_ms) {
	const struct relay *r = &m->relay[0];
	return m->replayed && !m->blocked && now_ms >= m->paused_until_ms && r->config &&
	       (r->breaker.state != BREAKER_HELD || now_ms >= r->breaker.probe_at_ms);
}

int64_t dispatch(struct manager *m, int64_t now_ms) {
	struct moment now = clock_now();
	int64_t next = NEVER_MS;
	if (!m->replayed || m->blocked || m->stopping)
		return NEVER_MS;
	if (now_ms < m->paused_until_ms)
		return m->paused_until_ms;
	for (size_t i = 0; i < m->relay_count; i++) {
		int64_t again = dispatch_relay(m, &m->relay[i], &now);
		next = again < next ? again : next;
	}
	return next;
}

/* --- what comes back --- */

/* Takes the message off the worker. NULL: it never had it. */
static struct message *settle(struct manager *m, struct slot *s,
			      const struct queue_id *id) {
	struct message *msg = table_find(&m->messages, id);
	for (unsigned i = 0; msg && i < s->count; i++) {
		if (s->message[i] != msg)
			continue;
		s->message[i] = s->message[--s->count];
		s->alone = false;
		msg->state = MESSAGE_HELD;
		return msg;
	}
	log_error("id=%s a worker speaks of a message it does not have",
		  queue_id_text(id).s);
	return NULL;
}

static void succeeded(struct manager *m, struct slot *s) {
	s->answered++;
	if (s->relay)
		relay_succeeded(m, s->relay);
}

void dispatch_verb(struct manager *m, struct message *msg) {
	struct err err = ERR_INIT;
	struct queue_id id = msg->id;
	unsigned wish = msg->verb & ~WISH_BY_USER;
	enum verb_by by = msg->verb & WISH_BY_USER ? VERB_BY_USER : VERB_BY_ADMIN;
	if (wish == WISH_EDIT) {
		wishes_fulfil(m, msg);
		return;
	}
	enum verb_act act = (enum verb_act)(wish - 1);
	msg->verb = 0;
	if (requests_act(m, act, by, &id, false, &err) != 0)
		log_warn("id=%s %s after the attempt failed: %s", queue_id_text(&id).s,
			 verb_name(act), err.msg);
	if (act == VERB_BOUNCE)
		scan_names(m);
}

/* Tried, and to be tried again. */
static void come_back(struct manager *m, struct message *msg,
		      const struct wire_report *r) {
	struct moment now = clock_now();
	int64_t left = lifetime_ms(m, msg) - r->age_ms;
	int64_t wait = r->wait_ms < left ? r->wait_ms : left;
	if (r->recorded)
		msg->last = now;
	msg->attempted = true;
	msg->suspect = false;
	msg->crashes = 0;
	msg->expire = left <= 0 && r->recorded;
	msg->warn = !msg->expire && !msg->warned && !msg->null_sender &&
		    m->settings.warning_ms > 0 && r->age_ms >= m->settings.warning_ms;
	if (!msg->expire)
		events_waits(m, msg, wait > 0 ? wait : r->wait_ms);
	if (msg->expire || msg->warn)
		message_due(m, msg, true, now.boot_ms + CARE_MS);
	else
		message_due(m, msg, false, now.boot_ms + (wait > 0 ? wait : r->wait_ms));
}

static void skipped(struct manager *m, struct message *msg, enum wire_skip why) {
	int64_t now = clock_boot_ms();
	switch (why) {
	case WIRE_SKIP_BUSY:
		message_due(m, msg, false, now + BUSY_CLAIM_MS);
		break;
	case WIRE_SKIP_GONE:
		message_gone(m, msg, "removed", NULL);
		break;
	case WIRE_SKIP_DAMAGED:
		msg->damaged = true;
		message_due(m, msg, true, now + CARE_MS);
		break;
	}
}

static void held(struct manager *m, struct message *msg) {
	struct queue_id id = msg->id;
	events_act(m, msg, "held", "daemon", JOURNAL_LOCAL_NAME);
	message_load(m, &id);
}

static void one_message(struct manager *m, struct slot *s, const struct wire_report *r) {
	struct message *msg = settle(m, s, &r->id);
	if (!msg)
		return;
	if (r->kind == WIRE_DONE || r->kind == WIRE_NOTICE)
		succeeded(m, s);
	if (r->kind == WIRE_DONE) {
		message_gone(m, msg, msg->failed ? "bounced" : "delivered", NULL);
		return;
	}
	if (r->kind == WIRE_NOTICE)
		message_due(m, msg, true, clock_boot_ms() + CARE_MS);
	else if (r->kind == WIRE_HELD)
		held(m, msg);
	else if (r->kind == WIRE_LATER)
		come_back(m, msg, r);
	else if (r->kind == WIRE_BACK)
		message_due(m, msg, false, clock_boot_ms());
	else
		skipped(m, msg, r->why);
	msg = table_find(&m->messages, &r->id);
	if (msg && msg->verb)
		dispatch_verb(m, msg);
}

/* Another connection to the same relay has done something and lives. */
static bool others_work(const struct manager *m, const struct slot *s) {
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		const struct slot *other = &m->slot[i];
		if (other != s && other->manager && other->relay == s->relay &&
		    other->up && other->answered > 0)
			return true;
	}
	return false;
}

/* One connection too many is refused: fewer of them. The first one is: the relay is held. */
static void down(struct manager *m, struct slot *s, const struct wire_report *r) {
	s->excused = true;
	s->up = false;
	if (!s->relay)
		return;
	if (others_work(m, s))
		breaker_busy(&s->relay->breaker, clock_boot_ms());
	else
		relay_failed(m, s->relay, r->words, r->text);
}

/* 421 or a broken connection: when nothing was answered before, the relay does not work. */
static void busy(struct manager *m, struct slot *s, const char *text) {
	s->excused = true;
	s->up = false;
	if (!s->relay)
		return;
	if (s->answered == 0 && !others_work(m, s))
		relay_failed(m, s->relay, "connection lost", text);
	else
		breaker_busy(&s->relay->breaker, clock_boot_ms());
}

static void window_done(struct manager *m, struct slot *s) {
	succeeded(m, s);
	struct message *top = s->relay ? heap_top(&s->relay->heap) : NULL;
	int64_t now = clock_boot_ms();
	if (top && top->due_ms <= now)
		breaker_grow(&s->relay->breaker, now);
}

static void connected(struct slot *s, const struct wire_report *r) {
	if (!s->relay)
		return;
	memcpy(s->relay->host, r->host, sizeof(r->host));
	memcpy(s->relay->tls, r->tls, sizeof(r->tls));
	memcpy(s->relay->cipher, r->cipher, sizeof(r->cipher));
	memcpy(s->relay->auth, r->auth, sizeof(r->auth));
}

static void result(struct manager *m, struct slot *s, const struct wire_report *r) {
	if (s->relay)
		snprintf(s->relay->last_reply, sizeof(s->relay->last_reply), "%.*s",
			 (int)sizeof(s->relay->last_reply) - 1, r->text);
	events_result(m, table_find(&m->messages, &r->id), s->relay, r);
}

void dispatch_report(struct manager *m, struct slot *s, const struct wire_report *r) {
	switch (r->kind) {
	case WIRE_UP:
		s->up = s->relay != NULL;
		connected(s, r);
		log_debug("relay %s: connected to %s, %s, %s",
			  s->relay ? s->relay->name : "(replaced)", r->host,
			  r->tls[0] ? r->tls : "no TLS",
			  r->auth[0] ? r->auth : "no login");
		break;
	case WIRE_DOWN:
		down(m, s, r);
		break;
	case WIRE_BUSY:
		busy(m, s, r->text);
		break;
	case WIRE_WINDOW_CLEAN:
		window_done(m, s);
		break;
	case WIRE_REFUSED:
		if (s->relay) {
			s->relay->refused = r->count;
			memcpy(s->relay->refused_from, r->text, sizeof(r->text));
		}
		break;
	case WIRE_DONE:
	case WIRE_LATER:
	case WIRE_NOTICE:
	case WIRE_HELD:
	case WIRE_BACK:
	case WIRE_SKIP:
		one_message(m, s, r);
		break;
	case WIRE_RESULT:
		result(m, s, r);
		break;
	case WIRE_EXITED:
	case WIRE_TROUBLE: /* their parent says these */
		break;
	}
}
