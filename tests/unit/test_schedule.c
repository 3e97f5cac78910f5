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

static void test_greylist(void) {
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "Greylisted, please try again in 300 seconds", 301 },
		{ "Greylisting in action, please come back in 00:04:57", 298 },
		{ "come back in 04:57", 298 },
		{ "try again in 5 minutes", 301 },
		{ "greylisted for 5 minutes and 30 seconds", 331 },
		{ "greylisted (60s)", 61 },
		{ "retry after 2min", 121 },
		{ "try in 10-min", 601 },
		{ "greylisted; retry in 1 hour", 3600 },
		{ "retry in 23 hours", 3600 },
		{ "retry in 1 second", 10 },
		{ "greylisted", 300 },
		{ "Greylisted, see http://postgrey.schweikert.ch/help/example.org.html",
		  300 },
		{ "greylisted mx5s.example 192.0.2.60 id 4F2A1m", 300 },
		{ "greylisted at 2026:99", 300 },
		{ "", 300 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(schedule_greylist_ms(span_str(rows[i].text)) / 1000,
		       rows[i].seconds, "the pause in \"%s\"", rows[i].text);
	is_int(schedule_greylist_ms(SPAN("a\0 60 s")) / 1000, 61,
	       "a NUL in the text does no harm");
	is_int(schedule_greylist_ms(SPAN("in 99999999999999999999 s")) / 1000, 300,
	       "a number past all bounds is none");
}

int main(void) {
	test_backoff();
	test_greylist();
	return done_testing();
}
