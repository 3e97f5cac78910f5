/* Text in characters: what is cut ends between two of them, whatever the bytes are. */

#include "base/utf8.h"

#include "tap.h"

#define UMLAUT "\xc3\xbc"         /* two bytes */
#define LETTER "\xf0\x9f\x93\xa7" /* four */

static void test_length(void) {
	ok(utf8_is_ascii(SPAN("a~\x7f")) && utf8_is_ascii(SPAN("")), "ASCII is ASCII");
	ok(!utf8_is_ascii(SPAN("a" UMLAUT)), "and nothing else is");
	is_int((int64_t)utf8_length(SPAN("Gr" UMLAUT "n" LETTER)), 5,
	       "characters count, not bytes");
	is_int((int64_t)utf8_length(SPAN("")), 0, "nothing has no character");
}

static void test_cut(void) {
	static const struct {
		const char *label, *input;
		size_t max;
		const char *want;
	} cases[] = {
		{ "what fits stays", "ab" UMLAUT, 4, "ab" UMLAUT },
		{ "a cut between characters is there", "ab" UMLAUT "c", 4, "ab" UMLAUT },
		{ "a cut inside one goes before it", "ab" UMLAUT, 3, "ab" },
		{ "also inside a long one", "a" LETTER "b", 4, "a" },
		{ "a cut before the first character leaves nothing", LETTER, 3, "" },
		{ "no room leaves nothing", "ab", 0, "" },
		{ "bytes that begin nothing are not read beyond", "\x80\x80\x80", 2, "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char copy[16];
		struct span head = utf8_head(span_str(cases[i].input), cases[i].max);
		ok(span_eq(head, span_str(cases[i].want)), "%s", cases[i].label);
		memset(copy, 'x', sizeof(copy));
		utf8_copy(copy, cases[i].max + 1, span_str(cases[i].input));
		is_str(copy, cases[i].want, "as a copy with room for %zu bytes",
		       cases[i].max);
		ok(copy[cases[i].max + 1] == 'x', "which writes no further");
	}
}

int main(void) {
	test_length();
	test_cut();
	return done_testing();
}
