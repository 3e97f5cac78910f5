/* When it is time to say that something ends; the list of servers' certificates; the file that says
 * how long a grant holds. */

#include "deliver/validity.h"

#include <stdio.h>
#include <string.h>

#include "creds/grant.h"
#include "tap.h"

#define DAY (int64_t)86400
#define NOW (20000 * DAY)

static void test_levels(void) {
	static const struct {
		const char *label;
		int64_t from, until;
		enum validity_level want;
	} cases[] = {
		{ "half of it is left", NOW - 50 * DAY, NOW + 50 * DAY, VALIDITY_FINE },
		{ "a fifth is left", NOW - 80 * DAY, NOW + 20 * DAY, VALIDITY_FINE },
		{ "a second less", NOW - 80 * DAY - 1, NOW + 20 * DAY - 1, VALIDITY_LOW },
		{ "a twentieth is left", NOW - 95 * DAY, NOW + 5 * DAY, VALIDITY_LOW },
		{ "a second less than that", NOW - 95 * DAY - 1, NOW + 5 * DAY - 1, VALIDITY_LAST },
		{ "it ends now", NOW - DAY, NOW, VALIDITY_LAST },
		{ "it has ended long ago", NOW - 90 * DAY, NOW - 80 * DAY, VALIDITY_LAST },
		{ "it has not begun", NOW + DAY, NOW + 2 * DAY, VALIDITY_FINE },
		{ "nobody knows when it ends", NOW - DAY, 0, VALIDITY_FINE },
		{ "it ends before it begins", NOW + DAY, NOW - DAY, VALIDITY_FINE },
		{ "it never ends", 0, INT64_MAX, VALIDITY_FINE },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct validity v = { cases[i].from, cases[i].until };
		is_int(validity_level(&v, NOW), cases[i].want, "%s", cases[i].label);
	}
}

static size_t count_of(const char *list, int64_t now, int64_t *ret_until) {
	struct span rest = span_str(list), host;
	struct validity v;
	size_t n = 0;
	for (; validity_next(&rest, now, &host, &v); n++)
		*ret_until = v.until_s;
	return n;
}

static void test_list(void) {
	char list[100] = "";
	int64_t until = 0;
	const struct validity one = { NOW - DAY, NOW + DAY }, two = { NOW, NOW + 90 * DAY };
	const struct validity none = { 0, 0 };
	ok(!validity_note(list, sizeof(list), SPAN("a.example"), &none, NOW) && !list[0],
	   "a server whose certificate does not matter is not remembered");
	ok(validity_note(list, sizeof(list), SPAN("a.example"), &one, NOW), "one that does is");
	ok(!validity_note(list, sizeof(list), SPAN("A.example"), &one, NOW + 3600),
	   "the same within a day is no news");
	ok(validity_note(list, sizeof(list), SPAN("a.example"), &one, NOW + DAY),
	   "that it is still there is, after a day");
	ok(validity_note(list, sizeof(list), SPAN("a.example"), &two, NOW + DAY), "another one is");
	is_int((int64_t)count_of(list, NOW + DAY, &until), 1, "each server has one");
	is_int(until, two.until_s, "the last");
	validity_note(list, sizeof(list), SPAN("b.example"), &one, NOW + DAY);
	is_int((int64_t)count_of(list, NOW + DAY, &until), 2, "two servers");
	is_int((int64_t)count_of(list, NOW + 15 * DAY, &until), 0,
	       "servers that nobody has met for two weeks do not count");
	ok(validity_note(list, sizeof(list), SPAN("b.example"), &none, NOW + DAY),
	   "a certificate that does not matter any more");
	is_int((int64_t)count_of(list, NOW + DAY, &until), 1, "is forgotten");
	validity_note(list, sizeof(list), SPAN("a-name-that-is-long.example"), &one, NOW + DAY);
	validity_note(list, sizeof(list), SPAN("another-one-that-is-long.example"), &one, NOW + DAY);
	ok(strlen(list) < sizeof(list) && count_of(list, NOW + DAY, &until) == 1,
	   "where there is no room the one met last stays");
	ok(!validity_note(list, sizeof(list), SPAN(""), &one, NOW), "a server without a name");
	is_int((int64_t)count_of("a.example 1,2 b.example x c.example 1,2,3,4 d", 3, &until), 0,
	       "what is no list holds nothing");
}

static void test_grant(void) {
	static const struct {
		const char *label, *text;
		bool want;
	} cases[] = {
		{ "a grant", "grant 10 20\n", true },
		{ "without its end of line", "grant 10 20", false },
		{ "with more behind", "grant 10 20\nx", false },
		{ "without an end", "grant 10\n", false },
		{ "an end of 0", "grant 10 0\n", false },
		{ "a negative number", "grant -10 20\n", false },
		{ "too large a number", "grant 1 99999999999999999999\n", false },
		{ "nothing", "", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t from, until;
		is_int(grant_parse(span_str(cases[i].text), &from, &until), cases[i].want, "%s",
		       cases[i].label);
	}
	is_str(grant_tokens("oauth2:/x/y.json"), "/x/y.json", "the file of tokens");
	ok(grant_tokens("file:/x/y.json") == NULL, "a password has none");
}

int main(void) {
	test_levels();
	test_list();
	test_grant();
	return done_testing();
}
