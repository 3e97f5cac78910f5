#ifndef NIGHTMAIL_QUEUE_STSCACHE_H
#define NIGHTMAIL_QUEUE_STSCACHE_H

/*
 * MTA-STS policies (RFC 8461) as they were fetched, a file for each domain in sts/ of the spool:
 * they must hold for as long as they say, whatever becomes of DNS or of the server that has them.
 * Losing one costs a fetch.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "queue/queue.h"

#define STSCACHE_ID_MAX 32

struct stscache_entry {
	char id[STSCACHE_ID_MAX + 1]; /* of the record that promised it */
	int64_t fetched_ms;           /* wall time */
	/* "": none; otherwise the newer policy under this id could not be had at that wall time. */
	char missed[STSCACHE_ID_MAX + 1];
	int64_t missed_ms;
};

/* Appends the policy of the domain (A-labels, lower case); "" when only `missed` is known of it.
 * ERR_MISSING: nothing, or it is damaged. */
int stscache_read(struct queue *q, const char *domain, struct stscache_entry *ret,
		  struct buf *policy, struct err *err);
int stscache_write(struct queue *q, const char *domain, const struct stscache_entry *e,
		   struct span policy, struct err *err);
/* True for a policy that nobody needs any more. */
typedef bool stscache_over_fn(void *ctx, const struct stscache_entry *e, struct span policy);
/* Removes those for which over() is true, and what is no policy and a day old; *ret_removed: how
 * many. Workers may write meanwhile. */
int stscache_prune(struct queue *q, stscache_over_fn *over, void *ctx, unsigned *ret_removed,
		   struct err *err);

#include "base/banned.h"

#endif
