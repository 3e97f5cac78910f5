#ifndef NIGHTMAIL_ROUTE_ROUTE_H
#define NIGHTMAIL_ROUTE_ROUTE_H

/*
 * Which relay takes mail for an address: the first rule that matches, in the order of the
 * configuration. Pure. The daemon asks when it looks for a place for a message, a worker
 * when it delivers one, `nightmail explain` when a person asks: all get one answer, from what
 * sender and recipient are after aliases and rewriting.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define ROUTE_DEFAULT "default" /* the relay when no rule matches */
#define ROUTE_RULES_MAX 64u
#define ROUTE_USERS_MAX 16u
#define ROUTE_DESTINATION_MAX 255u

/* One [route NAME]. Patterns are words with blanks between them, of which one must match; in
 * them `*` stands for any run of characters, letters match without case, and `<>` is the null
 * sender. NULL: everything matches. All keys that are there must match. */
struct route_rule {
	char *name, *relay;
	char *sender, *recipient; /* patterns */
	char *user;               /* names and numbers, as written */
	uint32_t uid[ROUTE_USERS_MAX]; /* what they are; 0 of them: nobody */
	size_t uid_count;
};

struct route_table {
	const struct route_rule *rule;
	size_t count;
	const char *relays; /* names that exist, with blanks between them; NULL: do not care */
};

struct route_query {
	struct span sender, recipient; /* empty sender: null */
	uint32_t uid;                  /* who submitted it */
	struct span relay;             /* asked for by the sender, or empty */
};

enum route_reason { ROUTE_BY_RULE, ROUTE_BY_WISH, ROUTE_BY_DEFAULT };

struct route_choice {
	const char *relay; /* of the rule, or ROUTE_DEFAULT; for a wish see query.relay */
	struct span name;  /* the same in each case */
	enum route_reason reason;
	const struct route_rule *rule; /* ROUTE_BY_RULE */
};

/* A wish for a relay that does not exist counts as none. */
struct route_choice route_find(const struct route_table *t, const struct route_query *q);

/* True when the rules have nothing to say: everything goes to ROUTE_DEFAULT. */
bool route_is_plain(const struct route_table *t);
/* True when one of the patterns matches the address. */
bool route_matches(const char *patterns, struct span address);
/* True when whatever matches `later` matches `earlier` too, as far as the texts show it. */
bool route_covers(const struct route_rule *earlier, const struct route_rule *later);
/* False for a pattern that can match no address ("lan.example.org", "a@@b"). */
bool route_pattern_ok(struct span pattern);

/* The destination of an address at a relay with a lane for each domain: the domain in lower
 * case. False: there is none, or it is too long. */
bool route_destination(struct span address, char ret[ROUTE_DESTINATION_MAX + 1]);

/* Appends why, for people: "[route lan]: recipient = *@*.lan.example.org". */
void route_words(const struct route_choice *c, struct buf *out);

#endif
