/*
 * Canonicalisation. Line ends are held back until something follows them, for those at the end
 * of a body do not count; so is white space in relaxed form. What comes out is gathered, since
 * a hash wants more than a line at a time.
 */

#include "authres/canon.h"

/* --- header fields --- */

static int field_simple(struct buf *out, struct span raw) {
	while (raw.len > 0) {
		struct span line;
		size_t n = span_find(raw, '\n');
		bool cr = n < raw.len && n > 0 && raw.p[n - 1] == '\r';
		line = span_head(raw, cr ? n - 1 : n);
		raw = span_from(raw, n + 1);
		buf_add(out, line);
		if (raw.len > 0)
			buf_adds(out, "\r\n");
	}
	return buf_adds(out, "\r\n");
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

/* Unfolded, runs of white space as one space, none at the ends. */
static void add_relaxed(struct buf *out, struct span value) {
	bool blank = false, any = false;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		bool line_end = c == '\n' || (c == '\r' && (i + 1 == value.len ||
							    value.p[i + 1] == '\n'));
		if (is_blank(c)) {
			blank = true;
		} else if (!line_end) {
			if (blank && any)
				buf_addc(out, ' ');
			blank = false;
			any = true;
			buf_addc(out, c);
		}
	}
}

static int field_relaxed(struct buf *out, struct span raw) {
	size_t colon = span_find(raw, ':'), n = colon;
	while (n > 0 && is_blank(raw.p[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		buf_addc(out, span_lower(raw.p[i]));
	buf_addc(out, ':');
	add_relaxed(out, span_from(raw, colon + 1));
	return buf_adds(out, "\r\n");
}

int canon_field(struct buf *out, enum canon kind, struct span raw) {
	return kind == CANON_SIMPLE ? field_simple(out, raw) : field_relaxed(out, raw);
}

/* --- the body --- */

void canon_body_init(struct canon_body *b, enum canon kind, uint64_t limit,
		     canon_sink_fn *sink, void *ctx) {
	b->kind = kind;
	b->sink = sink;
	b->ctx = ctx;
	b->limit = limit;
	b->total = b->empty = 0;
	b->blank = b->cr = false;
	b->held = 0;
}

static void flush(struct canon_body *b) {
	if (b->held)
		b->sink(b->ctx, span_of(b->out, b->held));
	b->held = 0;
}

static void put(struct canon_body *b, struct span s) {
	uint64_t left = b->limit > b->total ? b->limit - b->total : 0;
	b->total += s.len;
	if (s.len > left)
		s.len = (size_t)left;
	if (s.len > sizeof(b->out) - b->held)
		flush(b);
	if (s.len > sizeof(b->out)) {
		b->sink(b->ctx, s);
		return;
	}
	if (s.len)
		memcpy(b->out + b->held, s.p, s.len);
	b->held += s.len;
}

/* Something that counts follows: so does what was held back before it. */
static void settle(struct canon_body *b) {
	for (; b->empty > 0; b->empty--)
		put(b, SPAN("\r\n"));
	if (b->blank)
		put(b, SPAN(" "));
	b->blank = false;
}

/* 0x80 in each octet of w that is c, 0 in the others. */
static uint64_t octets_like(uint64_t w, unsigned char c) {
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t x = w ^ (UINT64_C(0x0101010101010101) * c);
	return ~(((x & low) + low) | x | low);
}

/* How many octets of a line, looked at in eights, certainly have neither a TAB nor two spaces
 * beside each other. */
static size_t plain_eights(struct span s) {
	size_t n = 0;
	for (bool space = false; n + 8 <= s.len; n += 8) {
		uint64_t w;
		memcpy(&w, s.p + n, sizeof(w));
		uint64_t spaces = octets_like(w, ' ');
		if (octets_like(w, '\t') || (spaces & (spaces << 8)) ||
		    (space && s.p[n] == ' '))
			break;
		space = s.p[n + 7] == ' ';
	}
	return n;
}

/* How many octets of a line relaxed leaves as they are: single spaces stay where something
 * follows. */
static size_t plain_run(struct span s) {
	size_t n = s.len > 0 && is_blank(s.p[0]) ? 0 : plain_eights(s);
	while (n > 0 && is_blank(s.p[n - 1]))
		n--;
	for (; n < s.len; n++)
		if (is_blank(s.p[n]) &&
		    (n == 0 || s.p[n] == '\t' || n + 1 == s.len || is_blank(s.p[n + 1])))
			break;
	return n;
}

/* Octets of a line, without LF: in runs that need no change. */
static void relaxed_text(struct canon_body *b, struct span s) {
	while (s.len > 0) {
		size_t n = plain_run(s);
		if (n > 0) {
			settle(b);
			put(b, span_head(s, n));
		}
		s = span_from(s, n);
		for (n = 0; n < s.len && is_blank(s.p[n]);)
			n++;
		b->blank |= n > 0;
		s = span_from(s, n);
	}
}

static void text(struct canon_body *b, struct span s) {
	if (s.len == 0)
		return;
	if (b->kind == CANON_RELAXED) {
		relaxed_text(b, s);
		return;
	}
	settle(b);
	put(b, s);
}

/* A CR that was held back and belongs to no LF. */
static void settle_cr(struct canon_body *b) {
	if (b->cr)
		text(b, SPAN("\r"));
	b->cr = false;
}

void canon_body_feed(struct canon_body *b, struct span piece) {
	while (piece.len > 0) {
		size_t n = span_find(piece, '\n');
		struct span line = span_head(piece, n);
		bool ended = n < piece.len;
		piece = span_from(piece, n + 1);
		if (line.len > 0)
			settle_cr(b);
		bool cr = line.len > 0 && line.p[line.len - 1] == '\r';
		if (cr)
			line.len--;
		text(b, line);
		b->cr |= cr;
		if (ended) {
			b->empty++;
			b->cr = b->blank = false;
		}
	}
}

/* "If there is no body or no trailing CRLF on the message body, a CRLF is added" (section
 * 3.4.3); relaxed leaves an empty body empty (section 3.4.4). */
void canon_body_end(struct canon_body *b) {
	settle_cr(b);
	b->blank = false;
	b->empty = 0;
	if (b->total > 0 || b->kind == CANON_SIMPLE)
		put(b, SPAN("\r\n"));
	flush(b);
}
