/* Spans: comparing, and the rule that a failing span_take_*() leaves its input alone. */

#include "base/span.h"

#include <stdlib.h>

#include "tap.h"

static bool same(struct span s, const char *want) {
	return span_eq(s, span_str(want));
}

static void test_compare(void) {
	ok(span_eq(span_str(NULL), SPAN("")), "NULL is the empty span");
	ok(!span_eq(SPAN("a\0b"), SPAN("a\0c")), "bytes behind a NUL count");
	ok(span_eq_nocase(SPAN("StartTLS"), SPAN("STARTtls")),
	   "ASCII letters compare without case");
	ok(!span_eq_nocase(SPAN("\xc3\x84"), SPAN("\xc3\xa4")), "other letters do not");
	ok(!span_eq_nocase(SPAN("@["), SPAN("`{")), "neighbours of the letters do not");
	ok(span_starts(SPAN("abc"), SPAN("ab")) && !span_starts(SPAN("a"), SPAN("ab")),
	   "starts");
	ok(span_starts(SPAN(""), SPAN("")), "the empty span starts with the empty span");
	ok(span_starts_nocase(SPAN("SIZE 10"), SPAN("size")), "starts without case");
	ok(span_ends_nocase(SPAN("x.EXAMPLE"), SPAN(".example")), "ends without case");
	ok(!span_ends_nocase(SPAN("le"), SPAN(".example")),
	   "a short span does not end with a long one");
}

static void test_parts(void) {
	is_int((int64_t)span_find(SPAN("a=b"), '='), 1, "find gives the offset");
	is_int((int64_t)span_find(SPAN("ab"), '='), 2,
	       "or the length when it is not there");
	is_int((int64_t)span_find(span_str(NULL), 'x'), 0,
	       "nothing is found in the empty span");
	is_int((int64_t)span_find(SPAN("a\0b"), '\0'), 1, "a NUL is found");
	ok(same(span_from(SPAN("abc"), 1), "bc") && span_from(SPAN("abc"), 9).len == 0,
	   "from is clipped");
	ok(same(span_head(SPAN("abc"), 2), "ab") &&
		   same(span_head(SPAN("abc"), 9), "abc"),
	   "head is clipped");
	ok(same(span_trim(SPAN(" \t\r\nx y\r\n ")), "x y"),
	   "trim drops blanks and line ends");
	ok(span_trim(SPAN(" \t ")).len == 0, "trim of blanks alone is empty");
	ok(span_trim(SPAN("\x0b")).len == 1, "trim keeps other control characters");
}

static void test_lines(void) {
	struct span in = SPAN("one\r\ntwo\nthr\ree\r\n\nlast\r");
	static const char *const want[] = { "one", "two", "thr\ree", "", "last\r" };
	struct span line;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ok(span_take_line(&in, &line) && same(line, want[i]),
		   "line %zu ends where it should", i);
	ok(!span_take_line(&in, &line), "then there is no line");
	in = SPAN("\r\r\n");
	ok(span_take_line(&in, &line) && same(line, "\r"),
	   "one CR before LF is taken, not two");
}

static void test_take(void) {
	struct span in = SPAN("key=value"), got;
	ok(!span_take_until(&in, ':', &got) && in.len == 9,
	   "until fails and leaves the input alone");
	ok(span_take_until(&in, '=', &got) && same(got, "key") && same(in, "value"),
	   "until takes both");
	ok(!span_take_char(&in, 'x') && span_take_char(&in, 'v'),
	   "take_char takes exactly that");
	ok(!span_take_lit(&in, SPAN("alues")) && same(in, "alue"),
	   "take_lit takes all or nothing");
	ok(span_take_lit_nocase(&in, SPAN("ALU")) && same(in, "e"),
	   "take_lit_nocase ignores case");
	in = SPAN("  \tone two");
	ok(span_take_word(&in, &got) && same(got, "one"), "a word begins after blanks");
	ok(span_take_word(&in, &got) && same(got, "two"), "and ends at the end");
	in = SPAN("  ");
	ok(!span_take_word(&in, &got) && in.len == 2,
	   "blanks alone are no word and stay");
	char *copy = span_dup(SPAN("a\0b"));
	ok(copy && memcmp(copy, "a\0b", 4) == 0,
	   "dup copies an embedded NUL and ends with one");
	free(copy);
}

static void test_numbers(void) {
	static const struct {
		const char *input;
		uint64_t max;
		bool valid;
		uint64_t want;
	} cases[] = {
		{ "0", 9, true, 0 },
		{ "007", 9, true, 7 },
		{ "10", 9, false, 0 },
		{ "9", 9, true, 9 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999999", UINT64_MAX, false, 0 },
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
		{ "0x1", 9, false, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 77;
		bool valid = span_uint(span_str(cases[i].input), cases[i].max, &v);
		ok(valid == cases[i].valid && v == (valid ? cases[i].want : 77),
		   "\"%s\" up to %llu is %s", cases[i].input,
		   (unsigned long long)cases[i].max,
		   cases[i].valid ? "a number" : "none");
	}
	struct span in = SPAN("250-x");
	uint64_t v;
	ok(span_take_uint(&in, 999, &v) && v == 250 && same(in, "-x"),
	   "a number ends at a non-digit");
	in = SPAN("1000");
	ok(!span_take_uint(&in, 999, &v) && in.len == 4,
	   "too large a number is not taken in part");
	in = SPAN("aFfG");
	ok(span_take_hex(&in, 3, &v) && v == 0xaff && same(in, "G"),
	   "hexadecimal in both cases");
	ok(!span_take_hex(&in, 1, &v) && in.len == 1, "G is no digit");
	in = SPAN("12");
	ok(!span_take_hex(&in, 3, &v) && !span_take_hex(&in, 0, &v),
	   "too few digits, or none asked");
	in = SPAN("0123456789abcdef0");
	ok(!span_take_hex(&in, 17, &v), "17 digits would not fit");
	ok(span_take_hex(&in, 16, &v) && v == UINT64_C(0x0123456789abcdef),
	   "16 digits do");
}

static void test_utf8(void) {
	static const struct {
		const char *label, *input;
		uint32_t want; /* 0: not valid */
	} cases[] = {
		{ "ASCII", "A", 'A' },
		{ "DEL", "\x7f", 0x7f },
		{ "two bytes", "\xc3\xa9", 0xe9 },
		{ "the least of two bytes", "\xc2\x80", 0x80 },
		{ "three bytes", "\xe2\x82\xac", 0x20ac },
		{ "four bytes", "\xf0\x9f\x93\xa7", 0x1f4e7 },
		{ "the last character", "\xf4\x8f\xbf\xbf", 0x10ffff },
		{ "past the last character", "\xf4\x90\x80\x80", 0 },
		{ "an overlong slash", "\xc0\xaf", 0 },
		{ "an overlong slash of three bytes", "\xe0\x80\xaf", 0 },
		{ "an overlong NUL of four bytes", "\xf0\x80\x80\x80", 0 },
		{ "a surrogate", "\xed\xa0\x80", 0 },
		{ "the character before the surrogates", "\xed\x9f\xbf", 0xd7ff },
		{ "a lone continuation", "\x80", 0 },
		{ "a sequence cut short", "\xe2\x82", 0 },
		{ "a sequence broken by ASCII",
		  "\xe2\x82"
		  "A",
		  0 },
		{ "a start without its rest", "\xc3(", 0 },
		{ "five bytes", "\xf8\x88\x80\x80\x80", 0 },
		{ "0xff", "\xff", 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span in = span_str(cases[i].input);
		size_t before = in.len;
		uint32_t cp = 0;
		bool valid = span_take_utf8(&in, &cp);
		ok(valid == (cases[i].want != 0) && cp == cases[i].want &&
			   in.len == (valid ? 0 : before),
		   "UTF-8: %s is %s", cases[i].label,
		   cases[i].want ? "one character" : "refused");
	}
	struct span nul = SPAN("\0");
	uint32_t cp = 1;
	ok(span_take_utf8(&nul, &cp) && cp == 0, "UTF-8: NUL is a character");
	ok(!span_take_utf8(&nul, &cp), "UTF-8: the empty span holds none");
}

int main(void) {
	test_compare();
	test_parts();
	test_lines();
	test_take();
	test_numbers();
	test_utf8();
	return done_testing();
}
