/* Times and ages in columns; see words.h. */

#include "tui/words.h"

#include <time.h>

#include "tui/model.h"

#define DAY 86400

void words_age(struct buf *out, int64_t seconds) {
	long long s = seconds > 0 ? seconds : 0;
	if (s < DAY)
		buf_addf(out, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	else
		buf_addf(out, "%lldd %02lldh", s / DAY, s / 3600 % 24);
}

static bool same_day(const struct tm *a, const struct tm *b) {
	return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

static void add_time(struct buf *out, int64_t t, int64_t now, bool seconds) {
	static const char days[7][4] = {
		"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
	};
	time_t at = (time_t)t, today = (time_t)now;
	struct tm tm, tm_now;
	if (t == NO_TIME || !localtime_r(&at, &tm) || !localtime_r(&today, &tm_now)) {
		buf_addc(out, '-');
	} else if (same_day(&tm, &tm_now)) {
		buf_addf(out, "%02d:%02d", tm.tm_hour, tm.tm_min);
		if (seconds)
			buf_addf(out, ":%02d", tm.tm_sec);
	} else if (t > now - 6 * DAY && t < now + 6 * DAY) {
		buf_addf(out, "%s %02d:%02d", days[tm.tm_wday], tm.tm_hour, tm.tm_min);
	} else {
		buf_addf(out, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday);
	}
}

void words_time(struct buf *out, int64_t t, int64_t now) {
	add_time(out, t, now, false);
}

void words_clock(struct buf *out, int64_t t, int64_t now) {
	add_time(out, t, now, true);
}

void words_next(struct buf *out, int64_t t, int64_t now) {
	if (t != NO_TIME && t <= now)
		buf_adds(out, "now");
	else
		add_time(out, t, now, false);
}

bool words_contain(struct span text, struct span part) {
	for (; text.len >= part.len; text = span_from(text, 1)) {
		if (span_starts_nocase(text, part))
			return true;
		if (text.len == 0)
			return false;
	}
	return false;
}
