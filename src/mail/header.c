/*
 * Header fields as bytes. A line ends with CR LF, LF or a bare CR, the same three that
 * eol.c turns into CR LF: were a bare CR no line end here, it could hide a field from the
 * fix-ups that the next program sees.
 */

#include "mail/header.h"

#include "mail/chars.h"

#define LOOK_AHEAD 256

/* Returns the length of the first line with its end. Looks at a piece at a time: a text
 * with CR alone would otherwise be searched for its LF to the end, line by line. */
static size_t line_len(struct span s) {
	for (size_t from = 0; from < s.len; from += LOOK_AHEAD) {
		struct span piece = span_head(span_from(s, from), LOOK_AHEAD);
		piece.len = span_find(piece, '\n');
		size_t end = from + span_find(piece, '\r');
		if (end == from + LOOK_AHEAD || end == s.len)
			continue;
		bool pair = s.p[end] == '\r' && end + 1 < s.len && s.p[end + 1] == '\n';
		return end + (pair ? 2 : 1);
	}
	return s.len;
}

/* Returns the length of the first line and of the lines that continue it. */
static size_t folded_len(struct span s) {
	size_t n = 0;
	do {
		n += line_len(span_from(s, n));
	} while (n < s.len && chars_blank(s.p[n]));
	return n;
}

/* Takes "name" and ":" from the front; blanks before the colon are obsolete and occur. */
static bool take_name(struct span *in, struct span *ret) {
	size_t n = chars_run(*in, CHARS_FTEXT);
	struct span s = span_from(*in, n);
	while (s.len > 0 && chars_blank(s.p[0]))
		s = span_from(s, 1);
	if (n == 0 || n > HEADER_NAME_MAX || !span_take_char(&s, ':'))
		return false;
	*ret = span_head(*in, n);
	*in = s;
	return true;
}

static struct span without_line_end(struct span s) {
	if (s.len > 0 && s.p[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.p[s.len - 1] == '\r')
		s.len--;
	return s;
}

bool header_take(struct span *in, struct header_field *ret) {
	struct span rest = *in;
	struct header_field f;
	if (!take_name(&rest, &f.name))
		return false;
	f.raw = span_head(*in, folded_len(*in));
	f.value = without_line_end(
		span_of(rest.p, (size_t)(f.raw.p + f.raw.len - rest.p)));
	*in = span_from(*in, f.raw.len);
	*ret = f;
	return true;
}

/* "From : a@x" is a field in obsolete form. */
bool header_take_mbox(struct span *in) {
	struct span rest = *in, name;
	if (!span_starts(*in, SPAN("From ")) && !span_starts(*in, SPAN(">From ")))
		return false;
	if (take_name(&rest, &name))
		return false;
	*in = span_from(*in, line_len(*in));
	return true;
}

size_t header_block_len(struct span message) {
	struct span in = message;
	struct header_field f;
	header_take_mbox(&in);
	while (header_take(&in, &f))
		;
	return message.len - in.len;
}

/* What stands behind the block is no field as soon as a byte is there that no name has. A
 * CR alone may become the CR LF of the empty line. */
bool header_block_end(struct span so_far, size_t *ret_len) {
	size_t len = header_block_len(so_far);
	struct span rest = span_from(so_far, len);
	size_t n = chars_run(rest, CHARS_FTEXT);
	bool certain = n > HEADER_NAME_MAX;
	while (n > 0 && n < rest.len && chars_blank(rest.p[n]))
		n++;
	if (n < rest.len)
		certain = rest.len > 1 || rest.p[0] != '\r';
	if (certain)
		*ret_len = len;
	return certain;
}

bool header_take_empty(struct span *in) {
	bool cr = span_take_char(in, '\r');
	return span_take_char(in, '\n') || cr;
}

bool header_find(struct span block, const char *name, struct header_field *ret) {
	struct span want = span_str(name);
	struct header_field f;
	header_take_mbox(&block);
	while (header_take(&block, &f)) {
		if (span_eq_nocase(f.name, want)) {
			*ret = f;
			return true;
		}
	}
	return false;
}

bool header_has(struct span block, const char *name) {
	struct header_field f;
	return header_find(block, name, &f);
}

bool header_is_signed(struct span block) {
	return header_has(block, "DKIM-Signature") ||
	       header_has(block, "ARC-Message-Signature");
}

int header_unfold(struct span value, struct buf *out) {
	value = span_trim(value);
	while (value.len > 0) {
		size_t text = 0, gap = 0;
		bool fold = false;
		while (text < value.len && value.p[text] != '\n' && value.p[text] != '\r')
			text++;
		while (text > 0 && text < value.len && chars_blank(value.p[text - 1]))
			text--;
		buf_add(out, span_head(value, text));
		value = span_from(value, text);
		for (; gap < value.len && (chars_blank(value.p[gap]) ||
					   value.p[gap] == '\n' || value.p[gap] == '\r');
		     gap++)
			fold = true;
		if (fold)
			buf_addc(out, ' ');
		value = span_from(value, gap);
	}
	return buf_failed(out) ? -1 : 0;
}
