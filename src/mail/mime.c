/*
 * How bytes travel, and what stands between parts. A delimiter holds "=_", which neither
 * quoted-printable nor base64 ever makes, and random letters against texts that go as they
 * are.
 */

#include "mail/mime.h"

#include <string.h>

#include "base/utf8.h"
#include "mail/eol.h"
#include "mail/qp.h"

#define TEXT_LINE_MAX 998 /* RFC 5322 section 2.1.1 */
#define READABLE 3 /* quoted-printable while at most one octet of so many is not ASCII */

static void look_at_line(struct mime_facts *f, struct span line) {
	uint32_t cp;
	while (line.len > 0) {
		unsigned char c = (unsigned char)line.p[0];
		if (c < 0x80) {
			f->has_nul |= c == 0;
			f->has_cr |= c == '\r';
			line = span_from(line, 1);
			continue;
		}
		struct span rest = line;
		if (!span_take_utf8(&rest, &cp)) {
			f->not_utf8 = true;
			rest = span_from(line, 1);
		}
		f->octets_8bit += line.len - rest.len;
		line = rest;
	}
}

void mime_look(struct mime_facts *f, struct span piece) {
	f->octets += piece.len;
	while (piece.len > 0) {
		size_t nl = span_find(piece, '\n');
		bool ended = nl < piece.len;
		struct span line = span_head(piece, nl);
		look_at_line(f, line);
		f->line += line.len;
		/* The CR of a line end is not part of the line. */
		size_t len = f->line - (ended && nl > 0 && line.p[nl - 1] == '\r');
		f->has_long_line |= len > TEXT_LINE_MAX;
		if (ended)
			f->line = 0;
		piece = span_from(piece, ended ? nl + 1 : nl);
	}
}

size_t mime_whole(struct span piece) {
	size_t n = piece.len;
	while (n > 0 && piece.len - n < 3 && utf8_continues(piece.p[n - 1]))
		n--;
	if (n > 0 && (unsigned char)piece.p[n - 1] >= 0xc0)
		return n - 1;
	return piece.len; /* ASCII in front of it: nothing is torn, or it is no UTF-8 */
}

const char *mime_charset(const struct mime_facts *f) {
	if (f->octets_8bit == 0)
		return "us-ascii";
	return f->not_utf8 ? "unknown-8bit" : "utf-8";
}

enum mime_encoding mime_text_encoding(const struct mime_facts *f) {
	return f->octets_8bit <= f->octets / READABLE ? MIME_QP : MIME_BASE64;
}

enum mime_encoding mime_ascii_encoding(const struct mime_facts *f) {
	return f->octets_8bit > 0 || f->has_long_line ? mime_text_encoding(f) : MIME_7BIT;
}

const char *mime_encoding_name(enum mime_encoding e) {
	static const char names[][17] = { "7bit", "8bit", "quoted-printable", "base64" };
	return names[e];
}

int mime_base64(struct span piece, struct buf *out) {
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	while (piece.len > 0) {
		char line[78];
		size_t n = 0;
		struct span some = span_head(piece, MIME_LINE_BYTES);
		for (size_t i = 0; i < some.len; i += 3) {
			unsigned char b[3] = { 0 };
			size_t have = some.len - i < 3 ? some.len - i : 3;
			memcpy(b, some.p + i, have);
			line[n++] = digits[b[0] >> 2];
			line[n++] = digits[(b[0] & 3) << 4 | b[1] >> 4];
			line[n++] = have > 1 ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=';
			line[n++] = have > 2 ? digits[b[2] & 63] : '=';
		}
		line[n++] = '\n';
		buf_addm(out, line, n);
		piece = span_from(piece, some.len);
	}
	return buf_failed(out) ? -1 : 0;
}

static int text_as_base64(struct span text, struct buf *out) {
	AUTO_BUF struct buf wire = BUF_INIT(SIZE_MAX / 4);
	struct eol eol;
	eol_init(&eol);
	if (eol_feed(&eol, text, &wire, NULL) != 0)
		return -1;
	return mime_base64(buf_span(&wire), out);
}

int mime_encode_text(struct span text, enum mime_encoding e, struct buf *out) {
	switch (e) {
	case MIME_7BIT:
	case MIME_8BIT:
		return buf_add(out, text);
	case MIME_QP:
		return qp_encode_text(text, out);
	case MIME_BASE64:
		return text_as_base64(text, out);
	}
	return -1;
}

/* --- what stands between parts --- */

static void add_boundary(struct mime_tree *t) {
	buf_addf(t->out, "=_%u_%s", t->depth, t->seed);
}

void mime_open(struct mime_tree *t, const char *subtype, const char *params) {
	t->depth++;
	buf_addf(t->out, "Content-Type: multipart/%s%s;\n boundary=\"", subtype, params);
	add_boundary(t);
	buf_adds(t->out, "\"\n");
}

/* The line end before the dashes belongs to the delimiter; at the first one it makes the
 * empty line behind the fields. */
void mime_next(struct mime_tree *t) {
	buf_adds(t->out, "\n--");
	add_boundary(t);
	buf_addc(t->out, '\n');
}

void mime_close(struct mime_tree *t) {
	buf_adds(t->out, "\n--");
	add_boundary(t);
	buf_adds(t->out, "--\n");
	t->depth--;
}
