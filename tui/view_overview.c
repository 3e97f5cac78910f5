/*
 * The Overview: is mail going out, and if not, where does it stop? Sections share the rows:
 * each has a least and a wanted height; what is left goes around one row at a time, and where
 * even the least does not fit, the less important ones are left out.
 */

#include "tui/view.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "tui/overview.h"
#include "tui/words.h"

/* By importance; the queue is a table, or where that does not fit, one line. */
static const struct {
	enum overview_section section;
	int least;
} order[] = {
	{ OVERVIEW_STATE, 1 },  { OVERVIEW_QUEUE, 1 }, { OVERVIEW_DESTINATIONS, 2 },
	{ OVERVIEW_RELAYS, 2 }, { OVERVIEW_BARS, 2 },  { OVERVIEW_EVENTS, 2 },
};
#define ORDER (sizeof(order) / sizeof(order[0]))

static bool item_found(const void *data, struct span text, void *ctx) {
	const struct overview_item *item = data;
	const struct overview *v = ctx;
	const struct model_status *s = model_status(app_model(v->app));
	if (words_contain(span_str(item->id), text))
		return true;
	return words_contain(span_str(item->relay ? s->relay[item->index].reason
						  : s->destination[item->index].reply),
			     text);
}

static const struct tui_list_ops list_ops = { .found = item_found };

static void *open_overview(struct app *app) {
	struct overview *v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->app = app;
	v->list = (struct tui_list)TUI_LIST_INIT(&list_ops, v);
	return v;
}

static void close_overview(void *state) {
	struct overview *v = state;
	tui_list_release(&v->list);
	free(v);
}

static void add_item(struct overview *v, bool relay, size_t index, const char *name) {
	struct overview_item *item = &v->item[v->items++];
	item->relay = relay;
	item->index = index;
	/* A relay may be named like a domain. */
	snprintf(item->id, sizeof(item->id), "%s%s", relay ? "relay " : "", name);
	tui_list_add(&v->list, item->id, item);
}

static void refresh_overview(void *state) {
	struct overview *v = state;
	const struct model_status *s = model_status(app_model(v->app));
	v->items = 0;
	tui_list_begin(&v->list);
	for (size_t i = 0; i < s->destinations; i++)
		add_item(v, false, i, s->destination[i].name);
	for (size_t i = 0; i < s->relays; i++)
		add_item(v, true, i, s->relay[i].name);
	tui_list_end(&v->list);
}

/* --- room --- */

struct heights {
	int h[OVERVIEW_SECTIONS];
	bool gaps; /* a blank row between sections */
};

#define TABLE_ROWS 16 /* from so many rows on the queue is a table */

static struct heights share(const int *want, int rows, bool gaps) {
	struct heights s = { .gaps = gaps };
	int left = rows, shown = 0;
	for (size_t i = 0; i < ORDER; i++) {
		enum overview_section section = order[i].section;
		int gap = gaps && shown > 0;
		bool whole = section == OVERVIEW_QUEUE && rows >= TABLE_ROWS;
		int least = order[i].least;
		if (whole || want[section] < least)
			least = want[section];
		if (least == 0 || least + gap > left)
			continue;
		s.h[section] = least;
		left -= least + gap;
		shown++;
	}
	for (bool given = true; given && left > 0;) {
		given = false;
		for (size_t i = 0; i < ORDER && left > 0; i++) {
			enum overview_section section = order[i].section;
			if (s.h[section] == 0 || s.h[section] >= want[section])
				continue;
			s.h[section]++;
			left--;
			given = true;
		}
	}
	return s;
}

static struct heights lay_out(const struct overview *v, const struct view_place *place) {
	int want[OVERVIEW_SECTIONS];
	for (int i = 0; i < OVERVIEW_SECTIONS; i++)
		want[i] = overview_wants(v, (enum overview_section)i);
	if (place->list.w >= OVERVIEW_BESIDE)
		want[OVERVIEW_BARS] = 0;
	if (place->beside)
		want[OVERVIEW_EVENTS] = 0;
	if (place->small) {
		want[OVERVIEW_QUEUE] = 1;
		want[OVERVIEW_BARS] = 0;
	}
	return share(want, place->list.h, !place->small);
}

static void draw_overview(void *state, const struct view_place *place) {
	struct overview *v = state;
	struct heights s = lay_out(v, place);
	int y = 0;
	v->destinations.h = v->relays.h = 0;
	for (int i = 0; i < OVERVIEW_SECTIONS; i++) {
		if (s.h[i] == 0)
			continue;
		struct draw_area in = draw_part(&place->list, y, 0, s.h[i],
						place->list.w - 1);
		overview_draw(v, (enum overview_section)i, &in, y);
		y += s.h[i] + s.gaps;
	}
	if (place->pane.h > 0)
		overview_draw(v, OVERVIEW_EVENTS, &place->pane, 0);
}

/* --- actions --- */

static const struct overview_item *selected(const struct overview *v) {
	const struct tui_list_row *row = tui_list_selected(&v->list);
	return row ? row->data : NULL;
}

static void open_item(struct overview *v, const struct overview_item *item) {
	const struct model_status *s = model_status(app_model(v->app));
	AUTO_BUF struct buf filter = BUF_INIT(600);
	if (item->relay)
		buf_addf(&filter, "relay=%s", s->relay[item->index].name);
	else
		buf_addf(&filter, "to~@%s", s->destination[item->index].name);
	view_queue_filter(v->app, buf_span(&filter));
}

/* One recipient a line: does one of them live in this domain? */
static bool goes_to(const struct model_row *row, struct span domain) {
	struct span rest = span_str(row->all_to), to;
	while (span_take_line(&rest, &to))
		if (to.len > domain.len && to.p[to.len - domain.len - 1] == '@' &&
		    span_ends_nocase(to, domain))
			return true;
	return false;
}

static bool concerns(const struct overview *v, const struct overview_item *item,
		     const struct model_row *row) {
	const struct model_status *s = model_status(app_model(v->app));
	if (row->state != MODEL_DEFERRED && row->state != MODEL_QUEUED)
		return false;
	if (!item->relay)
		return goes_to(row, span_str(s->destination[item->index].name));
	return span_eq(span_str(row->relay), span_str(s->relay[item->index].name));
}

static void retry_item(struct overview *v, const struct overview_item *item) {
	struct model *m = app_model(v->app);
	struct err err = ERR_INIT;
	size_t count = model_count(m), n = 0;
	AUTO_FREE char(*ids)[MODEL_ID_SIZE] = calloc(count + 1, sizeof(*ids));
	AUTO_FREE const char **list = calloc(count + 1, sizeof(*list));
	if (!ids || !list) {
		app_say(v->app, ROLE_BAD, "out of memory");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!concerns(v, item, model_at(m, i)))
			continue;
		memcpy(ids[n], model_at(m, i)->id, MODEL_ID_SIZE);
		list[n] = ids[n];
		n++;
	}
	if (n == 0)
		app_say(v->app, ROLE_WAIT, "no message waits for %s", item->id);
	else if (model_act(m, MODEL_FLUSH, list, n, &err) != 0)
		app_say(v->app, ROLE_BAD, "retry: %s", err.msg);
	else
		app_say(v->app, ROLE_GOOD, "%zu message%s for %s: tried again now", n,
			n == 1 ? "" : "s", item->id);
}

static bool act_overview(void *state, enum action action,
			 const struct view_place *place) {
	struct overview *v = state;
	const struct overview_item *item = selected(v);
	if (tui_list_act(&v->list, action, place->list.h / 2))
		return true;
	switch ((int)action) {
	case ACTION_OPEN:
		if (item)
			open_item(v, item);
		return true;
	case ACTION_RETRY:
		if (item)
			retry_item(v, item);
		return true;
	case ACTION_SEARCH:
		app_search(v->app, &v->list);
		return true;
	default:
		return false;
	}
}

static void words_overview(void *state, const struct view_words *words) {
	const struct overview *v = state;
	const struct model *m = app_model(v->app);
	size_t all = 0;
	for (size_t i = 0; i < MODEL_STATES; i++)
		if (i != MODEL_DEAD)
			all += model_status(m)->count[i].messages;
	if (model_truth(m) != MODEL_NOTHING)
		buf_addf(words->title, "%zu message%s", all, all == 1 ? "" : "s");
	if (v->list.count)
		buf_addf(words->position, "%zu/%zu", v->list.selected + 1, v->list.count);
}

static void click_overview(void *state, int y, const struct view_place *place) {
	struct overview *v = state;
	(void)place;
	const struct overview_rows *parts[] = { &v->destinations, &v->relays };
	for (size_t i = 0; i < 2; i++) {
		size_t row = parts[i]->first + (size_t)(y - parts[i]->y);
		if (y >= parts[i]->y && y < parts[i]->y + parts[i]->h && row < v->items)
			tui_list_select(&v->list, v->item[row].id);
	}
}

const struct view_ops view_overview = {
	.name = "overview",
	.title = "Overview",
	.help = "The daemon, how much mail is in which state and how old the oldest is, what was "
		"done since the daemon started, destinations whose mail had to wait, the relays "
		"with their last success and failure, and what happened last. Enter on a "
		"destination or relay shows its messages; r tries them again now.",
	.where = KEYS_OVERVIEW,
	.pane = VIEW_PANE_WIDE,
	.open = open_overview,
	.close = close_overview,
	.refresh = refresh_overview,
	.draw = draw_overview,
	.act = act_overview,
	.words = words_overview,
	.click = click_overview,
};
