#ifndef NIGHTMAIL_DELIVER_LANES_H
#define NIGHTMAIL_DELIVER_LANES_H

/*
 * Lanes: a relay and a destination, with the messages that wait for it and its own breaker.
 * The destination is empty for a relay with hosts of its own, and the recipients' domain for
 * one that asks the DNS where each domain's mail goes (host = mx:), so that one dead domain
 * stops nobody else. Lanes of relays in the configuration are always there; those of
 * destinations are made when a message needs one and dropped when nothing uses them.
 *
 * A lane is looked at when something about it changed (lane_touch()) or the time came that
 * was named when it was looked at last: a lane that waits costs the others nothing.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "config/settings.h"
#include "deliver/breaker.h"
#include "deliver/heap.h"
#include "queue/relaystate.h"

#define NEVER_MS INT64_MAX
#define LANE_RELAY_SIZE 64u
#define LANE_DESTINATION_SIZE 256u
#define LANES_MAX 16384u

struct lane {
	uint16_t number; /* what messages know it by */
	char relay[LANE_RELAY_SIZE];
	char destination[LANE_DESTINATION_SIZE]; /* lower case; "": the relay's own hosts */
	/* of messages with "TLS-Required: No": what the destination publishes about TLS does not hold
	 * them up (RFC 8689) */
	bool tls_optional;
	char name[LANE_RELAY_SIZE + LANE_DESTINATION_SIZE + 32]; /* "default to example.org" */
	const struct config_relay *config; /* NULL: mail to it cannot be delivered */
	struct breaker breaker;
	struct heap heap;
	struct relaystate state;
	unsigned refused;         /* senders refused in a row */
	char refused_from[512];   /* the last of them */
	int64_t broken_ms;        /* the last connection that broke in mid-window; boot time, 0: none */
	int64_t alone_ms;         /* one message at a time until then; boot time */
	unsigned open;            /* workers with a channel */
	unsigned slots;           /* slots that point here */
	bool has_seed;            /* held: a message for it that may wait in another lane, and */
	struct queue_id seed;     /* when it is due; boot time */
	int64_t seed_ms, sought_ms;
	int64_t limited_ms;       /* a rate or quota is used up until then; boot time */
	int64_t moved_ms;         /* its mail that has other lanes is not placed anew before */
	int64_t restart_at_ms;    /* no new worker before */
	int64_t restart_delay_ms; /* doubles while workers die */

	/* for status: the last connection and the last answers */
	char host[300], tls[16], cipher[64], auth[32];
	char last_reply[256];
	char failure[256];               /* what was said when it failed last */
	int64_t succeeded_ms, failed_ms; /* wall times; 0: never */

	/* of lanes.c */
	struct lane *chain, *next_touched;
	bool touched;
	int64_t wake_ms; /* boot time; NEVER_MS: only when touched */
};

struct lanes {
	struct lane **at; /* by number; NULL: free */
	size_t end;       /* all numbers are below */
	size_t count;
	struct lane **bucket;
	size_t bucket_count;
	struct lane *touched;
	int64_t wake_ms;   /* none wants to be looked at before, unless touched */
	uint64_t looks;    /* how often a lane was looked at */
};

/* What a lane is known by. */
struct lane_key {
	const char *relay;
	struct span destination; /* "" for its own hosts */
	bool tls_optional;
};

struct lane *lane_find(const struct lanes *l, const struct lane_key *key); /* or NULL */
/* The same, made when it is not there: touched, without a configuration. NULL: no memory, or
 * there are LANES_MAX. */
struct lane *lane_make(struct lanes *l, const struct lane_key *key);
/* The lane of a relay's own hosts, or NULL. */
struct lane *lane_of_relay(const struct lanes *l, const char *relay);
/* Its heap must be empty. */
void lane_drop(struct lanes *l, struct lane *lane);
void lanes_release(struct lanes *l);

/* True for a lane that is there for one destination of its relay. */
bool lane_is_direct(const struct lane *lane);
/* True when its breaker is open: nothing goes but probes. */
bool lane_is_held(const struct lane *lane);

/* It is to be looked at in the next round. */
void lane_touch(struct lanes *l, struct lane *lane);
void lanes_touch_all(struct lanes *l);
/*
 * Calls look() for the lanes that were touched and those whose time has come; it returns
 * when to call it again without a touch. It may touch and make lanes, and drop the one that it
 * looks at (then it returns NEVER_MS and sets *ret_dropped). Returns the next time, `now_ms`
 * when some were touched meanwhile.
 */
typedef int64_t lane_look_fn(void *ctx, struct lane *lane, bool *ret_dropped);
int64_t lanes_look(struct lanes *l, int64_t now_ms, lane_look_fn *look, void *ctx);

#endif
