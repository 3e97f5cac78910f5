#ifndef NIGHTMAIL_TUI_THEME_H
#define NIGHTMAIL_TUI_THEME_H

/*
 * Roles instead of colours: code that draws says what a text is, the theme says how that
 * looks. A role never stands alone: the state it shows is also a word or a mark on the screen.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum theme_role {
	ROLE_NORMAL,
	ROLE_TITLE,    /* the first line, headings, the view that is shown */
	ROLE_SELECTED, /* the row the cursor is on */
	ROLE_TAGGED,   /* rows that are tagged */
	ROLE_GOOD,     /* delivered, works */
	ROLE_WAIT,     /* deferred, waits */
	ROLE_BAD,      /* failed, held relays, stale data */
	ROLE_DIM,      /* labels, rules, what matters less */
	ROLE_KEY,      /* keys in hints and help */
	ROLE_COUNT,
};

enum theme { THEME_DARK, THEME_LIGHT, THEME_MONO };

/* Parses "dark", "light", "mono". */
bool theme_parse(struct span name, enum theme *ret);
/* Sets up the roles of the running terminal; mono where it has no colours or NO_COLOR is set
 * and not empty. Called by the frame, after curses was started. */
void theme_start(enum theme theme);

/* What curses is to be given for a role: attributes and a pair of colours. */
struct theme_style {
	uint32_t attributes;
	short pair;
};
struct theme_style theme_style(enum theme_role role);

#endif
