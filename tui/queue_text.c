/*
 * A message as lines of text, tab by tab. The bytes are foreign and stay so: draw.h makes
 * them safe, and for the pager queue_text_page() does.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/term.h"
#include "mail/date.h"
#include "mail/decode.h"
#include "mail/header.h"
#include "tui/queue_body.h"
#include "tui/queue_state.h"

#define LINES_MAX (1u << 20) /* bytes of a tab */
#define RECIPIENTS_SHOWN 12u
#define TRIES_SHOWN 3u /* in the envelope */

void queue_lines_release(struct queue_lines *l) {
	buf_release(&l->text);
	free(l->line);
	*l = (struct queue_lines){ .count = 0 };
}

static void clear(struct queue_lines *l, bool labelled) {
	if (!l->text.max)
		buf_init(&l->text, LINES_MAX);
	buf_reset(&l->text);
	l->count = 0;
	l->labelled = labelled;
}

static void add_one(struct queue_lines *l, const char *label, struct span text,
		    enum theme_role role) {
	size_t at = l->text.len;
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct queue_line *grown = reallocarray(l->line, room, sizeof(*grown));
		if (!grown)
			return;
		l->line = grown;
		l->room = room;
	}
	buf_adds(&l->text, label);
	buf_add(&l->text, text);
	if (buf_failed(&l->text))
		return;
	l->line[l->count++] = (struct queue_line){
		.at = at, .label = strlen(label), .len = text.len, .role = role
	};
}

/* Adds a text; each line end in it begins a line without a label. */
static void add(struct queue_lines *l, const char *label, struct span text,
		enum theme_role role) {
	struct span line;
	if (text.len == 0)
		add_one(l, label, text, role);
	while (span_take_line(&text, &line)) {
		add_one(l, label, line, role);
		label = "";
	}
}

static void add_words(struct queue_lines *l, const char *label, const char *words) {
	add(l, label, span_str(words), ROLE_NORMAL);
}

/* A field of the header as text, if there is one. */
static void add_field(struct queue_lines *l, const char *label, struct span header,
		      const char *name) {
	AUTO_BUF struct buf value = BUF_INIT(65536);
	struct header_field f;
	if (!header_find(header, name, &f))
		return;
	decode_words(&value, f.value);
	add(l, label, buf_span(&value), ROLE_NORMAL);
}

/* --- envelope --- */

/* "02:13:41" today, else with the date. */
static void add_when(struct buf *out, int64_t at, int64_t now) {
	AUTO_BUF struct buf then = BUF_INIT(64), today = BUF_INIT(64);
	date_add_local(&then, at);
	date_add_local(&today, now);
	struct span s = buf_span(&then);
	if (span_eq(span_head(s, 10), span_head(buf_span(&today), 10)))
		s = span_from(s, 11);
	buf_add(out, s);
}

static enum theme_role role_of_state(const char *state) {
	if (strcmp(state, "delivered") == 0)
		return ROLE_GOOD;
	if (strcmp(state, "failed") == 0)
		return ROLE_BAD;
	return strcmp(state, "deferred") == 0 ? ROLE_WAIT : ROLE_NORMAL;
}

static void add_recipients(struct queue_lines *l, const struct model_detail *d,
			   const struct model_row *row) {
	if (!d || d->state != MODEL_DETAIL_READY) {
		add_words(l, "To", row->all_to);
		return;
	}
	for (size_t i = 0; i < d->recipients && i < RECIPIENTS_SHOWN; i++) {
		const struct model_recipient *r = &d->recipient[i];
		AUTO_BUF struct buf line = BUF_INIT(4096);
		buf_adds(&line, r->address);
		if (d->recipients > 1 || strcmp(r->state, "pending") != 0)
			buf_addf(&line, "  %s %s", r->state, r->status);
		add(l, i ? "" : "To", buf_span(&line), role_of_state(r->state));
	}
	if (d->recipients > RECIPIENTS_SHOWN) {
		AUTO_BUF struct buf line = BUF_INIT(64);
		buf_addf(&line, "and %zu more", d->recipients - RECIPIENTS_SHOWN);
		add(l, "", buf_span(&line), ROLE_DIM);
	}
}

static void add_queued(struct queue_lines *l, const struct model_detail *d,
		       const struct model_row *row, int64_t now) {
	AUTO_BUF struct buf line = BUF_INIT(2048);
	add_when(&line, row->created, now);
	if (d && d->uid >= 0)
		buf_addf(&line, " by uid %lld", (long long)d->uid);
	if (d && d->origin[0])
		buf_addf(&line, " (%s)", d->origin);
	buf_addf(&line, ", %llu bytes", (unsigned long long)row->size);
	if (row->relay[0])
		buf_addf(&line, ", relay %s", row->relay);
	add(l, "Queued", buf_span(&line), ROLE_NORMAL);
}

/* Who the header says wrote it, and the sender of the envelope where that is another. */
static void add_from(struct queue_lines *l, struct span header,
		     const struct model_row *row) {
	AUTO_BUF struct buf value = BUF_INIT(65536);
	struct header_field f;
	const char *sender = row->from[0] ? row->from : "<> (a bounce)";
	bool same = false;
	if (header_find(header, "From", &f)) {
		decode_words(&value, f.value);
		add(l, "From", buf_span(&value), ROLE_NORMAL);
		same = row->from[0] &&
		       filter_contains(buf_span(&value), span_str(row->from));
	}
	if (!same)
		add_words(l, l->count ? "Sender" : "From", sender);
}

static void add_try(struct queue_lines *l, const char *label, const struct model_try *t,
		    bool with_to, int64_t now) {
	AUTO_BUF struct buf line = BUF_INIT(8192);
	if (t->number)
		buf_addf(&line, "#%-3u ", t->number);
	if (t->at != NO_TIME)
		add_when(&line, t->at, now);
	if (t->host[0])
		buf_addf(&line, "  %s", t->host);
	if (with_to && t->to[0])
		buf_addf(&line, "  <%s>", t->to);
	if (!t->number || strcmp(t->what, "delivered") == 0)
		buf_addf(&line, "  %s", t->what);
	if (t->reply[0])
		buf_addf(&line, "  %s", t->reply);
	add(l, label, buf_span(&line), role_of_state(t->what));
}

static void add_next(struct queue_lines *l, const struct model_row *row, int64_t now) {
	AUTO_BUF struct buf line = BUF_INIT(256);
	switch (row->state) {
	case MODEL_HELD:
		buf_adds(&line, "never: it is held. R releases it, d deletes it");
		break;
	case MODEL_DEAD:
		buf_adds(&line,
			 "never: it is in dead/. R takes it back, d removes it for good");
		break;
	case MODEL_ACTIVE:
		buf_adds(&line, "it is being tried now");
		break;
	case MODEL_QUEUED:
	case MODEL_DEFERRED:
		if (row->next == NO_TIME) {
			buf_adds(&line, "when nightmaild can");
			break;
		}
		if (row->next <= now) {
			buf_adds(&line, "now");
		} else {
			add_when(&line, row->next, now);
			buf_adds(&line, ", in ");
			term_duration(&line, (row->next - now) * 1000);
		}
		buf_adds(&line, ". r retries now, d deletes without a bounce");
		break;
	}
	add(l, "Next", buf_span(&line), ROLE_NORMAL);
}

static void add_envelope(struct queue_lines *l, const struct model_detail *d,
			 const struct model_row *row, int64_t now) {
	struct span header = d ? span_head(d->content, header_block_len(d->content))
			       : SPAN("");
	add_from(l, header, row);
	add_recipients(l, d, row);
	add_field(l, "Subj", header, "Subject");
	add_queued(l, d, row, now);
	if (strstr(row->flags, "possibly-twice"))
		add(l, "Twice?",
		    SPAN("a connection broke before the answer: some recipient may "
			 "get it twice"),
		    ROLE_WAIT);
	add_words(l, "Why", row->why[0] ? row->why : row->reason);
	add_next(l, row, now);
	for (size_t i = 0; d && i < d->attempts && i < TRIES_SHOWN; i++)
		add_try(l, i ? "" : "Tries", &d->attempt[i], d->recipients > 1, now);
	if (d && d->attempts > TRIES_SHOWN)
		add(l, "", SPAN("... v shows the others"), ROLE_DIM);
}

/* --- the other tabs --- */

static void add_headers(struct queue_lines *l, struct span content) {
	struct span block = span_head(content, header_block_len(content));
	struct header_field f;
	header_take_mbox(&block);
	while (header_take(&block, &f)) {
		AUTO_BUF struct buf name = BUF_INIT(1024), value = BUF_INIT(65536);
		buf_add(&name, f.name);
		buf_adds(&name, ": ");
		decode_words(&value, f.value);
		add_one(l, buf_str(&name), buf_span(&value), ROLE_NORMAL);
	}
	if (l->count == 0)
		add(l, "", SPAN("the message has no header"), ROLE_DIM);
}

static void add_body_line(void *ctx, struct span line, bool heading) {
	add_one(ctx, "", line, heading ? ROLE_TITLE : ROLE_NORMAL);
}

static void add_tries(struct queue_lines *l, const struct model_detail *d, int64_t now) {
	if (d->attempts == 0)
		add(l, "", SPAN("it was not tried yet"), ROLE_DIM);
	for (size_t i = 0; i < d->attempts; i++)
		add_try(l, "", &d->attempt[i], d->recipients > 1, now);
}

void queue_text(struct queue_lines *l, const struct model *m, const struct model_row *row,
		enum queue_tab tab, int64_t now) {
	const struct model_detail *d = model_detail(m);
	bool ready = d->state == MODEL_DETAIL_READY && strcmp(d->id, row->id) == 0;
	clear(l, tab == QUEUE_ENVELOPE);
	if (tab == QUEUE_ENVELOPE)
		add_envelope(l, ready ? d : NULL, row, now);
	if (!ready) {
		if (tab != QUEUE_ENVELOPE || d->state == MODEL_DETAIL_FAILED)
			add(l, "",
			    d->state == MODEL_DETAIL_FAILED ? span_str(d->words)
							    : SPAN("reading the message"),
			    ROLE_DIM);
		return;
	}
	if (tab == QUEUE_HEADERS)
		add_headers(l, d->content);
	else if (tab == QUEUE_BODY)
		queue_body(d->content, d->cut, add_body_line, l);
	else if (tab == QUEUE_TRIES)
		add_tries(l, d, now);
}

/* --- for the pager --- */

/* Safe, and in a locale without UTF-8 plain ASCII. */
static void add_safe(struct buf *out, struct span text) {
	size_t at = out->len;
	term_safe(out, text);
	for (; !draw_utf8() && at < out->len; at++)
		if ((unsigned char)out->data[at] >= 0x80)
			out->data[at] = '?';
}

static void add_page_line(void *ctx, struct span line, bool heading) {
	struct buf *out = ctx;
	(void)heading;
	add_safe(out, line);
	buf_addc(out, '\n');
}

void queue_text_page(struct buf *out, const struct model_detail *d) {
	struct queue_lines headers = { .count = 0 };
	clear(&headers, false);
	add_headers(&headers, d->content);
	for (size_t i = 0; i < headers.count; i++)
		add_page_line(out,
			      span_of(headers.text.data + headers.line[i].at,
				      headers.line[i].label + headers.line[i].len),
			      false);
	queue_lines_release(&headers);
	buf_addc(out, '\n');
	queue_body(d->content, d->cut, add_page_line, out);
}
