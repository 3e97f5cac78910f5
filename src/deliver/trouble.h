#ifndef NIGHTMAIL_DELIVER_TROUBLE_H
#define NIGHTMAIL_DELIVER_TROUBLE_H

/*
 * Destinations with trouble: which recipient domains refuse mail for now, how many deferred
 * messages wait for each, and what was said last. A message counts for the domain of one of
 * its deferred recipients; it remembers the number of that entry.
 */

#include <stdint.h>

#include "base/span.h"

#define TROUBLES_MAX 512u
#define TROUBLE_REPLY_MAX 200u

struct trouble {
	char *domain; /* lower case; NULL: free */
	unsigned messages;
	char reply[TROUBLE_REPLY_MAX];
};

struct troubles {
	struct trouble *list; /* TROUBLES_MAX, the first is number 1; NULL until there is one */
};

/* Makes *number, the entry of a message (0: none), that of the address' domain, and notes the
 * reply. When there is no room or no memory it becomes 0. */
void trouble_set(struct troubles *t, uint16_t *number, struct span address,
		 struct span reply);
/* The message is deferred no more. */
void trouble_drop(struct troubles *t, uint16_t *number);
void troubles_release(struct troubles *t);

#endif
