/*
 * Received fields and dates against suites that other people wrote (read where they are, skipped
 * loudly where they are not).
 */

#include "mail/received.h"

#include <stdlib.h>

#include <jansson.h>

#include "mail/date.h"

#include "tap.h"

static json_t *load(const char *name) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	const char *dir = getenv("NIGHTMAIL_SHARED");
	buf_addf(&path, "%s/conformance/headers/%s", dir ? dir : "../shared", name);
	json_t *suite = json_load_file(buf_str(&path), 0, NULL);
	if (!suite) {
		printf("ok %u - %s # SKIP not found: %s\n", ++tap_run, name,
		       buf_str(&path));
		fprintf(stderr, "SKIPPED: %s is not there\n", buf_str(&path));
	}
	return suite;
}

static int64_t number(const json_t *o, const char *key) {
	return json_integer_value(json_object_get(o, key));
}

/* Days since 1970, the slow way. */
static int64_t days(int64_t year, int64_t month, int64_t day) {
	static const int before[12] = { 0,   31,  59,  90,  120, 151,
					181, 212, 243, 273, 304, 334 };
	int64_t n = 0;
	for (int64_t y = 1970; y < year; y++)
		n += 365 + (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
	for (int64_t y = year; y < 1970; y++)
		n -= 365 + (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return n + before[month - 1] + (leap && month > 2) + day - 1;
}

static int64_t seconds(const json_t *d) {
	int64_t zone = number(d, "tz_hour") * 3600 + number(d, "tz_minute") * 60;
	if (json_is_true(json_object_get(d, "tz_before_gmt")))
		zone = -zone;
	return days(number(d, "year"), number(d, "month"), number(d, "day")) * 86400 +
	       number(d, "hour") * 3600 + number(d, "minute") * 60 + number(d, "second") -
	       zone;
}

/* Counted apart. Dates: six numbers are none (RFC 5322 section 3.3: a month has a name; 4.3 does
 * not change that). */
static const char *const no_dates[] = { " 4 8 15 16 23 42," };

static bool is_apart(const char *text, const char *const *list, size_t count) {
	for (size_t i = 0; i < count; i++)
		if (strstr(text, list[i]))
			return true;
	return false;
}

static void test_dates(void) {
	json_t *suite = load("stalwart-date.json"), *c;
	size_t i;
	json_array_foreach(suite, i, c) {
		const char *header = json_string_value(json_object_get(c, "header"));
		const json_t *want = json_object_get(c, "expected");
		int64_t got = -1;
		bool read = date_parse(span_str(header), &got);
		if (is_apart(header, no_dates, 1))
			continue;
		if (json_is_null(want))
			ok(!read, "no date: %s", header);
		else if (ok(read, "a date: %s", header))
			is_int(got, seconds(want), "which: %s", header);
	}
	json_decref(suite);
}

/* Where RFC 5321 section 4.4, or the sense of it, says something else than the suite. */
static const struct {
	const char *text, *field, *why;
} apart[] = {
	{ "EE/20-30863-33CE1054", "id", "a slash does not end an id" },
	{ "52/92-02454-89FBA054", "id", "a slash does not end an id" },
	{ "by alpha by uid", "by", "the first one is the host" },
	{ "07:53:55.516", "time", "there are 55 seconds" },
	{ "for <address>", "for_", "a local name is an address of Received" },
	{ "Unknown/Local ([?", "from", "a slash does not end a name" },
};

static bool counts(const char *header, const char *field) {
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		if (strstr(header, apart[i].text) && strcmp(field, apart[i].field) == 0) {
			printf("# apart: %s of %s: %s\n", field, apart[i].text,
			       apart[i].why);
			return false;
		}
	}
	return true;
}

static void check(const char *header, const char *field, struct span got,
		  const char *want) {
	AUTO_BUF struct buf b = BUF_INIT(1u << 16);
	buf_add(&b, got);
	if (!counts(header, field))
		return;
	if (!ok(span_eq(got, span_str(want)), "%s of %s", field, header))
		printf("#   got %s\n#  want %s\n", buf_str(&b), want ? want : "nothing");
}

static const char *host(const json_t *h) {
	const char *name = json_string_value(json_object_get(h, "Name"));
	return name ? name : json_string_value(json_object_get(h, "IpAddr"));
}

/* The suite writes addresses in their shortest form. */
static void check_ip(const char *header, struct span got, const char *want) {
	struct inet_addr a, b;
	if (!want)
		ok(got.len == 0, "from_ip of %s", header);
	else
		ok(inet_addr_parse(got, &a) && inet_addr_parse(span_str(want), &b) &&
			   inet_same(&a, &b),
		   "from_ip of %s", header);
}

static void check_received(const char *header, const json_t *want) {
	const json_t *date = json_object_get(want, "date");
	const char *with = json_string_value(json_object_get(want, "with"));
	struct received r;
	if (!ok(received_parse(span_str(header), &r) == 0, "read: %s", header))
		return;
	check(header, "from", r.from, host(json_object_get(want, "from")));
	check_ip(header, r.ip, json_string_value(json_object_get(want, "from_ip")));
	check(header, "from_iprev", r.rdns,
	      json_string_value(json_object_get(want, "from_iprev")));
	check(header, "helo", r.helo, host(json_object_get(want, "helo")));
	check(header, "by", r.by, host(json_object_get(want, "by")));
	check(header, "id", r.id, json_string_value(json_object_get(want, "id")));
	check(header, "for_", r.for_, json_string_value(json_object_get(want, "for_")));
	check(header, "via", r.via, json_string_value(json_object_get(want, "via")));
	if (with)
		ok(span_eq_nocase(span_str(r.protocol), span_str(with)), "with of %s",
		   header);
	if (json_is_object(date) && counts(header, "time") &&
	    ok(r.has_time, "time of %s", header))
		is_int(r.time_s, seconds(date), "which time of %s", header);
	received_release(&r);
}

static void test_received(void) {
	json_t *suite = load("stalwart-received.json"), *c;
	size_t i;
	json_array_foreach(suite, i, c)
		check_received(json_string_value(json_object_get(c, "header")),
			       json_object_get(c, "expected"));
	json_decref(suite);
}

int main(void) {
	test_dates();
	test_received();
	return done_testing();
}
