/*
 * The Queue view: all messages, one line each, and one of them in the pane. Here are the list,
 * its filter and order, and the keys; the other parts are named in queue_state.h.
 *
 * The list is made anew only when it is needed: a model that reads 100,000 messages changes
 * many times between two looks at it.
 */

#include "tui/view.h"

#include <stdlib.h>
#include <string.h>

#include "tui/app_state.h"
#include "tui/queue_sort.h"
#include "tui/queue_state.h"

#define FILTER_LINE_MAX 2048u

/* --- the list --- */

const struct model_row *queue_row(const struct tui_list_row *row) {
	return ((const struct queue_key *)row->data)->row;
}

/* What is in dead/ left the queue: only a filter that names states asks for it. */
static bool hides_dead(const struct queue_view *q) {
	for (size_t i = 0; i < q->filter.count; i++)
		if (q->filter.term[i].key == FILTER_STATE)
			return false;
	return true;
}

size_t queue_hidden_dead(const struct queue_view *q) {
	return hides_dead(q) ? model_status(q->model)->count[MODEL_DEAD].messages : 0;
}

static bool shown(const void *data, void *ctx) {
	const struct queue_view *q = ctx;
	const struct model_row *r = ((const struct queue_key *)data)->row;
	/* Both enumerations have the states in the same order. */
	struct filter_row row = {
		.state = (enum queue_state)r->state,
		.created = r->created,
		.next = r->next,
		.size = r->size,
		.attempts = r->attempts,
		.id = span_str(r->id),
		.from = span_str(r->from),
		.relay = span_str(r->relay),
		.reason = span_str(r->reason),
		.why = span_str(r->why),
		.to = span_str(r->all_to),
		.flags = span_str(r->flags),
	};
	if (r->state == MODEL_DEAD && q->hide_dead)
		return false;
	return q->filter.count == 0 || filter_match(&q->filter, &row, q->now);
}

static bool found(const void *data, struct span text, void *ctx) {
	const struct model_row *r = ((const struct queue_key *)data)->row;
	const char *const where[] = { r->id,    r->from,   r->all_to,
				      r->relay, r->reason, r->why };
	(void)ctx;
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		if (filter_contains(span_str(where[i]), text))
			return true;
	return false;
}

static const struct tui_list_ops list_ops = { .compare = queue_sort_compare,
					      .shown = shown,
					      .found = found };

/* A key for each row of the model. False: no memory. */
static bool make_keys(struct queue_view *q) {
	size_t count = model_count(q->model);
	if (count > q->key_room) {
		struct queue_key *grown = reallocarray(q->key, count + count / 4,
						       sizeof(*grown));
		if (!grown)
			return false;
		q->key = grown;
		q->key_room = count + count / 4;
	}
	for (size_t i = 0; i < count; i++) {
		q->key[i] = (struct queue_key){ .row = model_at(q->model, i) };
		queue_sort_key(q->sort, &q->key[i], i);
	}
	return true;
}

/* Makes the list true again, if it is not. */
static void ensure(struct queue_view *q) {
	if (!q->stale && q->rows_version == model_rows_version(q->model))
		return;
	q->stale = false;
	q->rows_version = model_rows_version(q->model);
	q->now = app_now(q->app);
	q->hide_dead = hides_dead(q);
	tui_list_begin(&q->list);
	if (make_keys(q))
		for (size_t i = 0; i < model_count(q->model); i++)
			tui_list_add(&q->list, q->key[i].row->id, &q->key[i]);
	else
		app_say(q->app, ROLE_BAD, "out of memory");
	tui_list_end(&q->list);
}

const struct model_row *queue_selected(struct queue_view *q) {
	ensure(q);
	const struct tui_list_row *row = tui_list_selected(&q->list);
	return row ? queue_row(row) : NULL;
}

/* The pane shows the message the cursor is on. */
static void follow(struct queue_view *q) {
	const struct model_row *r = queue_selected(q);
	model_want(q->model, r ? r->id : NULL);
}

/* --- filter and sort --- */

/* A line that is being typed, without a last word that may become a key: nobody who is about to
 * type state=held looks for "sta". */
static struct span without_key(struct span line) {
	size_t n = line.len;
	while (n > 0 && line.p[n - 1] != ' ')
		n--;
	struct span word = span_from(line, n);
	for (size_t i = 0; word.len && filter_key_name(i); i++)
		if (span_starts_nocase(span_str(filter_key_name(i)), word))
			return span_head(line, n);
	return line;
}

/* False: it is none, as q->filter_error says, and the one in force stays. */
static bool set_filter(struct queue_view *q, struct span text) {
	q->filter_error = (struct err)ERR_INIT;
	if (filter_parse(&q->filter, text, &q->filter_error) != 0)
		return false;
	buf_reset(&q->filter_text);
	buf_add(&q->filter_text, span_trim(text));
	q->stale = true;
	return true;
}

/* What is typed is tried at once; a line that ends as no filter leaves the one it found. */
static void filter_line(void *ctx, const struct app_line *line) {
	struct queue_view *q = ctx;
	if (!set_filter(q, line->done ? line->text : without_key(line->text)) &&
	    line->done) {
		app_say(q->app, ROLE_BAD, "%s", q->filter_error.msg);
		set_filter(q, line->before);
	}
	follow(q);
	app_redraw(q->app);
}

void view_queue_filter(struct app *app, struct span filter) {
	const struct view_ops *from = app->view;
	struct app_line line = { .text = filter, .before = filter, .done = true };
	app_show(app, ACTION_QUEUE);
	if (app->view != &view_queue) /* there was no memory for it */
		return;
	app->before_queue = from;
	filter_line(app_view_state(app), &line);
}

static void clear_filter(struct queue_view *q) {
	q->filter = (struct filter)FILTER_INIT;
	q->filter_error = (struct err)ERR_INIT;
	buf_reset(&q->filter_text);
	q->stale = true;
}

static void next_sort(struct queue_view *q) {
	q->sort = (q->sort + 1) % queue_sort_count();
	q->stale = true;
	app_say(q->app, ROLE_NORMAL, "sorted by %s", queue_sort_name(q->sort));
}

/* --- the view --- */

static void *open_queue(struct app *app) {
	struct queue_view *q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->app = app;
	q->model = app_model(app);
	q->list = (struct tui_list)TUI_LIST_INIT(&list_ops, q);
	q->stale = true;
	buf_init(&q->filter_text, FILTER_LINE_MAX);
	return q;
}

static void close_queue(void *state) {
	struct queue_view *q = state;
	tui_list_release(&q->list);
	queue_lines_release(&q->lines);
	buf_release(&q->filter_text);
	free(q->row);
	free(q->key);
	free(q->chosen);
	free(q);
}

/* A filter by age or time lets other messages through as time goes by. */
static void refresh_queue(void *state) {
	struct queue_view *q = state;
	q->stale |= q->filter.count > 0;
	follow(q);
	queue_act_watch(q);
}

static void draw_queue(void *state, const struct view_place *place) {
	struct queue_view *q = state;
	ensure(q);
	if (place->list.h > 0)
		queue_list_draw(q, place);
	if (place->pane.h > 0)
		queue_pane_draw(q, place);
}

static void next_tab(struct queue_view *q) {
	q->tab = (enum queue_tab)((q->tab + 1) % QUEUE_TABS);
	q->scroll.top = 0;
}

static bool act_on_view(struct queue_view *q, enum action action) {
	switch ((int)action) {
	case ACTION_OPEN:
		app_focus_pane(q->app, true);
		return true;
	case ACTION_PART:
		next_tab(q);
		return true;
	case ACTION_WRAP:
		q->cut = !q->cut;
		q->scroll.top = 0;
		return true;
	case ACTION_SORT:
		next_sort(q);
		return true;
	case ACTION_FILTER:
		app_prompt(q->app, "Filter: ", buf_span(&q->filter_text), filter_line, q);
		return true;
	case ACTION_CLEAR:
		clear_filter(q);
		return true;
	case ACTION_SEARCH:
		app_search(q->app, &q->list);
		return true;
	case ACTION_PAGER:
		queue_act_pager(q);
		return true;
	default:
		return false;
	}
}

static bool act_on_messages(struct queue_view *q, enum action action) {
	static const struct {
		enum action action;
		enum model_act act;
	} acts[] = {
		{ ACTION_RETRY, MODEL_FLUSH },     { ACTION_HOLD, MODEL_HOLD },
		{ ACTION_RELEASE, MODEL_RELEASE }, { ACTION_DELETE, MODEL_DELETE },
		{ ACTION_BOUNCE, MODEL_BOUNCE },
	};
	if (action == ACTION_TAGGED) {
		q->for_tagged = q->list.tagged > 0;
		app_say(q->app, q->for_tagged ? ROLE_KEY : ROLE_BAD, "%s",
			q->for_tagged ? "the next key acts on all that is tagged"
				      : "nothing is tagged: Space tags");
		return true;
	}
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (acts[i].action != action)
			continue;
		queue_act(q, acts[i].act);
		return true;
	}
	if (action == ACTION_EDIT)
		queue_act_edit(q);
	return action == ACTION_EDIT;
}

static bool act_queue(void *state, enum action action, const struct view_place *place) {
	struct queue_view *q = state;
	int height = place->list.h - queue_list_head(place);
	bool done;
	q->small = place->small;
	ensure(q);
	if (place->in_pane &&
	    tui_scroll_act(&q->scroll, action, queue_pane_height(place)))
		return true;
	done = tui_list_act(&q->list, action, height) || act_on_view(q, action) ||
	       act_on_messages(q, action);
	if (action != ACTION_TAGGED)
		q->for_tagged = false;
	follow(q);
	return done;
}

static void click_queue(void *state, int y, const struct view_place *place) {
	struct queue_view *q = state;
	ensure(q);
	tui_list_select_line(&q->list, y - queue_list_head(place));
	follow(q);
}

static void add_job(struct queue_view *q, struct buf *out) {
	const struct model_job *j = model_job(q->model);
	if (j->running)
		buf_addf(out, "%s: %zu of %zu   ", model_act_name(j->act),
			 j->done + j->failed, j->total);
}

static void words_queue(void *state, const struct view_words *words) {
	struct queue_view *q = state;
	size_t beyond = model_rows_beyond(q->model), dead = queue_hidden_dead(q);
	ensure(q);
	size_t total = q->list.total + beyond - dead;
	if (q->list.count != total)
		buf_addf(words->title, "%zu of ", q->list.count);
	buf_addf(words->title, "%zu %s", total, total == 1 ? "msg" : "msgs");
	if (q->list.tagged)
		buf_addf(words->title, ", %zu tagged", q->list.tagged);
	if (dead)
		buf_addf(words->title, ", %zu dead", dead);
	if (model_loading(q->model))
		buf_adds(words->title, ", reading");
	add_job(q, words->status);
	buf_addf(words->status, "Sort: %s (S)   Filter: %s (f)", queue_sort_name(q->sort),
		 q->filter_text.len ? buf_str(&q->filter_text) : "none");
	if (q->filter_error.msg[0]) {
		buf_reset(words->status);
		buf_adds(words->status, q->filter_error.msg);
	}
	if (beyond)
		buf_addf(words->status, "   %zu more are not shown", beyond);
	buf_addf(words->position, "%zu/%zu", q->list.count ? q->list.selected + 1 : 0,
		 q->list.count);
}

const struct view_ops view_queue = {
	.name = "queue",
	.title = "Queue",
	.help = "Every message of the queue, and the selected one in the pane: who it is from and "
		"for, what was tried, what it waits for. v goes on to its header, its text and all "
		"attempts. A filter is words like state=deferred to~example age>1h, which must all "
		"hold; mailq takes the same. state=dead shows what was given up or deleted.",
	.where = KEYS_QUEUE,
	.pane = VIEW_PANE_FULL,
	.open = open_queue,
	.close = close_queue,
	.refresh = refresh_queue,
	.draw = draw_queue,
	.act = act_queue,
	.words = words_queue,
	.click = click_queue,
};
