/*
 * Help: what each view shows, in its own words, and every key, from the table. Made once; a
 * narrow terminal breaks its lines.
 */

#include "tui/view.h"

#include <stdlib.h>

#include "tui/app.h"
#include "tui/list.h"

#define TEXT_MAX 65536u
#define KEY_COLUMNS 17 /* blanks before the help of a key go on its next lines too */

struct help {
	struct app *app;
	struct buf text;
	struct tui_scroll scroll;
};

static void add_keys(struct help *h, unsigned where) {
	size_t count;
	const struct keys_row *rows = keys_table(&count);
	for (size_t i = 0; i < count; i++) {
		unsigned here = rows[i].where & (KEYS_FRAME | KEYS_VIEWS);
		size_t start = h->text.len;
		if (here != where ||
		    ((rows[i].where & KEYS_CHANGES) && app_read_only(h->app)))
			continue;
		buf_adds(&h->text, "  ");
		keys_add_names(&h->text, &rows[i]);
		while (h->text.len - start < KEY_COLUMNS)
			buf_addc(&h->text, ' ');
		buf_addf(&h->text, " %s  (:%s)\n", rows[i].help, rows[i].name);
	}
}

static void *open_help(struct app *app) {
	static const struct view_ops *const told[] = { &view_overview, &view_queue };
	struct help *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->app = app;
	buf_init(&h->text, TEXT_MAX);
	buf_adds(&h->text, "Everywhere\n");
	add_keys(h, KEYS_VIEWS);
	add_keys(h, KEYS_FRAME);
	buf_adds(&h->text, "\nOverview and Queue\n");
	add_keys(h, KEYS_OVERVIEW | KEYS_QUEUE);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		buf_addf(&h->text, "\n%s\n%s\n", told[i]->title, told[i]->help);
		add_keys(h, told[i]->where);
	}
	return h;
}

static void close_help(void *state) {
	struct help *h = state;
	buf_release(&h->text);
	free(h);
}

static void refresh_help(void *state) {
	(void)state;
}

/* Headings begin a paragraph and have no blank before them. */
static enum theme_role role_of(struct span line, bool after_blank) {
	if (after_blank && line.len && line.p[0] != ' ')
		return ROLE_TITLE;
	return ROLE_NORMAL;
}

/* Puts one line of the text, broken where it is too long; returns the rows it took. */
static size_t draw_broken(const struct draw_area *in, int64_t y, struct span line,
			  enum theme_role role) {
	bool is_key = span_starts(line, SPAN("  "));
	size_t rows = 0;
	do {
		int x = is_key && rows > 0 ? KEY_COLUMNS + 1 : 0;
		int width = in->w - x > 10 ? in->w - x : 10;
		size_t n = draw_fit(line, width, true);
		if (y >= 0 && y < in->h)
			draw_text(in, (int)y, x,
				  span_trim(span_head(line, n)).len ? span_head(line, n)
								    : SPAN(""),
				  role);
		line = span_from(line, n);
		rows++;
		y++;
	} while (line.len);
	return rows;
}

static void draw_help(void *state, const struct view_place *place) {
	struct help *h = state;
	struct draw_area in = draw_part(&place->list, 0, 1, place->list.h,
					place->list.w - 2);
	struct span rest = buf_span(&h->text), line;
	int64_t y = -(int64_t)h->scroll.top;
	bool after_blank = true;
	h->scroll.lines = 0;
	while (span_take_line(&rest, &line)) {
		size_t rows = draw_broken(&in, y, line, role_of(line, after_blank));
		after_blank = line.len == 0;
		y += (int64_t)rows;
		h->scroll.lines += rows;
	}
}

static bool act_help(void *state, enum action action, const struct view_place *place) {
	struct help *h = state;
	return tui_scroll_act(&h->scroll, action, place->list.h);
}

static void words_help(void *state, const struct view_words *words) {
	const struct help *h = state;
	buf_addf(words->position, "line %zu of %zu", h->scroll.top + 1, h->scroll.lines);
}

const struct view_ops view_help = {
	.name = "help",
	.title = "Help",
	.help = "",
	.where = KEYS_HELP,
	.pane = VIEW_PANE_NONE,
	.open = open_help,
	.close = close_help,
	.refresh = refresh_help,
	.draw = draw_help,
	.act = act_help,
	.words = words_help,
};
