#ifndef NIGHTMAIL_TUI_APP_STATE_H
#define NIGHTMAIL_TUI_APP_STATE_H

/*
 * The state of the frame, for its own files and for tests, which drive it without a terminal:
 *
 *     app = app_new(&options, model);          (curses, draw and theme are started)
 *     app_draw(app, rows, columns, now);
 *     app_key(app, 'j');
 *
 * app.c is the loop, app_screen.c the terminal, app_draw.c what the frame itself shows,
 * app_input.c what keys do, app_typing.c what they do in a question or a line that is open.
 * app_screen.c alone speaks to curses.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "tui/app.h"
#include "tui/model.h"
#include "tui/view.h"

#define APP_VIEWS 3
#define APP_LINE_MAX 4096u

enum app_mode {
	APP_KEYS,   /* keys are actions */
	APP_ASKING, /* y or n */
	APP_TYPING, /* a line */
};

struct app_typing {
	struct buf label, text, before;
	size_t cursor; /* offset in text, at the start of a character */
	app_line_fn *fn;
	void *ctx;
};

struct app {
	struct app_options options;
	struct model *model;
	const struct view_ops *view;        /* the one that is shown */
	const struct view_ops *before_help; /* and what q in Help goes back to */
	const struct view_ops *before_queue; /* what opened the Queue with a filter */
	void *state[APP_VIEWS];             /* of each view; NULL: not opened yet */
	struct view_place place;            /* of the last drawing */
	bool in_pane;
	int pane_change; /* rows more (or less) for the pane below than it gets by itself */
	int64_t now;
	bool quit;
	bool changed; /* the screen is to be drawn */
	bool clear;   /* from scratch */
	enum app_mode mode;
	struct buf said; /* shown instead of the hints until the next key */
	enum theme_role said_role;
	struct buf question;
	app_answer_fn *answer;
	void *answer_ctx;
	struct app_typing typing;
	struct tui_list *searched; /* the list that / is typed for */
	char search_from[TUI_LIST_ID_SIZE];
	bool on_screen; /* curses has the terminal */
};

/* Takes the model over. NULL: no memory. */
struct app *app_new(const struct app_options *options, struct model *model);
/* The same with a model of its own. */
struct app *app_with_model(const struct app_options *options);
void app_free(struct app *app);

/* The view that is shown gets the model's news. */
void app_model_changed(struct app *app);
/* Draws everything; `now` in seconds since 1970. Shown by draw_show(). */
void app_draw(struct app *app, int rows, int columns, int64_t now);
/* A key, as keys.h has it. */
void app_key(struct app *app, int key);
/* The same while a question or a line is open. */
void app_typing_key(struct app *app, int key);
/* The mouse selected this place of the screen. */
void app_click(struct app *app, int y, int x);
/* Does an action; false when nobody here knows it. */
bool app_act(struct app *app, enum action action);
/* The state of the view that is shown. */
void *app_view_state(struct app *app);

/* --- the terminal (app_screen.c, app_terminal.c) --- */

/* True when curses knows the terminal that TERM names, and that can put text anywhere. */
bool app_terminal_known(void);

/* Takes the terminal. -1: it cannot show anything (TERM unknown). */
int app_screen_start(struct app *app, struct err *err);
/* A screen of this size that nobody sees, to draw on and read back. */
int app_screen_unseen(struct app *app, int rows, int columns, struct err *err);
/* Gives it back as it was. */
void app_screen_stop(struct app *app);
/* The terminal has another size now, or another content. */
void app_screen_resized(void);
void app_screen_size(int *ret_rows, int *ret_columns);
/* Shows what was drawn; `clear`: all of it, whatever the terminal is thought to show. */
void app_screen_show(bool clear);
/* The next key that waits; false: none does. KEY_CODE_CLICK also says where. */
bool app_screen_key(int *ret_key, int *ret_y, int *ret_x);
/* Gives the terminal back, stops this process, and takes the terminal again. */
void app_screen_suspend(struct app *app);
/* Forgets signals that came while another program had the terminal. */
void app_signals_forget(void);

#endif
