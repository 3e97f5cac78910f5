#ifndef NIGHTMAIL_TUI_VIEW_H
#define NIGHTMAIL_TUI_VIEW_H

/*
 * A view: one table of functions and the state behind it. The frame (app.h) owns the screen,
 * the keys and the time; it calls
 *
 *     open      once, when the view is first shown
 *     refresh   after every change of the model and before the next draw or act; pointers
 *               into the model from before are dead then
 *     draw      puts everything on a blank screen; changes nothing a later draw or act sees,
 *               except how far a list is scrolled
 *     act       does what a key or command asked; draws nothing
 *     close     at the end
 *
 * Views read the model and change it only by asking it (model.h). They do nothing that can
 * wait: no files, no sockets, no child processes except by app_run_program().
 */

#include <stdbool.h>

#include "base/buf.h"
#include "tui/draw.h"
#include "tui/keys.h"

struct app;

/* Where the frame puts a view. An area of no height is not shown. */
struct view_place {
	struct draw_area list; /* the main part */
	struct draw_area
		pane; /* the second part: below, beside, or instead of the list */
	bool beside;  /* the pane stands beside the list */
	bool alone;   /* only one of both is shown (small screens, or opened) */
	bool in_pane; /* keys go to the pane */
	bool small;   /* too small for column heads and rules */
};

/* What the view says in the frame's lines. */
struct view_words {
	struct buf *title;  /* right end of the first line: "11 msgs, 2 tagged" */
	struct buf *status; /* line above the hints, where there is room: sort, filter */
	struct buf *position; /* right end of the last line: "2/11" */
};

enum view_pane {
	VIEW_PANE_NONE,
	VIEW_PANE_WIDE, /* beside the list only, where the screen is wide enough */
	VIEW_PANE_FULL, /* beside, below, or alone after ACTION_OPEN */
};

struct view_ops {
	const char *name;  /* "overview" */
	const char *title; /* "Overview": the first line */
	const char *help;  /* some sentences for the Help view, broken into lines there */
	enum keys_where where;
	enum view_pane pane;
	void *(*open)(struct app *app); /* NULL: no memory */
	void (*close)(void *state);
	void (*refresh)(void *state);
	void (*draw)(void *state, const struct view_place *place);
	/* True when the action was done, or refused in words (app_say()). */
	bool (*act)(void *state, enum action action, const struct view_place *place);
	/* Appends to what is to be said; NULL: nothing. */
	void (*words)(void *state, const struct view_words *words);
	/* The mouse selected line y of place->list; NULL: does not matter. */
	void (*click)(void *state, int y, const struct view_place *place);
};

extern const struct view_ops view_overview, view_queue, view_help;

/* Shows the Queue with this filter in force ("to~example.org"); view_queue.c. */
void view_queue_filter(struct app *app, struct span filter);

#endif
