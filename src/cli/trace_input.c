/*
 * Reading the message that is to be looked at. In an mbox a message begins with a "From " line
 * at the beginning or behind an empty line; ">From " is unquoted, which writers of mbox have
 * in common.
 */

#include "cli/trace_input.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/mailq_source.h"
#include "mail/header.h"
#include "mail/part.h"
#include "queue/id.h"

#define PIECE 65536u

static int read_stdin(struct buf *out, struct err *err) {
	for (;;) {
		char *room = buf_room(out, PIECE);
		if (!room)
			return err_set(err, ERR_LIMIT, "standard input: too long");
		ssize_t n = read(STDIN_FILENO, room, PIECE);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "standard input");
		if (n == 0)
			return 0;
		if (n > 0)
			buf_grew(out, (size_t)n);
	}
}

/* --- mbox --- */

/* Takes one message with its "From " line. False at the end. */
static bool take_mbox(struct span *in, struct span *ret) {
	struct span whole = *in, line, rest = *in;
	bool empty = false, any = false;
	if (!span_starts(*in, SPAN("From ")))
		return false;
	while (rest.len > 0 && !(any && empty && span_starts(rest, SPAN("From ")))) {
		span_take_line(&rest, &line);
		empty = line.len == 0;
		any = true;
	}
	*ret = span_head(whole, whole.len - rest.len);
	*in = rest;
	return true;
}

static size_t count_mbox(struct span text) {
	struct span message;
	size_t n = 0;
	while (take_mbox(&text, &message))
		n++;
	return n;
}

/* The message without its "From " line and the empty line that ends it. */
static int add_unquoted(struct buf *out, struct span message, struct err *err) {
	struct span line;
	span_take_line(&message, &line);
	if (message.len >= 2 && message.p[message.len - 1] == '\n' &&
	    (message.p[message.len - 2] == '\n' ||
	     (message.p[message.len - 2] == '\r' && message.len >= 3 &&
	      message.p[message.len - 3] == '\n')))
		message.len -= message.p[message.len - 2] == '\r' ? 2 : 1;
	while (message.len > 0) {
		size_t n = span_find(message, '\n');
		line = span_head(message, n + 1);
		message = span_from(message, n + 1);
		buf_add(out, span_from(line, span_starts(line, SPAN(">From "))));
	}
	return buf_failed(out) ? err_set(err, ERR_LIMIT, "the message is too long") : 0;
}

static int pick_mbox(struct buf *out, size_t from, uint64_t number, const char *what,
		     struct err *err) {
	AUTO_BUF struct buf message = BUF_INIT(TRACE_MESSAGE_MAX);
	struct span rest = span_from(buf_span(out), from), found;
	for (uint64_t i = 1; take_mbox(&rest, &found); i++) {
		if (i < number)
			continue;
		if (add_unquoted(&message, found, err) != 0)
			return -1;
		buf_truncate(out, from);
		buf_add(out, buf_span(&message));
		return buf_failed(out) ? err_set(err, ERR_LIMIT, "too long") : 0;
	}
	return err_set(err, ERR_MISSING, "%s: there are %zu messages", what,
		       count_mbox(span_from(buf_span(out), from)));
}

static bool split_number(const char *what, struct buf *path, uint64_t *ret) {
	const char *mark = strrchr(what, '#');
	if (!mark || !span_uint(span_str(mark + 1), UINT32_MAX, ret) || *ret == 0)
		return false;
	return buf_addm(path, what, (size_t)(mark - what)) == 0;
}

static int read_file(const char *path, const char *what, uint64_t number, struct buf *out,
		     struct err *err) {
	size_t before = out->len;
	if (file_read(AT_FDCWD, path, out, err) != 0)
		return -1;
	struct span text = span_from(buf_span(out), before);
	if (number == 0 && span_starts(text, SPAN("From "))) {
		size_t n = count_mbox(text);
		if (n > 1)
			return err_set(err, ERR_SYNTAX,
				       "%s holds %zu messages; %s#1 is the first", what,
				       n, what);
		number = 1;
	}
	return number ? pick_mbox(out, before, number, what, err) : 0;
}

/* --- the queue --- */

struct shown {
	struct buf *out;
	bool failed;
};

static int take_content(void *ctx, struct span line) {
	struct shown *s = ctx;
	json_t *object = json_loadb(line.p, line.len, 0, NULL);
	const char *text = json_string_value(json_object_get(object, "content"));
	if (text && codec_base64_decode(s->out, span_str(text)) != 0)
		s->failed = true;
	json_decref(object);
	return 0;
}

static int read_queue(const char *id, const char *config, struct buf *out,
		      struct err *err) {
	AUTO_BUF struct buf errors = BUF_INIT(1u << 20);
	struct settings settings;
	struct mailq_source source;
	struct shown shown = { out, false };
	bool sound = config_load(config, &settings, &errors) == 0;
	int r = mailq_source_open(&source, &settings, sound, err);
	if (r == 0) {
		r = mailq_source_show(&source, id, true, take_content, &shown, err);
		mailq_source_close(&source);
	}
	config_release(&settings);
	if (r == 0 && (shown.failed || out->len == 0))
		r = err_set(err, ERR_MISSING, "%s: its content is not there", id);
	return r;
}

/* An ID may be shortened, as everywhere. */
static bool may_be_id(const char *what) {
	size_t n = strlen(what);
	for (size_t i = 0; i < n; i++)
		if (!span_is_alnum(what[i]))
			return false;
	return n >= 4 && n <= QUEUE_ID_LEN;
}

int trace_input_read(const char *what, const char *config, struct buf *out,
		     struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(8192);
	uint64_t number = 0;
	struct err why = ERR_INIT;
	if (strcmp(what, "-") == 0)
		return read_stdin(out, err);
	if (access(what, F_OK) == 0)
		return read_file(what, what, 0, out, err);
	if (split_number(what, &path, &number))
		return read_file(buf_str(&path), buf_str(&path), number, out, err);
	if (!may_be_id(what))
		return err_set(err, ERR_MISSING, "%s: there is no such file", what);
	if (read_queue(what, config, out, &why) == 0)
		return 0;
	return err_set(err, ERR_MISSING, "%s: there is no such file; in the queue: %s",
		       what, why.msg);
}

/* --- inside a bounce --- */

struct original {
	struct buf *out;
	bool found;
};

static int take_original(void *ctx, const struct part *p) {
	struct original *o = ctx;
	bool header = strcmp(p->type, "text/rfc822-headers") == 0 ||
		      strcmp(p->type, "message/rfc822-headers") == 0;
	if (p->depth == 0 || (!p->message && !header))
		return 0;
	o->found = part_bytes(p, o->out) == 0;
	return 1;
}

/* Bounces without parts have the message behind their words: a line that is the beginning of a
 * header, after one that is empty. */
static struct span plain_original(struct span message) {
	struct span body = span_from(message, header_block_len(message)), line;
	bool empty = true;
	while (body.len > 0) {
		struct header_field f;
		struct span block = span_head(body, empty ? header_block_len(body) : 0);
		if (header_find(block, "From", &f) &&
		    (header_find(block, "Received", &f) ||
		     header_find(block, "Date", &f)))
			return body;
		span_take_line(&body, &line);
		empty = span_trim(line).len == 0;
	}
	return SPAN("");
}

int trace_input_original(struct buf *message, struct err *err) {
	AUTO_BUF struct buf inner = BUF_INIT(TRACE_MESSAGE_MAX);
	struct original o = { &inner, false };
	part_walk(buf_span(message), take_original, &o, NULL);
	if (!o.found)
		buf_add(&inner, plain_original(buf_span(message)));
	if (inner.len == 0)
		return err_set(err, ERR_MISSING, "there is no message inside this one");
	buf_reset(message);
	return buf_add(message, buf_span(&inner)) == 0
		       ? 0
		       : err_set(err, ERR_LIMIT, "the message is too long");
}
