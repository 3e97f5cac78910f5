/*
 * Text to cells of the screen. The unit is a glyph: one character of the text, or the escape
 * that base/term.h makes of it. Cutting, measuring and breaking lines all walk over glyphs, so
 * they agree; what a character is worth in columns is wcwidth's business.
 *
 * Joiners, variation selectors and skin tones are left out: terminals do not agree on how wide
 * the emoji is that they would make, and one column of difference spoils the rest of the line.
 */

#include "tui/draw.h"

#include <langinfo.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <curses.h>

#include "base/term.h"

#define ESCAPE_MAX 12 /* \u{10ffff} */
#define MARKS_MAX 3   /* accents on one character: curses keeps four */
#define TEXT_MAX 1000

static bool utf8;
static int cursor_y, cursor_x;

struct glyph {
	wchar_t text[ESCAPE_MAX];
	int n;     /* characters of text; 0: nothing is shown */
	int width; /* columns; 0: goes onto the character before */
};

static bool left_out(uint32_t cp) {
	return cp == 0x200d || (cp >= 0xfe00 && cp <= 0xfe0f) ||
	       (cp >= 0x1f3fb && cp <= 0x1f3ff);
}

static void glyph_escape(struct span bytes, struct glyph *ret) {
	AUTO_BUF struct buf text = BUF_INIT(4 * ESCAPE_MAX);
	term_safe(&text, bytes);
	ret->n = (int)(text.len < ESCAPE_MAX ? text.len : ESCAPE_MAX);
	ret->width = ret->n;
	for (int i = 0; i < ret->n; i++)
		ret->text[i] = (wchar_t)text.data[i];
}

/* Takes one character, or one byte that is none; false at the end. */
static bool glyph_take(struct span *in, struct glyph *ret) {
	struct span before = *in;
	uint32_t cp;
	if (in->len == 0)
		return false;
	if (!span_take_utf8(in, &cp)) {
		*in = span_from(*in, 1);
		glyph_escape(span_head(before, 1), ret);
		return true;
	}
	if (term_unsafe(cp) || cp == '\\') {
		glyph_escape(span_head(before, before.len - in->len), ret);
		return true;
	}
	ret->text[0] = (wchar_t)cp;
	ret->n = ret->width = 1;
	if (cp < 0x80)
		return true;
	ret->width = utf8 ? wcwidth((wchar_t)cp) : -1;
	if (left_out(cp)) {
		ret->n = ret->width = 0;
	} else if (ret->width < 0) {
		ret->text[0] = L'?';
		ret->width = 1;
	}
	return true;
}

int draw_width(struct span text) {
	struct glyph g;
	int width = 0;
	while (glyph_take(&text, &g))
		width += g.width;
	return width;
}

/* Columns of the text, counted no further than just past `most`. */
static int width_up_to(struct span text, int most) {
	struct glyph g;
	int width = 0;
	while (width <= most && glyph_take(&text, &g))
		width += g.width;
	return width;
}

size_t draw_fit(struct span text, int width, bool words) {
	struct span rest = text;
	struct glyph g;
	size_t end = 0, blank = 0;
	int used = 0;
	while (rest.len && rest.p[0] != '\n') {
		bool is_blank = rest.p[0] == ' ' || rest.p[0] == '\t';
		glyph_take(&rest, &g);
		used += g.width;
		/* A blank may hang over the edge: it is not seen. */
		if (used > width && !is_blank && end > 0)
			return words && blank > 0 ? blank : end;
		end = text.len - rest.len;
		if (is_blank)
			blank = end;
	}
	return rest.len ? end + 1 : end;
}

/* A line of the screen while it is put together. */
struct strip {
	wchar_t text[TEXT_MAX + ESCAPE_MAX];
	int n, width;
	int marks; /* accents since the last character with a width */
};

static void strip_add(struct strip *s, const struct glyph *g) {
	if (g->n == 0 || s->n + g->n > TEXT_MAX)
		return;
	if (g->width == 0 && (s->width == 0 || ++s->marks > MARKS_MAX))
		return;
	if (g->width > 0)
		s->marks = 0;
	wmemcpy(s->text + s->n, g->text, (size_t)g->n);
	s->n += g->n;
	s->width += g->width;
}

/* As much of the text as fits; the mark of a cut if not all does. Blanks at the end are no
 * loss. */
static void strip_fill(struct strip *s, struct span text, int width) {
	bool cut = width_up_to(text, width) > width;
	while (cut && text.len && text.p[text.len - 1] == ' ')
		text.len--;
	cut = cut && width_up_to(text, width) > width;
	struct glyph g;
	while (glyph_take(&text, &g) && s->width + g.width <= width - cut)
		strip_add(s, &g);
	if (cut && width > 0) {
		g = (struct glyph){ .text = { utf8 ? L'\u2026' : L'~' },
				    .n = 1,
				    .width = 1 };
		strip_add(s, &g);
	}
}

static void put(const struct draw_area *in, int y, int x, const wchar_t *text, int n,
		enum theme_role role) {
	struct theme_style style = theme_style(role);
	attr_set(style.attributes, style.pair, NULL);
	mvaddnwstr(in->y + y, in->x + x, text, n);
	attr_set(A_NORMAL, 0, NULL);
}

static bool inside(const struct draw_area *in, int y, int x) {
	return y >= 0 && y < in->h && x >= 0 && x < in->w;
}

static void put_repeated(const struct draw_area *in, int y, int x, int n, wchar_t c,
			 enum theme_role role) {
	wchar_t line[TEXT_MAX];
	n = n < TEXT_MAX ? n : TEXT_MAX;
	if (n > in->w - x)
		n = in->w - x;
	if (!inside(in, y, x) || n <= 0)
		return;
	wmemset(line, c, (size_t)n);
	put(in, y, x, line, n, role);
}

int draw_text(const struct draw_area *in, int y, int x, struct span text,
	      enum theme_role role) {
	struct strip s = { .n = 0 };
	if (!inside(in, y, x))
		return 0;
	strip_fill(&s, text, in->w - x < TEXT_MAX ? in->w - x : TEXT_MAX);
	put(in, y, x, s.text, s.n, role);
	return s.width;
}

int draw_cell(const struct draw_area *in, int y, int x, int width, struct span text,
	      enum theme_role role, enum draw_align align) {
	struct strip s = { .n = 0 };
	if (width > in->w - x)
		width = in->w - x;
	if (!inside(in, y, x) || width <= 0)
		return 0;
	strip_fill(&s, text, width < TEXT_MAX ? width : TEXT_MAX);
	int blanks = width - s.width;
	int at = align == DRAW_RIGHT ? x + blanks : x;
	if (blanks > 0)
		put_repeated(in, y, align == DRAW_RIGHT ? x : x + s.width, blanks, L' ',
			     role);
	put(in, y, at, s.text, s.n, role);
	return s.width;
}

int draw_textf(const struct draw_area *in, int y, int x, enum theme_role role,
	       const char *fmt, ...) {
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	return draw_text(in, y, x, buf_span(&text), role);
}

void draw_row(const struct draw_area *in, int y, enum theme_role role) {
	put_repeated(in, y, 0, in->w, L' ', role);
}

void draw_rule(const struct draw_area *in, int y, const char *title, const char *right) {
	int right_width = draw_width(span_str(right));
	int x = 3;
	put_repeated(in, y, 0, in->w, utf8 ? L'\u2500' : L'-', ROLE_DIM);
	if (title[0]) {
		x += draw_text(in, y, x, span_str(title), ROLE_TITLE);
		put_repeated(in, y, 2, 1, L' ', ROLE_DIM);
		put_repeated(in, y, x, 1, L' ', ROLE_DIM);
	}
	if (right[0] && x + right_width + 4 <= in->w) {
		x = in->w - right_width - 3;
		put_repeated(in, y, x, right_width + 2, L' ', ROLE_DIM);
		draw_text(in, y, x + 1, span_str(right), ROLE_DIM);
	}
}

void draw_divider(const struct draw_area *in, int x, bool top, bool bottom) {
	for (int y = 0; y < in->h; y++)
		put_repeated(in, y, x, 1, utf8 ? L'\u2502' : L'|', ROLE_DIM);
	struct draw_area above = { in->y - 1, in->x, 1, in->w };
	struct draw_area below = { in->y + in->h, in->x, 1, in->w };
	if (top)
		put_repeated(&above, 0, x, 1, utf8 ? L'\u252c' : L'+', ROLE_DIM);
	if (bottom)
		put_repeated(&below, 0, x, 1, utf8 ? L'\u2534' : L'+', ROLE_DIM);
}

void draw_bar(const struct draw_area *in, int y, int x, int width, int64_t value,
	      int64_t largest, enum theme_role role) {
	/* The left eighths of a block, after the empty one. */
	static const wchar_t part[] = { L' ',      L'\u258f', L'\u258e', L'\u258d',
					L'\u258c', L'\u258b', L'\u258a', L'\u2589' };
	if (value <= 0 || width <= 0 || largest <= 0)
		return;
	int64_t eighths = value >= largest ? (int64_t)width * 8
					   : (int64_t)((double)value / (double)largest *
						       (double)width * 8.0);
	if (!utf8) {
		put_repeated(in, y, x, eighths < 8 ? 1 : (int)(eighths / 8), L'#', role);
		return;
	}
	put_repeated(in, y, x, (int)(eighths / 8), L'\u2588', role);
	if (eighths == 0)
		eighths = 1;
	if (eighths % 8)
		put_repeated(in, y, x + (int)(eighths / 8), 1, part[eighths % 8], role);
}

struct draw_area draw_part(const struct draw_area *in, int y, int x, int h, int w) {
	struct draw_area part = { in->y + y, in->x + x, h, w };
	if (part.h > in->h - y)
		part.h = in->h - y;
	if (part.w > in->w - x)
		part.w = in->w - x;
	if (y < 0 || x < 0 || part.h < 0 || part.w < 0)
		part.h = part.w = 0;
	return part;
}

bool draw_utf8(void) {
	return utf8;
}

void draw_cursor(const struct draw_area *in, int y, int x) {
	if (!inside(in, y, x))
		return;
	cursor_y = in->y + y;
	cursor_x = in->x + x;
}

void draw_start(void) {
	utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void draw_begin(void) {
	erase();
	cursor_y = LINES - 1;
	cursor_x = 0;
}

void draw_show(void) {
	move(cursor_y, cursor_x);
	refresh();
}

void draw_read(int y, struct buf *out) {
	wchar_t row[TEXT_MAX + 1] = { 0 };
	mbstate_t state = { 0 };
	char bytes[MB_LEN_MAX];
	if (mvinnwstr(y, 0, row, TEXT_MAX) == ERR)
		return;
	size_t n = wcslen(row);
	while (n > 0 && row[n - 1] == L' ')
		n--;
	for (size_t i = 0; i < n; i++) {
		size_t len = wcrtomb(bytes, row[i], &state);
		buf_addm(out, bytes, len != (size_t)-1 ? len : 0);
	}
}
