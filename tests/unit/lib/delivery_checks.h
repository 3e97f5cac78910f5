#ifndef NIGHTMAIL_TESTS_DELIVERY_CHECKS_H
#define NIGHTMAIL_TESTS_DELIVERY_CHECKS_H

/* Checks of what a worker has recorded in a message. */

#include "lib/delivery.h"
#include "tap.h"

#define ALL "PIPELINING\n8BITMIME\nSIZE 1000000\nENHANCEDSTATUSCODES"

static inline void is_state(struct delivery *d, unsigned n, size_t i,
			    enum recipient_state want, const char *words,
			    const char *name) {
	struct queue_message m;
	if (!delivery_read(d, n, &m)) {
		ok(false, "%s (the message is gone)", name);
		return;
	}
	const struct journal_result *r = &m.journal.to[i].last;
	bool fits = span_starts(r->reply, span_str(words));
	ok(r->state == want && fits, "%s", name);
	if (r->state != want || !fits)
		printf("#   state %s, reply %.*s\n", recipient_state_name(r->state),
		       (int)r->reply.len, r->reply.p);
	queue_message_release(&m);
}

static inline void is_flagged(struct delivery *d, unsigned n, bool want,
			      const char *name) {
	struct queue_message m;
	bool there = delivery_read(d, n, &m);
	ok(there && m.journal.maybe_twice == want, "%s", name);
	if (there)
		queue_message_release(&m);
}

static inline void is_attempts(struct delivery *d, unsigned n, unsigned want,
			       const char *name) {
	struct queue_message m;
	bool there = delivery_read(d, n, &m);
	is_int(there ? m.journal.attempts : 999, want, "%s", name);
	if (there)
		queue_message_release(&m);
}

#endif
