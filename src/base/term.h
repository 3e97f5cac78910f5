#ifndef NIGHTMAIL_BASE_TERM_H
#define NIGHTMAIL_BASE_TERM_H

/*
 * Text that came from a network, a message or DNS, made safe to show. Everybody who
 * prints such bytes to a terminal or a log calls this.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/span.h"

/* Appends s with C0, DEL, C1, ESC, bidi controls (U+061C, U+200E-F, U+202A-E, U+2066-9),
 * line and paragraph separators, and invalid UTF-8 shown as \xNN or \u{NNNN}; TAB becomes a
 * space, and a backslash is doubled so that escapes cannot be forged. */
int term_safe(struct buf *out, struct span s);
/* The same for text that already holds escapes made here: a backslash stays single. */
int term_safe_again(struct buf *out, struct span s);
/* True for a code point that must not reach a terminal as it is (see term_safe). */
bool term_unsafe(uint32_t cp);
/* The bytes in "quotes", safe to show and cut if they are many, for the words of an error:
 * err_set(err, ERR_SYNTAX, "%s is no number", term_quote(s).s). */
#define TERM_QUOTED_MAX 60 /* bytes; each may need four to be shown */
struct term_quoted {
	char s[4 * TERM_QUOTED_MAX + 8];
};
struct term_quoted term_quote(struct span s);
/* term_safe() to a stream; used by command line tools. */
void term_print(FILE *f, struct span s);

/* Colour and glyph choice of a command line tool. */
enum term_color { TERM_COLOR_AUTO, TERM_COLOR_ALWAYS, TERM_COLOR_NEVER };
/* True when colours are to be used on f: always, or auto on a tty with NO_COLOR unset or
 * empty and TERM not "dumb". */
bool term_use_color(enum term_color want, FILE *f);
/* Parses "always", "never", "auto". */
bool term_color_parse(struct span s, enum term_color *ret);

/* "3 s", "12 min", "4 h 10 min", "2 d 3 h": a duration in words, for people. */
int term_duration(struct buf *out, int64_t ms);

#endif
