#ifndef NIGHTMAIL_DELIVER_THROTTLING_ENTRY_H
#define NIGHTMAIL_DELIVER_THROTTLING_ENTRY_H

/* Inside of throttling*.c: what was used by one relay, or through it for one domain. */

#include "deliver/throttling.h"
#include "route/route.h"

struct throttling_entry {
	char relay[64], domain[ROUTE_DESTINATION_MAX + 1];
	struct throttle t;
	int64_t booked_ms; /* boot time: what had to wait was put off up to here */
	unsigned charges;  /* messages that are being delivered on it: it stays where it is */
	bool dirty;
};

/* --- throttling.c --- */
/* The entry; NULL: nothing was used. It stays valid until something is charged. domain "": that of
 * the relay as a whole. */
struct throttling_entry *throttling_find(struct manager *m, const char *relay,
					 const char *domain);
const struct config_limits *throttling_limits(const struct manager *m,
					      const struct throttling_entry *e);
int64_t throttling_entry_wait_ms(const struct manager *m, struct throttling_entry *e,
				 const struct moment *now, enum throttle_why *ret_why);
/* How long what has a limit there has to wait, and for what. *ret: as of throttling_find(). Looking
 * makes no entry; where one would be needed and there is no room for it, mail waits. */
int64_t throttling_limit_wait_ms(struct manager *m, const char *relay, const char *domain,
				 const struct moment *now, struct throttling_entry **ret,
				 enum throttle_why *ret_why);
/* Charges a message until its attempt is over. whole: all recipients that are sent count here.
 * What throttling_limit_wait_ms() let go finds room. */
void throttling_charge(struct manager *m, const char *relay, const char *domain,
		       const struct message *msg, unsigned recipients, bool whole,
		       const struct moment *now);
/* e: NULL for THROTTLE_FULL. */
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
