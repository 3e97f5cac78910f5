/*
 * Rates, quotas and warm-up of relays and of recipient domains (throttle.h) for the manager: what
 * was used of each. What is let out is charged when a message is handed over, and stands on disk
 * before that; what the relay did not take is given back when the attempt is over.
 *
 * A relay that may get no more now is not looked at before that changes. Domains behind a
 * relay's own hosts are in throttling_domains.c.
 */

#include "deliver/throttling.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "deliver/state.h"
#include "deliver/throttling_entry.h"

#define ENTRIES_MAX QUOTASTATE_MAX
#define SAVE_AGAIN_MS 5000
#define FULL_WAIT_MS 60000 /* until it is looked again whether there is room */

/* What a message that is being delivered was charged. */
struct throttling_charge {
	const struct message *msg;
	struct throttling_entry *entry;
	unsigned recipients;
	bool whole; /* all that is sent of the message counts here */
};

const struct config_limits *throttling_limits(const struct manager *m,
					      const struct throttling_entry *e) {
	static const struct config_limits none;
	const struct config_relay *r = config_relay(&m->settings, e->relay);
	if (!r)
		return &none;
	return e->domain[0] ? &r->domain_limits : &r->limits;
}

struct throttling_entry *throttling_find(struct manager *m, const char *relay,
					 const char *domain) {
	struct throttling *all = &m->throttling;
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->entry[i].relay, relay) == 0 &&
		    strcmp(all->entry[i].domain, domain) == 0)
			return &all->entry[i];
	return NULL;
}

/* It says nothing, and no message that is being delivered knows it. */
static bool is_unused(const struct throttling_entry *e, const struct moment *now) {
	return e->charges == 0 && throttle_is_idle(&e->t, now);
}

/* Room for one more domain leaves room for its relay. */
static bool has_room(const struct throttling *all, const char *domain,
		     const struct moment *now) {
	size_t want = domain[0] ? 2 : 1, room = ENTRIES_MAX - all->count;
	for (size_t i = 0; i < all->count && room < want; i++)
		room += is_unused(&all->entry[i], now);
	return room >= want;
}

/* The place for one more; NULL: there is none, or no memory. Entries never move. */
static struct throttling_entry *take_room(struct throttling *all, const struct moment *now) {
	if (!all->entry)
		all->entry = calloc(ENTRIES_MAX, sizeof(*all->entry));
	if (!all->entry)
		return NULL;
	if (all->count < ENTRIES_MAX)
		return &all->entry[all->count++];
	for (size_t i = 0; i < all->count; i++)
		if (is_unused(&all->entry[i], now))
			return &all->entry[i];
	return NULL;
}

/* The entry, made when there is none. */
static struct throttling_entry *find_or_make(struct manager *m, const char *relay,
					     const char *domain, const struct moment *now) {
	struct throttling_entry *e = throttling_find(m, relay, domain);
	if (e || (e = take_room(&m->throttling, now)) == NULL)
		return e;
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
		struct throttling_entry *e = find_or_make(m, all[i].relay, all[i].domain,
							  &now);
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
		throttle_save(&e->t, throttling_limits(m, e), &now, ahead, &s[i]);
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

/* Does the lane as a whole have limits for its domain, or its relay? */
static bool lane_has_limit(const struct lane *lane, bool domain) {
	const struct config_limits *l = domain ? &lane->config->domain_limits
					       : &lane->config->limits;
	return config_has_limit(l) && (!domain || lane_is_direct(lane));
}

/* "" for a relay with hosts of its own. */
static const char *domain_of(const struct lane *lane, bool domain) {
	return domain ? lane->destination : "";
}

/* --- may it go --- */

int64_t throttling_entry_wait_ms(const struct manager *m, struct throttling_entry *e,
				 const struct moment *now, enum throttle_why *ret_why) {
	return throttle_wait_ms(&e->t, throttling_limits(m, e), now, ret_why);
}

int64_t throttling_limit_wait_ms(struct manager *m, const char *relay, const char *domain,
				 const struct moment *now, struct throttling_entry **ret,
				 enum throttle_why *ret_why) {
	*ret = throttling_find(m, relay, domain);
	if (*ret)
		return throttling_entry_wait_ms(m, *ret, now, ret_why);
	bool room = has_room(&m->throttling, domain, now);
	*ret_why = room ? THROTTLE_FREE : THROTTLE_FULL;
	return room ? 0 : FULL_WAIT_MS;
}

/* How long the lane waits, and for what. */
static int64_t lane_wait_ms(struct manager *m, const struct lane *lane,
			    const struct moment *now, struct throttling_entry **ret,
			    enum throttle_why *ret_why) {
	struct throttling_entry *e;
	enum throttle_why why;
	int64_t longest = 0;
	*ret = NULL;
	*ret_why = THROTTLE_FREE;
	for (int domain = 0; domain <= 1; domain++) {
		if (!lane_has_limit(lane, domain))
			continue;
		int64_t wait = throttling_limit_wait_ms(m, lane->relay,
							domain_of(lane, domain), now, &e,
							&why);
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
	return disk > wait && (config_has_limit(&lane->config->limits) ||
			       config_has_limit(&lane->config->domain_limits))
		       ? disk
		       : wait;
}

/* --- charging --- */

void throttling_charge(struct manager *m, const char *relay, const char *domain,
		       const struct message *msg, unsigned recipients, bool whole,
		       const struct moment *now) {
	struct throttling *all = &m->throttling;
	struct throttling_entry *e = find_or_make(m, relay, domain, now);
	if (!e)
		return;
	throttle_take(&e->t, throttling_limits(m, e), now, recipients);
	e->dirty = true;
	if (all->charge_count == all->charge_cap) {
		size_t cap = all->charge_cap ? all->charge_cap * 2 : 64;
		void *grown = reallocarray(all->charge, cap, sizeof(*all->charge));
		if (!grown)
			return; /* charged for good */
		all->charge = grown;
		all->charge_cap = cap;
	}
	e->charges++;
	all->charge[all->charge_count++] =
		(struct throttling_charge){ msg, e, recipients, whole };
}

void throttling_take(struct manager *m, const struct lane *lane, struct message *msg,
		     const struct moment *now, struct buf *except) {
	msg->throttled = false;
	unsigned going = throttling_take_domains(m, lane, msg, now, except);
	msg->partial = except->len > 0;
	for (int domain = 0; domain <= 1; domain++)
		if (lane_has_limit(lane, domain))
			throttling_charge(m, lane->relay, domain_of(lane, domain), msg, going,
					  true, now);
}

/* Of several domains it is not known whose recipients were taken: then all are charged. */
static unsigned unused(const struct throttling_charge *c, unsigned sent) {
	if (sent == 0)
		return c->recipients;
	return c->whole && sent < c->recipients ? c->recipients - sent : 0;
}

static void end_charge(struct throttling *all, size_t i) {
	all->charge[i].entry->charges--;
	all->charge[i] = all->charge[--all->charge_count];
}

void throttling_settled(struct manager *m, const struct message *msg, bool tried,
			unsigned sent) {
	struct throttling *all = &m->throttling;
	for (size_t i = 0; i < all->charge_count;) {
		const struct throttling_charge *c = &all->charge[i];
		if (c->msg != msg) {
			i++;
			continue;
		}
		throttle_give_back(&c->entry->t, throttling_limits(m, c->entry),
				   unused(c, sent), !tried);
		end_charge(all, i);
	}
}

void throttling_forget(struct manager *m, const struct message *msg) {
	struct throttling *all = &m->throttling;
	for (size_t i = 0; i < all->charge_count;) {
		if (all->charge[i].msg == msg)
			end_charge(all, i);
		else
			i++;
	}
}

/* --- words --- */

void throttling_entry_words(struct manager *m, struct throttling_entry *e,
			    enum throttle_why why, int64_t wait_ms,
			    const struct moment *now, struct buf *out) {
	if (why == THROTTLE_FULL) {
		buf_addf(out, "waits: quotas of %u relays and domains are in use, no more are "
			      "counted",
			 ENTRIES_MAX);
		return;
	}
	const struct config_limits *l = throttling_limits(m, e);
	bool warming = why == THROTTLE_DAY && l->warmup.first > 0 &&
		       throttle_day_limit(&e->t, l) != l->day;
	buf_addf(out, "waits for the %s of relay %s",
		 why == THROTTLE_RATE ? "rate"
		 : warming            ? "warm-up"
				      : "quota",
		 e->relay);
	if (e->domain[0])
		buf_addf(out, " to %s", e->domain);
	buf_adds(out, ": ");
	throttle_words(&e->t, l, why, wait_ms, now, out);
}

bool throttling_words(struct manager *m, const struct lane *lane,
		      const struct message *msg, struct buf *out) {
	struct moment now = clock_now();
	struct throttling_entry *e;
	enum throttle_why why;
	if (!lane->config)
		return false;
	int64_t wait = lane_wait_ms(m, lane, &now, &e, &why);
	if (wait == 0)
		return msg && throttling_domain_words(m, lane, msg, &now, out);
	throttling_entry_words(m, e, why, wait, &now, out);
	return true;
}

bool throttling_quota_words(struct manager *m, const struct lane *lane, struct buf *out) {
	struct moment now = clock_now();
	struct throttling_entry *e;
	enum throttle_why why;
	int64_t wait = lane->config ? lane_wait_ms(m, lane, &now, &e, &why) : 0;
	if (wait == 0 || why == THROTTLE_RATE || why == THROTTLE_FULL)
		return false;
	buf_adds(out, "mail ");
	throttling_entry_words(m, e, why, wait, &now, out);
	return true;
}
