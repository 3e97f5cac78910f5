/*
 * What one user may submit: by the hour and by what waits.
 */

#include "base/clock.h"
#include "submit/limit.h"
#include "tap.h"

#define HOUR_MS 3600000

static unsigned take(struct limit_table *t, uid_t uid, unsigned n) {
	unsigned taken = 0;
	for (unsigned i = 0; i < n; i++)
		if (limit_may(t, uid, 0, NULL) == 0) {
			limit_took(t, uid);
			taken++;
		}
	return taken;
}

int main(void) {
	struct limit_table *t = limit_new(NULL);
	struct err err = ERR_INIT;
	limit_set(t, 60, 1000);
	ok(limit_may(t, 1000, 5000, &err) == 0, "who is not known yet is not limited");
	limit_know(t, 1000);
	limit_know(t, 1001);
	ok(take(t, 1000, 100) == 60, "60 of 100 messages at once");
	ok(limit_may(t, 1000, 0, &err) != 0 && err.kind == ERR_TIMEOUT &&
		   strstr(err.msg, "60 messages within an hour"),
	   "then a refusal for now, in words");
	ok(take(t, 1001, 3) == 3, "another user has a count of their own");
	clock_shift_for_test(0, 60000, 0);
	ok(take(t, 1000, 10) == 1, "a minute later one more");
	clock_shift_for_test(0, 30 * 60000, 0);
	unsigned later = take(t, 1000, 100); /* the clock itself may add one */
	ok(later == 29 || later == 30, "half an hour later half of them");
	clock_shift_for_test(0, 3 * HOUR_MS, 0);
	ok(take(t, 1000, 100) == 60, "after hours of silence no more than an hour's");

	limit_queued(t, 1000, 600);
	clock_shift_for_test(0, 9 * HOUR_MS, 0);
	ok(limit_may(t, 1000, 400, &err) == 0, "bytes up to the limit");
	ok(limit_may(t, 1000, 401, &err) != 0 && strstr(err.msg, "wait in the queue"),
	   "not over it");
	limit_queued(t, 1000, -600);
	ok(limit_may(t, 1000, 1000, &err) == 0, "what left the queue counts no more");
	limit_queued(t, 77, 600);
	ok(limit_may(t, 77, 500, &err) != 0,
	   "mail found in the queue counts for its user");

	limit_set(t, 0, 0);
	ok(take(t, 1000, 1000) == 1000, "no limit when none is set");
	limit_set(t, 1, 0);
	for (uid_t uid = 5000; uid < 7000; uid++) {
		limit_know(t, uid);
		take(t, uid, 1);
	}
	ok(take(t, 6999, 1) == 0, "with more users than entries it is never laxer");
	limit_free(t);
	return done_testing();
}
