/* Foreign text on a terminal: what passes, what is made visible, and that it is final. */

#include "base/term.h"

#include <stdlib.h>

#include "tap.h"

static void test_safe(void) {
	static const struct {
		const char *label;
		struct span input;
		const char *want;
	} cases[] = {
		{ "plain text passes", SPAN_INIT("250 2.0.0 Ok <a@b>"),
		  "250 2.0.0 Ok <a@b>" },
		{ "UTF-8 passes",
		  SPAN_INIT("Gr\xc3\xbc\xc3\x9f"
			    "e \xf0\x9f\x93\xa7"),
		  "Gr\xc3\xbc\xc3\x9f"
		  "e \xf0\x9f\x93\xa7" },
		{ "escape sequences are shown", SPAN_INIT("\x1b[2J"), "\\x1b[2J" },
		{ "line ends are shown", SPAN_INIT("a\r\nb"), "a\\x0d\\x0ab" },
		{ "NUL is shown", SPAN_INIT("a\0b"), "a\\x00b" },
		{ "DEL is shown", SPAN_INIT("\x7f"), "\\x7f" },
		{ "a tab becomes a space", SPAN_INIT("a\tb"), "a b" },
		{ "a backslash is doubled", SPAN_INIT("\\x1b"), "\\\\x1b" },
		{ "C1 in UTF-8 is shown",
		  SPAN_INIT("\xc2\x9b"
			    "2J"),
		  "\\u{009b}2J" },
		{ "C1 as a raw byte is shown",
		  SPAN_INIT("\x9b"
			    "2J"),
		  "\\x9b2J" },
		{ "Latin-1 is shown as bytes",
		  SPAN_INIT("Gr\xfc\xdf"
			    "e"),
		  "Gr\\xfc\\xdfe" },
		{ "an overlong escape is shown as bytes", SPAN_INIT("\xc0\x9b"),
		  "\\xc0\\x9b" },
		{ "a surrogate is shown as bytes", SPAN_INIT("\xed\xa0\x80"),
		  "\\xed\\xa0\\x80" },
		{ "a cut character is shown as bytes", SPAN_INIT("x\xe2\x82"),
		  "x\\xe2\\x82" },
		{ "right-to-left override is shown",
		  SPAN_INIT("a\xe2\x80\xae"
			    "b"),
		  "a\\u{202e}b" },
		{ "isolates are shown", SPAN_INIT("\xe2\x81\xa6\xe2\x81\xa9"),
		  "\\u{2066}\\u{2069}" },
		{ "marks of direction are shown", SPAN_INIT("\xe2\x80\x8e\xd8\x9c"),
		  "\\u{200e}\\u{061c}" },
		{ "line separators are shown", SPAN_INIT("\xe2\x80\xa8\xe2\x80\xa9"),
		  "\\u{2028}\\u{2029}" },
		{ "neighbours of them pass", SPAN_INIT("\xe2\x80\xa7\xe2\x80\xaf"),
		  "\xe2\x80\xa7\xe2\x80\xaf" },
		{ "nothing stays nothing", SPAN_INIT(""), "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(200);
		term_safe(&out, cases[i].input);
		is_str(buf_str(&out), cases[i].want, "%s", cases[i].label);

		char *text = NULL;
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);
		if (!f)
			return;
		term_print(f, cases[i].input);
		fclose(f);
		is_str(text, cases[i].want, "%s, on a stream too", cases[i].label);
		free(text);
	}
	AUTO_BUF struct buf again = BUF_INIT(200);
	term_safe_again(&again, SPAN("\\x1b \x1b"));
	is_str(buf_str(&again), "\\x1b \\x1b",
	       "text with our escapes in it is not escaped twice");
	AUTO_BUF struct buf small = BUF_INIT(3);
	is_int(term_safe(&small, SPAN("\x1b")), -1, "an escape past the ceiling fails");
}

/* Whatever comes in, what comes out is valid UTF-8 without a single unsafe character. */
static void test_random(void) {
	uint32_t seed = 42;
	bool clean = true;
	for (int round = 0; round < 20000 && clean; round++) {
		char bytes[24];
		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (char)(seed >> 24);
		}
		AUTO_BUF struct buf out = BUF_INIT(1000);
		term_safe(&out, span_of(bytes, sizeof(bytes)));
		struct span rest = buf_span(&out);
		uint32_t cp;
		while (rest.len > 0 && clean)
			clean = span_take_utf8(&rest, &cp) && !term_unsafe(cp);
	}
	ok(clean, "20000 random byte strings come out safe");
}

static void test_color(void) {
	enum term_color color = TERM_COLOR_AUTO;
	ok(term_color_parse(SPAN("always"), &color) && color == TERM_COLOR_ALWAYS,
	   "always is a choice");
	ok(!term_color_parse(SPAN("Always"), &color) &&
		   !term_color_parse(SPAN(""), &color),
	   "other words are none");
	FILE *f = tmpfile();
	if (!f)
		return;
	ok(term_use_color(TERM_COLOR_ALWAYS, f) && !term_use_color(TERM_COLOR_AUTO, f),
	   "a file gets colours only when asked");
	fclose(f);
	setenv("TERM", "xterm", 1);
	setenv("NO_COLOR", "1", 1);
	ok(!term_use_color(TERM_COLOR_NEVER, stdout) &&
		   !term_use_color(TERM_COLOR_AUTO, stdout),
	   "NO_COLOR is respected");
}

static void test_duration(void) {
	static const struct {
		int64_t ms;
		const char *want;
	} cases[] = {
		{ -5, "0 s" },
		{ 999, "0 s" },
		{ 3400, "3 s" },
		{ 59999, "59 s" },
		{ 60000, "1 min" },
		{ 12 * 60000 + 59000, "12 min" },
		{ 3600000, "1 h" },
		{ 4 * 3600000 + 10 * 60000, "4 h 10 min" },
		{ 24 * 3600000, "1 d" },
		{ INT64_C(51) * 3600000, "2 d 3 h" },
		{ 86399999, "23 h 59 min" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(50);
		term_duration(&out, cases[i].ms);
		is_str(buf_str(&out), cases[i].want, "%lld ms in words",
		       (long long)cases[i].ms);
	}
}

static void test_quote(void) {
	char long_text[TERM_QUOTED_MAX + 2], want[TERM_QUOTED_MAX + 8];
	memset(long_text, 'x', sizeof(long_text));
	is_str(term_quote(SPAN("a\nb")).s, "\"a\\x0ab\"", "what is quoted is safe");
	is_str(term_quote(SPAN("")).s, "\"\"", "nothing is quoted, too");
	snprintf(want, sizeof(want), "\"%.*s\"", TERM_QUOTED_MAX, long_text);
	is_str(term_quote(span_of(long_text, TERM_QUOTED_MAX)).s, want, "a long text is whole");
	snprintf(want, sizeof(want), "\"%.*s...\"", TERM_QUOTED_MAX, long_text);
	is_str(term_quote(span_of(long_text, TERM_QUOTED_MAX + 1)).s, want,
	       "a longer one is cut, which shows");
	long_text[TERM_QUOTED_MAX - 1] = '\xc3';
	long_text[TERM_QUOTED_MAX] = '\xbc';
	snprintf(want, sizeof(want), "\"%.*s...\"", TERM_QUOTED_MAX - 1, long_text);
	is_str(term_quote(span_of(long_text, TERM_QUOTED_MAX + 1)).s, want,
	       "but not inside a character");
	memset(long_text, '\1', sizeof(long_text));
	is_int((int64_t)strlen(term_quote(span_of(long_text, sizeof(long_text))).s),
	       4 * TERM_QUOTED_MAX + 5, "escapes have room");
}

int main(void) {
	test_quote();
	test_safe();
	test_random();
	test_color();
	test_duration();
	return done_testing();
}
