/*
 * The table of everything the dashboard can do. Keys mean the same in every view that knows
 * the action; a key that two rows share has to differ in `where`, which the unit test checks.
 */

#include "tui/keys.h"

#include <stdint.h>
#include <string.h>

#define CTRL(letter) ((letter)&31)
#define LISTS (KEYS_OVERVIEW | KEYS_QUEUE)

static const struct keys_row table[] = {
	{ ACTION_OVERVIEW,
	  "overview",
	  "Overview",
	  "show the daemon, its relays and what is in trouble",
	  { '1' },
	  KEYS_FRAME },
	{ ACTION_QUEUE,
	  "queue",
	  "Queue",
	  "show the messages in the queue",
	  { '2' },
	  KEYS_FRAME },
	{ ACTION_DOWN,
	  "down",
	  "down",
	  "one row down",
	  { 'j', KEY_CODE_DOWN },
	  KEYS_VIEWS },
	{ ACTION_UP, "up", "up", "one row up", { 'k', KEY_CODE_UP }, KEYS_VIEWS },
	{ ACTION_PAGE_DOWN,
	  "page-down",
	  "page down",
	  "one screen down",
	  { KEY_CODE_PAGE_DOWN, CTRL('F') },
	  KEYS_VIEWS },
	{ ACTION_PAGE_UP,
	  "page-up",
	  "page up",
	  "one screen up",
	  { KEY_CODE_PAGE_UP, CTRL('B') },
	  KEYS_VIEWS },
	{ ACTION_FIRST,
	  "first",
	  "first",
	  "to the first row",
	  { 'g', KEY_CODE_HOME },
	  KEYS_VIEWS },
	{ ACTION_LAST,
	  "last",
	  "last",
	  "to the last row",
	  { 'G', KEY_CODE_END },
	  KEYS_VIEWS },
	{ ACTION_OPEN,
	  "open",
	  "open",
	  "look at what is selected",
	  { KEY_CODE_ENTER },
	  LISTS | KEYS_HINT },
	{ ACTION_OTHER_PANE,
	  "pane",
	  "pane",
	  "keys go to the other pane",
	  { KEY_CODE_TAB },
	  KEYS_FRAME },
	{ ACTION_PANE_GROW,
	  "grow",
	  "grow",
	  "more rows for the pane below",
	  { '+' },
	  KEYS_FRAME },
	{ ACTION_PANE_SHRINK,
	  "shrink",
	  "shrink",
	  "fewer rows for the pane below",
	  { '-' },
	  KEYS_FRAME },
	{ ACTION_PART,
	  "part",
	  "part",
	  "next part of the message: envelope, headers, body, attempts",
	  { 'v' },
	  KEYS_QUEUE },
	{ ACTION_WRAP,
	  "wrap",
	  "wrap",
	  "break long lines, or cut them",
	  { 'w' },
	  KEYS_QUEUE },
	{ ACTION_PAGER,
	  "pager",
	  "pager",
	  "read the message in $PAGER",
	  { 'o' },
	  KEYS_QUEUE },
	{ ACTION_TAG,
	  "tag",
	  "tag",
	  "tag the row, or remove its tag",
	  { ' ' },
	  KEYS_QUEUE | KEYS_HINT },
	{ ACTION_TAG_ALL,
	  "tag-all",
	  "tag all",
	  "tag all rows that are shown",
	  { '*' },
	  KEYS_QUEUE },
	{ ACTION_UNTAG, "untag", "untag", "remove all tags", { 'U' }, KEYS_QUEUE },
	{ ACTION_TAGGED,
	  "tagged",
	  "tagged",
	  "the next key acts on all that is tagged",
	  { ';' },
	  KEYS_QUEUE | KEYS_CHANGES | KEYS_HINT },
	{ ACTION_RETRY,
	  "retry",
	  "retry",
	  "try to deliver it now",
	  { 'r' },
	  LISTS | KEYS_CHANGES | KEYS_HINT },
	{ ACTION_HOLD,
	  "hold",
	  "hold",
	  "keep it back until it is released",
	  { 'H' },
	  KEYS_QUEUE | KEYS_CHANGES | KEYS_HINT },
	{ ACTION_RELEASE,
	  "release",
	  "release",
	  "let held mail go",
	  { 'R' },
	  KEYS_QUEUE | KEYS_CHANGES },
	{ ACTION_DELETE,
	  "delete",
	  "delete",
	  "delete it without a bounce; it can be had back for a day",
	  { 'd' },
	  KEYS_QUEUE | KEYS_CHANGES | KEYS_HINT },
	{ ACTION_BOUNCE,
	  "bounce",
	  "bounce",
	  "give up now and tell the sender",
	  { 'b' },
	  KEYS_QUEUE | KEYS_CHANGES },
	{ ACTION_EDIT,
	  "edit",
	  "edit",
	  "change the recipients",
	  { 'e' },
	  KEYS_QUEUE | KEYS_CHANGES },
	{ ACTION_SORT, "sort", "sort", "sort by the next column", { 'S' }, KEYS_QUEUE },
	{ ACTION_FILTER,
	  "filter",
	  "filter",
	  "show only rows that match",
	  { 'f' },
	  KEYS_QUEUE | KEYS_HINT },
	{ ACTION_CLEAR,
	  "clear",
	  "clear",
	  "remove the filter",
	  { KEY_CODE_ESCAPE },
	  KEYS_QUEUE },
	{ ACTION_SEARCH,
	  "search",
	  "search",
	  "go to the next row with a text",
	  { '/' },
	  LISTS | KEYS_HINT },
	{ ACTION_SEARCH_NEXT, "next", "next", "search again, forward", { 'n' }, LISTS },
	{ ACTION_SEARCH_BACK,
	  "previous",
	  "previous",
	  "search again, backward",
	  { 'N' },
	  LISTS },
	{ ACTION_COMMAND,
	  "command",
	  "command",
	  "type the name of an action",
	  { ':' },
	  KEYS_FRAME },
	{ ACTION_RELOAD,
	  "refresh",
	  "refresh",
	  "ask for everything anew and redraw the screen",
	  { CTRL('L'), CTRL('R') },
	  KEYS_FRAME },
	{ ACTION_SUSPEND,
	  "suspend",
	  "suspend",
	  "back to the shell; fg returns",
	  { CTRL('Z') },
	  KEYS_FRAME },
	{ ACTION_HELP,
	  "help",
	  "help",
	  "all keys, and what the view shows",
	  { '?', KEY_CODE_F1 },
	  KEYS_FRAME | KEYS_HINT },
	{ ACTION_QUIT,
	  "quit",
	  "quit",
	  "back one step; from the list, leave",
	  { 'q' },
	  KEYS_FRAME | KEYS_HINT },
};
#define ROWS (sizeof(table) / sizeof(table[0]))

static const struct {
	int key;
	const char *name;
} key_names[] = {
	{ ' ', "Space" },
	{ KEY_CODE_ESCAPE, "Esc" },
	{ KEY_CODE_ENTER, "Enter" },
	{ KEY_CODE_TAB, "Tab" },
	{ KEY_CODE_UP, "Up" },
	{ KEY_CODE_DOWN, "Down" },
	{ KEY_CODE_LEFT, "Left" },
	{ KEY_CODE_RIGHT, "Right" },
	{ KEY_CODE_PAGE_UP, "PgUp" },
	{ KEY_CODE_PAGE_DOWN, "PgDn" },
	{ KEY_CODE_HOME, "Home" },
	{ KEY_CODE_END, "End" },
	{ KEY_CODE_BACKSPACE, "Backspace" },
	{ KEY_CODE_DELETE, "Del" },
	{ KEY_CODE_F1, "F1" },
};

const struct keys_row *keys_table(size_t *ret_count) {
	*ret_count = ROWS;
	return table;
}

const struct keys_row *keys_of(enum action action) {
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].action == action)
			return &table[i];
	return NULL;
}

static bool known(const struct keys_row *row, enum keys_where view) {
	return (row->where & (KEYS_FRAME | view)) != 0;
}

enum action keys_find(int key, enum keys_where view) {
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < KEYS_EACH; k++)
			if (table[i].keys[k] == key && key != 0 && known(&table[i], view))
				return table[i].action;
	return ACTION_NONE;
}

enum action keys_command(struct span name, enum keys_where view) {
	enum action begun = ACTION_NONE;
	size_t fit = 0;
	for (size_t i = 0; i < ROWS; i++) {
		struct span row = span_str(table[i].name);
		if (!known(&table[i], view) || !span_starts(row, name))
			continue;
		if (row.len == name.len)
			return table[i].action;
		begun = table[i].action;
		fit++;
	}
	return fit == 1 && name.len ? begun : ACTION_NONE;
}

/* The first name after another one, in the order of the alphabet; NULL: there is none. */
static const char *fitting_after(const char *last, struct span name, enum keys_where view) {
	const char *first = NULL;
	for (size_t i = 0; i < ROWS; i++)
		if (known(&table[i], view) && span_starts(span_str(table[i].name), name) &&
		    strcmp(table[i].name, last) > 0 &&
		    (!first || strcmp(table[i].name, first) < 0))
			first = table[i].name;
	return first;
}

void keys_add_fitting(struct buf *out, struct span name, enum keys_where view) {
	const char *one = "";
	for (size_t n = 0; (one = fitting_after(one, name, view)) != NULL; n++)
		buf_addf(out, "%s%s", n ? ", " : "", one);
}

void keys_add_name(struct buf *out, int key) {
	for (size_t i = 0; i < sizeof(key_names) / sizeof(key_names[0]); i++)
		if (key_names[i].key == key) {
			buf_adds(out, key_names[i].name);
			return;
		}
	if (key > 0 && key < ' ')
		buf_addf(out, "Ctrl-%c", key | 64);
	else
		buf_addc(out, (char)key);
}

void keys_add_names(struct buf *out, const struct keys_row *row) {
	for (size_t k = 0; k < KEYS_EACH && row->keys[k]; k++) {
		if (k > 0)
			buf_adds(out, ", ");
		keys_add_name(out, row->keys[k]);
	}
}
