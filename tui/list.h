#ifndef NIGHTMAIL_TUI_LIST_H
#define NIGHTMAIL_TUI_LIST_H

/*
 * A list of rows that a view shows: selection, tags, sort, filter, search, scrolling. It knows
 * rows by their IDs, so that the cursor stays on the same thing when the model changes.
 * Meant for 100,000 rows.
 *
 *     struct tui_list list = TUI_LIST_INIT(&ops, view);
 *     refresh:  tui_list_begin(&list);
 *               for (...) tui_list_add(&list, message->id, message);
 *               tui_list_end(&list);         (filters, sorts, finds the selection again)
 *     draw:     tui_list_fit(&list, area.h);
 *               for (int y = 0; y < area.h && (row = tui_list_at(&list, y)); y++) ...
 *     act:      if (tui_list_act(&list, action, height)) return true;
 *
 * The bytes of IDs and the data belong to the caller and live until the next refresh, which
 * has to come before the list is used when they have moved; the list copies the IDs it has to
 * remember.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "tui/keys.h"

struct tui_list_row {
	const char *id;
	const void *data;
	size_t order; /* in which it was added */
	bool tagged;
};

#define TUI_LIST_ID_SIZE 264 /* with the NUL */

/* IDs in an open hash table; those of rows that went away are dropped. */
struct tui_list_tags {
	char **slot;
	size_t room, count;
};

struct tui_list_ops {
	/* Order of two rows' data, as qsort; NULL: as they were added. Rows that are equal
	 * stay as they were added. */
	int (*compare)(const void *a, const void *b, void *ctx);
	/* False: the filter hides the row. NULL: all are shown. */
	bool (*shown)(const void *data, void *ctx);
	/* True when the text searched for stands in the row. NULL: no search. */
	bool (*found)(const void *data, struct span text, void *ctx);
};

struct tui_list {
	const struct tui_list_ops *ops;
	void *ctx;
	struct tui_list_row *rows; /* those shown, in order */
	size_t count, room;
	size_t total;    /* rows before the filter */
	size_t selected; /* index into rows; 0 when there are none */
	size_t top;      /* index of the first row on the screen */
	char selected_id[TUI_LIST_ID_SIZE];
	struct tui_list_tags tags;
	struct tui_list_tags tags_before; /* between begin and end: the old ones */
	size_t tagged;                    /* rows shown that are tagged */
	bool failed;                      /* no memory: rows or tags are missing */
	struct buf search;                /* what was searched for last */
};

#define TUI_LIST_INIT(the_ops, the_ctx) \
	{ .ops = (the_ops), .ctx = (the_ctx), .search = BUF_INIT(256) }

void tui_list_release(struct tui_list *l);

void tui_list_begin(struct tui_list *l);
void tui_list_add(struct tui_list *l, const char *id, const void *data);
/* The selected row stays selected; when it is gone, the one that took its place is. */
void tui_list_end(struct tui_list *l);

/* The selected row, NULL when the list is empty. */
const struct tui_list_row *tui_list_selected(const struct tui_list *l);
/* Scrolls so that the selected row is on one of `height` lines. */
void tui_list_fit(struct tui_list *l, int height);
/* The row on line y of the screen; NULL below the last. */
const struct tui_list_row *tui_list_at(const struct tui_list *l, int y);
/* True when this is the selected row. */
bool tui_list_is_selected(const struct tui_list *l, const struct tui_list_row *row);
/* Selects the row with this ID, if it is shown. */
bool tui_list_select(struct tui_list *l, const char *id);
/* Selects the row on line y, if there is one (mouse). */
bool tui_list_select_line(struct tui_list *l, int y);

/* Moving, tagging, n and N; true when the action was one of these. height: rows shown. */
bool tui_list_act(struct tui_list *l, enum action action, int height);
/* Goes to the next row, from the selected one on, where the text is found; true if any. */
bool tui_list_search(struct tui_list *l, struct span text);
/* Removes all tags. */
void tui_list_untag(struct tui_list *l);

/* Lines of a text that is longer than its pane. */
struct tui_scroll {
	size_t top;   /* first line shown */
	size_t lines; /* set by who draws, once known */
};

/* Moving; true when the action was one of those. */
bool tui_scroll_act(struct tui_scroll *s, enum action action, int height);

#endif
