/*
 * Rates, quotas and warm-up of relays and of recipient domains (throttle.h) for the manager.
 * What is let out is charged when a message is handed over, and stands on disk before that; what
 * the relay did not take is given back when the attempt is over.
 *
 * A relay that may get no more now is not looked at before that changes. For domains behind a
 * relay's own hosts the messages in its heap differ, so those that have to wait get a later time
 * each, as far apart as the rate says, and do not stand in the way of the others.
 */

#include "deliver/throttling.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "deliver/state.h"
#include "route/route.h"

#define ENTRIES_MAX QUOTASTATE_MAX
#define DOMAINS_MAX 64u /* of one message; more are not limited each for itself */
#define SIFT_BATCH 200u
#define SAVE_AGAIN_MS 5000

struct throttling_entry {
	char relay[64], domain[ROUTE_DESTINATION_MAX + 1];
	struct throttle t;
	int64_t booked_ms; /* boot time: what had to wait was put off up to here */
	bool dirty;
};

/* What a message that is being delivered was charged. */
struct throttling_charge {
	const struct message *msg;
	size_t entry;
	unsigned recipients;
};

static bool any_limit(const struct config_limits *l) {
	return l->rate.count > 0 || l->hour > 0 || l->day > 0 || l->warmup.first > 0;
}

static const struct config_limits *limits_of(const struct manager *m,
					     const struct throttling_entry *e) {
	static const struct config_limits none;
	const struct config_relay *r = config_relay(&m->settings, e->relay);
	if (!r)
		return &none;
	return e->domain[0] ? &r->domain_limits : &r->limits;
}

/* Makes room by forgetting what says nothing. */
static void sweep(struct throttling *all, const struct moment *now) {
	size_t n = 0;
	if (all->charge_count > 0)
		return; /* they know entries by number */
	for (size_t i = 0; i < all->count; i++)
		if (!throttle_is_idle(&all->entry[i].t, now))
			all->entry[n++] = all->entry[i];
	all->count = n;
}

/* NULL: there is no room, or no memory. */
static struct throttling_entry *entry_of(struct throttling *all, const char *relay,
					 const char *domain, const struct moment *now) {
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->entry[i].relay, relay) == 0 &&
		    strcmp(all->entry[i].domain, domain) == 0)
			return &all->entry[i];
	if (!all->entry)
		all->entry = calloc(ENTRIES_MAX, sizeof(*all->entry));
	if (all->count == ENTRIES_MAX)
		sweep(all, now);
	if (!all->entry || all->count == ENTRIES_MAX)
		return NULL;
	struct throttling_entry *e = &all->entry[all->count++];
	*e = (struct throttling_entry){ .booked_ms = 0 };
	snprintf(e->relay, sizeof(e->relay), "%s", relay);
	snprintf(e->domain, sizeof(e->domain), "%s", domain);
	return e;
}

/* --- the disk --- */

void throttling_restore(struct manager *m) {
	struct quotastate one;
	if (quotastate_read(m->queue, &one, 1) == 0)
		return; /* no memory for what nearly nobody has */
	struct quotastate *all = calloc(QUOTASTATE_MAX, sizeof(*all));
	struct moment now = clock_now();
	size_t n = all ? quotastate_read(m->queue, all, QUOTASTATE_MAX) : 0;
	for (size_t i = 0; i < n; i++) {
		struct throttling_entry *e = entry_of(&m->throttling, all[i].relay,
						      all[i].domain, &now);
		if (e)
			throttle_restore(&e->t, &all[i], &now);
	}
	free(all);
}

static int save(struct manager *m, bool ahead) {
	struct throttling *all = &m->throttling;
	struct quotastate *s = calloc(all->count ? all->count : 1, sizeof(*s));
	struct moment now = clock_now();
	struct err err = ERR_INIT;
	if (!s)
		return -1;
	for (size_t i = 0; i < all->count; i++) {
		struct throttling_entry *e = &all->entry[i];
		snprintf(s[i].relay, sizeof(s[i].relay), "%s", e->relay);
		snprintf(s[i].domain, sizeof(s[i].domain), "%s", e->domain);
		throttle_save(&e->t, limits_of(m, e), &now, ahead, &s[i]);
	}
	int r = quotastate_write(m->queue, s, all->count, &err);
	if (r != 0)
		log_error("what was used of the quotas cannot be kept: %s", err.msg);
	free(s);
	return r;
}

int throttling_commit(struct manager *m) {
	struct throttling *all = &m->throttling;
	bool due = false;
	for (size_t i = 0; i < all->count && !due; i++)
		due = all->entry[i].dirty && throttle_must_save(&all->entry[i].t);
	if (due && save(m, true) != 0) {
		all->retry_ms = clock_boot_ms() + SAVE_AGAIN_MS;
		return -1;
	}
	for (size_t i = 0; i < all->count; i++)
		all->entry[i].dirty = false;
	return 0;
}

static void look_again(void *ctx, struct message *msg) {
	struct manager *m = ctx;
	if (msg->throttled && msg->state == MESSAGE_WAITING && msg->lane != LANE_CARE)
		message_due(m, msg, false, clock_boot_ms());
}

void throttling_settings(struct manager *m) {
	for (size_t i = 0; i < m->throttling.count; i++)
		m->throttling.entry[i].booked_ms = 0;
	table_each(&m->messages, look_again, m);
}

void throttling_free(struct manager *m) {
	struct throttling *all = &m->throttling;
	if (m->queue && all->count > 0)
		save(m, false);
	free(all->entry);
	free(all->charge);
	*all = (struct throttling){ .count = 0 };
}

/* --- who is concerned --- */

/* The domain that a lane as a whole is for; "" for a relay with hosts of its own. */
static struct throttling_entry *lane_entry(struct manager *m, const struct lane *lane,
					   bool domain, const struct moment *now) {
	const struct config_limits *l = domain ? &lane->config->domain_limits
					       : &lane->config->limits;
	if (!any_limit(l) || (domain && !lane_is_direct(lane)))
		return NULL;
	return entry_of(&m->throttling, lane->relay, domain ? lane->destination : "",
			now);
}

/* A message's recipients by their domains. */
struct domains {
	struct {
		char name[ROUTE_DESTINATION_MAX + 1];
		unsigned recipients;
	} domain[DOMAINS_MAX];
	size_t count;
};

static bool is_open(const struct journal_recipient *r) {
	return r->last.state == RECIPIENT_PENDING || r->last.state == RECIPIENT_DEFERRED;
}

static void add_domain(struct domains *d, struct span address) {
	char name[ROUTE_DESTINATION_MAX + 1];
	size_t i = 0;
	if (!route_destination(address, name))
		return;
	while (i < d->count && strcmp(d->domain[i].name, name) != 0)
		i++;
	if (i == DOMAINS_MAX)
		return;
	if (i == d->count) {
		memcpy(d->domain[d->count++].name, name, sizeof(name));
		d->domain[i].recipients = 0;
	}
	d->domain[i].recipients++;
}

static bool has_domain_limits(const struct lane *lane) {
	return !lane_is_direct(lane) && any_limit(&lane->config->domain_limits);
}

/* Of a message that cannot be read nothing is known: its worker says what is wrong. */
static void read_domains(struct manager *m, const struct message *msg,
			 struct domains *ret) {
	struct queue_message q;
	struct err err = ERR_INIT;
	ret->count = 0;
	if (queue_read(m->queue, &msg->id, false, &q, NULL, &err) != 0)
		return;
	for (size_t i = 0; i < q.env.to_count; i++)
		if (is_open(&q.journal.to[i]))
			add_domain(ret, q.env.to[i].address);
	queue_message_release(&q);
}

/* --- may it go --- */

static int64_t entry_wait_ms(const struct manager *m, struct throttling_entry *e,
			     const struct moment *now, enum throttle_why *ret_why) {
	*ret_why = THROTTLE_FREE;
	return e ? throttle_wait_ms(&e->t, limits_of(m, e), now, ret_why) : 0;
}

/* How long the lane waits, and for what. */
static int64_t lane_wait_ms(struct manager *m, const struct lane *lane,
			    const struct moment *now, struct throttling_entry **ret,
			    enum throttle_why *ret_why) {
	enum throttle_why why;
	int64_t longest = 0;
	*ret = NULL;
	*ret_why = THROTTLE_FREE;
	for (int domain = 0; domain <= 1; domain++) {
		struct throttling_entry *e = lane_entry(m, lane, domain, now);
		int64_t wait = entry_wait_ms(m, e, now, &why);
		if (wait <= longest)
			continue;
		longest = wait;
		*ret = e;
		*ret_why = why;
	}
	return longest;
}

int64_t throttling_wait_ms(struct manager *m, const struct lane *lane,
			   const struct moment *now) {
	struct throttling_entry *e;
	enum throttle_why why;
	int64_t wait = lane_wait_ms(m, lane, now, &e, &why);
	int64_t disk = m->throttling.retry_ms - now->boot_ms;
	return disk > wait && (any_limit(&lane->config->limits) ||
			       any_limit(&lane->config->domain_limits))
		       ? disk
		       : wait;
}

/* The next free time after those that were promised already. */
static int64_t book(const struct manager *m, struct throttling_entry *e, int64_t wait_ms,
		    const struct moment *now) {
	const struct config_rate *rate = &limits_of(m, e)->rate;
	int64_t at = now->boot_ms + wait_ms;
	if (rate->count > 0) {
		int64_t interval = rate->per_ms / (int64_t)rate->count;
		at = e->booked_ms + interval > at ? e->booked_ms + interval : at;
		e->booked_ms = at;
	}
	return at;
}

/* How long the message has to wait for one of its domains; 0: it may go. */
static int64_t domains_until(struct manager *m, const struct lane *lane,
			     const struct domains *d, const struct moment *now) {
	enum throttle_why why;
	for (size_t i = 0; i < d->count; i++) {
		struct throttling_entry *e = entry_of(&m->throttling, lane->relay,
						      d->domain[i].name, now);
		int64_t wait = entry_wait_ms(m, e, now, &why);
		if (wait > 0)
			return book(m, e, wait, now);
	}
	return 0;
}

bool throttling_sift(struct manager *m, struct lane *lane, const struct moment *now) {
	struct domains *d;
	struct message *msg;
	bool more = false;
	if (!has_domain_limits(lane) || !heap_next(&lane->heap, now->boot_ms))
		return false;
	d = malloc(sizeof(*d));
	for (unsigned i = 0; d && (msg = heap_next(&lane->heap, now->boot_ms)) != NULL;
	     i++) {
		more = i == SIFT_BATCH;
		if (more)
			break;
		read_domains(m, msg, d);
		int64_t until = domains_until(m, lane, d, now);
		if (until == 0)
			break;
		msg->throttled = true;
		message_enter(m, msg, lane, until);
	}
	free(d);
	return more;
}

/* --- charging --- */

static void charge(struct manager *m, struct throttling_entry *e,
		   const struct message *msg, unsigned recipients,
		   const struct moment *now) {
	struct throttling *all = &m->throttling;
	if (!e)
		return;
	throttle_take(&e->t, limits_of(m, e), now, recipients);
	e->dirty = true;
	if (all->charge_count == all->charge_cap) {
		size_t cap = all->charge_cap ? all->charge_cap * 2 : 64;
		void *grown = reallocarray(all->charge, cap, sizeof(*all->charge));
		if (!grown)
			return; /* charged for good */
		all->charge = grown;
		all->charge_cap = cap;
	}
	all->charge[all->charge_count++] =
		(struct throttling_charge){ msg, (size_t)(e - all->entry), recipients };
}

void throttling_take(struct manager *m, const struct lane *lane, struct message *msg,
		     const struct moment *now) {
	msg->throttled = false;
	charge(m, lane_entry(m, lane, false, now), msg, msg->open, now);
	charge(m, lane_entry(m, lane, true, now), msg, msg->open, now);
	if (!has_domain_limits(lane))
		return;
	struct domains *d = malloc(sizeof(*d));
	if (!d)
		return;
	read_domains(m, msg, d);
	for (size_t i = 0; i < d->count; i++)
		charge(m, entry_of(&m->throttling, lane->relay, d->domain[i].name, now),
		       msg, d->domain[i].recipients, now);
	free(d);
}

/* Of several domains it is not known whose recipients were taken: then all are charged. */
static unsigned unused(const struct throttling_charge *c, unsigned sent) {
	bool whole = c->recipients == c->msg->open;
	if (sent == 0)
		return c->recipients;
	return whole && sent < c->recipients ? c->recipients - sent : 0;
}

void throttling_settled(struct manager *m, const struct message *msg, bool tried,
			unsigned sent) {
	struct throttling *all = &m->throttling;
	for (size_t i = 0; i < all->charge_count;) {
		struct throttling_charge *c = &all->charge[i];
		if (c->msg != msg) {
			i++;
			continue;
		}
		struct throttling_entry *e = &all->entry[c->entry];
		throttle_give_back(&e->t, limits_of(m, e), unused(c, sent), !tried);
		*c = all->charge[--all->charge_count];
	}
}

void throttling_forget(struct manager *m, const struct message *msg) {
	struct throttling *all = &m->throttling;
	for (size_t i = 0; i < all->charge_count;) {
		if (all->charge[i].msg == msg)
			all->charge[i] = all->charge[--all->charge_count];
		else
			i++;
	}
}

/* --- words --- */

static void add_words(struct manager *m, struct throttling_entry *e,
		      enum throttle_why why, int64_t wait_ms, const struct moment *now,
		      struct buf *out) {
	bool warming = why == THROTTLE_DAY && limits_of(m, e)->warmup.first > 0 &&
		       throttle_day_limit(&e->t, limits_of(m, e)) != limits_of(m, e)->day;
	buf_addf(out, "waits for the %s of relay %s",
		 why == THROTTLE_RATE ? "rate"
		 : warming            ? "warm-up"
				      : "quota",
		 e->relay);
	if (e->domain[0])
		buf_addf(out, " to %s", e->domain);
	buf_adds(out, ": ");
	throttle_words(&e->t, limits_of(m, e), why, wait_ms, now, out);
}

bool throttling_words(struct manager *m, const struct lane *lane,
		      const struct message *msg, struct buf *out) {
	struct moment now = clock_now();
	struct throttling_entry *e;
	enum throttle_why why;
	if (!lane->config)
		return false;
	int64_t wait = lane_wait_ms(m, lane, &now, &e, &why);
	if (e && wait > 0) {
		add_words(m, e, why, wait, &now, out);
		return true;
	}
	if (!msg || !msg->throttled || !has_domain_limits(lane))
		return false;
	struct domains *d = malloc(sizeof(*d));
	if (!d)
		return false;
	read_domains(m, msg, d);
	for (size_t i = 0; i < d->count && wait == 0; i++) {
		e = entry_of(&m->throttling, lane->relay, d->domain[i].name, &now);
		wait = entry_wait_ms(m, e, &now, &why);
	}
	if (wait > 0)
		add_words(m, e, why, wait, &now, out);
	free(d);
	return wait > 0;
}

bool throttling_quota_words(struct manager *m, const struct lane *lane, struct buf *out) {
	struct moment now = clock_now();
	struct throttling_entry *e;
	enum throttle_why why;
	int64_t wait = lane->config ? lane_wait_ms(m, lane, &now, &e, &why) : 0;
	if (wait == 0 || why == THROTTLE_RATE)
		return false;
	buf_adds(out, "mail ");
	add_words(m, e, why, wait, &now, out);
	return true;
}
