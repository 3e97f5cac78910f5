/*
 * Whether the terminal is known at all, and can put text anywhere: asked before newterm(),
 * which loses memory when it is not known. On its own because <term.h> defines macros with
 * everyday names.
 */

#include "tui/app_state.h"

#include <unistd.h>

#include <curses.h>
#include <term.h>

bool app_terminal_known(void) {
	int found;
	if (setupterm(NULL, STDOUT_FILENO, &found) != OK)
		return false;
	bool places_text = cursor_address != NULL;
	del_curterm(cur_term);
	return places_text;
}
