/*
 * The three themes. Colours are the eight that every colour terminal has, on the terminal's
 * own background; mono does with bold, underline and reverse, and roles that would look alike
 * there differ by words and marks anyway.
 */

#include "tui/theme.h"

#include <stdlib.h>

#include <curses.h>

#define OWN -1 /* the terminal's own colour */

struct look {
	attr_t attributes;
	short front, back;
};

static const struct look dark[ROLE_COUNT] = {
	[ROLE_NORMAL] = { A_NORMAL, OWN, OWN },
	[ROLE_TITLE] = { A_BOLD, OWN, OWN },
	[ROLE_SELECTED] = { A_NORMAL, COLOR_BLACK, COLOR_CYAN },
	[ROLE_TAGGED] = { A_BOLD, COLOR_MAGENTA, OWN },
	[ROLE_GOOD] = { A_NORMAL, COLOR_GREEN, OWN },
	[ROLE_WAIT] = { A_NORMAL, COLOR_YELLOW, OWN },
	[ROLE_BAD] = { A_BOLD, COLOR_RED, OWN },
	[ROLE_DIM] = { A_DIM, OWN, OWN },
	[ROLE_KEY] = { A_NORMAL, COLOR_CYAN, OWN },
};

static const struct look light[ROLE_COUNT] = {
	[ROLE_NORMAL] = { A_NORMAL, OWN, OWN },
	[ROLE_TITLE] = { A_BOLD, OWN, OWN },
	[ROLE_SELECTED] = { A_NORMAL, COLOR_WHITE, COLOR_BLUE },
	[ROLE_TAGGED] = { A_BOLD, COLOR_MAGENTA, OWN },
	[ROLE_GOOD] = { A_BOLD, COLOR_GREEN, OWN },
	[ROLE_WAIT] = { A_NORMAL, COLOR_MAGENTA, OWN },
	[ROLE_BAD] = { A_BOLD, COLOR_RED, OWN },
	[ROLE_DIM] = { A_DIM, OWN, OWN },
	[ROLE_KEY] = { A_NORMAL, COLOR_BLUE, OWN },
};

static const struct look mono[ROLE_COUNT] = {
	[ROLE_NORMAL] = { A_NORMAL, OWN, OWN },
	[ROLE_TITLE] = { A_BOLD, OWN, OWN },
	[ROLE_SELECTED] = { A_REVERSE, OWN, OWN },
	[ROLE_TAGGED] = { A_BOLD, OWN, OWN },
	[ROLE_GOOD] = { A_NORMAL, OWN, OWN },
	[ROLE_WAIT] = { A_UNDERLINE, OWN, OWN },
	[ROLE_BAD] = { A_BOLD | A_UNDERLINE, OWN, OWN },
	[ROLE_DIM] = { A_NORMAL, OWN, OWN },
	[ROLE_KEY] = { A_BOLD, OWN, OWN },
};

static struct theme_style styles[ROLE_COUNT];

bool theme_parse(struct span name, enum theme *ret) {
	static const char *const names[] = {
		[THEME_DARK] = "dark", [THEME_LIGHT] = "light", [THEME_MONO] = "mono"
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq(name, span_str(names[i]))) {
			*ret = (enum theme)i;
			return true;
		}
	return false;
}

static bool colors_wanted(void) {
	const char *no = getenv("NO_COLOR");
	return !(no && no[0]) && has_colors() && start_color() == OK &&
	       use_default_colors() == OK;
}

void theme_start(enum theme theme) {
	const struct look *looks = theme == THEME_LIGHT ? light : dark;
	if (theme == THEME_MONO || !colors_wanted())
		looks = mono;
	for (short i = 0; i < ROLE_COUNT; i++) {
		styles[i] = (struct theme_style){ .attributes = looks[i].attributes };
		if (looks[i].front == OWN && looks[i].back == OWN)
			continue;
		if (init_pair((short)(i + 1), looks[i].front, looks[i].back) == OK)
			styles[i].pair = (short)(i + 1);
	}
}

struct theme_style theme_style(enum theme_role role) {
	return styles[role];
}
