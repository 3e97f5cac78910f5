/*
 * What workers report: what became of each message they were given, and how the relay is. A
 * message that is open goes back to where it waits, or to the manager's own care.
 */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "deliver/state.h"

#define BUSY_CLAIM_MS 1000
#define CARE_MS 20
#define TOKEN_WAIT_MS 5000
#define FULL_PATIENCE_MS 8000 /* pauses of 1, 2, 4 and 8 s */

static int64_t lifetime_ms(const struct manager *m, const struct message *msg) {
	return msg->null_sender ? m->settings.bounce_lifetime_ms
				: m->settings.lifetime_ms;
}

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
 * quota. When it comes to the same one again and did not have to wait, or nobody was tried, the
 * rules there and here differ: not too often, then. */
static void go_on(struct manager *m, struct message *msg) {
	struct queue_id id = msg->id;
	uint16_t before = msg->lane;
	bool partial = msg->partial;
	const struct moment last = msg->last;
	message_load(m, &id);
	msg = table_find(&m->messages, &id);
	if (!msg || msg->state != MESSAGE_WAITING || msg->lane != before)
		return;
	bool tried = msg->last.wall_ms != last.wall_ms || msg->last.boot_ms != last.boot_ms;
	int64_t again_ms = clock_boot_ms() + m->settings.retry_min_ms;
	if ((!partial || !tried) && msg->due_ms < again_ms)
		message_due(m, msg, false, again_ms);
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
