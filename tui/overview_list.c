/*
 * The lists of the Overview: destinations in trouble, and relays. Every column has a fixed width
 * except names and replies, which share what is left; a screen too narrow for a column goes
 * without it.
 */

#include "tui/overview.h"

#include <string.h>

#include "tui/words.h"

/* A table's columns: x and width of each; width 0: not shown. */
struct column {
	int x, w;
};

static void put_cell(const struct draw_area *in, int y, const struct column *c,
		     struct span text, enum theme_role role, enum draw_align align) {
	if (c->w > 0)
		draw_cell(in, y, c->x, c->w, text, role, align);
}

/* The row's own look gives way to that of the selected row. */
static enum theme_role look(bool is_selected, enum theme_role role) {
	return is_selected ? ROLE_SELECTED : role;
}

static void begin_row(const struct draw_area *in, int y, bool is_selected) {
	if (!is_selected)
		return;
	draw_row(in, y, ROLE_SELECTED);
	draw_text(in, y, 0, SPAN(">"), ROLE_SELECTED);
	draw_cursor(in, y, 0);
}

/* Which of `count` rows are shown on `lines` lines, the selected one among them. */
static size_t first_shown(size_t count, int lines, size_t selected, bool here) {
	size_t room = lines > 0 ? (size_t)lines : 0;
	if (!here || selected < room || count <= room)
		return 0;
	return selected - room + 1;
}

struct destination_columns {
	struct column name, waiting, next, reply;
};

static struct destination_columns destination_columns(int w) {
	struct destination_columns c;
	bool reply = w >= 60;
	int name = reply ? (w - 24) * 9 / 20 : w - 22;
	c.name = (struct column){ 2, name };
	c.waiting = (struct column){ name + 3, 7 };
	c.next = (struct column){ name + 11, 9 };
	c.reply = (struct column){ name + 22, reply ? w - name - 22 : 0 };
	return c;
}

static void draw_destination(const struct overview *v, const struct draw_area *in, int y,
			     const struct overview_item *item, bool is_selected) {
	const struct model_destination *d = &overview_status(v)->destination[item->index];
	struct destination_columns c = destination_columns(in->w);
	AUTO_BUF struct buf waiting = BUF_INIT(32), next = BUF_INIT(32);
	buf_addf(&waiting, "%zu", d->waiting);
	words_next(&next, d->next, overview_now(v));
	begin_row(in, y, is_selected);
	put_cell(in, y, &c.name, span_str(d->name), look(is_selected, ROLE_WAIT),
		 DRAW_LEFT);
	put_cell(in, y, &c.waiting, buf_span(&waiting), look(is_selected, ROLE_NORMAL),
		 DRAW_RIGHT);
	put_cell(in, y, &c.next, buf_span(&next), look(is_selected, ROLE_NORMAL),
		 DRAW_RIGHT);
	put_cell(in, y, &c.reply, span_str(d->reply), look(is_selected, ROLE_NORMAL),
		 DRAW_LEFT);
}

static void head_destinations(const struct overview *v, const struct draw_area *in) {
	struct destination_columns c = destination_columns(in->w);
	if (overview_status(v)->destinations == 0) {
		draw_text(in, 0, 0, SPAN("No destination is in trouble"), ROLE_TITLE);
		return;
	}
	draw_cell(in, 0, 0, c.name.x + c.name.w,
		  in->w < 60 ? SPAN("Trouble") : SPAN("Destinations in trouble"),
		  ROLE_TITLE, DRAW_LEFT);
	put_cell(in, 0, &c.waiting, SPAN("waiting"), ROLE_DIM, DRAW_RIGHT);
	put_cell(in, 0, &c.next, SPAN("next try"), ROLE_DIM, DRAW_RIGHT);
	put_cell(in, 0, &c.reply, SPAN("last reply"), ROLE_DIM, DRAW_LEFT);
}

struct relay_columns {
	struct column name, state, tls, auth, success, failure;
};

static struct relay_columns relay_columns(int w) {
	struct relay_columns c = { .state = { 0, 8 } };
	bool full = w >= 60;
	int fixed = full ? 2 + 9 + 8 + 14 + 10 : 2 + 9;
	int name = (w - fixed) * (full ? 9 : 10) / 20;
	c.name = (struct column){ 2, name };
	c.state.x = name + 3;
	int x = c.state.x + 9;
	if (full) {
		c.tls = (struct column){ x, 7 };
		c.auth = (struct column){ x + 8, 13 };
		c.success = (struct column){ x + 22, 9 };
		x += 32;
	}
	c.failure = (struct column){ x, w - x };
	return c;
}

/* "waits for the quota of relay default: 10 a day": which relay it is, the row says. */
static void add_waits(struct buf *out, const struct model_relay *r) {
	const char *colon = strstr(r->waits, ": ");
	buf_addf(out, "waits%s", colon ? colon : "");
}

static void add_failure(struct buf *out, const struct model_relay *r, int64_t now) {
	if (r->waits[0] && !r->words[0]) {
		add_waits(out, r);
		return;
	}
	if (r->last_failure == NO_TIME && !r->words[0]) {
		buf_addc(out, '-');
		return;
	}
	if (r->last_failure != NO_TIME) {
		words_time(out, r->last_failure, now);
		buf_addc(out, ' ');
	}
	buf_adds(out, r->words[0] ? r->words : r->failure);
}

static void draw_relay(const struct overview *v, const struct draw_area *in, int y,
		       const struct overview_item *item, bool is_selected) {
	const struct model_relay *r = &overview_status(v)->relay[item->index];
	struct relay_columns c = relay_columns(in->w);
	bool held = strcmp(r->state, "held") == 0, up = strcmp(r->state, "up") == 0;
	AUTO_BUF struct buf name = BUF_INIT(400), success = BUF_INIT(32),
			    failure = BUF_INIT(400);
	enum theme_role role = held ? ROLE_BAD : up ? ROLE_GOOD : ROLE_DIM;
	buf_addf(&name, "%s %s %s", r->name, draw_utf8() ? "\u2192" : "->", r->host);
	if (!r->host[0] || draw_width(buf_span(&name)) > c.name.w)
		buf_truncate(&name, strlen(r->name));
	words_time(&success, r->last_success, overview_now(v));
	add_failure(&failure, r, overview_now(v));
	begin_row(in, y, is_selected);
	put_cell(in, y, &c.name, buf_span(&name), look(is_selected, ROLE_NORMAL),
		 DRAW_LEFT);
	put_cell(in, y, &c.state, span_str(up || held ? r->state : "untried"),
		 look(is_selected, role), DRAW_LEFT);
	put_cell(in, y, &c.tls, span_str(r->tls[0] ? r->tls : "-"),
		 look(is_selected, ROLE_NORMAL), DRAW_LEFT);
	put_cell(in, y, &c.auth, span_str(r->auth[0] ? r->auth : "-"),
		 look(is_selected, ROLE_NORMAL), DRAW_LEFT);
	put_cell(in, y, &c.success, buf_span(&success), look(is_selected, ROLE_NORMAL),
		 DRAW_LEFT);
	put_cell(in, y, &c.failure, buf_span(&failure),
		 look(is_selected, held		? ROLE_BAD
				   : r->waits[0] ? ROLE_WAIT
						 : ROLE_NORMAL),
		 DRAW_LEFT);
}

static void head_relays(const struct overview *v, const struct draw_area *in) {
	struct relay_columns c = relay_columns(in->w);
	draw_text(in, 0, 0,
		  overview_status(v)->relays ? SPAN("Relays") : SPAN("No relay is known"),
		  ROLE_TITLE);
	if (overview_status(v)->relays == 0)
		return;
	put_cell(in, 0, &c.state, SPAN("state"), ROLE_DIM, DRAW_LEFT);
	put_cell(in, 0, &c.tls, SPAN("TLS"), ROLE_DIM, DRAW_LEFT);
	put_cell(in, 0, &c.auth, SPAN("login"), ROLE_DIM, DRAW_LEFT);
	put_cell(in, 0, &c.success, SPAN("success"), ROLE_DIM, DRAW_LEFT);
	put_cell(in, 0, &c.failure, SPAN("last failure"), ROLE_DIM, DRAW_LEFT);
}

void overview_draw_list(struct overview *v, bool relays, const struct draw_area *in,
			int y_in_list) {
	size_t first = relays ? overview_status(v)->destinations : 0;
	size_t count = relays ? overview_status(v)->relays
			      : overview_status(v)->destinations;
	size_t selected = v->list.selected;
	bool here = selected >= first && selected < first + count;
	size_t top = first_shown(count, in->h - 1, selected - first, here);
	struct overview_rows *rows = relays ? &v->relays : &v->destinations;
	*rows = (struct overview_rows){ y_in_list + 1, in->h - 1, first + top };
	if (relays)
		head_relays(v, in);
	else
		head_destinations(v, in);
	for (int y = 1; y < in->h && top < count; y++, top++) {
		const struct overview_item *item = &v->item[first + top];
		if (relays)
			draw_relay(v, in, y, item, here && selected == first + top);
		else
			draw_destination(v, in, y, item, here && selected == first + top);
	}
}
