/*
 * Line ends into wire form. A line end is written when its first byte is seen; seen_cr
 * then swallows the LF of a CR LF, wherever the pieces are cut. So no byte is held back.
 */

#include "mail/eol.h"

#include <string.h>

void eol_init(struct eol *e) {
	*e = (struct eol){ .at_start = true };
}

/* Returns how many bytes at the front are neither NUL, CR nor LF; sets *seen8 when one of
 * them is 0x80 or above. Eight bytes at a time: with x = byte ^ c, (x - 1) & ~x has its
 * high bit set when x is 0 (maybe also above it: the slow loop sorts that out). */
static size_t text_run(struct span s, bool *seen8) {
	const uint64_t ones = 0x0101010101010101u, high = ones << 7;
	size_t n = 0;
	for (; n + 8 <= s.len; n += 8) {
		uint64_t w;
		memcpy(&w, s.p + n, 8);
		uint64_t cr = w ^ (ones * '\r'), lf = w ^ (ones * '\n');
		if ((((w - ones) & ~w) | ((cr - ones) & ~cr) | ((lf - ones) & ~lf)) &
		    high)
			break;
		*seen8 |= (w & high) != 0;
	}
	for (; n < s.len && s.p[n] != '\0' && s.p[n] != '\r' && s.p[n] != '\n'; n++)
		*seen8 |= (unsigned char)s.p[n] >= 0x80;
	return n;
}

static void end_line(struct eol *e, struct buf *out) {
	buf_addm(out, "\r\n", 2);
	e->line = 0;
	e->at_start = true;
}

int eol_feed(struct eol *e, struct span in, struct buf *out, struct err *err) {
	if (e->seen_cr && in.len > 0) {
		span_take_char(&in, '\n');
		e->seen_cr = false;
	}
	while (in.len > 0) {
		size_t n = text_run(in, &e->has_8bit);
		buf_addm(out, in.p, n);
		e->line += n;
		if (e->line > e->longest)
			e->longest = e->line;
		e->at_start = e->at_start && n == 0;
		in = span_from(in, n);
		if (in.len == 0)
			break;
		char c = in.p[0];
		if (c == '\0')
			return err_set(err, ERR_SYNTAX, "the message has a NUL byte");
		end_line(e, out);
		in = span_from(in, 1);
		e->seen_cr = c == '\r' && in.len == 0;
		if (c == '\r')
			span_take_char(&in, '\n');
	}
	if (buf_failed(out))
		return err_set(err, ERR_LIMIT, "more than %zu octets", out->max);
	return 0;
}

int eol_finish(struct eol *e, struct buf *out) {
	if (!e->at_start)
		end_line(e, out);
	e->seen_cr = false;
	return buf_failed(out) ? -1 : 0;
}
