/*
 * What keys do. In the order of who is asked: the question or line that is open, the frame's
 * own actions, the view.
 */

#include "tui/app_state.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/term.h"

static const struct view_ops *const views[APP_VIEWS] = { &view_overview, &view_queue,
							 &view_help };

static size_t index_of(const struct view_ops *view) {
	size_t i = 0;
	while (views[i] != view)
		i++;
	return i;
}

void *app_view_state(struct app *app) {
	return app->state[index_of(app->view)];
}

struct model *app_model(struct app *app) {
	return app->model;
}

int64_t app_now(const struct app *app) {
	return app->now;
}

bool app_read_only(const struct app *app) {
	return app->options.read_only;
}

void app_redraw(struct app *app) {
	app->changed = true;
}

static void show_view(struct app *app, const struct view_ops *view) {
	void **state = &app->state[index_of(view)];
	if (!*state)
		*state = view->open(app);
	if (!*state) {
		app_say(app, ROLE_BAD, "out of memory");
		return;
	}
	if (view == &view_help && app->view != &view_help)
		app->before_help = app->view;
	app->view = view;
	app->in_pane = false;
	app_model_changed(app);
}

struct app *app_new(const struct app_options *options, struct model *model) {
	struct app *app = calloc(1, sizeof(*app));
	if (!app) {
		model_free(model);
		return NULL;
	}
	app->options = *options;
	app->model = model;
	buf_init(&app->said, APP_LINE_MAX);
	buf_init(&app->question, APP_LINE_MAX);
	buf_init(&app->typing.label, APP_LINE_MAX);
	buf_init(&app->typing.text, APP_LINE_MAX);
	buf_init(&app->typing.before, APP_LINE_MAX);
	show_view(app, &view_overview);
	if (!app->view) {
		app_free(app);
		return NULL;
	}
	return app;
}

void app_free(struct app *app) {
	if (!app)
		return;
	for (size_t i = 0; i < APP_VIEWS; i++)
		if (app->state[i])
			views[i]->close(app->state[i]);
	model_free(app->model);
	buf_release(&app->said);
	buf_release(&app->question);
	buf_release(&app->typing.label);
	buf_release(&app->typing.text);
	buf_release(&app->typing.before);
	free(app);
}

void app_model_changed(struct app *app) {
	app->view->refresh(app_view_state(app));
	app->changed = true;
}

void app_say(struct app *app, enum theme_role role, const char *fmt, ...) {
	va_list ap;
	buf_reset(&app->said);
	va_start(ap, fmt);
	buf_vaddf(&app->said, fmt, ap);
	va_end(ap);
	app->said_role = role;
	app->changed = true;
}

void app_show(struct app *app, enum action view) {
	if (view != ACTION_HELP)
		app->before_queue = NULL;
	if (view == ACTION_QUEUE)
		show_view(app, &view_queue);
	else
		show_view(app, view == ACTION_HELP ? &view_help : &view_overview);
}

void app_focus_pane(struct app *app, bool pane) {
	app->in_pane = pane && app->view->pane == VIEW_PANE_FULL;
	app->changed = true;
}

/* --- search --- */

static void search_typed(void *ctx, const struct app_line *line) {
	struct app *app = ctx;
	struct tui_list *list = app->searched;
	tui_list_select(list, app->search_from);
	if (line->given_up || line->text.len == 0)
		return;
	if (!tui_list_search(list, line->text) && line->done)
		app_say(app, ROLE_WAIT, "not found: %.*s",
			(int)(line->text.len < 200 ? line->text.len : 200), line->text.p);
}

void app_search(struct app *app, struct tui_list *list) {
	app->searched = list;
	snprintf(app->search_from, sizeof(app->search_from), "%s", list->selected_id);
	app_prompt(app, "search: ", SPAN(""), search_typed, app);
}

/* --- actions --- */

static void command_typed(void *ctx, const struct app_line *line) {
	struct app *app = ctx;
	struct span name = span_trim(line->text);
	if (!line->done || line->given_up || name.len == 0)
		return;
	AUTO_BUF struct buf fitting = BUF_INIT(APP_LINE_MAX);
	enum action action = keys_command(name, app->view->where);
	if (action == ACTION_NONE)
		keys_add_fitting(&fitting, name, app->view->where);
	if (fitting.len)
		app_say(app, ROLE_BAD, "\"%.*s\" fits %s", (int)name.len, name.p,
			buf_str(&fitting));
	else if (action == ACTION_NONE || !app_act(app, action))
		app_say(app, ROLE_BAD, "no action \"%.*s\" here; ? lists them",
			(int)(name.len < 60 ? name.len : 60), name.p);
}

static void quit_answered(void *ctx, bool yes) {
	struct app *app = ctx;
	app->quit = yes;
}

static void step_back(struct app *app) {
	if (app->view == &view_help)
		show_view(app, app->before_help);
	else if (app->in_pane)
		app_focus_pane(app, false);
	else if (app->view == &view_queue && app->before_queue)
		show_view(app, app->before_queue);
	else if (model_job(app->model)->running)
		app_ask(app, "an action is under way; leave all the same?", quit_answered,
			app);
	else
		app->quit = true;
}

static void change_pane(struct app *app, int rows) {
	if (app->place.pane.h > 0 && !app->place.beside && !app->place.alone &&
	    app->place.pane.h + rows >= 3 && app->place.list.h - rows >= 3)
		app->pane_change += rows;
}

static bool frame_act(struct app *app, enum action action) {
	switch ((int)action) {
	case ACTION_QUIT:
		step_back(app);
		return true;
	case ACTION_HELP:
	case ACTION_OVERVIEW:
	case ACTION_QUEUE:
		app_show(app, action);
		return true;
	case ACTION_COMMAND:
		app_prompt(app, ":", SPAN(""), command_typed, app);
		return true;
	case ACTION_RELOAD:
		model_refresh(app->model);
		app->clear = true;
		return true;
	case ACTION_SUSPEND: /* as the terminal does for Ctrl-Z */
		kill(0, SIGTSTP);
		return true;
	case ACTION_OTHER_PANE:
		app_focus_pane(app, !app->in_pane);
		return true;
	case ACTION_PANE_GROW:
	case ACTION_PANE_SHRINK:
		change_pane(app, action == ACTION_PANE_GROW ? 1 : -1);
		return true;
	default:
		return false;
	}
}

bool app_act(struct app *app, enum action action) {
	const struct keys_row *row = keys_of(action);
	app->changed = true;
	if (frame_act(app, action))
		return true;
	if (row && (row->where & KEYS_CHANGES) && app->options.read_only) {
		app_say(app, ROLE_BAD, "%s: not with --read-only", row->name);
		return true;
	}
	return app->view->act(app_view_state(app), action, &app->place);
}

void app_key(struct app *app, int key) {
	app->changed = true;
	buf_reset(&app->said);
	if (app->mode != APP_KEYS) {
		app_typing_key(app, key);
		return;
	}
	if (key == KEY_CODE_WHEEL_UP || key == KEY_CODE_WHEEL_DOWN) {
		for (int i = 0; i < 3; i++)
			app_act(app, key == KEY_CODE_WHEEL_UP ? ACTION_UP : ACTION_DOWN);
		return;
	}
	enum action action = keys_find(key, app->view->where);
	if (action != ACTION_NONE)
		app_act(app, action);
}

void app_click(struct app *app, int y, int x) {
	const struct draw_area *list = &app->place.list, *pane = &app->place.pane;
	if (app->mode != APP_KEYS)
		return;
	if (y >= list->y && y < list->y + list->h && x >= list->x &&
	    x < list->x + list->w) {
		app_focus_pane(app, false);
		if (app->view->click)
			app->view->click(app_view_state(app), y - list->y, &app->place);
	} else if (y >= pane->y && y < pane->y + pane->h && x >= pane->x) {
		app_focus_pane(app, true);
	}
}
