#ifndef NIGHTMAIL_DELIVER_WATCH_RESULT_H
#define NIGHTMAIL_DELIVER_WATCH_RESULT_H

/*
 * What the programs of a check said, and what is new in it. Pure: the daemon's part is watch.c.
 *
 * Nothing that was not answered counts as a change: a record that was not told stays as it was,
 * and a finding goes only when what it is about was looked at again.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "queue/watchstate.h"

/* Checks in a row that did not tell all, until that is trouble of its own. */
#define WATCH_SILENT_MAX 3u

struct watch_round {
	struct watch_items finding, record;
	const char *failed; /* dns-check did not do its work: why; NULL: it did */
	bool probed;        /* smtp-probe has looked at the certificates */
};

/* Reads the lines of `dns-check --plain --zone` into *ret. ERR_SYNTAX, ERR_LIMIT: then the lists
 * are not to be used. Release them in both cases. */
int watch_read_dns(struct span output, struct watch_round *ret, struct err *err);
/* Adds what `smtp-probe --mx --plain` says of certificates. */
int watch_read_probe(struct span output, struct watch_round *ret, struct err *err);
void watch_round_release(struct watch_round *r);
/* Is there a host that takes mail for the domain? Only then is there something to probe. */
bool watch_has_mx(const struct watch_round *r, const char *domain);

enum watch_news {
	WATCH_NOTHING,
	WATCH_CHANGED,
	WATCH_BAD,  /* something is worse than it was, or bad when it is first seen */
	WATCH_GOOD, /* nothing is bad any more */
	WATCH_SILENT,
};

/* Takes the round over into *s (all but `checked`), and appends what is new, in words. */
enum watch_news watch_compare(struct watchstate *s, struct watch_round *r,
			      struct buf *text);
/* What is to be shown: unknown as long as not all was told. */
enum watch_level watch_verdict(const struct watchstate *s);

#endif
