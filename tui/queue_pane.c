/*
 * The pane: which tab is shown, and its lines, broken to the width or cut. Breaking a long
 * text is work, so its rows are kept until the text or the width changes.
 */

#include <stdlib.h>
#include <string.h>

#include "tui/queue_state.h"

#define RULE_MARKS 10 /* columns that a rule with two texts needs for itself */

static const char *const tab_names[QUEUE_TABS] = {
	[QUEUE_ENVELOPE] = "Envelope",
	[QUEUE_HEADERS] = "Headers",
	[QUEUE_BODY] = "Body",
	[QUEUE_TRIES] = "Tries",
};

int queue_pane_height(const struct view_place *place) {
	return place->pane.h > 1 ? place->pane.h - 1 : 0;
}

/* --- what is shown --- */

static void make(struct queue_view *q, const struct model_row *row) {
	uint64_t detail = model_detail_version(q->model);
	uint64_t rows = model_rows_version(q->model);
	bool same = strcmp(q->made.id, row->id) == 0 && q->made.tab == q->tab;
	/* The envelope tells times, which go by. */
	if (same && q->made.detail == detail && q->made.rows == rows &&
	    q->tab != QUEUE_ENVELOPE)
		return;
	if (strcmp(q->made.id, row->id) != 0)
		q->scroll.top = 0;
	queue_text(&q->lines, q->model, row, q->tab, app_now(q->app));
	memcpy(q->made.id, row->id, sizeof(q->made.id));
	q->made.tab = q->tab;
	q->made.detail = detail;
	q->made.rows = rows;
	q->row_width = 0;
}

static bool add_row(struct queue_view *q, struct queue_row row) {
	if (q->rows == q->row_room) {
		size_t room = q->row_room ? 2 * q->row_room : 128;
		struct queue_row *grown = reallocarray(q->row, room, sizeof(*grown));
		if (!grown)
			return false;
		q->row = grown;
		q->row_room = room;
	}
	q->row[q->rows++] = row;
	return true;
}

/* The part of a line that is broken: all of it, or what stands beside the label. */
static struct span breakable(const struct queue_lines *l, const struct queue_line *line) {
	size_t label = l->labelled ? line->label : 0;
	size_t all = line->label + line->len;
	return l->text.data ? span_of(l->text.data + line->at + label, all - label)
			    : SPAN("");
}

static void break_lines(struct queue_view *q, int width) {
	const struct queue_lines *l = &q->lines;
	int room = l->labelled ? width - QUEUE_LABEL : width;
	if (q->row_width == width && q->row_cut == q->cut)
		return;
	q->rows = 0;
	q->row_width = width;
	q->row_cut = q->cut;
	for (size_t i = 0; i < l->count; i++) {
		struct span rest = breakable(l, &l->line[i]);
		size_t from = 0;
		do {
			size_t n = q->cut ? rest.len
					  : draw_fit(rest, room > 1 ? room : 1, true);
			if (!add_row(q, (struct queue_row){ i, from, n }))
				return;
			rest = span_from(rest, n);
			from += n;
		} while (rest.len);
	}
}

/* --- drawing --- */

static void draw_labelled(const struct draw_area *in, int y, const struct queue_lines *l,
			  const struct queue_row *row) {
	const struct queue_line *line = &l->line[row->line];
	if (row->from == 0 && line->label)
		draw_text(in, y, 0, span_of(l->text.data + line->at, line->label),
			  ROLE_DIM);
	draw_text(in, y, QUEUE_LABEL,
		  span_head(span_from(breakable(l, line), row->from), row->len),
		  line->role);
}

/* The name of a header field stands out; a name may be broken too. */
static void draw_plain(const struct draw_area *in, int y, const struct queue_lines *l,
		       const struct queue_row *row) {
	const struct queue_line *line = &l->line[row->line];
	struct span all = breakable(l, line);
	size_t end = row->from + row->len;
	size_t name = line->label > row->from ? line->label - row->from : 0;
	if (name > row->len)
		name = row->len;
	int x = draw_text(in, y, 0, span_head(span_from(all, row->from), name), ROLE_KEY);
	if (row->from + name < end)
		draw_text(in, y, x,
			  span_head(span_from(all, row->from + name), row->len - name),
			  line->role);
}

static void add_tabs(struct buf *out, enum queue_tab tab, bool all) {
	for (int i = 0; i < QUEUE_TABS; i++) {
		if (i == (int)tab)
			buf_addf(out, "[%s] ", tab_names[i]);
		else if (all)
			buf_addf(out, "%s ", tab_names[i]);
	}
	buf_addc(out, 'v');
}

/* The title, the tabs, and how they fit: the whole ID if there is room, all tabs, or the one
 * that is shown. */
static void draw_head(const struct queue_view *q, const struct view_place *place,
		      const struct model_row *row) {
	const struct draw_area *in = &place->pane;
	bool rule = !place->beside && !place->alone;
	int room = in->w - (rule ? RULE_MARKS : 1);
	for (int attempt = 0; attempt < 3; attempt++) {
		AUTO_BUF struct buf title = BUF_INIT(128), tabs = BUF_INIT(128);
		buf_adds(&title, "Message ");
		buf_add(&title, !row      ? SPAN("-")
				: attempt ? queue_short_id(q, row->id)
					  : span_str(row->id));
		add_tabs(&tabs, q->tab, attempt < 2);
		int width = draw_width(buf_span(&tabs));
		if (attempt < 2 && draw_width(buf_span(&title)) + width > room)
			continue;
		if (rule) {
			draw_rule(in, 0, buf_str(&title), buf_str(&tabs));
			return;
		}
		draw_text(in, 0, 0, buf_span(&title),
			  place->in_pane ? ROLE_TITLE : ROLE_DIM);
		draw_text(in, 0, in->w - width, buf_span(&tabs), ROLE_DIM);
		return;
	}
}

void queue_pane_draw(struct queue_view *q, const struct view_place *place) {
	const struct model_row *message = queue_selected(q);
	struct draw_area in = draw_part(&place->pane, 1,
					place->beside || place->alone ? 0 : 1,
					place->pane.h - 1, place->pane.w);
	draw_head(q, place, message);
	if (!message)
		return;
	make(q, message);
	break_lines(q, in.w);
	q->scroll.lines = q->rows;
	if (q->scroll.top >= q->rows)
		q->scroll.top = q->rows ? q->rows - 1 : 0;
	for (int y = 0; y < in.h && q->scroll.top + (size_t)y < q->rows; y++) {
		const struct queue_row *row = &q->row[q->scroll.top + (size_t)y];
		if (q->lines.labelled)
			draw_labelled(&in, y, &q->lines, row);
		else
			draw_plain(&in, y, &q->lines, row);
	}
	if (place->in_pane)
		draw_cursor(&in, 0, 0);
}
