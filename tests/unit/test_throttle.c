/* Rates, quotas and warm-up: what may go when, whatever the clocks and restarts do. */

#include "deliver/throttle.h"

#include <stdlib.h>
#include <time.h>

#include "tap.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
/* 2026-11-22 00:00:00 UTC */
#define MIDNIGHT INT64_C(1795305600000)

static struct moment now;

static void at(int64_t wall_ms) {
	now = (struct moment){ .wall_ms = wall_ms, .boot_ms = 500000, .boot_id = 7 };
}

static void pass(int64_t ms) {
	now.wall_ms += ms;
	now.boot_ms += ms;
}

static int64_t wait_ms(struct throttle *t, const struct config_limits *l) {
	enum throttle_why why;
	return throttle_wait_ms(t, l, &now, &why);
}

/* Lets out what may go within a time, message by message; how many recipients. */
static uint64_t let_out(struct throttle *t, const struct config_limits *l, int64_t ms,
			unsigned recipients) {
	uint64_t n = 0;
	for (int64_t wait, end = now.boot_ms + ms; now.boot_ms < end;) {
		while ((wait = wait_ms(t, l)) == 0) {
			throttle_take(t, l, &now, recipients);
			n += recipients;
		}
		pass(wait < end - now.boot_ms ? wait : end - now.boot_ms);
	}
	return n;
}

static void test_rate(void) {
	static const struct {
		struct config_rate rate;
		int64_t ms;
		uint64_t least, most;
	} rows[] = {
		{ { 10, 1000 }, 60000, 600, 610 },       { { 1, 1000 }, 60000, 60, 61 },
		{ { 20, MINUTE }, HOUR, 1200, 1201 },    { { 3, HOUR }, DAY, 72, 73 },
		{ { 1000, 1000 }, 10000, 10000, 11000 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct throttle t = { .step = 0 };
		struct config_limits l = { .rate = rows[i].rate };
		at(MIDNIGHT + 5000);
		uint64_t n = let_out(&t, &l, rows[i].ms, 1);
		ok(n >= rows[i].least && n <= rows[i].most,
		   "%u in %lld ms: %llu in %lld ms", rows[i].rate.count,
		   (long long)rows[i].rate.per_ms, (unsigned long long)n,
		   (long long)rows[i].ms);
	}
	struct throttle t = { .step = 0 };
	struct config_limits l = { .rate = { 6, MINUTE } };
	at(MIDNIGHT);
	throttle_take(&t, &l, &now, 100);
	is_int(wait_ms(&t, &l), 10000, "a rate counts messages, spread evenly");
	throttle_give_back(&t, &l, 100, true);
	is_int(wait_ms(&t, &l), 0, "one that was not tried costs no time");
	pass(HOUR);
	throttle_take(&t, &l, &now, 1);
	is_int(wait_ms(&t, &l), 10000, "quiet times are not saved up");
}

static void test_quota(void) {
	struct config_limits l = { .hour = 100, .day = 500 };
	struct throttle t = { .step = 0 };
	enum throttle_why why;
	at(MIDNIGHT + 30 * MINUTE);
	is_int((int64_t)let_out(&t, &l, 1000, 1), 100, "an hour's quota goes at once");
	is_int(throttle_wait_ms(&t, &l, &now, &why), 30 * MINUTE - 1000,
	       "then it waits for the full hour");
	is_int(why, THROTTLE_HOUR, "and says so");
	is_int((int64_t)let_out(&t, &l, 23 * HOUR, 1), 400,
	       "a day's quota holds over the hours");
	is_int(throttle_wait_ms(&t, &l, &now, &why), 30 * MINUTE - 1000,
	       "until midnight");
	is_int(why, THROTTLE_DAY, "and says so");
	pass(30 * MINUTE - 1000);
	is_int((int64_t)let_out(&t, &l, DAY, 1), 500, "the next day has its own");
}

static void test_large(void) {
	struct config_limits l = { .day = 100 };
	struct throttle t = { .step = 0 };
	at(MIDNIGHT);
	throttle_take(&t, &l, &now, 250);
	pass(DAY);
	ok(wait_ms(&t, &l) > 0, "a message beyond a day's quota costs the next day's");
	pass(DAY);
	is_int(wait_ms(&t, &l), 0, "and a part of the one after");
	is_int((int64_t)t.day.used, 50, "which is half used");
	throttle_give_back(&t, &l, 20, false);
	is_int((int64_t)t.day.used, 30, "what was refused is given back");
	throttle_give_back(&t, &l, 70, false);
	is_int((int64_t)t.day.used, 0, "never more than was taken");
}

static void test_jumps(void) {
	struct config_limits l = { .day = 10 };
	struct throttle t = { .step = 0 };
	at(MIDNIGHT + 12 * HOUR);
	let_out(&t, &l, 1000, 1);
	now.wall_ms += 3650 * DAY;
	ok(wait_ms(&t, &l) > 11 * HOUR, "a clock set ten years ahead opens nothing");
	now.wall_ms -= 7300 * DAY;
	ok(wait_ms(&t, &l) <= 12 * HOUR, "one set back closes nothing");
	now.wall_ms += 3650 * DAY + 11 * HOUR + 50 * MINUTE; /* of the day to come */
	pass(12 * HOUR);
	is_int(wait_ms(&t, &l), 0, "the day ends when it was to end");
	let_out(&t, &l, 1000, 1);
	ok(wait_ms(&t, &l) > 12 * HOUR && wait_ms(&t, &l) <= 36 * HOUR,
	   "and the next is no short one: %lld min",
	   (long long)(wait_ms(&t, &l) / MINUTE));
}

static void reboot(struct throttle *t, const struct config_limits *l, bool crash,
		   int64_t off_ms) {
	struct quotastate s = { .wait_ms = 0 };
	throttle_save(t, l, &now, crash, &s);
	now.wall_ms += off_ms;
	now.boot_ms = 1000;
	now.boot_id++;
	throttle_restore(t, &s, &now);
}

static void test_restart(void) {
	struct config_limits l = { .day = 1000, .rate = { 1, HOUR } };
	struct throttle t = { .step = 0 };
	at(MIDNIGHT + 2 * HOUR);
	throttle_take(&t, &l, &now, 400);
	ok(throttle_must_save(&t), "what goes must stand on disk");
	reboot(&t, &l, false, MINUTE);
	is_int((int64_t)t.day.used, 400, "a restart forgets nothing");
	is_int(wait_ms(&t, &l), HOUR - MINUTE, "nor the time of a slow rate");
	ok(!throttle_must_save(&t), "and there is nothing new to save");
	reboot(&t, &l, true, MINUTE);
	ok(t.day.used == 420, "after a crash some more count as used: %llu",
	   (unsigned long long)t.day.used);
	is_int(t.day.length_ms, 22 * HOUR - 2 * MINUTE,
	       "the day ends when it was to end");
	reboot(&t, &l, false, 22 * HOUR);
	pass(1);
	is_int(wait_ms(&t, &l), 0, "a day that ended while it was off is over");
	is_int((int64_t)t.day.used, 0, "and nothing is used");
	throttle_take(&t, &l, &now, 7);
	reboot(&t, &l, false, -50 * 365 * DAY);
	l.rate.count = 0;
	ok(t.day.used == 7, "a machine that starts in 1976 remembers too");
}

/* Whatever is written before what is let out: never less. */
static void test_crash_anywhere(void) {
	struct config_limits l = { .day = 300 };
	uint64_t most = 0;
	for (unsigned crash = 1; crash < 400; crash++) {
		struct throttle t = { .step = 0 };
		struct quotastate s = { .wait_ms = 0 };
		uint64_t out = 0;
		unsigned n = 0;
		at(MIDNIGHT);
		for (unsigned life = 0; life < 2; life++) {
			while (wait_ms(&t, &l) == 0) {
				throttle_take(&t, &l, &now, 1);
				if (throttle_must_save(&t))
					throttle_save(&t, &l, &now, true, &s);
				out++;
				if (++n == crash)
					break;
			}
			throttle_restore(&t, &s, &now);
		}
		most = out > most ? out : most;
	}
	is_int((int64_t)most, 300, "no crash lets out more than the quota");
}

static void test_warmup(void) {
	struct config_limits l = { .day = 500, .warmup = { 50, 150, MIDNIGHT / DAY } };
	static const int64_t want[] = { 50, 75, 112, 168, 252, 378, 500, 500 };
	struct throttle t = { .step = 0 };
	at(MIDNIGHT + HOUR);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		is_int((int64_t)let_out(&t, &l, i == 0 ? 23 * HOUR : DAY, 1), want[i],
		       "day %zu of the warm-up", i + 1);
	}
	t = (struct throttle){ .step = 0 };
	at(MIDNIGHT + HOUR);
	let_out(&t, &l, 1000, 1);
	now.wall_ms += 365 * DAY;
	pass(DAY);
	wait_ms(&t, &l);
	is_int((int64_t)throttle_day_limit(&t, &l), 75,
	       "a clock set a year ahead makes it one day older");
	t = (struct throttle){ .step = 0 };
	at(MIDNIGHT - 3 * DAY);
	is_int((int64_t)let_out(&t, &l, HOUR, 1), 50,
	       "before the first day it is as on the first");
	l.warmup.start_day -= 10000;
	wait_ms(&t, &l);
	is_int((int64_t)throttle_day_limit(&t, &l), 500, "one of long ago is over");
	l.day = 0;
	ok(throttle_day_limit(&t, &l) == CONFIG_QUOTA_MAX,
	   "without a quota it has an end too");
}

static void test_words(void) {
	AUTO_BUF struct buf out = BUF_INIT(256);
	struct config_limits l = { .hour = 100, .day = 500 };
	struct throttle t = { .step = 0 };
	enum throttle_why why;
	at(MIDNIGHT + 20 * HOUR + 15 * MINUTE + 1234);
	let_out(&t, &l, 1, 1);
	int64_t wait = throttle_wait_ms(&t, &l, &now, &why);
	throttle_words(&t, &l, why, wait, &now, &out);
	is_str(buf_str(&out), "100 an hour, free again at 21:00",
	       "words for an hour's quota");
	t.day.used = 500;
	wait = throttle_wait_ms(&t, &l, &now, &why);
	buf_reset(&out);
	throttle_words(&t, &l, why, wait, &now, &out);
	is_str(buf_str(&out), "500 a day, free again at 00:00",
	       "words for a day's quota");
}

int main(void) {
	setenv("TZ", "UTC", 1);
	tzset();
	test_rate();
	test_quota();
	test_large();
	test_jumps();
	test_restart();
	test_crash_anywhere();
	test_warmup();
	test_words();
	return done_testing();
}
