/* When to try again. */

#include "deliver/schedule.h"

#include "tap.h"

#define MINUTE 60000
#define HOUR (60 * MINUTE)

static void test_backoff(void) {
	static const struct {
		unsigned attempts;
		int64_t base;
	} rows[] = {
		{ 1, MINUTE },
		{ 2, 2 * MINUTE },
		{ 3, 4 * MINUTE },
		{ 8, 128 * MINUTE },
		{ 9, 4 * HOUR },
		{ 10, 4 * HOUR },
		{ 4000000000u, 4 * HOUR },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t low = schedule_backoff_ms(rows[i].attempts, MINUTE, 4 * HOUR, 0);
		int64_t high = schedule_backoff_ms(rows[i].attempts, MINUTE, 4 * HOUR,
						   UINT32_MAX);
		int64_t middle = schedule_backoff_ms(rows[i].attempts, MINUTE, 4 * HOUR,
						     1u << 31);
		ok(low >= rows[i].base * 79 / 100 && low <= rows[i].base * 81 / 100,
		   "after %u attempts the shortest pause is 20 %% below",
		   rows[i].attempts);
		ok(high >= rows[i].base * 119 / 100 && high <= rows[i].base * 120 / 100,
		   "after %u attempts the longest pause is 20 %% above",
		   rows[i].attempts);
		ok(middle >= rows[i].base * 99 / 100 &&
			   middle <= rows[i].base * 101 / 100,
		   "after %u attempts the middle is the plan", rows[i].attempts);
	}
	ok(schedule_backoff_ms(1, 10 * HOUR, HOUR, 1u << 31) <= HOUR * 101 / 100,
	   "the longest pause holds when the first is longer");
	ok(schedule_backoff_ms(100, INT64_MAX / 4, INT64_MAX / 4, UINT32_MAX) > 0,
	   "absurd settings do not overflow");
	is_int(schedule_backoff_ms(1, 0, 0, 5), 0, "no pause stays no pause");
}

int main(void) {
	test_backoff();
	return done_testing();
}
