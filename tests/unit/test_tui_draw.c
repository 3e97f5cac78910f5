/* Text on the screen: widths, cuts, hostile bytes, in a UTF-8 locale and without. */

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include <curses.h>

#include "tui/draw.h"
#include "tui/words.h"
#include "tui/model.h"
#include "tap.h"

static const struct draw_area all = { 0, 0, 3, 30 };

static const char *row(int y) {
	static char text[1000];
	struct buf b = BUF_INIT(900);
	draw_read(y, &b);
	snprintf(text, sizeof(text), "%s", buf_str(&b));
	buf_release(&b);
	return text;
}

static const struct cell {
	const char *label;
	struct span text;
	int width;
	const char *utf8, *ascii; /* what stands between the bars */
} cells[] = {
	{ "it fits", SPAN_INIT("abc"), 5, "abc  ", "abc  " },
	{ "it just fits", SPAN_INIT("abcde"), 5, "abcde", "abcde" },
	{ "it is too long", SPAN_INIT("abcdef"), 5, "abcd\u2026", "abcd~" },
	{ "blanks at its end are no loss", SPAN_INIT("abcde  "), 5, "abcde", "abcde" },
	{ "one column", SPAN_INIT("ab"), 1, "\u2026", "~" },
	{ "wide characters", SPAN_INIT("\u5168\u54e1"), 5, "\u5168\u54e1 ", "??   " },
	{ "a wide character at the edge", SPAN_INIT("\u5168\u54e1\u4f8b"), 4,
	  "\u5168\u2026 ",
	  "???"
	  " " },
	{ "an accent of its own", SPAN_INIT("e\u0301x"), 4, "e\u0301x  ", "e?x " },
	{ "an accent without a letter", SPAN_INIT("\u0301x"), 4, "x   ", "?x  " },
	{ "a heap of accents", SPAN_INIT("e\u0301\u0301\u0301\u0301\u0301\u0301x"), 8,
	  "e\u0301\u0301\u0301x      ", "e??????x" },
	{ "an emoji", SPAN_INIT("\U0001F4C8x"), 4, "\U0001F4C8x ", "?x  " },
	{ "joined emoji come apart", SPAN_INIT("\U0001F468\u200d\U0001F469"), 5,
	  "\U0001F468\U0001F469 ", "??   " },
	{ "an escape sequence", SPAN_INIT("a\x1b[31mb"), 12, "a\\x1b[31mb  ",
	  "a\\x1b[31mb  " },
	{ "right to left",
	  SPAN_INIT("a\u202e"
		    "b"),
	  12, "a\\u{202e}b  ", "a\\u{202e}b  " },
	{ "no character", SPAN_INIT("a\xff\xc3"), 12, "a\\xff\\xc3   ",
	  "a\\xff\\xc3   " },
	{ "C1",
	  SPAN_INIT("a\xc2\x9b"
		    "b"),
	  12, "a\\u{009b}b  ", "a\\u{009b}b  " },
	{ "NUL", SPAN_INIT("a\0b"), 8, "a\\x00b  ", "a\\x00b  " },
	{ "an escape that is cut", SPAN_INIT("ab\x1b"), 5, "ab\u2026  ", "ab~  " },
	{ "tab and backslash", SPAN_INIT("a\tb\\c"), 8, "a b\\\\c  ", "a b\\\\c  " },
	{ "nothing", SPAN_INIT(""), 3, "   ", "   " },
};

static void test_cells(bool utf8) {
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		const struct cell *c = &cells[i];
		AUTO_BUF struct buf want = BUF_INIT(200);
		buf_addf(&want, "|%s|", utf8 ? c->utf8 : c->ascii);
		draw_begin();
		draw_text(&all, 1, 0, SPAN("|"), ROLE_NORMAL);
		draw_cell(&all, 1, 1, c->width, c->text, ROLE_NORMAL, DRAW_LEFT);
		draw_text(&all, 1, 1 + c->width, SPAN("|"), ROLE_NORMAL);
		is_str(row(1), buf_str(&want), "%s: %s", utf8 ? "UTF-8" : "ASCII",
		       c->label);
	}
}

static void test_edges(void) {
	struct draw_area part = draw_part(&all, 1, 10, 5, 50);
	is_int(part.h, 2, "a part ends with the whole: rows");
	is_int(part.w, 20, "a part ends with the whole: columns");
	is_int(draw_part(&all, 5, 0, 1, 1).h, 0, "a part outside has no rows");
	draw_begin();
	is_int(draw_text(&part, 2, 0, SPAN("x"), ROLE_NORMAL), 0,
	       "below the area: nothing");
	is_int(draw_text(&part, -1, 0, SPAN("x"), ROLE_NORMAL), 0, "above it: nothing");
	is_int(draw_text(&part, 0, 20, SPAN("x"), ROLE_NORMAL), 0,
	       "right of it: nothing");
	is_int(draw_text(&part, 0, 18, SPAN("xyz"), ROLE_NORMAL), 2, "at its edge: cut");
	is_int(draw_cell(&part, 0, 0, -3, SPAN("x"), ROLE_NORMAL, DRAW_LEFT), 0,
	       "a width below nothing: nothing");
	is_str(row(0), "", "and nothing above");
	draw_begin();
	draw_cell(&all, 0, 0, 10, SPAN("12"), ROLE_NORMAL, DRAW_RIGHT);
	is_str(row(0), "        12", "numbers stand at the right");
}

static void test_bars(void) {
	draw_begin();
	draw_bar(&all, 0, 0, 8, 100, 100, ROLE_NORMAL);
	draw_bar(&all, 1, 0, 8, 1, 1000000, ROLE_NORMAL);
	draw_bar(&all, 2, 0, 8, 0, 100, ROLE_NORMAL);
	is_int(draw_width(span_str(row(0))), 8, "the largest value fills its width");
	is_int(draw_width(span_str(row(1))), 1, "a little is seen");
	is_str(row(2), "", "nothing is not");
	draw_bar(&all, 2, 0, 8, INT64_MAX, INT64_MAX - 1, ROLE_NORMAL);
	is_int(draw_width(span_str(row(2))), 8, "more than the largest does no harm");
}

static void test_fit(void) {
	static const struct {
		const char *label, *text;
		int width;
		bool words;
		size_t want;
	} cases[] = {
		{ "all of it", "one two", 10, true, 7 },
		{ "after a blank", "one two three", 8, true, 8 },
		{ "a blank may hang over", "one two three", 7, true, 8 },
		{ "a long word is broken", "onetwothree four", 6, true, 6 },
		{ "not at words", "one two three", 6, false, 6 },
		{ "to the end of the line", "one\ntwo", 10, true, 4 },
		{ "an empty line", "\ntwo", 10, true, 1 },
		{ "nothing", "", 10, true, 0 },
		{ "at least one character", "\u5168\u54e1", 1, false, 3 },
		{ "an escape counts as shown",
		  "a\x1b"
		  "b",
		  4, false, 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int((int64_t)draw_fit(span_str(cases[i].text), cases[i].width,
					 cases[i].words),
		       (int64_t)cases[i].want, "fit: %s", cases[i].label);
}

static void test_words(void) {
	static const struct {
		int64_t seconds;
		const char *want;
	} ages[] = { { 4, "0:00:04" },  { 42510, "11:48:30" }, { 183600, "2d 03h" },
		     { -5, "0:00:00" }, { 86399, "23:59:59" }, { 86400, "1d 00h" } };
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		AUTO_BUF struct buf b = BUF_INIT(64);
		words_age(&b, ages[i].seconds);
		is_str(buf_str(&b), ages[i].want, "age %lld", (long long)ages[i].seconds);
	}
	static const struct {
		int64_t t;
		const char *time, *clock, *next;
	} times[] = {
		{ 1795528931, "14:02", "14:02:11", "now" },
		{ 1795528991, "14:03", "14:03:11", "14:03" },
		{ 1795442531, "Mon 14:02", "Mon 14:02", "now" },
		{ 1796133731, "2026-12-01", "2026-12-01", "2026-12-01" },
		{ NO_TIME, "-", "-", "-" },
	};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		AUTO_BUF struct buf a = BUF_INIT(64), b = BUF_INIT(64), c = BUF_INIT(64);
		words_time(&a, times[i].t, 1795528931);
		words_clock(&b, times[i].t, 1795528931);
		words_next(&c, times[i].t, 1795528931);
		is_str(buf_str(&a), times[i].time, "time %s", times[i].time);
		is_str(buf_str(&b), times[i].clock, "clock %s", times[i].clock);
		is_str(buf_str(&c), times[i].next, "next %s", times[i].next);
	}
	ok(words_contain(SPAN("Hello"), SPAN("LL")), "a part is found whatever its case");
	ok(!words_contain(SPAN("Hello"), SPAN("lloo")), "what is longer is not");
}

static void on_terminal(const char *locale, bool utf8) {
	FILE *nowhere = fopen("/dev/null", "r+e");
	setlocale(LC_ALL, locale);
	SCREEN *screen = newterm("vt100", nowhere, nowhere);
	if (!ok(screen != NULL, "a terminal in the locale %s", locale))
		return;
	resizeterm(3, 30);
	theme_start(THEME_MONO);
	draw_start();
	is_int(draw_utf8(), utf8, "UTF-8 is known by the locale");
	test_cells(utf8);
	test_edges();
	test_bars();
	if (utf8)
		test_fit();
	endwin();
	delscreen(screen);
	fclose(nowhere);
}

int main(void) {
	setenv("TZ", "UTC", 1);
	on_terminal("C.UTF-8", true);
	on_terminal("C", false);
	test_words();
	return done_testing();
}
