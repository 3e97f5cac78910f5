/* The clocks: elapsed time within and across boots, clocks that were set. */

#include "base/clock.h"

#include <time.h>

#include "tap.h"

#define DAY INT64_C(86400000)

static void test_elapsed(void) {
	static const struct {
		const char *label;
		struct moment then, now;
		int64_t want;
	} cases[] = {
		{ "within a boot the boot clock counts",
		  { 1000, 50, 7 },
		  { 900000, 80, 7 },
		  30 },
		{ "a wall clock set back changes nothing",
		  { 1000, 50, 7 },
		  { 0, 80, 7 },
		  30 },
		{ "a boot clock that went back is 0", { 0, 80, 7 }, { 0, 50, 7 }, 0 },
		{ "across boots the wall clock counts",
		  { 1000, 50, 7 },
		  { 5000, 9, 8 },
		  4000 },
		{ "across boots time never runs back",
		  { 5000, 50, 7 },
		  { 1000, 9, 8 },
		  0 },
		{ "across boots one day is the most",
		  { 0, 50, 7 },
		  { 40 * DAY, 9, 8 },
		  DAY },
		{ "exactly a day is a day", { 0, 50, 7 }, { DAY, 9, 8 }, DAY },
		{ "within a boot more than a day counts",
		  { 0, 0, 7 },
		  { 0, 3 * DAY, 7 },
		  3 * DAY },
		{ "a corrupt moment does not overflow",
		  { INT64_MIN, 0, 7 },
		  { INT64_MAX, 0, 8 },
		  DAY },
		{ "nor in the boot clock",
		  { 0, INT64_MIN, 7 },
		  { 0, INT64_MAX, 7 },
		  INT64_MAX },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int(clock_elapsed_ms(&cases[i].then, &cases[i].now), cases[i].want,
		       "%s", cases[i].label);
}

static void test_readings(void) {
	int64_t wall_s = time(NULL);
	ok(clock_wall_ms() / 1000 - wall_s <= 1, "the wall clock is the time of day");
	int64_t us = clock_wall_us();
	ok(clock_wall_ms() >= us / 1000, "in both units");
	struct timespec ts;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	ok(clock_boot_ms() - (int64_t)ts.tv_sec * 1000 < 2000,
	   "the boot clock counts from the boot");
	ok(clock_boot_id() != 0 && clock_boot_id() == clock_boot_id(),
	   "the boot has an id that stays");
}

static void test_shift(void) {
	struct moment before = clock_now();
	clock_shift_for_test(2 * DAY, 5000, 0);
	struct moment after = clock_now();
	ok(after.wall_ms - before.wall_ms >= 2 * DAY, "a test can move the wall clock");
	int64_t passed = clock_elapsed_ms(&before, &after);
	ok(passed >= 5000 && passed < 60000, "and the boot clock");
	clock_shift_for_test(0, 0, before.boot_id ^ 1);
	ok(clock_now().boot_id == (before.boot_id ^ 1), "and pretend a reboot");
	clock_shift_for_test(0, 0, 0);
	ok(clock_boot_id() == before.boot_id, "and undo it");
}

int main(void) {
	test_elapsed();
	test_readings();
	test_shift();
	return done_testing();
}
