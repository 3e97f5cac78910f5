/* Gaps between words of a header field: blanks, folds, and comments in comments. */

#include "mail/chars.h"

#include "tap.h"

int main(void) {
	static const struct {
		const char *label;
		struct span input;
		const char *more, *rest;
		bool ends;
	} cases[] = {
		{ "blanks and folds are skipped", SPAN_INIT(" \t\r\n x"), "", "x", true },
		{ "nothing is no gap", SPAN_INIT("x y"), "", "x y", true },
		{ "a comment is one", SPAN_INIT("(a b) x"), "", "x", true },
		{ "comments nest", SPAN_INIT("(a (b) c)x"), "", "x", true },
		{ "what is quoted in it does not end it", SPAN_INIT("(a\\)b)x"), "", "x",
		  true },
		{ "several follow each other", SPAN_INIT("(a)\r\n (b) x"), "", "x",
		  true },
		{ "other characters are skipped where they are named", SPAN_INIT(", _x"),
		  ",_", "x", true },
		{ "and end the gap elsewhere", SPAN_INIT(" ,x"), "_", ",x", true },
		{ "a parenthesis that closes nothing ends it", SPAN_INIT(" )x"), "", ")x",
		  true },
		{ "a comment without an end takes all", SPAN_INIT("(a (b) c"), "", "",
		  false },
		{ "a backslash at the end, too", SPAN_INIT("(a\\"), "", "", false },
		{ "the end is no fault", SPAN_INIT("  "), "", "", true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span in = cases[i].input;
		bool ends = chars_skip_gap(&in, cases[i].more);
		ok(ends == cases[i].ends && span_eq(in, span_str(cases[i].rest)), "%s",
		   cases[i].label);
	}
	struct span nul = SPAN(" \0x");
	ok(chars_skip_gap(&nul, ",") && nul.len == 2, "a NUL is no gap");
	return done_testing();
}
