/* The columns of the list of messages: which ones there are depends on the width. */

#include "tui/queue_state.h"

#include <string.h>
#include <time.h>

#define FEW 300u   /* messages that five characters tell apart */
#define MANY 4000u /* six */

enum column { ID, STATE, AGE, TRY, NEXT, TO, SIZE, REASON };
#define COLUMNS 8

static const struct {
	const char *name;
	int width; /* 0: gets its share of what is left */
	enum draw_align align;
	int from; /* columns the list needs to show it */
} columns[COLUMNS] = {
	[ID] = { "ID", 0, DRAW_LEFT, 0 },       [STATE] = { "State", 8, DRAW_LEFT, 0 },
	[AGE] = { "Age", 6, DRAW_RIGHT, 0 },    [TRY] = { "Try", 3, DRAW_RIGHT, 72 },
	[NEXT] = { "Next", 5, DRAW_LEFT, 56 },  [TO] = { "To", 0, DRAW_LEFT, 0 },
	[SIZE] = { "Size", 5, DRAW_RIGHT, 72 }, [REASON] = { "Reason", 0, DRAW_LEFT, 56 },
};

struct layout {
	int x[COLUMNS], width[COLUMNS]; /* width 0: not shown */
};

static int id_width(const struct queue_view *q) {
	size_t rows = model_count(q->model);
	return rows < FEW ? 5 : rows < MANY ? 6 : 8;
}

struct span queue_short_id(const struct queue_view *q, const char *id) {
	size_t len = strlen(id), width = (size_t)id_width(q);
	return span_str(len > width ? id + len - width : id);
}

static struct layout lay_out(const struct queue_view *q, int w) {
	struct layout l;
	int gap = w >= 56 ? 2 : 1, x = 2, left = w - 2;
	for (int c = 0; c < COLUMNS; c++) {
		l.width[c] = w >= columns[c].from ? columns[c].width : 0;
		if (c == ID)
			l.width[c] = id_width(q);
		if (l.width[c])
			left -= l.width[c] + gap;
	}
	bool reason = w >= columns[REASON].from;
	l.width[TO] = reason ? (left - gap) * 3 / 5 : left;
	l.width[REASON] = reason ? left - gap - l.width[TO] : 0;
	for (int c = 0; c < COLUMNS; c++) {
		l.x[c] = x;
		if (l.width[c] > 0)
			x += l.width[c] + gap;
	}
	return l;
}

void queue_add_age(struct buf *out, int64_t seconds) {
	if (seconds < 0)
		seconds = 0;
	int64_t minutes = seconds / 60, hours = minutes / 60;
	if (hours < 48)
		buf_addf(out, "%d:%02d", (int)hours, (int)(minutes % 60));
	else if (hours < 100 * 24)
		buf_addf(out, "%dd %02dh", (int)(hours / 24), (int)(hours % 24));
	else
		buf_addf(out, "%lldd", (long long)(hours / 24));
}

/* The time of day, or, when that is far, in how many days and hours. */
static void add_next(struct buf *out, int64_t next, int64_t now) {
	time_t t = (time_t)next;
	struct tm tm;
	if (next == NO_TIME)
		buf_addc(out, '-');
	else if (next <= now)
		buf_adds(out, "now");
	else if (next - now >= 86400)
		buf_addf(out, "%lldd%lldh", (long long)((next - now) / 86400),
			 (long long)((next - now) / 3600 % 24));
	else if (localtime_r(&t, &tm))
		buf_addf(out, "%02d:%02d", tm.tm_hour, tm.tm_min);
}

static void add_size(struct buf *out, uint64_t bytes) {
	static const char units[] = "KMGT";
	uint64_t tenths = bytes * 10;
	int unit = -1;
	if (bytes < 1000) {
		buf_addf(out, "%d", (int)bytes);
		return;
	}
	while ((tenths >= 10240 || unit < 0) && unit < 3) {
		tenths /= 1024;
		unit++;
	}
	if (tenths < 100)
		buf_addf(out, "%d.%d%c", (int)(tenths / 10), (int)(tenths % 10),
			 units[unit]);
	else
		buf_addf(out, "%llu%c", (unsigned long long)(tenths / 10), units[unit]);
}

static void add_to(struct buf *out, const struct model_row *r) {
	buf_adds(out, r->to);
	unsigned others = (r->waiting ? r->waiting : r->recipients);
	if (others > 1)
		buf_addf(out, " +%u", others - 1);
}

/* Few words: what a person wants to know without opening the message. */
static void add_reason(struct buf *out, const struct model_row *r) {
	struct span why = span_str(r->why), relay;
	if (r->state == MODEL_ACTIVE) {
		buf_adds(out, "being delivered");
	} else if (r->state == MODEL_HELD) {
		buf_adds(out, strcmp(r->reason, "local-name") == 0 ? "unknown local name"
								   : "by ");
		buf_adds(out, strcmp(r->reason, "local-name") == 0 ? "" : r->reason);
	} else if (r->reason[0] || r->state == MODEL_QUEUED) {
		buf_adds(out, r->reason);
	} else { /* the sentence, without what other columns say */
		span_take_lit(&why, SPAN("given up: "));
		if (span_take_lit(&why, SPAN("waiting for relay ")) &&
		    span_take_until(&why, ':', &relay))
			span_take_char(&why, ' ');
		buf_add(out, span_head(why, span_find(why, ';')));
	}
}

static void add_cell(struct buf *out, const struct queue_view *q,
		     const struct model_row *r, enum column c) {
	switch (c) {
	case ID:
		buf_add(out, queue_short_id(q, r->id));
		break;
	case STATE:
		buf_adds(out, model_state_name(r->state));
		break;
	case AGE:
		queue_add_age(out, app_now(q->app) - r->created);
		break;
	case TRY:
		buf_addf(out, "%u", r->attempts);
		break;
	case NEXT:
		add_next(out, r->next, app_now(q->app));
		break;
	case TO:
		add_to(out, r);
		break;
	case SIZE:
		add_size(out, r->size);
		break;
	case REASON:
		add_reason(out, r);
		break;
	}
}

static enum theme_role state_role(enum model_state s) {
	static const enum theme_role roles[MODEL_STATES] = {
		[MODEL_QUEUED] = ROLE_NORMAL, [MODEL_ACTIVE] = ROLE_GOOD,
		[MODEL_DEFERRED] = ROLE_WAIT, [MODEL_HELD] = ROLE_WAIT,
		[MODEL_DEAD] = ROLE_BAD,
	};
	return roles[s];
}

static void draw_message(struct queue_view *q, const struct draw_area *in, int y,
			 const struct layout *l, const struct tui_list_row *row) {
	const struct model_row *r = queue_row(row);
	bool selected = tui_list_is_selected(&q->list, row);
	enum theme_role role = selected      ? ROLE_SELECTED
			       : row->tagged ? ROLE_TAGGED
					     : ROLE_NORMAL;
	if (role != ROLE_NORMAL)
		draw_row(in, y, role);
	draw_text(in, y, 0, row->tagged ? SPAN("*") : SPAN(" "), role);
	draw_text(in, y, 1, selected ? SPAN(">") : SPAN(" "), role);
	for (int c = 0; c < COLUMNS; c++) {
		AUTO_BUF struct buf cell = BUF_INIT(16384);
		if (l->width[c] <= 0)
			continue;
		add_cell(&cell, q, r, (enum column)c);
		draw_cell(in, y, l->x[c], l->width[c], buf_span(&cell),
			  c == STATE && role == ROLE_NORMAL ? state_role(r->state) : role,
			  columns[c].align);
	}
	if (selected)
		draw_cursor(in, y, 0);
}

static void draw_head(const struct draw_area *in, const struct layout *l) {
	for (int c = 0; c < COLUMNS; c++)
		if (l->width[c] > 0)
			draw_cell(in, 0, l->x[c], l->width[c], span_str(columns[c].name),
				  ROLE_DIM, columns[c].align);
}

/* Why the list is empty. */
static void draw_nothing(const struct queue_view *q, const struct draw_area *in, int y) {
	const char *words = "the queue is empty";
	if (model_loading(q->model) || model_truth(q->model) == MODEL_NOTHING)
		words = "reading the queue";
	else if (q->list.total > queue_hidden_dead(q))
		words = "no message passes the filter; Esc removes it";
	else if (q->list.total)
		words = "the queue is empty; the filter state=dead shows dead/";
	draw_text(in, y, 2, span_str(words), ROLE_DIM);
}

int queue_list_head(const struct view_place *place) {
	return place->small ? 0 : 1;
}

void queue_list_draw(struct queue_view *q, const struct view_place *place) {
	const struct draw_area *in = &place->list;
	struct layout l = lay_out(q, in->w);
	int head = queue_list_head(place);
	struct draw_area rows = draw_part(in, head, 0, in->h - head, in->w);
	if (head)
		draw_head(in, &l);
	if (q->list.count == 0)
		draw_nothing(q, &rows, 0);
	tui_list_fit(&q->list, rows.h);
	for (int y = 0; y < rows.h; y++) {
		const struct tui_list_row *row = tui_list_at(&q->list, y);
		if (!row)
			break;
		draw_message(q, &rows, y, &l, row);
	}
}
