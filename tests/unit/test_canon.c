/* Canonical forms: the example of RFC 6376 section 3.4.5, the edges, and cuts anywhere. */

#include "authres/canon.h"

#include "tap.h"

static const struct {
	const char *label, *input, *simple, *relaxed;
} fields[] = {
	{ "RFC 6376 section 3.4.5", "A: X\r\n", "A: X\r\n", "a:X\r\n" },
	{ "and its second field", "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n",
	  "b:Y Z\r\n" },
	{ "LF counts as CRLF", "A: x\n y\n", "A: x\r\n y\r\n", "a:x y\r\n" },
	{ "no line end", "A: x", "A: x\r\n", "a:x\r\n" },
	{ "nothing behind the colon", "Subject:\r\n", "Subject:\r\n", "subject:\r\n" },
	{ "blanks alone behind it", "Subject:  \t \r\n", "Subject:  \t \r\n",
	  "subject:\r\n" },
	{ "8-bit bytes stay", "A: \xc3\xbc \xff\r\n", "A: \xc3\xbc \xff\r\n",
	  "a:\xc3\xbc \xff\r\n" },
	{ "a CR alone is no line end", "A: x\ry\r\n", "A: x\ry\r\n", "a:x\ry\r\n" },
	{ "a fold at once", "A:\r\n x\r\n", "A:\r\n x\r\n", "a:x\r\n" },
};

static void test_fields(void) {
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		AUTO_BUF struct buf s = BUF_INIT(4096), r = BUF_INIT(4096);
		canon_field(&s, CANON_SIMPLE, span_str(fields[i].input));
		canon_field(&r, CANON_RELAXED, span_str(fields[i].input));
		is_str(buf_str(&s), fields[i].simple, "simple field: %s",
		       fields[i].label);
		is_str(buf_str(&r), fields[i].relaxed, "relaxed field: %s",
		       fields[i].label);
	}
}

static const struct {
	const char *label, *input, *simple, *relaxed;
} bodies[] = {
	{ "RFC 6376 section 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n",
	  " C\r\nD E\r\n" },
	{ "empty", "", "\r\n", "" },
	{ "one line end", "\r\n", "\r\n", "" },
	{ "empty lines alone", "\r\n\r\n\n", "\r\n", "" },
	{ "blanks alone", " \t\r\n  \r\n", " \t\r\n  \r\n", "" },
	{ "no line end", "x", "x\r\n", "x\r\n" },
	{ "blanks and no line end", "x \t", "x \t\r\n", "x\r\n" },
	{ "LF counts as CRLF", "x\n\ny\n\n", "x\r\n\r\ny\r\n", "x\r\n\r\ny\r\n" },
	{ "empty lines inside stay", "x\r\n\r\n\r\ny\r\n", "x\r\n\r\n\r\ny\r\n",
	  "x\r\n\r\n\r\ny\r\n" },
	{ "lines of blanks inside become empty", "x\r\n \t\r\ny\r\n", "x\r\n \t\r\ny\r\n",
	  "x\r\n\r\ny\r\n" },
	{ "a CR alone is content", "x\ry\r\n", "x\ry\r\n", "x\ry\r\n" },
	{ "a CR before CRLF is, too", "x\r\r\n", "x\r\r\n", "x\r\r\n" },
	{ "a CR at the end is, too", "x\r", "x\r\r\n", "x\r\r\n" },
	{ "a blank between CRs", "x \r y\r\n", "x \r y\r\n", "x \r y\r\n" },
	{ "runs of blanks", "a  b\t\tc \t d\r\n", "a  b\t\tc \t d\r\n", "a b c d\r\n" },
	{ "a TAB becomes a space", "a\tb\r\n", "a\tb\r\n", "a b\r\n" },
	{ "blanks at the beginning of a line", "  a\r\n", "  a\r\n", " a\r\n" },
	{ "other white space is none", "a\v\fb\r\n", "a\v\fb\r\n", "a\v\fb\r\n" },
};

static void collect(void *ctx, struct span piece) {
	buf_add(ctx, piece);
}

/* The body in pieces: all of `first`, then always `step` octets. */
static uint64_t run(enum canon kind, struct span body, size_t first, size_t step,
		    uint64_t limit, struct buf *out) {
	struct canon_body b;
	canon_body_init(&b, kind, limit, collect, out);
	canon_body_feed(&b, span_head(body, first));
	for (size_t at = first; at < body.len; at += step)
		canon_body_feed(&b, span_head(span_from(body, at), step));
	canon_body_end(&b);
	return b.total;
}

static void check_cuts(enum canon kind, const char *label, struct span body,
		       const char *want) {
	bool same = true;
	for (size_t first = 0; first <= body.len; first++) {
		for (size_t step = 1; step < 4; step++) {
			AUTO_BUF struct buf out = BUF_INIT(4096);
			run(kind, body, first, step, CANON_NO_LIMIT, &out);
			same &= strcmp(buf_str(&out), want) == 0;
		}
	}
	ok(same, "wherever it is cut: %s", label);
}

static void test_bodies(void) {
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct span body = span_str(bodies[i].input);
		for (int k = CANON_SIMPLE; k <= CANON_RELAXED; k++) {
			AUTO_BUF struct buf out = BUF_INIT(4096);
			const char *want = k == CANON_SIMPLE ? bodies[i].simple
							     : bodies[i].relaxed;
			run((enum canon)k, body, body.len, 1, CANON_NO_LIMIT, &out);
			is_str(buf_str(&out), want, "%s body: %s",
			       k == CANON_SIMPLE ? "simple" : "relaxed", bodies[i].label);
			check_cuts((enum canon)k, bodies[i].label, body, want);
		}
	}
}

static void test_limit(void) {
	for (uint64_t limit = 0; limit < 12; limit++) {
		AUTO_BUF struct buf out = BUF_INIT(4096);
		uint64_t total = run(CANON_SIMPLE, SPAN("ab\ncd\n\n"), 3, 1, limit, &out);
		is_int(out.len, limit < 8 ? limit : 8, "l=%d lets so much through",
		       (int)limit);
		is_int((int64_t)total, 8, "and the whole is counted");
	}
}

/* Larger than what is gathered. */
static void test_large(void) {
	AUTO_BUF struct buf body = BUF_INIT(1u << 20), want = BUF_INIT(1u << 20);
	AUTO_BUF struct buf out = BUF_INIT(1u << 20);
	for (int i = 0; i < 3000; i++) {
		buf_addf(&body, "line %d  with\tblanks \n", i);
		buf_addf(&want, "line %d with blanks\r\n", i);
	}
	for (int i = 0; i < 9000; i++) {
		buf_addc(&body, 'x');
		buf_addc(&want, 'x');
	}
	buf_adds(&want, "\r\n");
	run(CANON_RELAXED, buf_span(&body), 1, 5000, CANON_NO_LIMIT, &out);
	ok(span_eq(buf_span(&out), buf_span(&want)), "a large body is the same");
}

int main(void) {
	test_fields();
	test_bodies();
	test_limit();
	test_large();
	return done_testing();
}
