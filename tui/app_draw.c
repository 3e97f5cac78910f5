/*
 * The frame around a view: first line, the line below it that also tells how true everything
 * is, the view's place, the last lines. The layout depends on nothing but the size, the view
 * and which part has the keys.
 */

#include "tui/app_state.h"

#include <stdio.h>
#include <time.h>

#include "base/term.h"

#define WIDE 110  /* columns from which the pane stands beside the list */
#define NARROW 60 /* columns and rows below which only one part is shown */
#define SHORT 14
#define STATUS_ROWS 20 /* rows from which the line above the hints exists */
#define WORDS_MAX 1000

/* The frame's own lines. */
struct lines {
	struct draw_area title, rule, body, status, hint;
};

static struct lines lay_out_lines(int rows, int columns) {
	bool small = columns < NARROW || rows < SHORT;
	int below = rows >= STATUS_ROWS && !small ? 2 : 1, above = small ? 1 : 2;
	struct draw_area all = { 0, 0, rows, columns };
	struct lines l = {
		.title = draw_part(&all, 0, 0, 1, columns),
		.body = draw_part(&all, above, 0, rows - above - below, columns),
		.hint = draw_part(&all, rows - 1, 0, rows > 1, columns),
	};
	if (!small)
		l.rule = draw_part(&all, 1, 0, 1, columns);
	if (below == 2)
		l.status = draw_part(&all, rows - 2, 0, 1, columns);
	return l;
}

static void place_beside(struct view_place *p, const struct draw_area *body,
			 enum view_pane pane) {
	int list = body->w * (pane == VIEW_PANE_WIDE ? 12 : 11) / 20;
	p->beside = true;
	p->list = draw_part(body, 0, 0, body->h, list);
	p->pane = draw_part(body, 0, list + 2, body->h, body->w - list - 2);
}

static void place_below(struct view_place *p, const struct draw_area *body, int change) {
	int pane = body->h / 2 + 1 + change;
	if (pane > body->h - 3)
		pane = body->h - 3;
	if (pane < 3)
		pane = 3;
	p->list = draw_part(body, 0, 0, body->h - pane, body->w);
	p->pane = draw_part(body, body->h - pane, 0, pane, body->w);
}

static struct view_place lay_out_view(const struct app *app, const struct draw_area *body,
				      int rows, int columns) {
	struct view_place p = { .in_pane = app->in_pane };
	enum view_pane pane = app->view->pane;
	p.small = columns < NARROW || rows < SHORT;
	if (pane == VIEW_PANE_NONE || (pane == VIEW_PANE_WIDE && columns < WIDE)) {
		p.list = *body;
	} else if (p.small) {
		p.alone = true;
		*(app->in_pane ? &p.pane : &p.list) = *body;
	} else if (columns >= WIDE) {
		place_beside(&p, body, pane);
	} else {
		place_below(&p, body, app->pane_change);
	}
	return p;
}

/* --- how true it is --- */

static void add_time(struct buf *out, int64_t seconds) {
	time_t t = (time_t)seconds;
	struct tm tm;
	if (localtime_r(&t, &tm))
		buf_addf(out, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* What is to be known before anything else on the screen is believed; "": nothing is. */
static enum theme_role add_truth(const struct app *app, struct buf *out) {
	const struct model *m = app->model;
	const char *words = model_link_words(m);
	switch (model_truth(m)) {
	case MODEL_NOTHING:
		if (words[0])
			buf_adds(out, words);
		else
			buf_adds(out, "asking nightmaild");
		return words[0] ? ROLE_BAD : ROLE_WAIT;
	case MODEL_STALE:
		buf_adds(out, "daemon gone, data from ");
		add_time(out, model_as_of(m));
		if (words[0])
			buf_addf(out, ": %s", words);
		return ROLE_BAD;
	case MODEL_FRESH:
		break;
	}
	if (model_link(m) == MODEL_SPOOL)
		buf_adds(out, "nightmaild is not running: read from the disk");
	else if (words[0])
		buf_adds(out, words);
	else if (app->options.read_only)
		buf_adds(out, "read-only");
	return ROLE_WAIT;
}

static void draw_rule_line(const struct app *app, const struct lines *l) {
	AUTO_BUF struct buf words = BUF_INIT(WORDS_MAX);
	enum theme_role role = add_truth(app, &words);
	draw_rule(&l->rule, 0, "", "");
	if (words.len == 0)
		return;
	draw_text(&l->rule, 0, 2, SPAN(" "), ROLE_NORMAL);
	int n = draw_text(&l->rule, 0, 3, buf_span(&words), role);
	draw_text(&l->rule, 0, 3 + n, SPAN(" "), ROLE_NORMAL);
}

/* --- the first line --- */

struct words {
	struct buf title, status, position;
};

static void words_of_view(struct app *app, struct words *w) {
	struct view_words into = { &w->title, &w->status, &w->position };
	if (app->view->words)
		app->view->words(app_view_state(app), &into);
}

static int draw_tab(const struct draw_area *title, int x, int number,
		    const struct view_ops *view, bool shown) {
	AUTO_BUF struct buf text = BUF_INIT(100);
	buf_addf(&text, "%s%d %s%s", shown ? "[" : " ", number, view->title,
		 shown ? "]" : " ");
	return x +
	       draw_text(title, 0, x, buf_span(&text), shown ? ROLE_TITLE : ROLE_NORMAL);
}

static void draw_tabs(const struct app *app, const struct draw_area *title, int *x,
		      bool small) {
	static const struct view_ops *const tabs[] = { &view_overview, &view_queue };
	for (size_t i = 0; i < sizeof(tabs) / sizeof(tabs[0]); i++)
		if (!small || app->view == tabs[i])
			*x = draw_tab(title, *x, (int)i + 1, tabs[i],
				      app->view == tabs[i]);
	if (app->view == &view_help)
		*x += draw_text(title, 0, *x, SPAN("[Help]"), ROLE_TITLE);
}

static void draw_title(const struct app *app, const struct lines *l,
		       const struct words *w, bool small) {
	AUTO_BUF struct buf right = BUF_INIT(WORDS_MAX);
	enum theme_role role = ROLE_NORMAL;
	int x = 0;
	if (!small)
		x = draw_text(&l->title, 0, 0, SPAN("nightmail "), ROLE_TITLE);
	draw_tabs(app, &l->title, &x, small);
	if (small)
		role = add_truth(app, &right);
	if (right.len == 0) {
		role = ROLE_NORMAL;
		buf_add(&right, buf_span(&w->title));
	}
	if (l->title.w >= WIDE) {
		buf_adds(&right, "  ");
		add_time(&right, app->now);
	}
	int width = draw_width(buf_span(&right)), room = l->title.w - x - 1;
	if (small)
		draw_text(&l->title, 0, x + 1, buf_span(&right), role);
	else
		draw_cell(&l->title, 0, l->title.w - (width < room ? width : room),
			  width < room ? width : room, buf_span(&right), role,
			  DRAW_RIGHT);
}

/* --- the last line --- */

static bool hinted(const struct app *app, const struct keys_row *row) {
	bool here = (row->where & (KEYS_FRAME | app->view->where)) != 0;
	bool allowed = !(row->where & KEYS_CHANGES) || !app->options.read_only;
	return here && allowed && (row->where & KEYS_HINT);
}

static int hint_width(const struct keys_row *row) {
	AUTO_BUF struct buf text = BUF_INIT(100);
	keys_add_name(&text, row->keys[0]);
	buf_addf(&text, " %s  ", row->hint);
	return draw_width(buf_span(&text));
}

static int draw_hint(const struct draw_area *line, int x, const struct keys_row *row) {
	AUTO_BUF struct buf key = BUF_INIT(32);
	keys_add_name(&key, row->keys[0]);
	x += draw_text(line, 0, x, buf_span(&key), ROLE_KEY) + 1;
	return x + draw_text(line, 0, x, span_str(row->hint), ROLE_NORMAL) + 2;
}

/* Help and quit are always there; of the others as many as fit before them. */
static void draw_hints(const struct app *app, const struct draw_area *line) {
	size_t count;
	const struct keys_row *rows = keys_table(&count);
	int room = line->w - 1, x = 1;
	for (size_t i = 0; i < count; i++)
		if (hinted(app, &rows[i]) && (rows[i].where & KEYS_FRAME))
			room -= hint_width(&rows[i]);
	for (size_t i = 0; i < count; i++) {
		bool always = (rows[i].where & KEYS_FRAME) != 0;
		if (!hinted(app, &rows[i]) || (!always && hint_width(&rows[i]) > room))
			continue;
		if (!always)
			room -= hint_width(&rows[i]);
		x = draw_hint(line, x, &rows[i]);
	}
}

static void draw_typing(const struct app *app, const struct draw_area *line) {
	const struct app_typing *t = &app->typing;
	int x = draw_text(line, 0, 0, buf_span(&t->label), ROLE_TITLE);
	struct span left = span_head(buf_span(&t->text), t->cursor);
	/* The text moves left so far that the cursor is on the line. */
	while (draw_width(left) >= line->w - x && left.len)
		left = span_from(left, draw_fit(left, 1, false));
	size_t from = t->cursor - left.len;
	draw_text(line, 0, x, span_from(buf_span(&t->text), from), ROLE_NORMAL);
	draw_cursor(line, 0, x + draw_width(left));
}

static void draw_last_line(const struct app *app, const struct draw_area *line,
			   const struct words *w) {
	int position = draw_width(buf_span(&w->position));
	struct draw_area left = draw_part(line, 0, 0, 1, line->w - position - 1);
	if (app->mode == APP_TYPING) {
		draw_typing(app, line);
		return;
	}
	draw_text(line, 0, left.w, buf_span(&w->position), ROLE_NORMAL);
	if (app->mode == APP_ASKING) {
		int x = draw_text(&left, 0, 1, buf_span(&app->question), ROLE_BAD);
		x += draw_text(&left, 0, x + 1, SPAN(" (y/n) "), ROLE_KEY) + 1;
		draw_cursor(&left, 0, x);
	} else if (app->said.len) {
		draw_text(&left, 0, 1, buf_span(&app->said), app->said_role);
	} else {
		draw_hints(app, &left);
	}
}

void app_draw(struct app *app, int rows, int columns, int64_t now) {
	struct lines l = lay_out_lines(rows, columns);
	struct words w = { BUF_INIT(WORDS_MAX), BUF_INIT(WORDS_MAX),
			   BUF_INIT(WORDS_MAX) };
	app->now = now;
	app->place = lay_out_view(app, &l.body, rows, columns);
	draw_begin();
	draw_rule_line(app, &l);
	if (app->place.beside)
		draw_divider(&l.body, app->place.list.w, true, false);
	app->view->draw(app_view_state(app), &app->place);
	words_of_view(app, &w);
	draw_title(app, &l, &w, app->place.small);
	draw_text(&l.status, 0, 1, buf_span(&w.status), ROLE_DIM);
	draw_last_line(app, &l.hint, &w);
	buf_release(&w.title);
	buf_release(&w.status);
	buf_release(&w.position);
}
