/* The sections of the Overview but the lists: state, queue, bars, and what happened. */

#include "tui/overview.h"

#include <stdio.h>
#include <string.h>

#include "base/term.h"
#include "tui/words.h"

#define LABEL 9        /* columns of "State    " */
#define QUEUE_WIDTH 32 /* of the table, and with the next try */
#define QUEUE_WIDTH_NEXT 44
#define BARS_WIDTH 41
#define BAR_ROWS 4
#define BAR_WIDTH 8
#define EVENTS_WANTED 100

int64_t overview_now(const struct overview *v) {
	const struct model *m = app_model(v->app);
	int64_t as_of = model_as_of(m);
	return model_truth(m) == MODEL_STALE && as_of != NO_TIME ? as_of
								 : app_now(v->app);
}

const struct model_status *overview_status(const struct overview *v) {
	return model_status(app_model(v->app));
}

static const char *dot(void) {
	return draw_utf8() ? " \u00b7 " : " - ";
}

/* --- state --- */

static const char *held_relay(const struct model_status *s) {
	for (size_t i = 0; i < s->relays; i++)
		if (strcmp(s->relay[i].state, "held") == 0)
			return s->relay[i].name;
	return NULL;
}

/* What the daemon does, in a word or a sentence. */
static enum theme_role add_doing(const struct overview *v, struct buf *out) {
	const struct model *m = app_model(v->app);
	const struct model_status *s = overview_status(v);
	if (model_link(m) != MODEL_DAEMON || model_truth(m) == MODEL_STALE || !s->known) {
		buf_adds(out, model_link(m) == MODEL_CONNECTING ? "not known yet"
								: "not running");
		return model_link(m) == MODEL_CONNECTING ? ROLE_WAIT : ROLE_BAD;
	}
	if (s->complaint[0]) {
		buf_addf(out, "nothing can be delivered: %s", s->complaint);
		return ROLE_BAD;
	}
	if (s->stopping) {
		buf_adds(out, "stopping");
		return ROLE_WAIT;
	}
	if (s->paused_until != NO_TIME) {
		buf_adds(out, "paused after crashes until ");
		words_clock(out, s->paused_until, overview_now(v));
		return ROLE_BAD;
	}
	if (held_relay(s)) {
		buf_addf(out, "relay %s does not work", held_relay(s));
		return ROLE_BAD;
	}
	if (s->warnings > 0) {
		buf_adds(out, s->warning);
		if (s->warnings > 1)
			buf_addf(out, "; %zu more warnings", s->warnings - 1);
		return ROLE_WAIT;
	}
	buf_adds(out, s->count[MODEL_ACTIVE].messages ? "delivering" : "idle");
	return ROLE_GOOD;
}

static void add_uptime(struct buf *out, int64_t seconds) {
	long long s = seconds > 0 ? seconds : 0;
	buf_adds(out, "up ");
	if (s >= 86400)
		buf_addf(out, "%lldd ", s / 86400);
	buf_addf(out, "%02lld:%02lld", s / 3600 % 24, s / 60 % 60);
}

static void draw_state(const struct overview *v, const struct draw_area *in) {
	const struct model_status *s = overview_status(v);
	AUTO_BUF struct buf doing = BUF_INIT(1000), rest = BUF_INIT(200);
	enum theme_role role = add_doing(v, &doing);
	int x = in->w < 60 ? 0 : LABEL;
	if (x)
		draw_text(in, 0, 0, SPAN("State"), ROLE_TITLE);
	x += draw_text(in, 0, x, buf_span(&doing), role);
	if (role == ROLE_BAD && model_link(app_model(v->app)) != MODEL_DAEMON)
		return;
	if (s->since != NO_TIME && s->known) {
		buf_adds(&rest, dot());
		add_uptime(&rest, overview_now(v) - s->since);
		buf_addf(&rest, "%s%u connection%s", dot(), s->workers,
			 s->workers == 1 ? "" : "s");
		if (!s->admin)
			buf_addf(&rest, "%syour own mail", dot());
	}
	draw_text(in, 0, x, buf_span(&rest), ROLE_NORMAL);
}

/* --- the queue and the bars --- */

static enum theme_role role_of_state(enum model_state state, size_t messages) {
	static const enum theme_role roles[MODEL_STATES] = {
		[MODEL_QUEUED] = ROLE_NORMAL, [MODEL_ACTIVE] = ROLE_GOOD,
		[MODEL_DEFERRED] = ROLE_WAIT, [MODEL_HELD] = ROLE_WAIT,
		[MODEL_DEAD] = ROLE_BAD,
	};
	return messages ? roles[state] : ROLE_DIM;
}

static const enum model_state state_order[MODEL_STATES] = {
	MODEL_ACTIVE, MODEL_QUEUED, MODEL_DEFERRED, MODEL_HELD, MODEL_DEAD,
};

static void draw_queue_line(const struct overview *v, const struct draw_area *in) {
	int x = 0;
	for (size_t i = 0; i < MODEL_STATES; i++) {
		enum model_state state = state_order[i];
		size_t n = overview_status(v)->count[state].messages;
		if (n || state == MODEL_DEFERRED)
			x += 1 + draw_textf(in, 0, x, role_of_state(state, n), "%zu %s",
					    n, model_state_name(state));
	}
}

static void draw_queue_row(const struct overview *v, const struct draw_area *in, int y,
			   enum model_state state) {
	const struct model_count *c = &overview_status(v)->count[state];
	enum theme_role role = role_of_state(state, c->messages);
	AUTO_BUF struct buf count = BUF_INIT(32), age = BUF_INIT(32), next = BUF_INIT(32);
	buf_addf(&count, "%zu", c->messages);
	if (c->messages && c->oldest != NO_TIME)
		words_age(&age, overview_now(v) - c->oldest);
	if (state == MODEL_DEFERRED || state == MODEL_QUEUED)
		words_next(&next, c->messages ? c->next : NO_TIME, overview_now(v));
	draw_text(in, y, 2, span_str(model_state_name(state)), role);
	draw_cell(in, y, 12, 8, buf_span(&count), role, DRAW_RIGHT);
	draw_cell(in, y, 21, 10, buf_span(&age), ROLE_NORMAL, DRAW_RIGHT);
	draw_cell(in, y, 33, 10, buf_span(&next), ROLE_NORMAL, DRAW_RIGHT);
}

static void draw_queue_table(const struct overview *v, const struct draw_area *in) {
	draw_text(in, 0, 0, SPAN("Queue"), ROLE_TITLE);
	draw_cell(in, 0, 12, 8, SPAN("now"), ROLE_DIM, DRAW_RIGHT);
	draw_cell(in, 0, 21, 10, SPAN("oldest"), ROLE_DIM, DRAW_RIGHT);
	draw_cell(in, 0, 33, 10, SPAN("next try"), ROLE_DIM, DRAW_RIGHT);
	for (int i = 0; i < MODEL_STATES; i++)
		draw_queue_row(v, in, i + 1, state_order[i]);
}

static void draw_numbers(const struct draw_area *in, int y, int x,
			 const struct model_bar *b) {
	const struct {
		uint64_t n;
		int width;
		enum theme_role role;
	} cells[] = { { b->delivered, 8, ROLE_GOOD },
		      { b->deferred, 9, ROLE_WAIT },
		      { b->bounced, 8, ROLE_BAD } };
	for (size_t i = 0; i < 3; i++) {
		AUTO_BUF struct buf text = BUF_INIT(32);
		buf_addf(&text, "%llu", (unsigned long long)cells[i].n);
		draw_cell(in, y, x, cells[i].width, buf_span(&text),
			  cells[i].n ? cells[i].role : ROLE_DIM, DRAW_RIGHT);
		x += cells[i].width;
	}
}

static int64_t done_in(const struct model_bar *b) {
	return (int64_t)(b->delivered + b->deferred + b->bounced);
}

/* Hours; in a daemon's first hour, minutes. */
static size_t bars_of(const struct model_status *s, const struct model_bar **ret) {
	*ret = s->hours > 1 ? s->hour : s->minute;
	return s->hours > 1 ? s->hours : s->minutes;
}

static void draw_bars(const struct overview *v, const struct draw_area *in) {
	const struct model_status *s = overview_status(v);
	const struct model_bar *bar;
	size_t count = bars_of(s, &bar);
	int64_t largest = 1;
	int x = 8 + BAR_WIDTH;
	draw_text(in, 0, 0, SPAN("Since the start"), ROLE_TITLE);
	draw_cell(in, 0, x, 8, SPAN("sent"), ROLE_DIM, DRAW_RIGHT);
	draw_cell(in, 0, x + 8, 9, SPAN("deferred"), ROLE_DIM, DRAW_RIGHT);
	draw_cell(in, 0, x + 17, 8, SPAN("failed"), ROLE_DIM, DRAW_RIGHT);
	draw_text(in, 1, 2, SPAN("all"), ROLE_NORMAL);
	draw_numbers(in, 1, x, &s->total);
	for (size_t i = 0; i < count; i++)
		largest = done_in(&bar[i]) > largest ? done_in(&bar[i]) : largest;
	for (size_t i = 0; i < count && (int)i + 2 < in->h; i++) {
		AUTO_BUF struct buf at = BUF_INIT(32);
		int y = (int)i + 2;
		words_time(&at, bar[i].start, overview_now(v));
		struct span shown = buf_span(&at);
		draw_text(in, y, 2,
			  shown.len > 5 ? span_from(shown, shown.len - 5) : shown,
			  ROLE_NORMAL);
		draw_bar(in, y, 8, BAR_WIDTH, done_in(&bar[i]), largest, ROLE_KEY);
		draw_numbers(in, y, x, &bar[i]);
	}
}

static void draw_queue(const struct overview *v, const struct draw_area *in) {
	if (in->h < MODEL_STATES + 1) {
		draw_queue_line(v, in);
		return;
	}
	int width = in->w + 1 < OVERVIEW_BESIDE ||
				    in->w >= QUEUE_WIDTH_NEXT + 2 + BARS_WIDTH
			    ? QUEUE_WIDTH_NEXT
			    : QUEUE_WIDTH;
	struct draw_area table = draw_part(in, 0, 0, in->h, width);
	draw_queue_table(v, &table);
	if (in->w + 1 >= OVERVIEW_BESIDE) {
		struct draw_area right =
			draw_part(in, 0, width + 2, in->h, in->w - width - 2);
		draw_divider(in, width, false, false);
		draw_bars(v, &right);
	}
}

/* --- events --- */

static const struct {
	const char *kind, *shown;
	enum theme_role role;
} kinds[] = {
	{ "started", NULL, ROLE_DIM },         { "gone", NULL, ROLE_DIM },
	{ "delivered", "sent", ROLE_GOOD },    { "relay-ok", "relay ok", ROLE_GOOD },
	{ "deferred", "deferred", ROLE_WAIT }, { "held", "held", ROLE_WAIT },
	{ "bounced", "bounced", ROLE_BAD },    { "expired", "expired", ROLE_BAD },
	{ "dead", "dead", ROLE_BAD },          { "relay-held", "relay bad", ROLE_BAD },
};

static bool event_shown(const struct model_event *e, const char **ret_word,
			enum theme_role *ret_role) {
	*ret_word = e->kind;
	*ret_role = ROLE_NORMAL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, e->kind) == 0) {
			*ret_word = kinds[i].shown;
			*ret_role = kinds[i].role;
		}
	return *ret_word != NULL;
}

static void draw_event(const struct overview *v, const struct draw_area *in, int y,
		       const struct model_event *e, const char *word,
		       enum theme_role role) {
	AUTO_BUF struct buf at = BUF_INIT(32);
	size_t id = strlen(e->id);
	int x = 0;
	words_clock(&at, e->at_ms / 1000, overview_now(v));
	draw_cell(in, y, x, 9, buf_span(&at), ROLE_DIM, DRAW_LEFT);
	draw_cell(in, y, x + 9, 9, span_str(word), role, DRAW_LEFT);
	x = 19 + draw_text(in, y, 19, span_str(e->id + (id > 5 ? id - 5 : 0)), ROLE_DIM) +
	    (id > 0);
	x += draw_text(in, y, x, span_str(e->who), ROLE_NORMAL) + 2;
	draw_text(in, y, x, span_str(e->text), ROLE_NORMAL);
}

static void draw_events(const struct overview *v, const struct draw_area *in) {
	const struct model *m = app_model(v->app);
	int y = 1;
	draw_text(in, 0, 0, SPAN("What happened"), ROLE_TITLE);
	for (size_t i = 0; i < model_events(m) && y < in->h; i++) {
		const struct model_event *e = model_event(m, i);
		const char *word;
		enum theme_role role;
		if (event_shown(e, &word, &role))
			draw_event(v, in, y++, e, word, role);
	}
	if (y == 1 && in->h > 1)
		draw_text(in, 1, 0, SPAN("nothing since this screen was opened"),
			  ROLE_DIM);
}

int overview_wants(const struct overview *v, enum overview_section section) {
	const struct model_status *s = overview_status(v);
	const struct model_bar *bar;
	/* What a daemon said that is gone stays, as long as the screen says how old it is. */
	bool told = s->known || model_truth(app_model(v->app)) == MODEL_STALE;
	switch (section) {
	case OVERVIEW_STATE:
		return 1;
	case OVERVIEW_QUEUE:
		return MODEL_STATES + 1;
	case OVERVIEW_BARS: {
		int count = (int)bars_of(s, &bar);
		return 2 + (count < BAR_ROWS ? count : BAR_ROWS);
	}
	case OVERVIEW_DESTINATIONS:
		return told && s->admin ? 1 + (int)s->destinations : 0;
	case OVERVIEW_RELAYS:
		return told ? 1 + (int)s->relays : 0;
	case OVERVIEW_EVENTS:
	case OVERVIEW_SECTIONS:
		break;
	}
	return EVENTS_WANTED;
}

void overview_draw(struct overview *v, enum overview_section section,
		   const struct draw_area *in, int y_in_list) {
	switch (section) {
	case OVERVIEW_STATE:
		draw_state(v, in);
		break;
	case OVERVIEW_QUEUE:
		draw_queue(v, in);
		break;
	case OVERVIEW_BARS:
		draw_bars(v, in);
		break;
	case OVERVIEW_DESTINATIONS:
		overview_draw_list(v, false, in, y_in_list);
		break;
	case OVERVIEW_RELAYS:
		overview_draw_list(v, true, in, y_in_list);
		break;
	case OVERVIEW_EVENTS:
	case OVERVIEW_SECTIONS:
		draw_events(v, in);
		break;
	}
}
