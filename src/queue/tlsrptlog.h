#ifndef NIGHTMAIL_QUEUE_TLSRPTLOG_H
#define NIGHTMAIL_QUEUE_TLSRPTLOG_H

/*
 * What workers count for TLS reports (RFC 8460), and the reports, in tlsrpt/ of the spool:
 *
 *     tlsrpt/2026-11-22.3       lines that worker 3 counted on that day (UTC)
 *     tlsrpt/2026-11-22.json    the report of the day, made when it is over
 *
 * The lines are what counts: a report is made of them whenever one is newer than it, so a crash
 * at any point costs nothing that was written, and counts nothing twice. Both are kept for
 * TLSRPTLOG_KEEP_DAYS. A line is bytes of tlspolicy/tlsrpt.h, not understood here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/bag.h"
#include "queue/queue.h"

#define TLSRPTLOG_KEEP_DAYS 30
/* Different lines of one day, of all workers. */
#define TLSRPTLOG_LINES_MAX 100000u

/* --- a worker's --- */

struct tlsrptlog;

/* For the worker of that slot; whoever calls has its segment (queue/segment.h), so there is one.
 * NULL: no memory. Opens nothing yet. */
struct tlsrptlog *tlsrptlog_new(struct queue *q, unsigned slot);
/* Counts a line once, on this day (since 1970, UTC). Written when it returns 0: no crash of a
 * process takes it away any more. */
int tlsrptlog_add(struct tlsrptlog *l, int64_t day, struct span line, struct err *err);
/* Makes durable what was written: a power cut does not take it away either. */
int tlsrptlog_sync(struct tlsrptlog *l, struct err *err);
void tlsrptlog_free(struct tlsrptlog *l); /* NULL is fine */

/* --- everybody's --- */

/* Adds all lines of a day. Damaged ones are left out. */
int tlsrptlog_read(struct queue *q, int64_t day, struct bag *ret, struct err *err);
/* Appends the report of a day. ERR_MISSING: there is none (yet). */
int tlsrptlog_read_report(struct queue *q, int64_t day, struct buf *out, struct err *err);
/* Appends where it lies, or would. */
void tlsrptlog_report_path(const struct queue *q, int64_t day, struct buf *out);

/* --- the owner's --- */

/* Makes a report of a day's counts. */
typedef int tlsrptlog_make_fn(void *ctx, int64_t day, struct bag *counts, struct buf *out,
			      struct err *err);
/* Makes each report that is missing or older than its lines, of days before today, and removes
 * what is older than TLSRPTLOG_KEEP_DAYS; *ret_made is how many. Goes on after a failure, and
 * tells the last one. */
int tlsrptlog_tidy(struct queue *q, int64_t today, tlsrptlog_make_fn *make, void *ctx,
		   unsigned *ret_made, struct err *err);

#include "base/banned.h"

#endif
