/* "did you mean": distances, and when a word is near enough to be offered. */

#include "base/suggest.h"

#include <limits.h>

#include "tap.h"

static void test_distance(void) {
	static const struct {
		const char *a, *b;
		unsigned want;
	} cases[] = {
		{ "", "", 0 },
		{ "abc", "", 3 },
		{ "", "abc", 3 },
		{ "host", "host", 0 },
		{ "HOST", "host", 0 },
		{ "hots", "host", 1 },
		{ "pasword", "password", 1 },
		{ "passwword", "password", 1 },
		{ "passwerd", "password", 1 },
		{ "kitten", "sitting", 3 },
		{ "port", "host", 2 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int(suggest_distance(span_str(cases[i].a), span_str(cases[i].b)),
		       cases[i].want, "\"%s\" and \"%s\" are %u apart", cases[i].a,
		       cases[i].b, cases[i].want);

	char longer[SUGGEST_LENGTH_MAX + 1];
	memset(longer, 'x', sizeof(longer));
	is_int(suggest_distance(span_of(longer, sizeof(longer) - 1),
				span_of(longer, sizeof(longer) - 1)),
	       0, "the longest word is measured");
	is_int(suggest_distance(span_of(longer, sizeof(longer)), SPAN("x")), UINT_MAX,
	       "a longer one is far from everything");
}

static void test_offers(void) {
	static const char *const words[] = { "host", "port", "password",
					     "per-connection" };
	static const struct {
		const char *typed, *want;
	} cases[] = {
		{ "pasword", "password" },
		{ "hsot", "host" },
		{ "prot", "port" },
		{ "per_connection", "per-connection" },
		{ "passwort", "password" },
		{ "user", NULL },
		{ "", NULL },
		{ "po", NULL },
		{ "connections", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct suggest s = { .word = span_str(cases[i].typed), .best = NULL };
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			suggest_try(&s, words[w]);
		is_str(s.best, cases[i].want, "\"%s\" is near to %s", cases[i].typed,
		       cases[i].want ? cases[i].want : "nothing");
	}
}

int main(void) {
	test_distance();
	test_offers();
	return done_testing();
}
