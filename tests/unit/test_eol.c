/* Line ends: every mixture, cut at every place, gives the same wire form. */

#include "mail/eol.h"

#include "tap.h"

static const struct {
	const char *label;
	struct span input;
	const char *want;
	size_t longest;
	bool has_8bit;
} cases[] = {
	{ "LF", SPAN_INIT("a\nbc\n"), "a\r\nbc\r\n", 2, false },
	{ "CRLF", SPAN_INIT("a\r\nbc\r\n"), "a\r\nbc\r\n", 2, false },
	{ "bare CR", SPAN_INIT("a\rbc\r"), "a\r\nbc\r\n", 2, false },
	{ "CR CR LF", SPAN_INIT("a\r\r\nb\n"), "a\r\n\r\nb\r\n", 1, false },
	{ "LF CR", SPAN_INIT("a\n\rb"), "a\r\n\r\nb\r\n", 1, false },
	{ "no last line end", SPAN_INIT("abc"), "abc\r\n", 3, false },
	{ "empty", SPAN_INIT(""), "", 0, false },
	{ "one line end", SPAN_INIT("\n"), "\r\n", 0, false },
	{ "a last CR", SPAN_INIT("a\r"), "a\r\n", 1, false },
	{ "a byte of 0x80", SPAN_INIT("\x80\n"), "\x80\r\n", 1, true },
	{ "a long line with 0xff at its end", SPAN_INIT("0123456789abcdef\xff\nx\n"),
	  "0123456789abcdef\xff\r\nx\r\n", 17, true },
	{ "0x8a and 0x8d are no line ends",
	  SPAN_INIT("0123\x8a"
		    "456\x8d"
		    "0123\n"),
	  "0123\x8a"
	  "456\x8d"
	  "0123\r\n",
	  13, true },
	{ "0x01 and 0x0b and 0x0e stay", SPAN_INIT("\x01\x0b\x0e\x0c\x09\x0b\x01\x7f\n"),
	  "\x01\x0b\x0e\x0c\x09\x0b\x01\x7f\r\n", 8, false },
	{ "CRLF, then LF, then CRLF",
	  SPAN_INIT("0123456789abcdef\r\n\r\nlonger than the first line\nx\r\n"),
	  "0123456789abcdef\r\n\r\nlonger than the first line\r\nx\r\n", 26, false },
	{ "tabs, and 0x80 behind them", SPAN_INIT("\ta\tb\tc\td\te\tf\x80\r\nabc\r\n"),
	  "\ta\tb\tc\td\te\tf\x80\r\nabc\r\n", 13, true },
	{ "a last line without an end behind CRLF", SPAN_INIT("abc\r\ndefghijklmno"),
	  "abc\r\ndefghijklmno\r\n", 12, false },
	{ "a dot at the start stays alone", SPAN_INIT(".\n..\n"), ".\r\n..\r\n", 2,
	  false },
};

/* Feeds the input in pieces of n bytes and says whether all is as wanted. */
static bool right(size_t which, size_t n) {
	AUTO_BUF struct buf out = BUF_INIT(1000);
	struct eol e;
	eol_init(&e);
	for (size_t at = 0; at < cases[which].input.len; at += n)
		if (eol_feed(&e, span_head(span_from(cases[which].input, at), n), &out,
			     NULL) != 0)
			return false;
	return eol_finish(&e, &out) == 0 &&
	       strcmp(buf_str(&out), cases[which].want) == 0 &&
	       e.longest == cases[which].longest && e.has_8bit == cases[which].has_8bit;
}

static void test_cases(void) {
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool all = true;
		for (size_t n = 1; n <= 20; n++)
			all = all && right(i, n);
		ok(all, "%s, in pieces of every size", cases[i].label);
	}
}

static void test_nul(void) {
	static const char text[] = "0123456789abcdef0123456789";
	bool all = true;
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		AUTO_BUF struct buf out = BUF_INIT(1000);
		struct err err = ERR_INIT;
		struct eol e;
		char copy[sizeof(text)];
		memcpy(copy, text, sizeof(text));
		copy[at] = '\0';
		eol_init(&e);
		all = all &&
		      eol_feed(&e, span_of(copy, sizeof(text) - 1), &out, &err) == -1 &&
		      err.kind == ERR_SYNTAX;
	}
	ok(all, "a NUL is refused wherever it stands");
}

static void test_limit(void) {
	AUTO_BUF struct buf out = BUF_INIT(5);
	struct err err = ERR_INIT;
	struct eol e;
	eol_init(&e);
	is_int(eol_feed(&e, SPAN("abc\n"), &out, &err), 0, "five octets fit into five");
	is_int(eol_feed(&e, SPAN("d"), &out, &err), -1, "a sixth does not");
	is_int(err.kind, ERR_LIMIT, "and the error is a limit");
}

int main(void) {
	test_cases();
	test_nul();
	test_limit();
	return done_testing();
}
