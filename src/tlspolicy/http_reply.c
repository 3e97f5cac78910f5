/* Answers of web servers, as far as fetching a small file needs them. */

#include "tlspolicy/http_reply.h"

#include "mail/fields.h"

#define CHUNK_MAX (1u << 30)

struct head {
	struct http_reply reply;
	struct span body; /* what follows the head, as sent */
	bool has_length, chunked;
	uint64_t length;
};

static int bad(struct err *err, const char *what) {
	return err_set(err, ERR_SYNTAX, "the answer is no HTTP: %s", what);
}

static int take_field(struct span line, struct head *h, struct err *err) {
	struct span name;
	if (!span_take_until(&line, ':', &name) || name.len == 0)
		return bad(err, "a header line without colon");
	struct span value = fields_trim(line);
	if (span_eq_nocase(name, SPAN("Content-Type"))) {
		h->reply.type = value;
	} else if (span_eq_nocase(name, SPAN("Location"))) {
		h->reply.location = value;
	} else if (span_eq_nocase(name, SPAN("Content-Length"))) {
		if (h->has_length || !span_uint(value, CHUNK_MAX, &h->length))
			return bad(err, "a length that is none");
		h->has_length = true;
	} else if (span_eq_nocase(name, SPAN("Transfer-Encoding"))) {
		if (!span_eq_nocase(value, SPAN("chunked")))
			return bad(err, "an unknown transfer encoding");
		h->chunked = true;
	}
	return 0;
}

/* 1: the head is whole; 0: not yet; -1. */
static int parse_head(struct span bytes, struct head *h, struct err *err) {
	struct span rest = bytes, line, word;
	uint64_t number;
	*h = (struct head){ .length = 0 };
	if (span_find(rest, '\n') == rest.len)
		return 0;
	span_take_line(&rest, &line);
	if (!span_take_lit(&line, SPAN("HTTP/1.")) || !span_take_word(&line, &word) ||
	    !span_take_word(&line, &word) || word.len != 3 ||
	    !span_uint(word, 999, &number))
		return bad(err, "the first line");
	h->reply.status = (unsigned)number;
	for (;;) {
		if (span_find(rest, '\n') == rest.len)
			return 0;
		span_take_line(&rest, &line);
		if (line.len == 0)
			break;
		if (take_field(line, h, err) != 0)
			return -1;
	}
	h->body = rest;
	return 1;
}

/* Takes all chunks; 1: the last one is there, 0: not yet, -1. body may be NULL. */
static int take_chunks(struct span in, struct buf *body, struct err *err) {
	for (;;) {
		struct span line, digits;
		uint64_t size = 0, digit;
		if (span_find(in, '\n') == in.len)
			return 0;
		span_take_line(&in, &line);
		digits = fields_trim(span_head(line, span_find(line, ';')));
		if (digits.len == 0)
			return bad(err, "a chunk without length");
		while (digits.len > 0) {
			if (!span_take_hex(&digits, 1, &digit) ||
			    (size = size * 16 + digit) > CHUNK_MAX)
				return bad(err, "the length of a chunk");
		}
		if (size == 0)
			return 1;
		if (in.len < size + 1)
			return 0;
		if (body)
			buf_add(body, span_head(in, (size_t)size));
		in = span_from(in, (size_t)size);
		if (!span_take_line(&in, &line) || line.len > 0)
			return bad(err, "the end of a chunk");
	}
}

bool http_reply_is_whole(struct span bytes) {
	struct head h;
	int r = parse_head(bytes, &h, NULL);
	if (r <= 0)
		return r < 0; /* nothing better will come */
	if (h.chunked)
		return take_chunks(h.body, NULL, NULL) != 0;
	return h.has_length && h.body.len >= h.length;
}

int http_reply_parse(struct span bytes, struct http_reply *ret, struct buf *body,
		     struct err *err) {
	struct head h;
	int r = parse_head(bytes, &h, err);
	if (r < 0)
		return -1;
	*ret = h.reply;
	if (r == 0)
		return err_set(err, ERR_REMOTE, "the answer ends before its text begins");
	if (h.chunked) {
		r = take_chunks(h.body, body, err);
		if (r < 0)
			return -1;
		if (r == 0)
			return err_set(err, ERR_REMOTE, "the answer is cut");
	} else {
		if (h.has_length && h.body.len < h.length)
			return err_set(err, ERR_REMOTE, "the answer is cut");
		buf_add(body,
			h.has_length ? span_head(h.body, (size_t)h.length) : h.body);
	}
	return buf_failed(body) ? err_set(err, ERR_LIMIT, "the answer is too long") : 0;
}
