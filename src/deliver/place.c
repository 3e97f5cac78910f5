/*
 * Where a message waits: in the lane of the recipient that can be served first. The rules
 * (route/route.h) are asked for what each address becomes, each time a message is placed; a
 * worker asks them again when it delivers, serves those of its own lane, and gives the
 * message back for the others. What is wrong about a lane here therefore costs time, and
 * nothing else.
 *
 * Most configurations have one lane, and then nothing of this happens.
 */

#include "base/auto.h"
#include "base/log.h"
#include "deliver/state.h"

#define BATCH 200u
#define LAST_MS (INT64_MAX / 2)
#define SEED_WAIT_MS 1000
#define SEEK_AGAIN_MS (60 * 60 * 1000)
#define SCHEDULED_LOOK_MS (60 * 1000) /* how late it may be noticed that the clock was set */

struct place_target {
	struct lane *lane;    /* NULL: not made yet */
	const char *relay;
	char destination[ROUTE_DESTINATION_MAX + 1];
	bool tls_optional;
	int64_t time_ms;      /* when it can be tried: boot time */
	int64_t due_ms;       /* the same without regard to a hold */
	bool throttled;       /* that is when its domain's quota is free again */
	bool stuck;           /* nothing goes there now, or everything else comes first */
};

struct search {
	struct manager *manager;
	const struct message *msg;
	const struct queue_message *q;
	struct moment now;
	struct span sender; /* as it is on the wire */
	struct place_target best, first;
	bool any, multi;
	bool elsewhere; /* some lane is no held relay's */
	bool spared; /* some lane is a relay's own and held, or holds what comes for a person */
};

/* --- the rules --- */

static void add_text(struct buf *out, const char *text) {
	buf_adds(out, text ? text : "");
	buf_addc(out, '\n');
}

/* What the domains publish about TLS decides there, and "TLS-Required: No" is about that; not about
 * what the configuration says. */
static bool may_ignore_policy(const struct config_relay *r) {
	return config_is_per_domain(r) && r->tls == CONFIG_TLS_OPPORTUNISTIC;
}

/* Everything that a placement depends on; when it changes, all are made anew. */
static void add_signature(const struct settings *s, struct buf *out) {
	const char *const texts[] = { s->hostname, s->domain,     s->root,   s->from,
				      s->envelope_from, s->masquerade, s->aliases };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		add_text(out, texts[i]);
	for (size_t i = 0; i < s->relay_count; i++) {
		add_text(out, s->relay[i].name);
		add_text(out, config_is_per_domain(&s->relay[i]) ? "mx" : "");
		add_text(out, may_ignore_policy(&s->relay[i]) ? "tls" : "");
	}
	for (size_t i = 0; i < s->route_count; i++) {
		const struct route_rule *r = &s->route[i];
		const char *const keys[] = { r->relay, r->sender, r->recipient, r->user };
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			add_text(out, keys[k]);
	}
}

static void place_all_again(void *ctx, struct message *msg) {
	place_again(ctx, msg);
}

void place_rules_changed(struct manager *m) {
	struct placing *p = &m->placing;
	const struct settings *s = &m->settings;
	struct rewrite_rules *r = &p->rules.rewrite;
	struct buf signature = BUF_INIT(1u << 20);
	const struct config_relay *first = config_relay(s, ROUTE_DEFAULT);
	bool usable = m->complaints.len == 0;
	if (p->generation == 0)
		buf_init(&p->relays, 1u << 16);
	p->routes = config_routes(&m->settings, &p->relays);
	p->plain = !usable || (route_is_plain(&p->routes) &&
			       !(first && config_is_per_domain(first)));
	r->host = span_str(s->hostname);
	r->domain = span_str(s->domain);
	r->root = span_str(s->root);
	r->from = span_str(s->from);
	r->envelope_from = span_str(s->envelope_from);
	r->masquerade = span_str(s->masquerade);
	buf_addc(&signature, usable ? 'u' : '-'); /* never empty */
	if (usable)
		add_signature(s, &signature);
	if (span_eq(buf_span(&signature), buf_span(&p->signature))) {
		buf_release(&signature);
		return;
	}
	buf_release(&p->signature);
	p->signature = signature;
	p->generation++;
	table_each(&m->messages, place_all_again, m);
}

void place_release(struct manager *m) {
	buf_release(&m->placing.relays);
	buf_release(&m->placing.signature);
	rules_release(&m->placing.rules);
	id_list_release(&m->placing.again);
}

/* --- one message --- */

static bool same_target(const struct place_target *a, const struct place_target *b) {
	return strcmp(a->relay, b->relay) == 0 && strcmp(a->destination, b->destination) == 0 &&
	       a->tls_optional == b->tls_optional;
}

static struct lane_key key_of(const struct place_target *t) {
	return (struct lane_key){ t->relay, span_str(t->destination), t->tls_optional };
}

/* Behind a held relay only mail waits that has nowhere else to go: so nothing needs to be looked at
 * again each time that the relay fails. A lane that was not the last one comes first: of an
 * alias all addresses have one time. */
static bool is_better(const struct search *s, const struct place_target *t) {
	if (s->any && t->stuck != s->best.stuck)
		return s->best.stuck;
	if (!s->any || t->time_ms != s->best.time_ms)
		return !s->any || t->time_ms < s->best.time_ms;
	bool last = s->best.lane && s->best.lane->number == s->msg->lane;
	return last && t->lane != s->best.lane;
}

const struct config_relay *place_relay(struct manager *m, const struct queue_message *q,
				       struct span sender, struct span address) {
	const struct route_query query = {
		.sender = sender,
		.recipient = address,
		.uid = q->env.uid,
		.relay = q->env.relay,
	};
	struct route_choice choice = route_find(&m->placing.routes, &query);
	AUTO_FREE char *name = span_dup(choice.name);
	const struct config_relay *config = name ? config_relay(&m->settings, name) : NULL;
	return config ? config : config_relay(&m->settings, ROUTE_DEFAULT);
}

int64_t place_pause_ms(const struct queue_message *q, size_t recipient,
		       const struct moment *now) {
	const struct journal_recipient *r = &q->journal.to[recipient];
	int64_t since = now->wall_ms - r->wall_ms, wait = q->journal.wait_ms;
	if (r->last.state != RECIPIENT_DEFERRED)
		return 0;
	return since < 0 ? wait : since < wait ? wait - since : 0;
}

static bool is_held_relay(const struct lane *lane) {
	return lane_is_held(lane) && !lane_is_direct(lane);
}

/* Of the mail for a held relay that waits elsewhere the lane knows what is due first. */
static void note_seed(struct lane *lane, const struct queue_id *id, int64_t due_ms) {
	if (lane->has_seed && lane->seed_ms <= due_ms)
		return;
	lane->has_seed = true;
	lane->seed = *id;
	lane->seed_ms = due_ms;
}

static void consider(void *ctx, size_t recipient, struct span address) {
	struct search *s = ctx;
	struct manager *m = s->manager;
	struct place_target t = { .due_ms = s->now.boot_ms };
	const struct config_relay *config = place_relay(m, s->q, s->sender, address);
	t.relay = config ? config->name : ROUTE_DEFAULT;
	if (config && config_is_per_domain(config))
		route_destination(address, t.destination);
	t.tls_optional = config && t.destination[0] && may_ignore_policy(config) &&
			 s->q->env.tls_optional;
	const struct lane_key key = key_of(&t);
	t.lane = lane_find(&m->lanes, &key);
	t.due_ms += place_pause_ms(s->q, recipient, &s->now);
	int64_t quota = config ? throttling_domain_wait_ms(m, config, address, &s->now) : 0;
	if (s->now.boot_ms + quota > t.due_ms) {
		t.due_ms = s->now.boot_ms + quota;
		t.throttled = true;
	}
	t.time_ms = t.due_ms;
	if (t.lane && lane_is_held(t.lane) && t.lane->breaker.probe_at_ms > t.time_ms)
		t.time_ms = t.lane->breaker.probe_at_ms;
	if (t.lane && t.lane->limited_ms > t.time_ms)
		t.time_ms = t.lane->limited_ms;
	if (t.lane && is_held_relay(t.lane)) {
		t.stuck = t.lane->heap.count > 0 || t.lane->breaker.probe_at_ms > s->now.boot_ms;
		s->spared = true;
		note_seed(t.lane, &s->msg->id, t.due_ms);
	} else {
		s->elsewhere = true;
	}
	if (config && config_way(config, NULL) == CONFIG_WAY_HOLD) {
		t.time_ms = LAST_MS; /* holding the message is for when all others are done */
		t.stuck = s->spared = true;
	}
	if (!s->any)
		s->first = t;
	s->multi |= !same_target(&t, &s->first);
	if (is_better(s, &t))
		s->best = t;
	s->any = true;
}

void place_addresses(struct manager *m, const struct queue_message *q, size_t recipient,
		     place_address_fn *fn, void *ctx) {
	const struct rewrite_rules *rules = &m->placing.rules.rewrite;
	struct span address = q->env.to[recipient].address;
	struct fixup_recipients list = { .count = 0 };
	struct err err = ERR_INIT;
	if (!rewrite_concerns(rules, address)) {
		fn(ctx, recipient, address);
		return;
	}
	if (rewrite_recipient(rules, address, &list, &err) == REWRITE_DONE)
		for (size_t k = 0; k < list.count; k++)
			if (!journal_has_reached(&q->journal, recipient,
						 span_str(list.address[k])))
				fn(ctx, recipient, span_str(list.address[k]));
	fixup_recipients_release(&list);
}

/* Mail for later waits until the wall clock says so, and the clock may be set meanwhile. */
static void note_time(struct message *msg, const struct queue_message *q, const struct moment *now,
		      int64_t *due_ms) {
	int64_t left = q->env.at_ms - now->wall_ms;
	msg->scheduled = left > 0 && q->journal.attempts == 0 && !q->journal.flushed;
	if (msg->scheduled)
		*due_ms = now->boot_ms + (left < SCHEDULED_LOOK_MS ? left : SCHEDULED_LOOK_MS);
}

/* Somebody has not been tried though others were: their quota was used up then. */
static bool is_partly_untried(const struct journal *j) {
	bool pending = false;
	for (size_t i = 0; i < j->to_count && !pending; i++)
		pending = j->to[i].last.state == RECIPIENT_PENDING;
	return pending && j->attempts > 0;
}

void place_refresh(struct manager *m) {
	if (rules_refresh(&m->placing.rules, m->settings.aliases, true))
		m->placing.generation++; /* the others, when they come back */
}

/* A message of which no recipient has an address goes to the default relay: its worker finds
 * that out too, and says so. */
struct lane *place_message(struct manager *m, struct message *msg,
			   const struct queue_message *q, int64_t *due_ms) {
	struct search s = { .manager = m, .msg = msg, .q = q, .now = clock_now() };
	AUTO_BUF struct buf sender = BUF_INIT(4096);
	bool was_multi = msg->multi;
	msg->placed = m->placing.generation;
	msg->multi = msg->lent = false;
	*due_ms = s.now.boot_ms;
	msg->partial = is_partly_untried(&q->journal);
	if (!msg->partial)
		*due_ms += journal_due_ms(&q->journal, &s.now);
	note_time(msg, q, &s.now, due_ms);
	if (m->placing.plain && q->env.relay.len == 0)
		return m->lanes.at[0];
	place_refresh(m);
	msg->placed = m->placing.generation;
	rewrite_sender(&m->placing.rules.rewrite, q->env.from, &sender);
	s.sender = buf_span(&sender);
	for (size_t i = 0; i < q->env.to_count; i++)
		if (recipient_waits(q->journal.to[i].last.state))
			place_addresses(m, q, i, consider, &s);
	if (!s.any)
		return m->lanes.at[0];
	msg->multi = s.multi;
	if ((s.multi || was_multi) && !msg->scheduled)
		*due_ms = s.best.due_ms;
	msg->throttled |= s.best.throttled;
	msg->lent = s.elsewhere && s.best.lane && is_held_relay(s.best.lane);
	const struct lane_key key = key_of(&s.best);
	return relays_lane(m, &key);
}

bool place_spares(struct manager *m, const struct message *msg, const struct queue_message *q,
		  size_t recipient) {
	struct search s = { .manager = m, .msg = msg, .q = q, .now = clock_now() };
	AUTO_BUF struct buf sender = BUF_INIT(4096);
	if (!msg->multi)
		return false;
	rewrite_sender(&m->placing.rules.rewrite, q->env.from, &sender);
	s.sender = buf_span(&sender);
	place_addresses(m, q, recipient, consider, &s);
	return s.spared;
}

const char *place_failure(struct manager *m, struct message *msg,
			  const struct queue_message *q) {
	int64_t due_ms;
	const struct lane *lane = place_message(m, msg, q, &due_ms);
	return lane && lane->state.held && lane->failure[0] ? lane->failure : NULL;
}

/* --- many --- */

static void place_again_by_id(struct manager *m, const struct queue_id *id) {
	if (id_list_add(&m->placing.again, id) != 0)
		log_error("out of memory: id=%s waits where it is", queue_id_text(id).s);
}

void place_again(struct manager *m, struct message *msg) {
	if (msg->state != MESSAGE_ACTIVE) /* else it comes back, and is seen to be placed by old rules */
		place_again_by_id(m, &msg->id);
}

bool place_step(struct manager *m) {
	struct id_list *again = &m->placing.again;
	if (!m->replayed)
		return false;
	for (unsigned i = 0; i < BATCH && again->count > 0; i++) {
		struct queue_id id = again->id[--again->count];
		const struct message *msg = table_find(&m->messages, &id);
		if (msg && msg->state != MESSAGE_ACTIVE &&
		    (msg->state == MESSAGE_HELD || msg->lane != LANE_CARE))
			message_load(m, &id);
	}
	if (again->count > 0)
		return true;
	id_list_release(again);
	return false;
}

/* Mail whose time is over is returned although the lane is held: nobody here is to blame that
 * a stranger's server does not work. */
static void expire(struct manager *m, struct lane *lane) {
	struct moment now = clock_now();
	for (size_t i = 0; i < lane->heap.count;) {
		struct message *msg = heap_nth(&lane->heap, i);
		int64_t age_ms = (int64_t)msg->age_s * 1000 + clock_elapsed_ms(&msg->last, &now);
		if (!dispatch_note_age(m, msg, age_ms)) {
			i++;
			continue;
		}
		message_due(m, msg, true, now.boot_ms); /* another takes its place in the heap */
	}
}

static void move_away(struct manager *m, struct lane *lane, bool only_lent) {
	for (size_t i = 0; i < lane->heap.count; i++) {
		struct message *msg = heap_nth(&lane->heap, i);
		if (msg->lent || (msg->multi && !only_lent))
			place_again(m, msg);
	}
	if (m->placing.again.count > 0)
		manager_kick(m);
}

void place_lane_failed(struct manager *m, struct lane *lane, bool starts) {
	bool direct = lane_is_direct(lane);
	if (direct)
		expire(m, lane);
	move_away(m, lane, !starts && !direct);
}

void place_lane_waits(struct manager *m, struct lane *lane) {
	move_away(m, lane, false);
}

static void place_multi(void *ctx, struct message *msg) {
	if (msg->multi && msg->state == MESSAGE_WAITING)
		place_again(ctx, msg);
}

void place_lane_works(struct manager *m) {
	if (!m->placing.plain)
		table_each(&m->messages, place_multi, m);
}

/* The seed may have gone meanwhile, and with it what was known of others. */
int64_t place_seed(struct manager *m, struct lane *lane, int64_t now_ms) {
	int64_t at = lane->breaker.probe_at_ms;
	if (!is_held_relay(lane) || m->placing.plain)
		return NEVER_MS;
	if (lane->has_seed && lane->seed_ms > at)
		at = lane->seed_ms;
	else if (!lane->has_seed && lane->sought_ms > at)
		at = lane->sought_ms;
	if (at > now_ms)
		return at;
	if (lane->has_seed) {
		lane->has_seed = false;
		lane->sought_ms = now_ms + SEED_WAIT_MS;
		place_again_by_id(m, &lane->seed);
	} else {
		lane->sought_ms = now_ms + SEEK_AGAIN_MS;
		table_each(&m->messages, place_multi, m);
	}
	manager_kick(m);
	return lane->sought_ms;
}
