/*
 * The MIME structure is followed line by line, only as far as it must be known whose body a
 * line is. A header waits for its body, since the body decides what encoding the header names;
 * the body waits until a long line comes, or its end, or until it is too much to hold: then it
 * is encoded in case, since a refusal would lose the message of a caller that does not ask again.
 */

#include "mail/longline.h"

#include "base/utf8.h"
#include "mail/chars.h"
#include "mail/header.h"
#include "mail/longline_part.h"
#include "mail/qp.h"

#define LINE_MAX_OCTETS 998
#define LINE_MAX_RAW (LINE_MAX_OCTETS + 2) /* with its CRLF */
#define WRAP_COLUMN 76
#define HEAD_MAX (2 * HEADER_BLOCK_MAX + (128u << 10))

static int refuse(struct err *err, const char *why) {
	return err_set(err, ERR_SYNTAX, "a line is longer than %d octets, %s",
		       LINE_MAX_OCTETS, why);
}

static int refuse_8bit(struct err *err, const char *why) {
	return err_set(err, ERR_SYNTAX, "there is 8-bit text %s", why);
}

bool longline_any(struct span text) {
	struct span line;
	while (text.len > LINE_MAX_OCTETS) {
		if (!span_take_line(&text, &line) || line.len > LINE_MAX_OCTETS)
			return true;
	}
	return false;
}

static void begin_header(struct longline *l, bool is_message) {
	l->mode = LONGLINE_HEADER;
	l->is_message = is_message;
	l->long_header = false;
}

void longline_init(struct longline *l) {
	*l = (struct longline){ .why = "" };
	buf_init(&l->head, HEAD_MAX);
	buf_init(&l->body, LONGLINE_HELD_MAX + LINE_MAX_RAW);
	buf_init(&l->line, SIZE_MAX / 4);
	begin_header(l, true);
}

void longline_init_ascii(struct longline *l) {
	longline_init(l);
	l->ascii = true;
}

void longline_release(struct longline *l) {
	buf_release(&l->head);
	buf_release(&l->body);
	buf_release(&l->line);
}

/* --- what goes out --- */

/* Appends text as quoted-printable. A piece without a line end ends in a soft break, so that
 * what follows begins at column 0 again. */
static void encode(struct span text, struct buf *out) {
	AUTO_BUF struct buf lines = BUF_INIT(out->max);
	struct span rest, line;
	if (text.len == 0)
		return;
	if (qp_encode_text(text, &lines) != 0)
		out->failed = true;
	if (text.p[text.len - 1] != '\n')
		buf_adds(&lines, "=\n");
	rest = buf_span(&lines);
	while (span_take_line(&rest, &line)) {
		buf_add(out, line);
		buf_adds(out, "\r\n");
	}
}

/* Breaks base64, which has no meaning in its line ends (RFC 2045 section 6.8). */
static void wrap(struct longline *l, struct span text, bool ended, struct buf *out) {
	while (text.len > 0) {
		struct span some = span_head(text, WRAP_COLUMN - l->column);
		buf_add(out, some);
		text = span_from(text, some.len);
		l->column += some.len;
		if (l->column == WRAP_COLUMN) {
			buf_adds(out, "\r\n");
			l->column = 0;
		}
	}
	if (ended && l->column > 0) {
		buf_adds(out, "\r\n");
		l->column = 0;
	}
}

/* Where a header line may be broken so that at most the limit stands before it; 0: nowhere. A
 * line of blanks alone would not be a continuation everywhere. */
static size_t break_at(struct span line) {
	size_t blanks = 0, i = LINE_MAX_OCTETS;
	while (blanks < line.len && chars_blank(line.p[blanks]))
		blanks++;
	while (i > blanks && !chars_blank(line.p[i]))
		i--;
	return i > blanks && span_trim(span_from(line, i)).len > 0 ? i : 0;
}

static int add_folded(struct span field, struct buf *out, struct err *err) {
	struct span line;
	while (span_take_line(&field, &line)) {
		while (line.len > LINE_MAX_OCTETS) {
			size_t n = break_at(line);
			if (n == 0)
				return refuse(err,
					      "in the header, and has no blank where "
					      "it could be folded");
			buf_add(out, span_head(line, n));
			buf_adds(out, "\r\n");
			line = span_from(line, n);
		}
		buf_add(out, line);
		buf_adds(out, "\r\n");
	}
	return 0;
}

/* Appends the header that was held, with the new encoding if there is one. */
static int put_head(struct longline *l, bool encoded, struct buf *out, struct err *err) {
	struct span rest = buf_span(&l->head);
	struct header_field f;
	if (!encoded && !l->long_header) {
		buf_add(out, rest);
		buf_reset(&l->head);
		return 0;
	}
	while (header_take(&rest, &f)) {
		if (encoded && span_eq_nocase(f.name, SPAN("Content-Transfer-Encoding")))
			continue;
		if (add_folded(f.raw, out, err) != 0)
			return -1;
	}
	if (rest.len > 0)
		return refuse(err, "and a header near it cannot be read");
	if (encoded)
		longline_part_fields(buf_span(&l->head), buf_span(&l->body),
				     l->is_message, out);
	buf_reset(&l->head);
	return 0;
}

/* What is held goes as it came. */
static int let_go(struct longline *l, struct buf *out, struct err *err) {
	if (l->mode == LONGLINE_HEADER)
		return put_head(l, false, out, err);
	if (l->mode != LONGLINE_HOLD)
		return 0;
	if (put_head(l, false, out, err) != 0)
		return -1;
	buf_adds(out, "\r\n");
	buf_add(out, buf_span(&l->body));
	buf_release(&l->body);
	return 0;
}

static int start_encoding(struct longline *l, struct buf *out, struct err *err) {
	if (put_head(l, true, out, err) != 0)
		return -1;
	buf_adds(out, "\r\n");
	encode(buf_span(&l->body), out);
	buf_release(&l->body);
	l->mode = LONGLINE_ENCODE;
	return 0;
}

/* --- the structure --- */

static const char outside[] = "outside of the parts of a multipart";

static int pass(struct longline *l, const char *why) {
	l->mode = LONGLINE_PASS;
	l->why = why;
	return 0;
}

/* The empty line came: what is the body? */
static int end_header(struct longline *l, struct buf *out, struct err *err) {
	bool in_digest = l->depth > 0 && l->level[l->depth - 1].digest;
	bool room = l->depth < LONGLINE_DEPTH_MAX;
	struct longline_part part;
	/* what a message inside was signed with does not stop the outer one */
	if (!l->ascii || !l->nested)
		l->is_signed |= header_is_signed(buf_span(&l->head));
	l->nested = true;
	if (longline_part_read(buf_span(&l->head), in_digest && !l->is_message, &part,
			       room ? &l->level[l->depth] : NULL) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (part.kind == LONGLINE_LEAF) {
		l->mode = LONGLINE_HOLD;
		return 0;
	}
	if (put_head(l, false, out, err) != 0)
		return -1;
	buf_adds(out, "\r\n");
	switch (part.kind) {
	case LONGLINE_MULTIPART:
		l->depth++;
		return pass(l, outside);
	case LONGLINE_MESSAGE:
		begin_header(l, true);
		return 0;
	case LONGLINE_BASE64:
		l->mode = LONGLINE_WRAP;
		l->column = 0;
		return 0;
	case LONGLINE_LEAF:
	case LONGLINE_CLOSED:
		break;
	}
	return pass(l, part.why);
}

/* Finds the multipart whose delimiter the line is (RFC 2046 section 5.1.1). */
static bool find_level(const struct longline *l, struct span line, size_t *ret,
		       bool *ret_last) {
	if (!span_starts(line, SPAN("--")))
		return false;
	for (size_t i = l->depth; i-- > 0;) {
		struct span rest = span_from(line, 2);
		if (!span_take_lit(&rest, span_of(l->level[i].boundary, l->level[i].len)))
			continue;
		*ret_last = span_take_lit(&rest, SPAN("--"));
		*ret = i;
		if (span_trim(rest).len == 0)
			return true;
	}
	return false;
}

/* The body is too much to hold. What is signed as a whole goes as it is, the rest is encoded. */
static int end_hold(struct longline *l, struct buf *out, struct err *err) {
	if (!l->is_signed)
		return start_encoding(l, out, err);
	if (let_go(l, out, err) != 0)
		return -1;
	return pass(l, "more than 4 MB into a part of a signed message");
}

/* Some text that need not be broken. */
static int on_text(struct longline *l, struct span text, struct buf *out,
		   struct err *err) {
	bool to_encode = l->ascii && !utf8_is_ascii(text);
	switch (l->mode) {
	case LONGLINE_HEADER:
		return buf_add(&l->head, text) == 0
			       ? 0
			       : err_set(err, ERR_LIMIT, "a header is too long");
	case LONGLINE_HOLD:
		if (to_encode && l->is_signed)
			return refuse_8bit(err, "in a message with a signature, which "
						"converting it would break");
		if (to_encode && start_encoding(l, out, err) != 0)
			return -1;
		if (to_encode) {
			encode(text, out);
			return 0;
		}
		buf_add(&l->body, text);
		if (buf_failed(&l->body))
			return err_set(err, ERR_MEMORY, "out of memory");
		return l->body.len > LONGLINE_HELD_MAX ? end_hold(l, out, err) : 0;
	case LONGLINE_ENCODE:
		encode(text, out);
		break;
	case LONGLINE_PASS:
		if (to_encode && l->why != outside)
			return refuse_8bit(err, l->why);
		buf_add(out, text);
		break;
	case LONGLINE_WRAP:
		buf_add(out, text);
		break;
	}
	return 0;
}

/* A line within the limit, with its line end. */
static int on_line(struct longline *l, struct span line, struct buf *out,
		   struct err *err) {
	size_t level;
	bool last;
	if (find_level(l, line, &level, &last)) {
		if (let_go(l, out, err) != 0)
			return -1;
		buf_add(out, line);
		l->depth = last ? level : level + 1;
		if (last)
			return pass(l, outside);
		begin_header(l, false);
		return 0;
	}
	if (l->mode == LONGLINE_HEADER && span_eq(line, SPAN("\r\n")))
		return end_header(l, out, err);
	return on_text(l, line, out, err);
}

/* Some of a line over the limit. */
static int on_long(struct longline *l, struct span text, struct buf *out,
		   struct err *err) {
	bool ended = text.len > 0 && text.p[text.len - 1] == '\n';
	if (l->ascii)
		return on_text(l, text, out, err);
	switch (l->mode) {
	case LONGLINE_HEADER:
		l->long_header = true;
		return buf_add(&l->head, text) == 0
			       ? 0
			       : err_set(err, ERR_LIMIT, "a header is too long");
	case LONGLINE_HOLD:
		if (start_encoding(l, out, err) != 0)
			return -1;
		encode(text, out);
		return 0;
	case LONGLINE_ENCODE:
		encode(text, out);
		return 0;
	case LONGLINE_WRAP:
		wrap(l, ended ? span_trim(text) : text, ended, out);
		return 0;
	case LONGLINE_PASS:
		break;
	}
	return refuse(err, l->why);
}

/* Gives the line so far away; a CR at its end stays, its LF may follow. */
static int flush_long(struct longline *l, struct buf *out, struct err *err) {
	struct span text = buf_span(&l->line);
	bool cr = text.p[text.len - 1] == '\r';
	if (on_long(l, span_head(text, text.len - cr), out, err) != 0)
		return -1;
	buf_consume(&l->line, l->line.len - cr);
	return 0;
}

/* Takes the rest of a line, or some of it. */
static int take(struct longline *l, struct span text, struct buf *out, struct err *err) {
	bool ended = text.p[text.len - 1] == '\n';
	int r = 0;
	if (ended && !l->in_long && l->line.len == 0 && text.len <= LINE_MAX_RAW)
		return on_line(l, text, out, err);
	if (buf_add(&l->line, text) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	l->in_long |= l->line.len > LINE_MAX_RAW;
	if (l->in_long)
		r = flush_long(l, out, err);
	else if (ended)
		r = on_line(l, buf_span(&l->line), out, err);
	if (ended) {
		buf_reset(&l->line);
		l->in_long = false;
	}
	return r;
}

static int check(const struct buf *out, int result, struct err *err) {
	if (result == 0 && buf_failed(out))
		return err_set(err, ERR_MEMORY, "out of memory");
	return result;
}

int longline_feed(struct longline *l, struct span in, struct buf *out, struct err *err) {
	int r = 0;
	while (in.len > 0 && r == 0) {
		struct span text = span_head(in, span_find(in, '\n') + 1);
		in = span_from(in, text.len);
		r = take(l, text, out, err);
	}
	return check(out, r, err);
}

int longline_finish(struct longline *l, struct buf *out, struct err *err) {
	int r = 0;
	if (l->line.len > 0)
		r = l->in_long ? on_long(l, buf_span(&l->line), out, err)
			       : on_line(l, buf_span(&l->line), out, err);
	buf_reset(&l->line);
	if (r == 0)
		r = let_go(l, out, err);
	return check(out, r, err);
}
