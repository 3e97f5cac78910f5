/* The calendar is libc's. */

#include "base/utcday.h"

#include <stdio.h>
#include <time.h>

#define DAY_S (UTCDAY_MS / 1000)

int64_t utcday_of(int64_t wall_ms) {
	int64_t day = wall_ms / UTCDAY_MS;
	return wall_ms % UTCDAY_MS < 0 ? day - 1 : day;
}

struct utcday_name utcday_name(int64_t day) {
	struct utcday_name n = { "0000-00-00" };
	time_t t = (time_t)(day * DAY_S);
	struct tm tm;
	if (gmtime_r(&t, &tm) && tm.tm_year >= -1900 && tm.tm_year < 10000 - 1900)
		(void)strftime(n.s, sizeof(n.s), "%Y-%m-%d", &tm);
	return n;
}

bool utcday_take(struct span *in, int64_t *ret) {
	struct span rest = *in;
	uint64_t year, month, day;
	if (!span_take_uint(&rest, 9999, &year) || !span_take_char(&rest, '-') ||
	    !span_take_uint(&rest, 12, &month) || !span_take_char(&rest, '-') ||
	    !span_take_uint(&rest, 31, &day) || year < 1900)
		return false;
	struct tm tm = { .tm_year = (int)year - 1900,
			 .tm_mon = (int)month - 1,
			 .tm_mday = (int)day };
	int64_t found = (int64_t)timegm(&tm) / DAY_S;
	struct utcday_name again = utcday_name(found); /* there is no 30 February */
	if (!span_eq(span_head(*in, UTCDAY_NAME_SIZE - 1), span_str(again.s)))
		return false;
	*in = span_from(*in, UTCDAY_NAME_SIZE - 1);
	*ret = found;
	return true;
}
