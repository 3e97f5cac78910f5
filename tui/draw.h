#ifndef NIGHTMAIL_TUI_DRAW_H
#define NIGHTMAIL_TUI_DRAW_H

/*
 * Putting text on the screen. Everything goes into an area; what does not fit is cut at its
 * edges, and coordinates outside it draw nothing. Text is bytes from anywhere: it passes
 * base/term.h here, so callers hand over what the model has, unescaped. Widths are columns
 * (wcwidth), not bytes; text that is too long ends in … (~ where the locale is not UTF-8),
 * and there characters beyond ASCII show as ?. A backslash is doubled.
 *
 * Drawing changes no state of anybody, and nothing is seen before the frame shows it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "tui/theme.h"

struct draw_area {
	int y, x; /* of the upper left corner, on the screen */
	int h, w; /* rows and columns; 0 or less: not shown */
};

enum draw_align { DRAW_LEFT, DRAW_RIGHT };

/* Fills exactly `width` columns from (y, x) of the area with the text and blanks. Returns the
 * columns the text took. */
int draw_cell(const struct draw_area *in, int y, int x, int width, struct span text,
	      enum theme_role role, enum draw_align align);
/* Puts text at (y, x), as much as there is room for up to the right edge; no blanks. Returns
 * the columns it took, so that the next text can follow. */
int draw_text(const struct draw_area *in, int y, int x, struct span text,
	      enum theme_role role);
/* The same with a format; up to 1000 bytes. */
int draw_textf(const struct draw_area *in, int y, int x, enum theme_role role,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Fills the whole row with blanks in the role. */
void draw_row(const struct draw_area *in, int y, enum theme_role role);
/* A horizontal line over the row, with a title near its left end and words near its right
 * end; either may be "". */
void draw_rule(const struct draw_area *in, int y, const char *title, const char *right);
/* A vertical line in column x over all rows of the area; `top` and `bottom`: it meets a
 * horizontal line above and below. */
void draw_divider(const struct draw_area *in, int x, bool top, bool bottom);
/* A bar of value / largest of `width` columns; at least a sliver for a value > 0. */
void draw_bar(const struct draw_area *in, int y, int x, int width, int64_t value,
	      int64_t largest, enum theme_role role);
/* The real cursor goes here when the screen is shown (the last call counts). */
void draw_cursor(const struct draw_area *in, int y, int x);

/* True in a UTF-8 locale: … → │ can be used. */
bool draw_utf8(void);
/* Columns of a text as draw_text() would show it. */
int draw_width(struct span text);
/* How many bytes at the front of text fit into `width` columns, never splitting a character;
 * with `words` it ends after a blank where there is one. At least one character, unless the
 * text is empty: for breaking text into lines. A LF ends the line and is counted. */
size_t draw_fit(struct span text, int width, bool words);

/* The part of an area: rows [y, y+h), columns [x, x+w), clipped to it. */
struct draw_area draw_part(const struct draw_area *in, int y, int x, int h, int w);

/* --- for the frame and for tests --- */

/* Chooses glyphs by the locale; after setlocale(), before anything is drawn or measured. */
void draw_start(void);
/* Blanks the screen of this many rows and columns before everything is drawn anew. */
void draw_begin(void);
/* Shows what was drawn since draw_begin(). */
void draw_show(void);
/* Appends what stands in a row of the screen, without the blanks at its end. */
void draw_read(int y, struct buf *out);

#endif
