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
 * them is 0x80 or above. Eight bytes at a time: (w - c) & ~w has a high bit set when a byte of
 * w is below c (maybe also above that one: those eight are looked at one by one). */
static size_t text_run(struct span s, bool *seen8) {
	const uint64_t ones = 0x0101010101010101u, high = ones << 7;
	uint64_t w, all = 0;
	size_t n = 0;
	while (n < s.len) {
		for (; n + 8 <= s.len; n += 8) {
			memcpy(&w, s.p + n, 8);
			if ((w - ones * ('\r' + 1)) & ~w & high)
				break;
			all |= w;
		}
		for (size_t end = n + 8; n < s.len && n < end; n++) {
			if (s.p[n] == '\0' || s.p[n] == '\r' || s.p[n] == '\n') {
				*seen8 |= (all & high) != 0;
				return n;
			}
			all |= (unsigned char)s.p[n];
		}
	}
	*seen8 |= (all & high) != 0;
	return n;
}

static void begin_line(struct eol *e) {
	e->line = 0;
	e->at_start = true;
}

static void end_line(struct eol *e, struct buf *out) {
	buf_addm(out, "\r\n", 2);
	begin_line(e);
}

/* Returns how many bytes at the front are in wire form already, over any number of lines. */
static size_t wire_run(struct eol *e, struct span in) {
	size_t done = 0;
	for (;;) {
		struct span rest = span_from(in, done);
		size_t n = text_run(rest, &e->has_8bit);
		done += n;
		e->line += n;
		if (e->line > e->longest)
			e->longest = e->line;
		e->at_start = e->at_start && n == 0;
		if (rest.len - n < 2 || rest.p[n] != '\r' || rest.p[n + 1] != '\n')
			return done;
		done += 2;
		begin_line(e);
	}
}

int eol_feed(struct eol *e, struct span in, struct buf *out, struct err *err) {
	if (e->seen_cr && in.len > 0) {
		span_take_char(&in, '\n');
		e->seen_cr = false;
	}
	while (in.len > 0) {
		size_t n = wire_run(e, in);
		buf_addm(out, in.p, n);
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
