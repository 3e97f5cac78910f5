/*
 * Points in time. A wall time that a change to summer time leaves out or has twice is what
 * mktime(3) makes of it.
 */

#include "mail/attime.h"

#include <stdbool.h>
#include <time.h>

static const struct {
	struct span word;
	int64_t s;
} units[] = {
	{ SPAN_INIT("w"), 7 * 86400 }, { SPAN_INIT("d"), 86400 },
	{ SPAN_INIT("h"), 3600 },      { SPAN_INIT("m"), 60 },
	{ SPAN_INIT("s"), 1 },
};

static const char *const days[] = { "sunday",   "monday", "tuesday", "wednesday",
				    "thursday", "friday", "saturday" };

/* "2h30m": at least one number with its unit, and nothing else. */
static bool take_duration(struct span s, int64_t *ret_s) {
	int64_t sum = 0;
	uint64_t n;
	bool any = false;
	while (s.len > 0) {
		size_t i = 0;
		if (!span_take_uint(&s, 1000000, &n))
			return false;
		while (i < sizeof(units) / sizeof(units[0]) &&
		       !span_take_lit(&s, units[i].word))
			i++;
		if (i == sizeof(units) / sizeof(units[0]))
			return false;
		sum += (int64_t)n * units[i].s;
		any = true;
	}
	*ret_s = sum;
	return any;
}

/* HH:MM[:SS] */
static bool take_clock(struct span *in, struct tm *tm) {
	uint64_t hour, minute, second = 0;
	if (!span_take_uint(in, 23, &hour) || !span_take_char(in, ':') ||
	    !span_take_uint(in, 59, &minute))
		return false;
	if (span_take_char(in, ':') && !span_take_uint(in, 60, &second))
		return false;
	tm->tm_hour = (int)hour;
	tm->tm_min = (int)minute;
	tm->tm_sec = (int)second;
	return true;
}

static bool take_date(struct span *in, struct tm *tm) {
	uint64_t year, month, day;
	if (!span_take_uint(in, 9999, &year) || year < 1970 || !span_take_char(in, '-') ||
	    !span_take_uint(in, 12, &month) || month == 0 || !span_take_char(in, '-') ||
	    !span_take_uint(in, 31, &day) || day == 0)
		return false;
	tm->tm_year = (int)year - 1900;
	tm->tm_mon = (int)month - 1;
	tm->tm_mday = (int)day;
	return true;
}

/* "Z", "+01:00", or nothing: *ret_local. */
static bool take_zone(struct span s, bool *ret_local, int64_t *ret_s) {
	uint64_t hours, minutes;
	*ret_local = s.len == 0;
	*ret_s = 0;
	if (*ret_local || span_eq_nocase(s, SPAN("Z")))
		return true;
	if (s.len != 6)
		return false;
	bool east = span_take_char(&s, '+');
	if (!east && !span_take_char(&s, '-'))
		return false;
	if (!span_take_uint(&s, 23, &hours) || !span_take_char(&s, ':') ||
	    !span_take_uint(&s, 59, &minutes) || s.len > 0)
		return false;
	*ret_s = (int64_t)(hours * 3600 + minutes * 60) * (east ? 1 : -1);
	return true;
}

static bool absolute(struct span s, int64_t *ret_s) {
	struct tm tm = { .tm_isdst = -1 };
	bool local;
	int64_t zone;
	if (!take_date(&s, &tm) ||
	    (!span_take_char(&s, 'T') && !span_take_char(&s, 't') &&
	     !span_take_char(&s, ' ')) ||
	    !take_clock(&s, &tm) || !take_zone(s, &local, &zone))
		return false;
	int day = tm.tm_mday;
	time_t t = local ? mktime(&tm) : timegm(&tm);
	*ret_s = (int64_t)t - zone;
	return tm.tm_mday == day; /* no 31st of a month of 30 days */
}

/* Which day the word means: days from today, or -1. *ret_next: a time that is over means a
 * week, or day, later. */
static int day_of(struct span word, const struct tm *today, int *ret_again) {
	*ret_again = 0;
	if (span_eq_nocase(word, SPAN("today")))
		return 0;
	if (span_eq_nocase(word, SPAN("tomorrow")))
		return 1;
	for (int i = 0; i < 7; i++) {
		struct span name = span_str(days[i]);
		if (!span_eq_nocase(word, name) &&
		    !span_eq_nocase(word, span_head(name, 3)))
			continue;
		*ret_again = 7;
		return (i - today->tm_wday + 7) % 7;
	}
	return -1;
}

/* "18:30", "tomorrow 08:00", "monday 09:00" */
static bool relative(struct span s, int64_t now_s, int64_t *ret_s) {
	time_t now = (time_t)now_s;
	struct tm tm;
	struct span clock = s, word = SPAN("");
	int ahead = 0, again = 1;
	if (!localtime_r(&now, &tm))
		return false;
	if (s.len > 0 && (s.p[0] < '0' || s.p[0] > '9')) {
		if (!span_take_until(&clock, ' ', &word))
			return false;
		ahead = day_of(word, &tm, &again);
		clock = span_trim(clock);
	}
	if (ahead < 0 || !take_clock(&clock, &tm) || clock.len > 0)
		return false;
	tm.tm_mday += ahead;
	tm.tm_isdst = -1;
	struct tm day = tm;
	*ret_s = (int64_t)mktime(&day);
	if (*ret_s <= now_s && again > 0) {
		tm.tm_mday += again;
		*ret_s = (int64_t)mktime(&tm);
	}
	return true;
}

static bool parse(struct span s, int64_t now_s, int64_t *ret_s) {
	struct span duration = s;
	uint64_t epoch;
	if (span_take_char(&s, '@'))
		return span_uint(s, INT64_MAX / 1000, &epoch) &&
		       (*ret_s = (int64_t)epoch, true);
	if (!span_take_char(&duration, '+'))
		span_take_lit_nocase(&duration, SPAN("in "));
	if (take_duration(span_trim(duration), ret_s)) {
		*ret_s += now_s;
		return true;
	}
	return absolute(s, ret_s) || relative(s, now_s, ret_s);
}

int attime_parse(struct span text, int64_t now_ms, int64_t *ret_ms, struct err *err) {
	int64_t s;
	if (!parse(span_trim(text), now_ms / 1000, &s))
		return err_set(
			err, ERR_SYNTAX,
			"this is no time; write 2h, 18:30, tomorrow 08:00, monday 09:00 or "
			"2026-11-23 08:00");
	if (s - now_ms / 1000 > (int64_t)ATTIME_DAYS_MAX * 86400)
		return err_set(err, ERR_LIMIT, "this is more than a year ahead");
	*ret_ms = s * 1000;
	return 0;
}

int attime_add(struct buf *out, int64_t wall_ms) {
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;
	if (!localtime_r(&t, &tm))
		return buf_addf(out, "@%lld", (long long)(wall_ms / 1000));
	long zone = tm.tm_gmtoff / 60;
	long size = zone < 0 ? -zone : zone;
	return buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d%c%02ld:%02ld",
			tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
			tm.tm_min, tm.tm_sec, zone < 0 ? '-' : '+', size / 60, size % 60);
}
