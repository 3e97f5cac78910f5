#ifndef NIGHTMAIL_TUI_APP_H
#define NIGHTMAIL_TUI_APP_H

/*
 * The frame: what the program of the dashboard is (below), and what views may ask of it.
 * One poll loop over the terminal, the daemon's socket and timers; nothing in it waits.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "tui/keys.h"
#include "tui/list.h"
#include "tui/theme.h"

struct app;
struct model;

/* --- for views --- */

struct model *app_model(struct app *app);
/* Seconds since 1970, the same while one screen is drawn: for ages. The screen is drawn anew
 * at least once a second. */
int64_t app_now(const struct app *app);
bool app_read_only(const struct app *app);
/* Something on the screen changed: it is drawn at the end of this round. act() and refresh()
 * need not say so. */
void app_redraw(struct app *app);
/* Says something in the last line, until the next key. Foreign bytes are made safe. */
void app_say(struct app *app, enum theme_role role, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Asks "question (y/n)" in the last line; fn is called with yes only if y is pressed.
 * `question` is copied. */
typedef void app_answer_fn(void *ctx, bool yes);
void app_ask(struct app *app, const char *question, app_answer_fn *fn, void *ctx);

/* A line to type in the last line, beginning with `text`. `fn` is called with done == false
 * after each change, then once with done == true; Esc calls it a last time with the text it
 * began with (done == true, given_up == true). */
struct app_line {
	struct span text, before; /* before: what it began with */
	bool done, given_up;
};
typedef void app_line_fn(void *ctx, const struct app_line *line);
void app_prompt(struct app *app, const char *label, struct span text, app_line_fn *fn,
		void *ctx);
/* The `/` prompt of a list: goes to what is found while it is typed. */
void app_search(struct app *app, struct tui_list *list);

/* Shows another view. */
void app_show(struct app *app, enum action view);
/* Gives the keys to the pane, or back to the list; where only one has room, shows it. */
void app_focus_pane(struct app *app, bool pane);

/* Leaves the screen, runs a program with this as its standard input (fd, or -1: the
 * terminal), waits, and comes back. Returns its exit status or -1. */
int app_run_program(struct app *app, const char *const argv[], int fd, struct err *err);

/* --- the program --- */

struct app_options {
	const char *control; /* path of the control socket */
	const char *queue;   /* directory of the spool */
	bool deliverable;    /* the configuration is sound */
	enum theme theme;
	bool read_only, mouse;
};

/* Runs the dashboard on the terminal; returns the exit status. */
int app_run(const struct app_options *options);
/* Prints the overview as text (--plain); returns the exit status. */
int app_plain(const struct app_options *options);

#endif
