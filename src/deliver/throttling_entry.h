#ifndef NIGHTMAIL_DELIVER_THROTTLING_ENTRY_H
#define NIGHTMAIL_DELIVER_THROTTLING_ENTRY_H

/* Inside of throttling*.c: what was used by one relay, or through it for one domain. */

#include "deliver/throttling.h"
#include "route/route.h"

struct throttling_entry {
	char relay[64], domain[ROUTE_DESTINATION_MAX + 1];
	struct throttle t;
	int64_t booked_ms; /* boot time: what had to wait was put off up to here */
	bool dirty;
};

/* --- throttling.c --- */
/* The entry, made when there is none; NULL: there is no room, or no memory. domain "": that of the
 * relay as a whole. */
struct throttling_entry *throttling_entry(struct manager *m, const char *relay,
					  const char *domain, const struct moment *now);
const struct config_limits *throttling_limits(const struct manager *m,
					      const struct throttling_entry *e);
/* How long it has to wait, and for what; 0 for NULL. */
int64_t throttling_entry_wait_ms(const struct manager *m, struct throttling_entry *e,
				 const struct moment *now, enum throttle_why *ret_why);
/* Charges a message until its attempt is over. whole: all recipients that are sent count here. */
void throttling_charge(struct manager *m, struct throttling_entry *e,
		       const struct message *msg, unsigned recipients, bool whole,
		       const struct moment *now);
void throttling_entry_words(struct manager *m, struct throttling_entry *e,
			    enum throttle_why why, int64_t wait_ms,
			    const struct moment *now, struct buf *out);

/* --- throttling_domains.c --- */
/* Charges the domains of a message that may go and appends the names of the others to `except`.
 * Returns how many of its recipients go. */
unsigned throttling_take_domains(struct manager *m, const struct lane *lane,
				 const struct message *msg, const struct moment *now,
				 struct buf *except);
bool throttling_domain_words(struct manager *m, const struct lane *lane,
			     const struct message *msg, const struct moment *now,
			     struct buf *out);

#endif
