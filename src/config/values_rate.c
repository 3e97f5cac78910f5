/*
 * How much and how fast: rates (10/s, 100/15m), quotas (100/h 500/d), and the warm-up of a
 * new sender (50 1.5 2026-11-22: the first day's quota, the factor from day to day, the first
 * day).
 */

#include "config/values.h"

#include "config/keys.h"
#include "config/settings.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define RATE_COUNT_MAX 1000000u
#define PERCENT_MIN 101u
#define PERCENT_MAX 1000u
#define WARMUP_FIRST_MAX 1000000u

static const struct {
	const char *name;
	int64_t ms;
} periods[] = { { "d", DAY_MS }, { "h", HOUR_MS }, { "m", 60000 }, { "s", 1000 } };
#define PERIODS (sizeof(periods) / sizeof(periods[0]))

static bool take_end(struct config_value *v, struct span *rest, struct err *err) {
	struct span more;
	if (!config_value_word(v, rest, &more))
		return true;
	err_set(err, ERR_SYNTAX, "%s is one value too many", term_quote(more).s);
	return false;
}

/* "10/s", "100/15m": ms is the time for all of them. */
static bool parse_rate_word(struct span word, uint64_t *ret_count, int64_t *ret_ms) {
	uint64_t n = 1;
	if (!span_take_uint(&word, CONFIG_QUOTA_MAX, ret_count) || *ret_count == 0 ||
	    !span_take_char(&word, '/'))
		return false;
	if (word.len > 0 && word.p[0] >= '0' && word.p[0] <= '9' &&
	    (!span_take_uint(&word, 86400, &n) || n == 0))
		return false;
	for (size_t i = 0; i < PERIODS; i++) {
		if (!span_eq(word, span_str(periods[i].name)))
			continue;
		*ret_ms = (int64_t)n * periods[i].ms;
		return true;
	}
	return false;
}

static int parse_rate(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	struct config_rate *rate = (void *)((char *)base + key->offset);
	struct span rest = v->text, word = SPAN("");
	uint64_t count;
	int64_t ms;
	config_value_word(v, &rest, &word);
	if (span_eq(word, SPAN("never")) && take_end(v, &rest, err)) {
		*rate = (struct config_rate){ .count = 0 };
		return 0;
	}
	if (!parse_rate_word(word, &count, &ms) || count > RATE_COUNT_MAX || ms > DAY_MS)
		return err_set(
			err, ERR_SYNTAX,
			"%s is not messages in a time, like 10/s or 100/15m; a day is the "
			"longest, %u the most",
			term_quote(word).s, RATE_COUNT_MAX);
	if (!take_end(v, &rest, err))
		return -1;
	*rate = (struct config_rate){ (unsigned)count, ms };
	return 0;
}

static void show_rate(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_rate *rate = (const void *)((const char *)base + key->offset);
	if (rate->count == 0)
		return;
	size_t i = 0;
	while (i + 1 < PERIODS && rate->per_ms % periods[i].ms != 0)
		i++;
	int64_t n = rate->per_ms / periods[i].ms;
	buf_addf(out, "%u/", rate->count);
	if (n != 1)
		buf_addf(out, "%lld", (long long)n);
	buf_adds(out, periods[i].name);
}

static void clear_rate(const struct config_key *key, void *base) {
	struct config_rate *rate = (void *)((char *)base + key->offset);
	*rate = (struct config_rate){ .count = 0 };
}

const struct config_type config_type_rate = { parse_rate, show_rate, clear_rate };

/* One or two words: an hour's and a day's. */
static int parse_quota(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	struct config_limits *limits = (void *)((char *)base + key->offset);
	struct span rest = v->text, word;
	uint64_t count, hour = 0, day = 0;
	int64_t ms;
	while (config_value_word(v, &rest, &word)) {
		if (!parse_rate_word(word, &count, &ms) ||
		    (ms != HOUR_MS && ms != DAY_MS))
			return err_set(
				err, ERR_SYNTAX,
				"%s is not recipients an hour or a day, like 100/h or 500/d",
				term_quote(word).s);
		uint64_t *slot = ms == HOUR_MS ? &hour : &day;
		if (*slot)
			return err_set(err, ERR_SYNTAX, "%s: that is given twice",
				       term_quote(word).s);
		*slot = count;
	}
	limits->hour = hour;
	limits->day = day;
	return 0;
}

static void show_quota(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_limits *l = (const void *)((const char *)base + key->offset);
	if (l->hour)
		buf_addf(out, "%llu/h", (unsigned long long)l->hour);
	if (l->hour && l->day)
		buf_addc(out, ' ');
	if (l->day)
		buf_addf(out, "%llu/d", (unsigned long long)l->day);
}

static void clear_quota(const struct config_key *key, void *base) {
	struct config_limits *limits = (void *)((char *)base + key->offset);
	limits->hour = limits->day = 0;
}

const struct config_type config_type_quota = { parse_quota, show_quota, clear_quota };

/* --- warm-up --- */

/* "1.5" as 150. */
static bool parse_percent(struct span word, unsigned *ret) {
	uint64_t whole, part = 0;
	if (!span_take_uint(&word, 10, &whole))
		return false;
	if (span_take_char(&word, '.')) {
		size_t digits = word.len;
		if (digits == 0 || digits > 2 || !span_take_uint(&word, 99, &part))
			return false;
		part *= digits == 1 ? 10 : 1;
	}
	*ret = (unsigned)(whole * 100 + part);
	return word.len == 0 && *ret >= PERCENT_MIN && *ret <= PERCENT_MAX;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar; its years begin in March, so
 * that the leap day is the last. */
static int64_t days_of(unsigned year, unsigned month, unsigned day) {
	unsigned y = month > 2 ? year : year - 1;
	unsigned m = month > 2 ? month - 3 : month + 9;
	return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day -
	       1 - 719468;
}

static void date_of(int64_t days, unsigned *ret_year, unsigned *ret_month,
		    unsigned *ret_day) {
	unsigned year = (unsigned)(1970 + days / 366), month = 1;
	while (days_of(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_of(year, month + 1, 1) <= days)
		month++;
	*ret_year = year;
	*ret_month = month;
	*ret_day = (unsigned)(days - days_of(year, month, 1)) + 1;
}

static bool parse_date(struct span s, int64_t *ret) {
	uint64_t year, month, day;
	unsigned y, m, d;
	if (s.len != 10 || !span_take_uint(&s, 2999, &year) || year < 1970 ||
	    !span_take_char(&s, '-') || !span_take_uint(&s, 12, &month) || month == 0 ||
	    !span_take_char(&s, '-') || !span_uint(s, 31, &day) || day == 0)
		return false;
	*ret = days_of((unsigned)year, (unsigned)month, (unsigned)day);
	date_of(*ret, &y, &m, &d);
	return m == month && d == day;
}

static int parse_warmup(struct config_value *v, const struct config_key *key, void *base,
			struct err *err) {
	struct config_warmup *warmup = (void *)((char *)base + key->offset);
	struct config_warmup w = { .first = 0 };
	struct span rest = v->text, word = SPAN("");
	uint64_t first;
	if (!config_value_word(v, &rest, &word) ||
	    !span_uint(word, WARMUP_FIRST_MAX, &first) || first == 0)
		return err_set(
			err, ERR_SYNTAX,
			"%s is not the number of recipients of the first day; write 50 1.5 "
			"2026-11-22",
			term_quote(word).s);
	w.first = (unsigned)first;
	word = SPAN("");
	if (!config_value_word(v, &rest, &word) || !parse_percent(word, &w.percent))
		return err_set(
			err, ERR_SYNTAX,
			"%s is not how much more each day may have, from 1.01 to 10",
			term_quote(word).s);
	word = SPAN("");
	if (!config_value_word(v, &rest, &word) || !parse_date(word, &w.start_day))
		return err_set(err, ERR_SYNTAX,
			       "%s is not the first day, like 2026-11-22",
			       term_quote(word).s);
	if (!take_end(v, &rest, err))
		return -1;
	*warmup = w;
	return 0;
}

static void show_warmup(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_warmup *w = (const void *)((const char *)base + key->offset);
	unsigned year, month, day;
	if (w->first == 0)
		return;
	date_of(w->start_day, &year, &month, &day);
	buf_addf(out, "%u %u", w->first, w->percent / 100);
	if (w->percent % 100)
		buf_addf(out, w->percent % 10 ? ".%02u" : ".%u",
			 w->percent % 10 ? w->percent % 100 : w->percent % 100 / 10);
	buf_addf(out, " %04u-%02u-%02u", year, month, day);
}

static void clear_warmup(const struct config_key *key, void *base) {
	struct config_warmup *warmup = (void *)((char *)base + key->offset);
	*warmup = (struct config_warmup){ .first = 0 };
}

const struct config_type config_type_warmup = { parse_warmup, show_warmup, clear_warmup };
