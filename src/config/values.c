/*
 * Numbers, times, sizes and choices, and what all values share: words with their place,
 * quoting. Text values stand in values_text.c, hosts in values_host.c.
 */

#include "config/values.h"

#include "base/term.h"
#include "config/keys.h"
#include "config/settings.h"

bool config_value_word(struct config_value *v, struct span *rest, struct span *ret) {
	if (!span_take_word(rest, ret))
		return false;
	v->wrong = (size_t)(ret->p - v->text.p);
	return true;
}

static void *member(const struct config_key *key, void *base) {
	return (char *)base + key->offset;
}

static const void *member_of(const struct config_key *key, const void *base) {
	return (const char *)base + key->offset;
}

/* Takes exactly n words. */
static int take_words(struct config_value *v, struct span words[], size_t n,
		      struct err *err) {
	struct span rest = v->text, more;
	for (size_t i = 0; i < n; i++) {
		if (!config_value_word(v, &rest, &words[i]))
			return err_set(err, ERR_SYNTAX, "%zu values are needed, not %zu",
				       n, i);
	}
	if (!config_value_word(v, &rest, &more))
		return 0;
	if (more.p[0] == '#' || more.p[0] == ';')
		return err_set(err, ERR_SYNTAX, "comments have lines of their own");
	return err_set(err, ERR_SYNTAX, "%s is one value too many", term_quote(more).s);
}

/* Milliseconds and bytes by unit; the larger unit first, as values are shown. */
struct unit {
	const char *name;
	int64_t factor;
};
static const struct unit time_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};
static const struct unit size_units[] = {
	{ "G", 1 << 30 },
	{ "M", 1 << 20 },
	{ "K", 1 << 10 },
	{ "", 1 },
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void show_units(struct buf *out, int64_t value, const struct unit *units,
		       size_t n) {
	size_t i = 0;
	while (i + 1 < n && (value % units[i].factor != 0 || value == 0))
		i++;
	buf_addf(out, "%lld%s", (long long)(value / units[i].factor), units[i].name);
}

/* number unit; the unit's case does not matter for sizes. */
static bool parse_units(struct span word, const struct unit *units, size_t n,
			int64_t *ret) {
	uint64_t number;
	if (!span_take_uint(&word, INT64_MAX, &number))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct span name = span_str(units[i].name);
		bool same = units == size_units ? span_eq_nocase(word, name)
						: span_eq(word, name);
		if (!same || number > (uint64_t)(INT64_MAX / units[i].factor))
			continue;
		*ret = (int64_t)number * units[i].factor;
		return true;
	}
	return false;
}

/* "is too small; at least 1s" */
static int out_of_range(struct span word, const struct config_key *key,
			const struct unit *units, size_t n, bool small, struct err *err) {
	AUTO_BUF struct buf bound = BUF_INIT(64);
	show_units(&bound, small ? key->min : key->max, units, n);
	return err_set(err, ERR_LIMIT, "%s is too %s; %s is the %s", term_quote(word).s,
		       small ? "small" : "large", buf_str(&bound),
		       small ? "least" : "most");
}

static int check_range(struct span word, int64_t value, const struct config_key *key,
		       const struct unit *units, size_t n, struct err *err) {
	if (value < key->min || value > key->max)
		return out_of_range(word, key, units, n, value < key->min, err);
	return 0;
}

static int parse_time_word(struct span word, const struct config_key *key, int64_t *ret,
			   struct err *err) {
	int64_t ms;
	if (!parse_units(word, time_units, COUNT(time_units), &ms))
		return err_set(err, ERR_SYNTAX,
			       "%s is not a time; times are written 30s 5m 4h 5d",
			       term_quote(word).s);
	if (check_range(word, ms, key, time_units, COUNT(time_units), err) != 0)
		return -1;
	*ret = ms;
	return 0;
}

static int parse_times(struct config_value *v, const struct config_key *key, int64_t *ret,
		       size_t n, struct err *err) {
	struct span words[3];
	if (take_words(v, words, n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		v->wrong = (size_t)(words[i].p - v->text.p);
		if (parse_time_word(words[i], key, &ret[i], err) != 0)
			return -1;
	}
	return 0;
}

static void show_times(const struct config_key *key, const void *base, size_t n,
		       struct buf *out) {
	const int64_t *ms = member_of(key, base);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(out, ' ');
		show_units(out, ms[i], time_units, COUNT(time_units));
	}
}

static int parse_time(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	int64_t ms;
	if (parse_times(v, key, &ms, 1, err) != 0)
		return -1;
	*(int64_t *)member(key, base) = ms;
	return 0;
}

static void show_time(const struct config_key *key, const void *base, struct buf *out) {
	show_times(key, base, 1, out);
}

const struct config_type config_type_time = { parse_time, show_time, NULL };

static int parse_time_or_never(struct config_value *v, const struct config_key *key,
			       void *base, struct err *err) {
	if (!span_eq(v->text, SPAN("never")))
		return parse_time(v, key, base, err);
	*(int64_t *)member(key, base) = 0;
	return 0;
}

static void show_time_or_never(const struct config_key *key, const void *base,
			       struct buf *out) {
	if (*(const int64_t *)member_of(key, base) == 0)
		buf_adds(out, "never");
	else
		show_times(key, base, 1, out);
}

const struct config_type config_type_time_or_never = { parse_time_or_never,
						       show_time_or_never, NULL };

_Static_assert(offsetof(struct settings, retry_max_ms) ==
		       offsetof(struct settings, retry_min_ms) + sizeof(int64_t),
	       "two in a row");

static int parse_retry(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	int64_t ms[2];
	if (parse_times(v, key, ms, 2, err) != 0)
		return -1;
	if (ms[0] > ms[1])
		return err_set(err, ERR_SYNTAX,
			       "the first wait is longer than the longest");
	memcpy(member(key, base), ms, sizeof(ms));
	return 0;
}

static void show_retry(const struct config_key *key, const void *base, struct buf *out) {
	show_times(key, base, 2, out);
}

const struct config_type config_type_retry = { parse_retry, show_retry, NULL };

_Static_assert(offsetof(struct config_relay, data_timeout_ms) ==
		       offsetof(struct config_relay, connect_timeout_ms) +
			       2 * sizeof(int64_t),
	       "three in a row");

static int parse_timeouts(struct config_value *v, const struct config_key *key,
			  void *base, struct err *err) {
	int64_t ms[3];
	if (parse_times(v, key, ms, 3, err) != 0)
		return -1;
	memcpy(member(key, base), ms, sizeof(ms));
	return 0;
}

static void show_timeouts(const struct config_key *key, const void *base,
			  struct buf *out) {
	show_times(key, base, 3, out);
}

const struct config_type config_type_timeouts = { parse_timeouts, show_timeouts, NULL };

static int parse_number(struct config_value *v, const struct config_key *key,
			const char *like, const struct unit *units, size_t n,
			int64_t *ret, struct err *err) {
	struct span word;
	if (take_words(v, &word, 1, err) != 0)
		return -1;
	v->wrong = 0;
	if (!parse_units(word, units, n, ret))
		return err_set(err, ERR_SYNTAX, "%s is not a %s", term_quote(word).s,
			       like);
	return check_range(word, *ret, key, units, n, err);
}

static const struct unit plain[] = { { "", 1 } };

static int parse_port(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	int64_t n;
	if (parse_number(v, key, "port number", plain, COUNT(plain), &n, err) != 0)
		return -1;
	*(uint16_t *)member(key, base) = (uint16_t)n;
	return 0;
}

static void show_port(const struct config_key *key, const void *base, struct buf *out) {
	buf_addf(out, "%u", (unsigned)*(const uint16_t *)member_of(key, base));
}

static void clear_port(const struct config_key *key, void *base) {
	*(uint16_t *)member(key, base) = 0;
}

const struct config_type config_type_port = { parse_port, show_port, clear_port };

static int parse_count(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	int64_t n;
	if (parse_number(v, key, "number", plain, COUNT(plain), &n, err) != 0)
		return -1;
	*(unsigned *)member(key, base) = (unsigned)n;
	return 0;
}

static void show_count(const struct config_key *key, const void *base, struct buf *out) {
	buf_addf(out, "%u", *(const unsigned *)member_of(key, base));
}

const struct config_type config_type_count = { parse_count, show_count, NULL };

static int parse_size(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	int64_t n;
	if (parse_number(v, key, "size; sizes are written 10K 64M 1G", size_units,
			 COUNT(size_units), &n, err) != 0)
		return -1;
	*(uint64_t *)member(key, base) = (uint64_t)n;
	return 0;
}

static void show_size(const struct config_key *key, const void *base, struct buf *out) {
	show_units(out, (int64_t) * (const uint64_t *)member_of(key, base), size_units,
		   COUNT(size_units));
}

const struct config_type config_type_size = { parse_size, show_size, NULL };

#define PER_HOUR_MAX 1000000

/* "600/h 1G", or "never": no limit. */
static int parse_user_limit(struct config_value *v, const struct config_key *key, void *base,
			    struct err *err) {
	struct span words[2], rate;
	uint64_t per_hour;
	int64_t bytes;
	struct config_user_limit *limit = member(key, base);
	if (span_eq(v->text, SPAN("never"))) {
		*limit = (struct config_user_limit){ .per_hour = 0 };
		return 0;
	}
	if (take_words(v, words, 2, err) != 0)
		return -1;
	rate = words[0];
	v->wrong = (size_t)(words[0].p - v->text.p);
	if (!span_take_uint(&rate, PER_HOUR_MAX, &per_hour) || per_hour == 0 ||
	    !span_eq(rate, SPAN("/h")))
		return err_set(err, ERR_SYNTAX, "%s is not messages an hour, like 600/h",
			       term_quote(words[0]).s);
	v->wrong = (size_t)(words[1].p - v->text.p);
	if (!parse_units(words[1], size_units, COUNT(size_units), &bytes))
		return err_set(err, ERR_SYNTAX, "%s is not a size; sizes are written 10K 64M 1G",
			       term_quote(words[1]).s);
	if (check_range(words[1], bytes, key, size_units, COUNT(size_units), err) != 0)
		return -1;
	*limit = (struct config_user_limit){ (uint64_t)bytes, (unsigned)per_hour };
	return 0;
}

static void show_user_limit(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_user_limit *limit = member_of(key, base);
	if (limit->per_hour == 0) {
		buf_adds(out, "never");
		return;
	}
	buf_addf(out, "%u/h ", limit->per_hour);
	show_units(out, (int64_t)limit->bytes, size_units, COUNT(size_units));
}

const struct config_type config_type_user_limit = { parse_user_limit, show_user_limit, NULL };

#define STORM_COUNT_MAX 1000

/* "20/10m", or "never": off. */
static int parse_storm_limit(struct config_value *v, const struct config_key *key, void *base,
			     struct err *err) {
	struct span word, time;
	uint64_t count;
	int64_t window_ms;
	struct config_storm_limit *limit = member(key, base);
	if (span_eq(v->text, SPAN("never"))) {
		*limit = (struct config_storm_limit){ .count = 0 };
		return 0;
	}
	if (take_words(v, &word, 1, err) != 0)
		return -1;
	time = word;
	v->wrong = 0;
	if (!span_take_uint(&time, STORM_COUNT_MAX, &count) || count == 0 ||
	    !span_take_char(&time, '/'))
		return err_set(err, ERR_SYNTAX,
			       "%s is not messages in a time, like 20/10m, and not never; %d is "
			       "the most",
			       term_quote(word).s, STORM_COUNT_MAX);
	v->wrong = (size_t)(time.p - v->text.p);
	if (parse_time_word(time, key, &window_ms, err) != 0)
		return -1;
	*limit = (struct config_storm_limit){ (unsigned)count, window_ms };
	return 0;
}

static void show_storm_limit(const struct config_key *key, const void *base,
			     struct buf *out) {
	const struct config_storm_limit *limit = member_of(key, base);
	if (limit->count == 0) {
		buf_adds(out, "never");
		return;
	}
	buf_addf(out, "%u/", limit->count);
	show_units(out, limit->window_ms, time_units, COUNT(time_units));
}

const struct config_type config_type_storm_limit = { parse_storm_limit, show_storm_limit,
						     NULL };

/* One of two words; the member is an enum whose values are their places. */
static int parse_either(struct config_value *v, const struct config_key *key, void *base,
			const char *const words[2], struct err *err) {
	unsigned *value = (void *)((char *)base + key->offset);
	for (unsigned i = 0; i < 2; i++) {
		if (!span_eq(v->text, span_str(words[i])))
			continue;
		*value = i;
		return 0;
	}
	return err_set(err, ERR_SYNTAX, "%s is neither %s nor %s", term_quote(v->text).s,
		       words[0], words[1]);
}

static void show_either(const struct config_key *key, const void *base,
			const char *const words[2], struct buf *out) {
	const unsigned *value = member_of(key, base);
	buf_adds(out, words[*value]);
}

static const char *const long_lines_words[2] = { [CONFIG_LONG_LINES_ENCODE] = "encode",
						 [CONFIG_LONG_LINES_SEND] = "send" };

static int parse_long_lines(struct config_value *v, const struct config_key *key,
			    void *base, struct err *err) {
	return parse_either(v, key, base, long_lines_words, err);
}

static void show_long_lines(const struct config_key *key, const void *base,
			    struct buf *out) {
	show_either(key, base, long_lines_words, out);
}

const struct config_type config_type_long_lines = { parse_long_lines, show_long_lines, NULL };

static const char *const downgrade_words[2] = { [CONFIG_DOWNGRADE_WARN] = "warn",
						[CONFIG_DOWNGRADE_HOLD] = "hold" };

static int parse_downgrade(struct config_value *v, const struct config_key *key, void *base,
			   struct err *err) {
	return parse_either(v, key, base, downgrade_words, err);
}

static void show_downgrade(const struct config_key *key, const void *base, struct buf *out) {
	show_either(key, base, downgrade_words, out);
}

const struct config_type config_type_downgrade = { parse_downgrade, show_downgrade, NULL };

static const char *const auto_words[2] = { [CONFIG_SANDBOX_AUTO] = "auto",
					   [CONFIG_SANDBOX_OFF] = "off" };

static int parse_auto(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	return parse_either(v, key, base, auto_words, err);
}

static void show_auto(const struct config_key *key, const void *base, struct buf *out) {
	show_either(key, base, auto_words, out);
}

const struct config_type config_type_auto = { parse_auto, show_auto, NULL };
