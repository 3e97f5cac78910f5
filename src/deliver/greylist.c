/*
 * How servers say "come back in a while". The words differ as much as the times: "try again in
 * 300 seconds", "come back in 00:04:57", "Greylisted for 5 minutes", "retry in 10m", or nothing
 * at all. A row of the table needs all that it names; most need one of the usual words, some
 * implementations never use them and are known by the code and status they always send.
 */

#include "deliver/greylist.h"

#include <string.h>

#define GREYLIST_DEFAULT_MS (5 * 60 * 1000)
#define GREYLIST_MIN_MS (10 * 1000)
#define GREYLIST_MAX_MS (60 * 60 * 1000)
#define GREYLIST_MARGIN_MS 1000 /* so that a rounded number is over when we come */

static const struct {
	int code;                  /* 0: any 4xx */
	struct mail_status status; /* klass 0: any */
	const char *phrase;
} known[] = {
	{ 0,
	  { 0, 0, 0 },
	  "greylist" }, /* Postgrey, SQLgrey, milter-greylist, cPanel, ... */
	{ 0, { 0, 0, 0 }, "graylist" },
	{ 0, { 0, 0, 0 }, "grey-list" },
	{ 0, { 0, 0, 0 }, "gray-list" },
	{ 0, { 0, 0, 0 }, "grey list" },
	{ 0, { 0, 0, 0 }, "gray list" },
	{ 0, { 0, 0, 0 }, "postgrey" },
	{ 451, { 4, 7, 1 }, "try again later" },               /* Rspamd */
	{ 451, { 0, 0, 0 }, "gl - temporary problem" },        /* qmail-spp */
	{ 451, { 0, 0, 0 }, "temporary failure, please try" }, /* OpenBSD spamd */
	{ 451, { 0, 0, 0 }, "not yet authorized to deliver" }, /* greylistd with Exim */
	{ 450,
	  { 4, 3, 2 },
	  "service currently unavailable" }, /* postscreen, after its tests */
	{ 451,
	  { 0, 0, 0 },
	  "internal resources are temporarily unavailable" }, /* Mimecast */
};

static bool has_status(const struct mail_status *want, const struct mail_status *s) {
	return want->klass == 0 ||
	       (want->klass == s->klass && want->subject == s->subject &&
		want->detail == s->detail);
}

bool greylist_is(const struct smtp_reply *r) {
	if (r->local || r->code / 100 != 4)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if ((known[i].code == 0 || known[i].code == r->code) &&
		    has_status(&known[i].status, &r->status) &&
		    strcasestr(r->text, known[i].phrase))
			return true;
	return false;
}

/* Longest first where one begins with another. */
static const struct {
	struct span word;
	int64_t ms;
} units[] = {
	{ { "seconds", 7 }, 1000 },
	{ { "second", 6 }, 1000 },
	{ { "secs", 4 }, 1000 },
	{ { "sec", 3 }, 1000 },
	{ { "s", 1 }, 1000 },
	{ { "minutes", 7 }, 60 * 1000 },
	{ { "minute", 6 }, 60 * 1000 },
	{ { "mins", 4 }, 60 * 1000 },
	{ { "min", 3 }, 60 * 1000 },
	{ { "m", 1 }, 60 * 1000 },
	{ { "hours", 5 }, 60 * 60 * 1000 },
	{ { "hour", 4 }, 60 * 60 * 1000 },
	{ { "h", 1 }, 60 * 60 * 1000 },
};

static bool is_alnum(char c) {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take_unit(struct span *in, int64_t *ret_ms) {
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct span rest = *in;
		if (!span_take_lit_nocase(&rest, units[i].word))
			continue;
		if (rest.len > 0 && is_alnum(rest.p[0]))
			continue;
		*ret_ms = units[i].ms;
		*in = rest;
		return true;
	}
	return false;
}

/* "00:04:57" or "04:57" behind the first number. */
static bool take_clock(struct span *in, uint64_t first, int64_t *ret_ms) {
	uint64_t second, third;
	struct span rest = *in;
	if (!span_take_char(&rest, ':') || !span_take_uint(&rest, 59, &second))
		return false;
	uint64_t seconds = first * 60 + second;
	if (span_take_char(&rest, ':')) {
		if (!span_take_uint(&rest, 59, &third))
			return false;
		seconds = seconds * 60 + third;
	}
	if (rest.len > 0 && (is_alnum(rest.p[0]) || rest.p[0] == ':'))
		return false;
	*ret_ms = (int64_t)seconds * 1000;
	*in = rest;
	return true;
}

/* One duration at the front: a clock, or a number and a unit ("5 minutes", "300s"). */
static bool take_duration(struct span *in, int64_t *ret_ms) {
	struct span rest = *in;
	uint64_t n;
	int64_t unit_ms;
	if (!span_take_uint(&rest, 1000000, &n))
		return false;
	if (take_clock(&rest, n, ret_ms)) {
		*in = rest;
		return true;
	}
	while (span_take_char(&rest, ' ') || span_take_char(&rest, '-'))
		;
	if (!take_unit(&rest, &unit_ms))
		return false;
	*ret_ms = (int64_t)n * unit_ms;
	*in = rest;
	return true;
}

/* "5 minutes and 30 seconds", "4 min 57 s". */
static int64_t take_sum(struct span *in, int64_t first_ms) {
	int64_t more;
	struct span rest = *in;
	while (span_take_char(&rest, ' ') || span_take_char(&rest, ',') ||
	       span_take_lit_nocase(&rest, SPAN("and ")))
		;
	return take_duration(&rest, &more) ? first_ms + more : first_ms;
}

int64_t greylist_delay_ms(struct span reply_text) {
	struct span in = reply_text;
	int64_t ms;
	char before = ' ';
	while (in.len > 0) {
		/* never in the middle of a word or of an address */
		bool starts = !is_alnum(before) && before != '.' && before != ':' &&
			      before != '-';
		if (starts && take_duration(&in, &ms)) {
			ms = take_sum(&in, ms) + GREYLIST_MARGIN_MS;
			return ms < GREYLIST_MIN_MS   ? GREYLIST_MIN_MS
			       : ms > GREYLIST_MAX_MS ? GREYLIST_MAX_MS
						      : ms;
		}
		before = in.p[0];
		in = span_from(in, 1);
	}
	return GREYLIST_DEFAULT_MS;
}
