#ifndef NIGHTMAIL_TUI_KEYS_H
#define NIGHTMAIL_TUI_KEYS_H

/*
 * Everything that can be done, in one table (keys.c): the keys, the hint line, the Help view,
 * the `:` commands and the key list of the manual page (tests/unit/test_tui_keys.c compares)
 * are that table. A new action is an enumerator here and a row there; the view whose bit the
 * row has finds it in its act().
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

enum action {
	ACTION_NONE,
	/* the frame's own; views never see them */
	ACTION_QUIT,
	ACTION_HELP,
	ACTION_OVERVIEW,
	ACTION_QUEUE,
	ACTION_COMMAND,
	ACTION_SUSPEND,
	ACTION_OTHER_PANE,
	ACTION_PANE_GROW,
	ACTION_PANE_SHRINK,
	ACTION_RELOAD,
	/* moving; lists take them in tui_list_act(), text in tui_scroll_act() */
	ACTION_DOWN,
	ACTION_UP,
	ACTION_PAGE_DOWN,
	ACTION_PAGE_UP,
	ACTION_FIRST,
	ACTION_LAST,
	ACTION_SEARCH,
	ACTION_SEARCH_NEXT,
	ACTION_SEARCH_BACK,
	ACTION_TAG,
	ACTION_TAG_ALL,
	ACTION_UNTAG,
	/* of one view or some */
	ACTION_OPEN,
	ACTION_FILTER,
	ACTION_CLEAR,
	ACTION_SORT,
	ACTION_TAGGED, /* the next action is meant for all tagged */
	ACTION_PART,
	ACTION_WRAP,
	ACTION_RETRY,
	ACTION_HOLD,
	ACTION_RELEASE,
	ACTION_DELETE,
	ACTION_BOUNCE,
	ACTION_EDIT,
	ACTION_PAGER,
	ACTION_COUNT,
};

/* Where an action exists; a bit each. */
enum keys_where {
	KEYS_FRAME = 1,    /* everywhere, done by the frame */
	KEYS_OVERVIEW = 2, /* the view that is shown */
	KEYS_QUEUE = 4,
	KEYS_HELP = 8,
	KEYS_VIEWS = KEYS_OVERVIEW | KEYS_QUEUE | KEYS_HELP,
	/* properties */
	KEYS_CHANGES = 64, /* changes the queue: not with --read-only */
	KEYS_HINT = 128,   /* worth room in the hint line */
};

/* Codes of keys that are no characters; characters are their code point, Ctrl-X is X & 31. */
enum keys_code {
	KEY_CODE_ESCAPE = 27,
	KEY_CODE_ENTER = 13,
	KEY_CODE_TAB = 9,
	KEY_CODE_FIRST = 0x200000,
	KEY_CODE_UP = KEY_CODE_FIRST,
	KEY_CODE_DOWN,
	KEY_CODE_LEFT,
	KEY_CODE_RIGHT,
	KEY_CODE_PAGE_UP,
	KEY_CODE_PAGE_DOWN,
	KEY_CODE_HOME,
	KEY_CODE_END,
	KEY_CODE_BACKSPACE,
	KEY_CODE_DELETE,
	KEY_CODE_F1,
	KEY_CODE_WHEEL_UP, /* of the mouse: three rows */
	KEY_CODE_WHEEL_DOWN,
	KEY_CODE_CLICK,
};

#define KEYS_EACH 3

struct keys_row {
	enum action action;
	const char *name;    /* of the `:` command */
	const char *hint;    /* a word or two for the hint line */
	const char *help;    /* one line for Help and the manual page */
	int keys[KEYS_EACH]; /* 0: none */
	unsigned where;      /* enum keys_where */
};

/* The rows in the order in which they are shown. */
const struct keys_row *keys_table(size_t *ret_count);
/* The row of an action. */
const struct keys_row *keys_of(enum action action);
/* What a key means in the view with this bit; ACTION_NONE when nothing. */
enum action keys_find(int key, enum keys_where view);
/* What a `:` command means there: its name, or a beginning of it that fits only one. */
enum action keys_command(struct span name, enum keys_where view);
/* Appends the names of all actions there that begin so, sorted, joined by ", ". */
void keys_add_fitting(struct buf *out, struct span name, enum keys_where view);
/* Appends a key as people write it: "j", "Enter", "Ctrl-L". */
void keys_add_name(struct buf *out, int key);
/* Appends the names of all keys of a row, joined by ", ". */
void keys_add_names(struct buf *out, const struct keys_row *row);

#endif
