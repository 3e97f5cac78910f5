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

#define TOKEN_WAIT_MS 5000
#define REFILL_AT (WIRE_BATCH / 2)
#define BUSY_CLAIM_MS 1000
#define EXCEPT_MAX (PROC_FRAME_MAX / 3)
#define CARE_MS 20
#define LONG_MS 10000 /* a wait that mail which has other lanes, too, is placed anew for */
#define MOVE_EVERY_MS 60000
#define FULL_PATIENCE_MS 8000 /* pauses of 1, 2, 4 and 8 s */

static int64_t lifetime_ms(const struct manager *m, const struct message *msg) {
	return msg->null_sender ? m->settings.bounce_lifetime_ms
				: m->settings.lifetime_ms;
}

/* --- handing over --- */

static void add_line(struct buf *frame, const struct lane *lane, const struct message *msg,
		     const struct moment *now, struct buf *except) {
	struct wire_message h = { .id = msg->id };
	if (lane->state.relay[0])
		h.held_ms = relaystate_overlap_ms(&lane->state, &msg->last, now);
	if (except->len > 0)
		h.except = buf_take(except);
	wire_message_write(frame, &h);
	free(h.except);
}

/* How many messages this worker should have in all, now. */
static unsigned share_of(const struct manager *m, const struct slot *s, int64_t now_ms) {
	unsigned workers = 0, has = 0;
	if (breaker_careful(&s->lane->breaker))
		return 1;
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		const struct slot *other = &m->slot[i];
		if (!other->manager || other->lane != s->lane || !other->up ||
		    other->fd < 0)
			continue;
		workers++;
		has += other->count;
	}
	if (workers <= 1)
		return WIRE_BATCH;
	size_t due = heap_count_due(&s->lane->heap, now_ms,
				    (size_t)workers * WIRE_BATCH);
	size_t share = (due + has + workers - 1) / workers;
	return share < WIRE_BATCH ? (unsigned)share : WIRE_BATCH;
}

static struct message *next_for(const struct slot *s, int64_t now_ms) {
	struct message *msg = heap_next(&s->lane->heap, now_ms);
	if (!msg || s->alone || (msg->suspect && s->count > 0))
		return NULL;
	return msg;
}

/* Mail for later is looked at again when it comes to the front: its time may have come. */
static void look_at_scheduled(struct manager *m, struct lane *lane, int64_t now_ms) {
	const struct message *msg;
	while ((msg = heap_next(&lane->heap, now_ms)) != NULL && msg->scheduled) {
		struct queue_id id = msg->id;
		message_load(m, &id);
		msg = table_find(&m->messages, &id);
		if (msg && msg->scheduled && msg->due_ms <= now_ms)
			return; /* not read now */
	}
}

/* True when nothing of this lane may go now: a rate or quota is used up, or nothing is due that
 * does not wait for something of the kind. */
static bool may_not_go(struct manager *m, struct lane *lane, const struct moment *now) {
	look_at_scheduled(m, lane, now->boot_ms);
	const struct message *msg = heap_next(&lane->heap, now->boot_ms);
	return !msg || msg->scheduled || throttling_wait_ms(m, lane, now) > 0 ||
	       throttling_sift(m, lane, now);
}

static void feed(struct manager *m, struct slot *s, const struct moment *now) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	unsigned before = s->count, share;
	struct message *msg;
	if (s->count > REFILL_AT || !next_for(s, now->boot_ms))
		return;
	share = share_of(m, s, now->boot_ms);
	while (s->count < share && frame.len < PROC_FRAME_MAX / 2 &&
	       !may_not_go(m, s->lane, now) && (msg = next_for(s, now->boot_ms)) != NULL) {
		AUTO_BUF struct buf except = BUF_INIT(EXCEPT_MAX);
		throttling_take(m, s->lane, msg, now, &except);
		heap_served(&s->lane->heap, msg, now->boot_ms);
		message_take(m, msg, MESSAGE_ACTIVE);
		msg->slot = (uint8_t)s->number;
		msg->generation = m->generation;
		s->alone = msg->suspect;
		s->message[s->count++] = msg;
		events_started(m, msg, s->lane);
		add_line(&frame, s->lane, msg, now, &except);
	}
	bool saved = throttling_commit(m) == 0;
	if (s->count == before || (saved && proc_send(s->fd, buf_span(&frame), -1) == 0))
		return;
	s->alone = false;
	while (s->count > before) { /* it is leaving; its end is seen by its channel */
		msg = s->message[--s->count];
		throttling_settled(m, msg, false, 0);
		message_enter(m, msg, s->lane, now->boot_ms + BUSY_CLAIM_MS);
	}
	s->up &= !saved;
}

static bool is_starting(const struct slot *s, const struct lane *lane) {
	return s->manager && s->lane == lane && s->fd >= 0 && !s->up && !s->excused;
}

/* Starts workers for what no worker could take: as many as may be, one for a message. */
static void start_more(struct manager *m, struct lane *lane, int64_t now_ms) {
	size_t starting = 0;
	for (unsigned i = 0; i < SEGMENT_MAX && lane->open > 0; i++)
		starting += is_starting(&m->slot[i], lane);
	while (lane->open < breaker_connections(&lane->breaker, now_ms) &&
	       now_ms >= lane->restart_at_ms &&
	       heap_count_due(&lane->heap, now_ms, starting + 1) > starting) {
		unsigned before = lane->open;
		pool_start(m, lane);
		if (lane->open == before)
			return;
		starting++;
	}
}

struct dispatching {
	struct manager *manager;
	struct moment now;
};

/* Returns when to look at this lane again, if nothing happens before. */
static int64_t dispatch_lane(void *ctx, struct lane *lane, bool *ret_dropped) {
	struct manager *m = ((struct dispatching *)ctx)->manager;
	const struct moment *now = &((struct dispatching *)ctx)->now;
	const struct message *top = heap_top(&lane->heap);
	if (lane_is_direct(lane) && !top && lane->slots == 0) {
		/* That it does not work is known until somebody would try again. */
		if (lane_is_held(lane) && lane->breaker.probe_at_ms > now->boot_ms)
			return lane->breaker.probe_at_ms;
		lane_drop(&m->lanes, lane);
		*ret_dropped = true;
		return NEVER_MS;
	}
	if (!lane->config)
		return NEVER_MS;
	for (unsigned i = 0; i < SEGMENT_MAX && lane->open > 0; i++) {
		struct slot *s = &m->slot[i];
		if (s->manager && s->lane == lane && s->up && s->fd >= 0)
			feed(m, s, now);
	}
	bool waits = may_not_go(m, lane, now);
	top = heap_top(&lane->heap);
	if (!top)
		return place_seed(m, lane, now->boot_ms);
	if (top->due_ms > now->boot_ms)
		return top->due_ms;
	int64_t wait = throttling_wait_ms(m, lane, now);
	bool begins = wait >= LONG_MS && lane->limited_ms < now->boot_ms + LONG_MS;
	lane->limited_ms = now->boot_ms + wait;
	if (begins && now->boot_ms >= lane->moved_ms) {
		lane->moved_ms = now->boot_ms + MOVE_EVERY_MS;
		place_lane_waits(m, lane);
	}
	if (waits)
		return lane->limited_ms;
	start_more(m, lane, now->boot_ms);
	if (lane->restart_at_ms > now->boot_ms)
		return lane->restart_at_ms;
	if (lane_is_held(lane) && lane->open == 0)
		return lane->breaker.probe_at_ms;
	return NEVER_MS; /* a worker's report comes first */
}

/* Where there is one lane, what is new begins there. */
bool dispatch_can_take(const struct manager *m, int64_t now_ms) {
	const struct lane *lane = m->lanes.at[0];
	return m->replayed && !m->blocked && now_ms >= m->paused_until_ms &&
	       (!m->placing.plain ||
		(lane->config &&
		 (!lane_is_held(lane) || now_ms >= lane->breaker.probe_at_ms)));
}

int64_t dispatch(struct manager *m, int64_t now_ms) {
	struct dispatching d = { m, clock_now() };
	if (!m->replayed || m->blocked || m->stopping)
		return NEVER_MS;
	if (now_ms < m->paused_until_ms)
		return m->paused_until_ms;
	return lanes_look(&m->lanes, now_ms, dispatch_lane, &d);
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
	if (s->lane)
		relay_succeeded(m, s->lane);
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

bool dispatch_note_age(struct manager *m, struct message *msg, int64_t age_ms) {
	msg->expire = age_ms >= lifetime_ms(m, msg);
	msg->warn = !msg->expire && !msg->warned && !msg->null_sender &&
		    m->settings.warning_ms > 0 && age_ms >= m->settings.warning_ms;
	return msg->expire || msg->warn;
}

/* Puts it back where it was; after a change of the rules, or with several lanes to go to,
 * where its record says. */
static void put_back(struct manager *m, const struct slot *s, struct message *msg,
		     bool recorded, int64_t due_ms) {
	struct queue_id id = msg->id;
	bool stale = !s->lane || msg->placed != m->placing.generation;
	if (recorded && (msg->multi || msg->partial || stale))
		message_load(m, &id);
	else
		message_enter(m, msg, s->lane ? s->lane : m->lanes.at[0], due_ms);
	if (!recorded && stale && (msg = table_find(&m->messages, &id)) != NULL)
		place_again(m, msg);
}

/* Tried, and to be tried again. */
static void come_back(struct manager *m, const struct slot *s, struct message *msg,
		      const struct wire_report *r) {
	struct moment now = clock_now();
	int64_t left = lifetime_ms(m, msg) - r->age_ms;
	int64_t wait = r->wait_ms < left ? r->wait_ms : left;
	if (r->recorded) {
		msg->last = now;
		msg->age_s = (uint32_t)(r->age_ms / 1000);
	}
	msg->attempted = true;
	msg->suspect = false;
	msg->crashes = 0;
	bool care = dispatch_note_age(m, msg, r->age_ms);
	if (!r->recorded) { /* an end must stand on disk behind an attempt */
		care = msg->warn;
		msg->expire = false;
	}
	if (!msg->expire)
		events_waits(m, msg, wait > 0 ? wait : r->wait_ms);
	if (care)
		message_due(m, msg, true, now.boot_ms + CARE_MS);
	else
		put_back(m, s, msg, r->recorded,
			 now.boot_ms + (wait > 0 ? wait : r->wait_ms));
}

/* The worker did what there was for it, and some recipients have other lanes, or wait for their
 * quota. When it comes to the same one again and did not have to wait, the rules there and here
 * differ: not too often, then. */
static void go_on(struct manager *m, struct message *msg) {
	struct queue_id id = msg->id;
	uint16_t before = msg->lane;
	bool partial = msg->partial;
	message_load(m, &id);
	msg = table_find(&m->messages, &id);
	if (msg && !partial && msg->state == MESSAGE_WAITING && msg->lane == before)
		message_due(m, msg, false, clock_boot_ms() + m->settings.retry_min_ms);
}

static void skipped(struct manager *m, const struct slot *s, struct message *msg,
		    enum wire_skip why) {
	int64_t now = clock_boot_ms();
	switch (why) {
	case WIRE_SKIP_BUSY:
		put_back(m, s, msg, false, now + BUSY_CLAIM_MS);
		break;
	case WIRE_SKIP_GONE:
		message_gone(m, msg, "removed", NULL);
		break;
	case WIRE_SKIP_DAMAGED:
	case WIRE_SKIP_LOOP:
		msg->damaged = why == WIRE_SKIP_DAMAGED;
		msg->loops = why == WIRE_SKIP_LOOP;
		message_due(m, msg, true, now + CARE_MS);
		break;
	}
}

static void held(struct manager *m, const struct slot *s, struct message *msg) {
	struct queue_id id = msg->id;
	bool by_route = s->lane && s->lane->config &&
			config_way(s->lane->config, NULL) == CONFIG_WAY_HOLD;
	events_act(m, msg, "held", "daemon", by_route ? JOURNAL_ROUTE : JOURNAL_LOCAL_NAME);
	message_load(m, &id);
}

static void one_message(struct manager *m, struct slot *s, const struct wire_report *r) {
	struct message *msg = settle(m, s, &r->id);
	if (!msg)
		return;
	throttling_settled(m, msg, r->kind != WIRE_BACK && r->kind != WIRE_SKIP, r->sent);
	msg->open = (uint16_t)(msg->open > r->sent ? msg->open - r->sent : 0);
	if (r->kind == WIRE_DONE || r->kind == WIRE_NOTICE)
		succeeded(m, s);
	if (r->kind == WIRE_DONE) {
		message_gone(m, msg, msg->failed ? "bounced" : "delivered", NULL);
		return;
	}
	if (r->kind == WIRE_NOTICE)
		message_due(m, msg, true, clock_boot_ms() + CARE_MS);
	else if (r->kind == WIRE_HELD)
		held(m, s, msg);
	else if (r->kind == WIRE_LATER)
		come_back(m, s, msg, r);
	else if (r->kind == WIRE_ELSEWHERE)
		go_on(m, msg);
	else if (r->kind == WIRE_BACK)
		put_back(m, s, msg, false, clock_boot_ms());
	else
		skipped(m, s, msg, r->why);
	msg = table_find(&m->messages, &r->id);
	if (msg && msg->verb)
		dispatch_verb(m, msg);
}

/* How many other connections to the same relay live; 0 when none of them has done anything. */
static unsigned others_at_work(const struct manager *m, const struct slot *s) {
	unsigned up = 0, useful = 0;
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		const struct slot *other = &m->slot[i];
		if (other == s || !other->manager || other->lane != s->lane || !other->up)
			continue;
		up++;
		useful += other->answered > 0;
	}
	return useful > 0 ? up : 0;
}

/* The server takes no connection now, and took mail a moment ago: its connections of before
 * may count still, or somebody else has them. It is asked again soon, less often each time, and
 * held when that lasts. */
static bool is_full(const struct slot *s, const struct wire_report *r) {
	struct lane *lane = s->lane;
	bool early = strcmp(r->stage, "greeting") == 0 || strcmp(r->stage, "EHLO") == 0;
	return early && r->code == 421 && lane->breaker.state == BREAKER_UP &&
	       lane->restart_delay_ms < FULL_PATIENCE_MS;
}

/* One connection too many is refused: fewer of them. The first one is: the relay is held. */
static void down(struct manager *m, struct slot *s, const struct wire_report *r) {
	s->excused = true;
	s->up = false;
	if (!s->lane)
		return;
	unsigned working = others_at_work(m, s);
	if (working > 0)
		breaker_full(&s->lane->breaker, working, clock_boot_ms());
	else if (is_full(s, r))
		crash_put_off(s->lane);
	else
		relay_failed(m, s->lane, r->words, r->text);
}

/* 421 or a broken connection: when nothing was answered before, the relay does not work. */
static void busy(struct manager *m, struct slot *s, const struct wire_report *r) {
	s->excused = true;
	s->up = false;
	if (!s->lane)
		return;
	if (s->answered == 0 && others_at_work(m, s) == 0)
		relay_failed(m, s->lane, r->words, r->text);
	else
		breaker_busy(&s->lane->breaker, clock_boot_ms());
}

/* Before its parent knows, the next worker would get the same token: pool.c lets it come then. */
static void token_over(struct slot *s) {
	s->excused = s->token_over = true;
	s->up = false;
	if (!s->lane)
		return;
	s->lane->restart_at_ms = clock_boot_ms() + TOKEN_WAIT_MS;
	breaker_probe_now(&s->lane->breaker, clock_boot_ms());
}

static void window_done(struct manager *m, struct slot *s) {
	succeeded(m, s);
	struct message *top = s->lane ? heap_top(&s->lane->heap) : NULL;
	int64_t now = clock_boot_ms();
	if (top && top->due_ms <= now)
		breaker_grow(&s->lane->breaker, now);
}

static void connected(struct slot *s, const struct wire_report *r) {
	if (!s->lane)
		return;
	memcpy(s->lane->host, r->host, sizeof(r->host));
	memcpy(s->lane->tls, r->tls, sizeof(r->tls));
	memcpy(s->lane->cipher, r->cipher, sizeof(r->cipher));
	memcpy(s->lane->auth, r->auth, sizeof(r->auth));
}

static void result(struct manager *m, struct slot *s, const struct wire_report *r) {
	if (s->lane)
		snprintf(s->lane->last_reply, sizeof(s->lane->last_reply), "%.*s",
			 (int)sizeof(s->lane->last_reply) - 1, r->text);
	events_result(m, table_find(&m->messages, &r->id), s->lane, r);
}

void dispatch_report(struct manager *m, struct slot *s, const struct wire_report *r) {
	if (s->lane && r->kind != WIRE_RESULT)
		lane_touch(&m->lanes, s->lane);
	switch (r->kind) {
	case WIRE_UP:
		s->up = s->lane != NULL;
		connected(s, r);
		if (s->lane)
			relay_certificate(m, s->lane, r->name, r->cert_from_s, r->cert_until_s);
		if (s->lane && r->auth_best[0])
			relay_offers(m, s->lane, r->auth_host, r->auth_best);
		log_debug("relay %s: connected to %s, %s%s, %s",
			  s->lane ? s->lane->name : "(replaced)", r->host,
			  r->tls[0] ? r->tls : "no TLS", r->resumed ? " resumed" : "",
			  r->auth[0] ? r->auth : "no login");
		break;
	case WIRE_DOWN:
		down(m, s, r);
		break;
	case WIRE_BUSY:
		busy(m, s, r);
		break;
	case WIRE_TOKEN_OVER:
		token_over(s);
		break;
	case WIRE_WINDOW_CLEAN:
		window_done(m, s);
		break;
	case WIRE_REFUSED:
		if (s->lane) {
			s->lane->refused = r->count;
			memcpy(s->lane->refused_from, r->text, sizeof(r->text));
		}
		break;
	case WIRE_NO_STREAM:
		if (s->lane)
			relay_out_of_step(m, s->lane, r->text);
		break;
	case WIRE_BROKEN:
		if (s->lane)
			relay_broken(s->lane, r->text);
		break;
	case WIRE_DONE:
	case WIRE_LATER:
	case WIRE_NOTICE:
	case WIRE_HELD:
	case WIRE_BACK:
	case WIRE_SKIP:
	case WIRE_ELSEWHERE:
		one_message(m, s, r);
		break;
	case WIRE_UNSIGNED:
		alert_unsigned(m, r->name, span_str(r->text));
		break;
	case WIRE_RESULT:
		result(m, s, r);
		break;
	case WIRE_EXITED:
	case WIRE_TROUBLE: /* their parent says these */
		break;
	}
}
