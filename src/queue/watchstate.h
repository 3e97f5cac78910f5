#ifndef NIGHTMAIL_QUEUE_WATCHSTATE_H
#define NIGHTMAIL_QUEUE_WATCHSTATE_H

/*
 * What was last found out about each domain of [watch] (deliver/watch.h): kept across restarts,
 * so that a change is seen whenever it happens, and told once. One file, replaced as a whole.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "queue/queue.h"

#define WATCH_ITEMS_MAX 1000u /* findings, and records, of one domain */
#define WATCH_WORDS 3u

enum watch_level { WATCH_OK, WATCH_UNKNOWN, WATCH_WARN, WATCH_FAIL };
const char *watch_level_name(enum watch_level level); /* "ok" "unknown" "warn" "fail" */
bool watch_level_parse(struct span s, enum watch_level *ret);

/* A finding: id, subject, text. Or a record: name, type, value; "-": there is none. */
struct watch_item {
	enum watch_level level;
	char *word[WATCH_WORDS];
};
enum { WATCH_ID, WATCH_SUBJECT, WATCH_TEXT };
enum { WATCH_NAME, WATCH_TYPE, WATCH_VALUE };

struct watch_items {
	struct watch_item *at;
	size_t count, cap;
};

/* Appends copies. -1: out of memory, or there are too many. */
int watch_items_add(struct watch_items *l, enum watch_level level,
		    const struct span word[WATCH_WORDS]);
/* Cuts to that many. */
void watch_items_truncate(struct watch_items *l, size_t count);
void watch_items_release(struct watch_items *l);

struct watchstate {
	char domain[256];
	bool known;            /* there is a result: the verdict and the lists */
	struct moment checked; /* the last check, whatever came of it; wall_ms 0: never */
	enum watch_level verdict; /* of the last result */
	unsigned silent;          /* checks since then that did not tell all */
	char why[400];            /* why not, or "" */
	int64_t changed_s;        /* when it changed last, seconds since 1970; 0: never */
	char *change;             /* and what, or NULL */
	struct watch_items finding, record;
};

void watchstate_release(struct watchstate *s);

/* Parses the file's bytes; a domain that is not whole, and what follows it, is left out. Each
 * must be released. */
size_t watchstate_parse(struct span bytes, struct watchstate *ret, size_t max);
/* Reads at most max domains; without a file there are none. */
size_t watchstate_read(struct queue *q, struct watchstate *ret, size_t max);
/* Appends a domain as the file has it. */
int watchstate_add(struct buf *out, const struct watchstate *s);
int watchstate_write(struct queue *q, struct span bytes, struct err *err);

#endif
