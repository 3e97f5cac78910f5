/*
 * Walking over parts. A multipart is cut at the delimiters of its own boundary before its
 * parts are looked into, so a part that never ends cannot swallow its neighbours; that
 * reads every byte once for each level it is in, of which there are at most 16.
 */

#include "mail/part.h"

#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/chars.h"
#include "mail/decode.h"
#include "mail/header.h"
#include "mail/param.h"

#define BOUNDARY_MAX 8192u /* RFC 2046 says 70 */
#define VALUE_MAX (64u << 10)

struct walk {
	part_fn *fn;
	void *ctx;
	unsigned count;
	bool more;
};

struct entity {
	struct part part;
	struct buf boundary;
	bool digest; /* a part in it is a message unless it says otherwise */
};

static void keep_param(char *to, size_t size, const struct param_list *list,
		       const char *name) {
	AUTO_BUF struct buf b = BUF_INIT(VALUE_MAX);
	if (param_find(list, span_str(name), &b))
		utf8_copy(to, size, buf_span(&b));
}

static enum part_encoding encoding_of(struct span header) {
	static const struct {
		struct span name;
		enum part_encoding encoding;
	} known[] = {
		{ SPAN_INIT("7bit"), PART_PLAIN },
		{ SPAN_INIT("8bit"), PART_PLAIN },
		{ SPAN_INIT("binary"), PART_PLAIN },
		{ SPAN_INIT("base64"), PART_BASE64 },
		{ SPAN_INIT("quoted-printable"), PART_QP },
	};
	AUTO_BUF struct buf word = BUF_INIT(VALUE_MAX);
	struct header_field f;
	struct param_list none;
	if (!header_find(header, "Content-Transfer-Encoding", &f))
		return PART_PLAIN;
	param_parse(f.value, &word, &none);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_eq(buf_span(&word), known[i].name))
			return known[i].encoding;
	return word.len ? PART_OTHER : PART_PLAIN;
}

/* Content-Disposition: what the sender wants done with it, and its file's name. */
static void read_disposition(struct part *p) {
	AUTO_BUF struct buf word = BUF_INIT(VALUE_MAX);
	struct header_field f;
	struct param_list list;
	if (!header_find(p->header, "Content-Disposition", &f))
		return;
	param_parse(f.value, &word, &list);
	p->attachment = span_eq(buf_span(&word), SPAN("attachment"));
	keep_param(p->name, sizeof(p->name), &list, "filename");
}

static void read_type(struct entity *e, bool in_digest) {
	AUTO_BUF struct buf type = BUF_INIT(VALUE_MAX);
	struct part *p = &e->part;
	struct header_field f;
	struct param_list list = { .count = 0 };
	if (header_find(p->header, "Content-Type", &f))
		param_parse(f.value, &type, &list);
	/* RFC 2045 section 5.2, RFC 2046 section 5.1.5 */
	if (span_find(buf_span(&type), '/') == type.len)
		utf8_copy(p->type, sizeof(p->type),
		     in_digest ? SPAN("message/rfc822") : SPAN("text/plain"));
	else
		utf8_copy(p->type, sizeof(p->type), buf_span(&type));
	keep_param(p->charset, sizeof(p->charset), &list, "charset");
	if (!p->name[0])
		keep_param(p->name, sizeof(p->name), &list, "name");
	param_find(&list, SPAN("boundary"), &e->boundary);
}

/* Reads the fields of an entity and finds its body. */
static void read_entity(struct entity *e, struct span bytes, unsigned depth,
			bool in_digest) {
	struct part *p = &e->part;
	*e = (struct entity){ .part = { .depth = depth } };
	buf_init(&e->boundary, BOUNDARY_MAX);
	p->header = span_head(bytes, header_block_len(bytes));
	p->body = span_from(bytes, p->header.len);
	header_take_empty(&p->body);
	p->encoding = encoding_of(p->header);
	read_disposition(p);
	read_type(e, in_digest);
	struct span type = span_str(p->type);
	p->multipart = span_starts(type, SPAN("multipart/")) && e->boundary.len > 0;
	p->message = span_eq(type, SPAN("message/rfc822")) ||
		     span_eq(type, SPAN("message/global"));
	e->digest = span_eq(type, SPAN("multipart/digest"));
	bool text = span_starts(type, SPAN("text/")) ||
		    span_starts(type, SPAN("message/")) ||
		    span_starts(type, SPAN("multipart/"));
	p->attachment |= !text || p->encoding == PART_OTHER;
}

/* Is this line a delimiter: "--boundary", and what is no longer boundary after it? Whatever
 * follows is not looked at (RFC 2046 section 5.1.1), except the "--" of the last one. */
static bool is_delimiter(struct span line, struct span boundary, bool *ret_last) {
	if (!span_take_lit(&line, SPAN("--")) || !span_take_lit(&line, boundary))
		return false;
	*ret_last = span_starts(line, SPAN("--"));
	return *ret_last || line.len == 0 || chars_blank(line.p[0]) || line.p[0] == '\r';
}

/* Takes the lines up to a delimiter, and the delimiter; the line end before it is part of it.
 * *ret_last: it was the last one, or the end came. */
static struct span take_to_delimiter(struct span *in, struct span boundary,
				     bool *ret_last) {
	struct span s = *in;
	for (size_t at = 0; at < s.len;) {
		struct span rest = span_from(s, at);
		struct span line = span_head(rest, span_find(rest, '\n'));
		size_t begin = at;
		at += line.len < rest.len ? line.len + 1 : line.len;
		if (!is_delimiter(line, boundary, ret_last))
			continue;
		struct span body = span_head(s, begin);
		if (body.len && body.p[body.len - 1] == '\n')
			body.len--;
		if (body.len && body.p[body.len - 1] == '\r')
			body.len--;
		*in = span_from(s, at);
		return body;
	}
	*ret_last = true;
	*in = span_from(s, s.len);
	return s;
}

static int walk_entity(struct walk *w, struct span bytes, unsigned depth, bool in_digest,
		       bool alternative);

static int walk_multipart(struct walk *w, const struct entity *e) {
	struct span in = e->part.body, boundary = buf_span(&e->boundary);
	bool last, alternative = strcmp(e->part.type, "multipart/alternative") == 0;
	take_to_delimiter(&in, boundary, &last); /* what stands before the first part */
	while (in.len && !last) {
		struct span part = take_to_delimiter(&in, boundary, &last);
		int r = walk_entity(w, part, e->part.depth + 1, e->digest, alternative);
		if (r != 0)
			return r;
	}
	return 0;
}

/* An encoded message in a message is not allowed (RFC 2046 section 5.2.1) and occurs. */
static int walk_message(struct walk *w, const struct part *p) {
	AUTO_BUF struct buf decoded = BUF_INIT(PART_DECODED_MAX);
	if (p->encoding == PART_PLAIN)
		return walk_entity(w, p->body, p->depth + 1, false, false);
	part_bytes(p, &decoded);
	return walk_entity(w, buf_span(&decoded), p->depth + 1, false, false);
}

static int walk_entity(struct walk *w, struct span bytes, unsigned depth, bool in_digest,
		       bool alternative) {
	struct entity e;
	if (depth > PART_DEPTH_MAX || w->count == PART_COUNT_MAX) {
		w->more = true;
		return 0;
	}
	w->count++;
	read_entity(&e, bytes, depth, in_digest);
	e.part.alternative = alternative;
	int r = w->fn(w->ctx, &e.part);
	if (r == 0 && e.part.multipart)
		r = walk_multipart(w, &e);
	else if (r == 0 && e.part.message && e.part.encoding != PART_OTHER)
		r = walk_message(w, &e.part);
	buf_release(&e.boundary);
	return r;
}

int part_walk(struct span message, part_fn *fn, void *ctx, bool *ret_more) {
	struct walk w = { .fn = fn, .ctx = ctx };
	int r = walk_entity(&w, message, 0, false, false);
	if (ret_more)
		*ret_more = w.more;
	return r;
}

int part_bytes(const struct part *p, struct buf *out) {
	if (p->encoding == PART_QP)
		return decode_qp(out, p->body);
	if (p->encoding == PART_BASE64)
		return decode_base64(out, p->body);
	return buf_add(out, p->body);
}

static int add_lf(struct buf *out, struct span text) {
	while (text.len) {
		size_t cr = span_find(text, '\r');
		buf_add(out, span_head(text, cr));
		text = span_from(text, cr);
		if (span_take_char(&text, '\r')) {
			span_take_char(&text, '\n');
			buf_addc(out, '\n');
		}
	}
	return buf_failed(out) ? -1 : 0;
}

int part_text(const struct part *p, struct buf *out) {
	AUTO_BUF struct buf bytes = BUF_INIT(PART_DECODED_MAX);
	AUTO_BUF struct buf text = BUF_INIT(3 * PART_DECODED_MAX);
	if (part_bytes(p, &bytes) != 0)
		return -1;
	charset_add(&text, span_str(p->charset), buf_span(&bytes));
	return add_lf(out, buf_span(&text));
}

uint64_t part_size(const struct part *p) {
	if (p->encoding != PART_BASE64)
		return p->body.len;
	return (uint64_t)p->body.len / 4 * 3 * 76 / 78; /* lines of 76 and their ends */
}
