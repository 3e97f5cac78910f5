/*
 * What the daemon does in the spool when a day (UTC) is over: writes the TLS reports (RFC 8460) of
 * what the workers counted, removes old ones, and MTA-STS policies that have not held for a day.
 * Done at the start as well, since a day may have ended while nobody was there, and once an hour,
 * since the clock may be set.
 */

#include "base/auto.h"
#include "base/log.h"
#include "base/utcday.h"
#include "deliver/state.h"
#include "deliver/tls_report.h"
#include "queue/stscache.h"
#include "queue/tlsrptlog.h"
#include "tlspolicy/sts_record.h"

static int make_report(void *ctx, int64_t day, struct bag *counts, struct buf *out,
		       struct err *err) {
	const struct manager *m = ctx;
	return tls_report_add(out, counts, &m->settings, day, err);
}

static void report_tls(struct manager *m, int64_t today) {
	struct err err = ERR_INIT;
	unsigned made = 0;
	if (tlsrptlog_tidy(m->queue, today, make_report, m, &made, &err) != 0)
		log_error("a TLS report cannot be written: %s", err.msg);
	if (made > 0)
		log_info("TLS reports written: %u", made);
}

/* A policy is good for max_age after it was fetched, and nobody asks for it later than that. Where
 * there is none, it is remembered that there is none. */
static bool is_over(void *ctx, const struct stscache_entry *e, struct span text) {
	const int64_t *now_ms = ctx;
	struct sts_policy p;
	int64_t age_ms = *now_ms - e->fetched_ms;
	if (sts_policy_parse(text, &p, NULL) != 0)
		return *now_ms - e->missed_ms > UTCDAY_MS;
	return age_ms > (int64_t)p.max_age_s * 1000 + UTCDAY_MS;
}

void daily_work(struct manager *m) {
	struct err err = ERR_INIT;
	int64_t now_ms = clock_wall_ms();
	unsigned removed = 0;
	m->daily_day = utcday_of(now_ms);
	report_tls(m, m->daily_day);
	if (stscache_prune(m->queue, is_over, &now_ms, &removed, &err) != 0)
		log_error("old MTA-STS policies cannot be removed: %s", err.msg);
	else if (removed > 0)
		log_info("MTA-STS policies that hold no more, removed: %u", removed);
}

void daily_step(struct manager *m) {
	if (m->replayed && utcday_of(clock_wall_ms()) != m->daily_day)
		daily_work(m);
}
