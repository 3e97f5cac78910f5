/*
 * Limits for recipient domains behind a relay's own hosts. The messages in such a lane differ:
 * those that have to wait get a later time each, as far apart as the rate says, and do not stand in the
 * way of the others. Of a message for several domains those go that may, and it comes back for
 * the others.
 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "deliver/state.h"
#include "deliver/throttling_entry.h"

#define DOMAINS_MAX 64u /* of one message; more are not limited each for itself */
#define SIFT_BATCH 200u

/* A message's addresses that this lane is for, by their domains. */
struct domain {
	char name[ROUTE_DESTINATION_MAX + 1];
	unsigned recipients;
	int64_t pause_ms; /* until the first of them is to be tried again */
};

struct domains {
	struct domain domain[DOMAINS_MAX];
	size_t count;
	bool each_in_time; /* somebody was not tried yet, while others were */
	bool expanded;     /* an alias has other addresses than recipients */
};

struct reading {
	struct manager *manager;
	const struct lane *lane;
	const struct message *msg;
	const struct queue_message *q;
	const struct moment *now;
	struct span sender; /* as it is on the wire */
	struct domains *ret;
};

static bool has_domain_limits(const struct lane *lane) {
	return lane->config && !lane_is_direct(lane) &&
	       config_has_limit(&lane->config->domain_limits);
}

/* Of a message that is partly tried everybody has a time of his own, by his domain. */
static bool goes_by_domain(const struct lane *lane, const struct message *msg) {
	return has_domain_limits(lane) ||
	       (msg->partial && lane->config && !lane_is_direct(lane));
}

static bool is_open(const struct journal_recipient *r) {
	return r->last.state == RECIPIENT_PENDING || r->last.state == RECIPIENT_DEFERRED;
}

static void add_address(void *ctx, size_t recipient, struct span address) {
	const struct reading *r = ctx;
	struct domains *d = r->ret;
	char name[ROUTE_DESTINATION_MAX + 1];
	size_t i = 0;
	if (!route_destination(address, name) ||
	    place_relay(r->manager, r->q, r->sender, address) != r->lane->config)
		return;
	int64_t pause = place_pause_ms(r->q, recipient, r->now);
	if (r->q->journal.to[recipient].last.state == RECIPIENT_PENDING)
		d->each_in_time = r->msg->partial;
	d->expanded |= !span_eq(address, r->q->env.to[recipient].address);
	while (i < d->count && strcmp(d->domain[i].name, name) != 0)
		i++;
	if (i == DOMAINS_MAX)
		return;
	if (i == d->count) {
		memcpy(d->domain[d->count++].name, name, sizeof(name));
		d->domain[i].recipients = 0;
		d->domain[i].pause_ms = pause;
	}
	d->domain[i].recipients++;
	if (pause < d->domain[i].pause_ms)
		d->domain[i].pause_ms = pause;
}

/* Of a message that cannot be read nothing is known: its worker says what is wrong. */
static void read_domains(struct manager *m, const struct lane *lane,
			 const struct message *msg, const struct moment *now,
			 struct domains *ret) {
	AUTO_BUF struct buf sender = BUF_INIT(4096);
	struct queue_message q;
	struct err err = ERR_INIT;
	struct reading r = { m, lane, msg, &q, now, { NULL, 0 }, ret };
	ret->count = 0;
	ret->each_in_time = ret->expanded = false;
	if (queue_read(m->queue, &msg->id, false, &q, NULL, &err) != 0)
		return;
	place_refresh(m);
	rewrite_sender(&m->placing.rules.rewrite, q.env.from, &sender);
	r.sender = buf_span(&sender);
	for (size_t i = 0; i < q.env.to_count; i++)
		if (is_open(&q.journal.to[i]))
			place_addresses(m, &q, i, add_address, &r);
	queue_message_release(&q);
}

/* How long a domain of the message has to wait. Where others were tried and these not, those come
 * again in their own time; a message that is due as a whole, or flushed, goes as a whole. */
static int64_t wait_of(struct manager *m, const struct lane *lane, const struct domains *d,
		       size_t i, const struct moment *now, struct throttling_entry **ret,
		       enum throttle_why *ret_why) {
	int64_t pause = d->each_in_time ? d->domain[i].pause_ms : 0;
	int64_t wait = 0;
	*ret = NULL;
	*ret_why = THROTTLE_FREE;
	if (has_domain_limits(lane))
		wait = throttling_limit_wait_ms(m, lane->relay, d->domain[i].name, now, ret,
						ret_why);
	if (pause <= wait)
		return wait;
	*ret = NULL;
	*ret_why = THROTTLE_FREE;
	return pause;
}

int64_t throttling_domain_wait_ms(struct manager *m, const struct config_relay *relay,
				  struct span address, const struct moment *now) {
	char name[ROUTE_DESTINATION_MAX + 1];
	struct throttling_entry *e;
	enum throttle_why why;
	if (config_is_per_domain(relay) || !config_has_limit(&relay->domain_limits) ||
	    !route_destination(address, name))
		return 0;
	return throttling_limit_wait_ms(m, relay->name, name, now, &e, &why);
}

/* The next free time after those that were promised already. */
static int64_t book(const struct manager *m, struct throttling_entry *e, int64_t wait_ms,
		    const struct moment *now) {
	int64_t at = now->boot_ms + wait_ms;
	const struct config_rate *rate = e ? &throttling_limits(m, e)->rate : NULL;
	if (rate && rate->count > 0) {
		int64_t interval = rate->per_ms / (int64_t)rate->count;
		at = e->booked_ms + interval > at ? e->booked_ms + interval : at;
		e->booked_ms = at;
	}
	return at;
}

/* When the first of its domains may go; 0: one may now. */
static int64_t waits_until(struct manager *m, const struct lane *lane, const struct domains *d,
			   const struct moment *now) {
	struct throttling_entry *e, *first = NULL; /* looking moves none */
	enum throttle_why why;
	int64_t shortest = 0;
	for (size_t i = 0; i < d->count; i++) {
		int64_t wait = wait_of(m, lane, d, i, now, &e, &why);
		if (wait == 0)
			return 0;
		if (i > 0 && wait >= shortest)
			continue;
		shortest = wait;
		first = e;
	}
	return d->count > 0 ? book(m, first, shortest, now) : 0;
}

/* With other lanes to go to it waits where it can go first. */
static void put_off(struct manager *m, struct lane *lane, struct message *msg, int64_t until,
		    const struct moment *now) {
	struct queue_id id = msg->id;
	if (msg->multi) {
		message_load(m, &id);
		msg = table_find(&m->messages, &id);
		if (!msg || msg->state != MESSAGE_WAITING || msg->lane != lane->number ||
		    msg->due_ms > now->boot_ms)
			return;
	}
	msg->throttled = true;
	message_enter(m, msg, lane, until);
}

bool throttling_sift(struct manager *m, struct lane *lane, const struct moment *now) {
	struct message *msg;
	bool more = false;
	msg = heap_next(&lane->heap, now->boot_ms);
	if (!msg || !goes_by_domain(lane, msg))
		return false;
	AUTO_FREE struct domains *d = malloc(sizeof(*d));
	for (unsigned i = 0; d && (msg = heap_next(&lane->heap, now->boot_ms)) != NULL;
	     i++) {
		more = i == SIFT_BATCH;
		if (more || !goes_by_domain(lane, msg))
			break;
		read_domains(m, lane, msg, now, d);
		int64_t until = waits_until(m, lane, d, now);
		if (until == 0)
			break;
		put_off(m, lane, msg, until, now);
	}
	return more;
}

unsigned throttling_take_domains(struct manager *m, const struct lane *lane,
				 const struct message *msg, const struct moment *now,
				 struct buf *except) {
	struct throttling_entry *e;
	enum throttle_why why;
	unsigned waiting = 0;
	if (!goes_by_domain(lane, msg))
		return msg->open;
	AUTO_FREE struct domains *d = malloc(sizeof(*d));
	if (!d)
		return msg->open;
	read_domains(m, lane, msg, now, d);
	for (size_t i = 0; i < d->count; i++) {
		const struct domain *one = &d->domain[i];
		bool whole = d->count == 1 && !d->expanded;
		if (wait_of(m, lane, d, i, now, &e, &why) == 0) {
			if (has_domain_limits(lane))
				throttling_charge(m, lane->relay, one->name, msg,
						  one->recipients, whole, now);
			continue;
		}
		buf_addf(except, "%s%s", except->len > 0 ? " " : "", one->name);
		waiting += one->recipients;
	}
	return waiting < msg->open ? msg->open - waiting : 1;
}

bool throttling_domain_words(struct manager *m, const struct lane *lane,
			     const struct message *msg, const struct moment *now,
			     struct buf *out) {
	struct throttling_entry *e;
	enum throttle_why why;
	if (!msg->throttled || !has_domain_limits(lane))
		return false;
	AUTO_FREE struct domains *d = malloc(sizeof(*d));
	if (!d)
		return false;
	read_domains(m, lane, msg, now, d);
	for (size_t i = 0; i < d->count; i++) {
		int64_t wait = wait_of(m, lane, d, i, now, &e, &why);
		if (wait == 0 || why == THROTTLE_FREE)
			continue;
		throttling_entry_words(m, e, why, wait, now, out);
		return true;
	}
	return false;
}
