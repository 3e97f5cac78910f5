/* The readable parts of a message; see queue_body.h. */

#include "tui/queue_body.h"

#include <string.h>

#include "base/buf.h"
#include "mail/decode.h"
#include "mail/header.h"
#include "mail/part.h"

#define LINE_MAX_HEADING 2048u

struct reader {
	queue_body_fn *fn;
	void *ctx;
	size_t left; /* bytes of text that may still be shown */
	unsigned texts;
	bool any;   /* something was shown */
	bool plain; /* the last text was plain, and one of several forms */
	bool full;
};

static void say(struct reader *r, struct span line, bool heading) {
	r->fn(r->ctx, line, heading);
	r->any = true;
}

static void add_size(struct buf *out, uint64_t bytes) {
	if (bytes < 1024)
		buf_addf(out, "%llu bytes", (unsigned long long)bytes);
	else if (bytes < 1024 * 1024)
		buf_addf(out, "%llu KB", (unsigned long long)(bytes + 512) / 1024);
	else
		buf_addf(out, "%llu.%llu MB", (unsigned long long)bytes >> 20,
			 (unsigned long long)(bytes % (1u << 20)) * 10 >> 20);
}

/* "[attachment: name.pdf, application/pdf, 120 KB]" */
static void say_what(struct reader *r, const struct part *p, const char *what) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_HEADING);
	if (r->any)
		say(r, SPAN(""), false);
	buf_addf(&line, "[%s: ", what);
	if (p->name[0])
		buf_addf(&line, "%s, ", p->name);
	buf_addf(&line, "%s, ", p->type);
	add_size(&line, part_size(p));
	buf_addc(&line, ']');
	say(r, buf_span(&line), true);
}

static void show_text(struct reader *r, const struct part *p) {
	AUTO_BUF struct buf text = BUF_INIT(QUEUE_BODY_MAX);
	struct span rest, line;
	r->full |= part_text(p, &text) != 0;
	rest = buf_span(&text);
	if (rest.len > r->left) {
		rest = span_head(rest, r->left);
		r->full = true;
	}
	r->left -= rest.len;
	while (span_take_line(&rest, &line))
		say(r, line, false);
}

/* The message inside: who wrote it and what about. */
static void show_inner_header(struct reader *r, const struct part *p) {
	static const char *const names[] = { "From", "To", "Date", "Subject" };
	struct header_field f;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO_BUF struct buf line = BUF_INIT(16384);
		if (!header_find(p->header, names[i], &f))
			continue;
		buf_addf(&line, "%s: ", names[i]);
		decode_words(&line, f.value);
		say(r, buf_span(&line), false);
	}
	say(r, SPAN(""), false);
}

static bool is_html(const struct part *p) {
	return strcmp(p->type, "text/html") == 0;
}

static int show_part(void *ctx, const struct part *p) {
	struct reader *r = ctx;
	if (p->depth > 0 &&
	    header_find(p->header, "Subject", &(struct header_field){ 0 }))
		show_inner_header(r, p);
	if (p->multipart)
		return 0;
	if (p->message) {
		say_what(r, p, "message");
	} else if (p->attachment) {
		say_what(r, p, "attachment");
	} else if (p->alternative && r->plain) {
		say_what(r, p, "the same as");
	} else if (r->left > 0) {
		if (r->texts++ > 0 || is_html(p))
			say_what(r, p, "text");
		show_text(r, p);
		r->plain = p->alternative && !is_html(p);
	}
	return 0;
}

void queue_body(struct span message, bool cut, queue_body_fn *fn, void *ctx) {
	struct reader r = { .fn = fn, .ctx = ctx, .left = QUEUE_BODY_MAX };
	bool more;
	part_walk(message, show_part, &r, &more);
	if (!r.any)
		say(&r, SPAN("[the message has no text]"), true);
	if (r.full || cut || more)
		say(&r,
		    SPAN("[the message is longer; 'mailq show --body' has all of it]"),
		    true);
}
