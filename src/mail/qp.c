/* Quoted-printable encoding of text; see qp.h. */

#include "mail/qp.h"

#include <stdbool.h>

#define LINE_MAX_QP 76

static const char hex[] = "0123456789ABCDEF";

static bool is_literal(unsigned char c) {
	return (c >= 0x21 && c <= 0x7e && c != '=') || c == ' ' || c == '\t';
}

/* "From " and a lone dot at a line's start are rewritten by some relays. */
static bool is_fragile(unsigned char c, size_t column) {
	return column == 0 && (c == '.' || c == 'F');
}

/* Appends one octet; breaks the line softly before it would pass the limit. */
static void put(struct buf *out, unsigned char c, bool literal, size_t *column) {
	size_t need = literal ? 1 : 3;
	if (*column + need > LINE_MAX_QP - 1) {
		buf_adds(out, "=\n");
		*column = 0;
	}
	if (literal && !is_fragile(c, *column)) {
		buf_addc(out, (char)c);
		*column += 1;
	} else {
		buf_addc(out, '=');
		buf_addc(out, hex[c >> 4]);
		buf_addc(out, hex[c & 15]);
		*column += 3;
	}
}

static void encode_line(struct span line, struct buf *out) {
	size_t column = 0;
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];
		bool blank_at_end = i + 1 == line.len && (c == ' ' || c == '\t');
		put(out, c, is_literal(c) && !blank_at_end, &column);
	}
}

int qp_encode_text(struct span text, struct buf *out) {
	struct span line;
	while (text.len) {
		size_t nl = span_find(text, '\n');
		bool ended = nl < text.len;
		line = span_head(text, nl);
		if (ended && line.len && line.p[line.len - 1] == '\r')
			line.len--;
		encode_line(line, out);
		if (ended)
			buf_addc(out, '\n');
		text = span_from(text, ended ? nl + 1 : nl);
	}
	return buf_failed(out) ? -1 : 0;
}
