/*
 * Reading dates (RFC 5322 sections 3.3 and 4.3) and what stands in their place in old and odd
 * mail: ctime(3), ISO 8601, month numbers, names of zones. A date is words in nearly any order;
 * each word is what it looks like, and what is missing at the end makes it no date.
 */

#include "mail/date.h"

#include "base/span.h"
#include "mail/chars.h"

#define UNSET (-1)

struct reading {
	int day, month, year; /* month from 1 */
	int hour, minute, second;
	int offset_s; /* of the zone */
	bool zoned, named_zone, pm, am;
};

static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char full_names[12][10] = {
	"january", "february", "march",     "april",   "may",      "june",
	"july",    "august",   "september", "october", "november", "december"
};

/* Hours east of Greenwich; summer times have their own names. Names that mean several zones
 * stand for the most common. */
static const struct {
	const char *name;
	int minutes;
} zones[] = {
	{ "EST", -300 },  { "EDT", -240 },  { "CST", -360 }, { "CDT", -300 },
	{ "MST", -420 },  { "MDT", -360 },  { "PST", -480 }, { "PDT", -420 },
	{ "AKST", -540 }, { "AKDT", -480 }, { "HST", -600 }, { "AST", -240 },
	{ "ADT", -180 },  { "CEST", 120 },  { "CET", 60 },   { "EEST", 180 },
	{ "EET", 120 },   { "WEST", 60 },   { "BST", 60 },   { "MSK", 180 },
	{ "MSD", 240 },   { "JST", 540 },   { "KST", 540 },  { "AEST", 600 },
	{ "AEDT", 660 },  { "NZST", 720 },  { "NZDT", 780 }, { "SAST", 120 },
};

/* --- words --- */

static struct span take_word(struct span *in) {
	size_t n = 0;
	while (n < in->len && !strchr(" \t\r\n,()", in->p[n]))
		n++;
	if (n == 0 && in->len)
		n = 1;
	struct span word = span_head(*in, n);
	*in = span_from(*in, n);
	return word;
}

static bool take_number(struct span *in, int max, int *ret) {
	uint64_t n;
	if (!span_take_uint(in, (uint64_t)max, &n))
		return false;
	*ret = (int)n;
	return true;
}

static int month_of(struct span word) {
	for (int m = 0; m < 12; m++)
		if (span_eq_nocase(word, span_of(names + 3 * m, 3)) ||
		    span_eq_nocase(word, span_str(full_names[m])))
			return m + 1;
	return span_eq_nocase(word, SPAN("sept")) ? 9 : 0;
}

/* --- what a word may be --- */

/* HH:MM, HH:MM:SS, HH:MM:SS.frac; also with a zone right behind it, as in 10:00:00Z. */
static bool read_time(struct reading *r, struct span word, struct span *ret_rest) {
	int hour, minute, second = 0;
	if (!take_number(&word, 23, &hour) || !span_take_char(&word, ':') ||
	    !take_number(&word, 59, &minute))
		return false;
	if (span_take_char(&word, ':') && !take_number(&word, 60, &second))
		return false;
	if (span_take_char(&word, '.'))
		while (word.len && word.p[0] >= '0' && word.p[0] <= '9')
			word = span_from(word, 1);
	r->hour = hour;
	r->minute = minute;
	r->second = second > 59 ? 59 : second;
	*ret_rest = word;
	return true;
}

/* +hhmm, +hh:mm, -hhmm */
static bool read_offset(struct reading *r, struct span word) {
	bool minus = span_take_char(&word, '-');
	uint64_t n;
	int minutes;
	if (!minus && !span_take_char(&word, '+'))
		return false;
	if (word.len == 5 && word.p[2] == ':') {
		int h, m;
		if (!take_number(&word, 15, &h) || !span_take_char(&word, ':') ||
		    !take_number(&word, 59, &m))
			return false;
		minutes = h * 60 + m;
	} else if (word.len == 4 && span_uint(word, 9999, &n)) {
		minutes = (int)(n / 100 * 60 + n % 100);
		if (n / 100 > 15 || n % 100 > 59)
			minutes = 0; /* no zone there is: taken as none */
	} else {
		return false;
	}
	r->offset_s = (minus ? -minutes : minutes) * 60;
	r->zoned = true;
	return true;
}

/* A name counts only where there is no number; "EST5EDT" begins with its name. */
static void read_zone(struct reading *r, struct span word) {
	if (r->zoned || r->named_zone || r->hour == UNSET)
		return;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		struct span name = span_str(zones[i].name);
		if (!span_starts_nocase(word, name) ||
		    (word.len > name.len && span_is_alnum(word.p[name.len]) &&
		     (word.p[name.len] < '0' || word.p[name.len] > '9')))
			continue;
		r->offset_s = zones[i].minutes * 60;
		r->named_zone = true;
		return;
	}
}

/* 2003-07-01, 01-Jul-2003, 7/1/2003 is not read: nobody knows which is which. */
static bool read_joined(struct reading *r, struct span word, struct span *ret_rest) {
	struct span rest = word;
	int first, last;
	if (!take_number(&rest, 9999, &first) || !span_take_char(&rest, '-'))
		return false;
	size_t first_len = (size_t)(rest.p - word.p) - 1;
	struct span middle = span_head(rest, span_find(rest, '-'));
	int month = month_of(middle);
	uint64_t n;
	if (!month && span_uint(middle, 12, &n))
		month = (int)n;
	rest = span_from(rest, middle.len);
	if (!month || !span_take_char(&rest, '-') || !take_number(&rest, 9999, &last))
		return false;
	r->month = month;
	r->year = first_len == 4 ? first : last;
	r->day = first_len == 4 ? last : first;
	*ret_rest = rest;
	return true;
}

static void read_year(struct reading *r, int n, size_t digits) {
	if (digits <= 2)
		n += n < 50 ? 2000 : 1900;
	else if (digits == 3)
		n += 1900; /* RFC 5322 section 4.3 */
	r->year = n;
}

/* Day first, then the month where it is a number, then the year. */
static bool read_plain(struct reading *r, struct span word) {
	uint64_t n;
	if (!span_uint(word, 9999, &n))
		return false;
	if (word.len == 4 && r->year == UNSET && n >= 1900)
		r->year = (int)n;
	else if (r->day == UNSET && n >= 1 && n <= 31)
		r->day = (int)n;
	else if (r->day != UNSET && r->month == UNSET && n >= 1 && n <= 12)
		r->month = (int)n;
	else if (r->day != UNSET && r->month != UNSET && r->year == UNSET)
		read_year(r, (int)n, word.len);
	else
		return false;
	return true;
}

/* False: this cannot be part of a date. */
static bool read_word(struct reading *r, struct span word) {
	struct span rest = SPAN("");
	int month = month_of(word);
	if (month && r->month == UNSET) {
		r->month = month;
		return true;
	}
	if (r->hour == UNSET && read_time(r, word, &rest)) {
		if (rest.len && !read_offset(r, rest))
			read_zone(r, rest);
		return true;
	}
	if (r->day == UNSET && r->year == UNSET && read_joined(r, word, &rest)) {
		if (rest.len && (rest.p[0] == 'T' || rest.p[0] == 't') &&
		    read_time(r, span_from(rest, 1), &rest) && rest.len)
			read_offset(r, rest);
		return true;
	}
	if (read_offset(r, word) || read_plain(r, word))
		return true;
	r->pm |= span_eq_nocase(word, SPAN("PM"));
	r->am |= span_eq_nocase(word, SPAN("AM"));
	read_zone(r, word);
	/* a word of letters: a day's name, a zone's; before all else is known only the former */
	return r->hour != UNSET || r->month == UNSET;
}

/* --- the result --- */

static bool is_leap(int y) {
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static bool is_complete(struct reading *r) {
	static const int length[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (r->day == UNSET || r->month == UNSET || r->year == UNSET || r->hour == UNSET)
		return false;
	if (r->pm && r->hour < 12)
		r->hour += 12;
	if (r->am && r->hour == 12)
		r->hour = 0;
	return r->day <= length[r->month - 1] + (r->month == 2 && is_leap(r->year));
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar. */
static int64_t days_since_1970(int year, int month, int day) {
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* What stands behind the last ";" outside of comments, as in Received. */
static struct span behind_semicolon(struct span s) {
	unsigned depth = 0;
	size_t from = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && depth)
			depth--;
		else if (s.p[i] == '\\' && depth)
			i++;
		else if (s.p[i] == ';' && depth == 0)
			from = i + 1;
	}
	return span_from(s, from);
}

/* A line end that no blank follows is the end of the field. */
static struct span field_of(struct span s) {
	for (size_t i = 0; i + 1 < s.len; i++)
		if (s.p[i] == '\n' && !chars_blank(s.p[i + 1]) && s.p[i + 1] != '\r')
			return span_head(s, i);
	return s;
}

bool date_parse(struct span text, int64_t *ret_s) {
	struct reading r = { UNSET, UNSET, UNSET, UNSET, 0,    0,
			     0,     false, false, false, false };
	text = behind_semicolon(field_of(text));
	while (chars_skip_gap(&text, ",_") && text.len > 0) {
		struct span word = take_word(&text);
		if (!read_word(&r, word))
			break;
	}
	if (!is_complete(&r))
		return false;
	*ret_s = days_since_1970(r.year, r.month, r.day) * 86400 + r.hour * 3600 +
		 r.minute * 60 + r.second - r.offset_s;
	return true;
}
