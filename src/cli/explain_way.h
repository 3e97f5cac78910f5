#ifndef NIGHTMAIL_CLI_EXPLAIN_WAY_H
#define NIGHTMAIL_CLI_EXPLAIN_WAY_H

/* Where mail goes, for `nightmail explain`: the relays of several recipients with the rules that
 * chose them, and the servers behind each as they are looked up now. */

#include "base/buf.h"
#include "cli/explain_tls.h"
#include "config/settings.h"
#include "net/dns.h"
#include "route/target.h"

#define EXPLAIN_WAYS_MAX 100u

struct json;

/* A rate or quota of a relay (domain empty), or of one domain behind it. */
enum explain_kind { EXPLAIN_RATE, EXPLAIN_HOUR, EXPLAIN_DAY };
struct explain_limit {
	char domain[ROUTE_DESTINATION_MAX + 1];
	enum explain_kind kind;
	int64_t limit, per_s;
	int64_t used; /* -1: not known */
	int64_t next; /* seconds since 1970: mail waits, or the window is open until then; 0: none */
	bool waits, warmup;
};

struct explain_way {
	const struct config_relay *relay;
	char destination[ROUTE_DESTINATION_MAX + 1]; /* "": its own servers */
	struct buf why, recipients;                  /* words */
	struct buf domains; /* of the recipients, with blanks between them */
	struct explain_limit *limit;
	size_t limits;
	char limits_trouble[ERR_MSG_SIZE]; /* why it is not known what was used; or "" */
	enum target_result result;
	struct target target;
	struct buf address[TARGET_HOSTS_MAX]; /* with blanks between them; empty: see trouble */
	struct buf trouble[TARGET_HOSTS_MAX];
	struct explain_tls tls;
};

struct explain_ways {
	struct explain_way *way;
	size_t count;
};

/* Adds where an address goes. False: no memory, or too many ways. */
bool explain_way_add(struct explain_ways *w, const struct settings *s,
		     const struct route_table *routes, const struct route_query *q);
/* Looks up the servers of all, and what they publish of TLS. dns: opened when it is needed first. */
void explain_ways_look_up(struct explain_ways *w, const struct settings *s,
			  const struct explain_wishes *wishes);
void explain_ways_release(struct explain_ways *w);

/* False: it would be held, or returned at once. */
bool explain_way_goes(const struct explain_way *w);
/* Whether attempts may fail and be repeated. */
bool explain_way_is_tried(const struct explain_way *w);

/* One way in words. several: names the recipients. */
void explain_way_print(const struct explain_way *w, bool several);
/* An object in the array that is open. */
void explain_way_json(struct json *j, const struct explain_way *w);

#endif
