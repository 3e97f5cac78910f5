/* Header blocks as bytes: where they end, fields, folds, all kinds of line ends. */

#include "mail/header.h"

#include "tap.h"

static const struct {
	const char *label, *input;
	size_t want;
} blocks[] = {
	{ "LF", "A: b\nC: d\n\nbody", 10 },
	{ "CRLF", "A: b\r\nC: d\r\n\r\nbody", 12 },
	{ "bare CR", "A: b\rC: d\r\rbody", 10 },
	{ "no body", "A: b\n", 5 },
	{ "no last line end", "A: b", 4 },
	{ "folds", "A: b\n c\n\td\n\nbody", 11 },
	{ "a line that is no field ends it", "A: b\nhello world\nC: d\n", 5 },
	{ "no header at all", "hello world: x\n", 0 },
	{ "a message that begins with its body", "\nA: b\n", 0 },
	{ "a fold before any field", " A: b\n", 0 },
	{ "an mbox line", "From bob Mon\nA: b\n\nbody", 18 },
	{ "an escaped mbox line", ">From bob Mon\nA: b\n\n", 19 },
	{ "From with a blank before its colon", "From : a\n\n", 9 },
	{ "an mbox line later on", "A: b\nFrom bob Mon\n", 5 },
	{ "blanks before the colon", "A \t: b\n\n", 7 },
	{ "an empty name", ": b\n", 0 },
	{ "a byte of 0x80 in a name", "\xc3\xbc: b\n", 0 },
	{ "an empty message", "", 0 },
};

static void test_block_len(void) {
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		is_int(header_block_len(span_str(blocks[i].input)), blocks[i].want,
		       "block: %s", blocks[i].label);
}

static void test_take(void) {
	struct span in = SPAN("Subject : one\r\n two\r\nNext:x");
	struct header_field f;
	ok(header_take(&in, &f), "a field is taken");
	ok(span_eq(f.name, SPAN("Subject")), "its name has no blank");
	ok(span_eq(f.value, SPAN(" one\r\n two")),
	   "its value keeps the fold, not the end");
	ok(span_eq(f.raw, SPAN("Subject : one\r\n two\r\n")), "raw is all of it");
	ok(header_take(&in, &f) && span_eq(f.value, SPAN("x")) && in.len == 0,
	   "a last field may lack its line end");
	ok(!header_take(&in, &f), "nothing is taken at the end");
	struct span empty = SPAN("\r\nA: b\r\n");
	ok(!header_take(&empty, &f) && empty.len == 8,
	   "nothing is taken at the empty line");
	struct span cr = SPAN("A: b\rBcc: c\r");
	ok(header_take(&cr, &f) && span_eq(f.value, SPAN(" b")), "a bare CR ends a line");
}

static void test_mbox(void) {
	struct span mbox = SPAN("From bob Mon\r\nA: b\r\n"), field = SPAN("From : bob\n");
	ok(header_take_mbox(&mbox) && span_eq(mbox, SPAN("A: b\r\n")),
	   "an mbox line is taken");
	ok(!header_take_mbox(&field) && field.len == 11,
	   "an obsolete From field is none");
}

static void test_find(void) {
	struct header_field f;
	struct span block = SPAN("From x\nTo: a\nsubject: b\nSubject: c\n");
	ok(header_find(block, "Subject", &f) && span_eq(f.value, SPAN(" b")),
	   "the first of a name is found without case");
	ok(!header_find(block, "Sub", &f), "a part of a name is not found");
}

static void test_unfold(void) {
	static const struct {
		const char *input, *want;
	} cases[] = {
		{ "  a b ", "a b" },
		{ " a\r\n b", "a b" },
		{ " a \n\t b\n  \n c\n", "a b c" },
		{ " a  b", "a  b" },
		{ "", "" },
		{ "\r\n ", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(100);
		header_unfold(span_str(cases[i].input), &out);
		is_str(buf_str(&out), cases[i].want, "unfolding %zu", i);
	}
}

/* Whatever is cut off, the end is never told before it is certain, nor elsewhere. */
static void test_block_end(void) {
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		struct span whole = span_str(blocks[i].input);
		bool right = true;
		size_t len;
		for (size_t n = 0; n <= whole.len; n++)
			if (header_block_end(span_head(whole, n), &len))
				right = right && len == blocks[i].want;
		ok(right, "a message that comes byte by byte: %s", blocks[i].label);
	}
	size_t len = 99;
	ok(!header_block_end(SPAN("A: b\nSubj"), &len) && len == 99,
	   "a cut name needs more");
	ok(!header_block_end(SPAN("A: b\n\r"), &len), "a CR alone needs more");
	ok(header_block_end(SPAN("A: b\n\r\n"), &len) && len == 5,
	   "the empty line is the end");
	ok(header_block_end(SPAN("hello w"), &len) && len == 0, "two words are no name");
	char blob[2000];
	memset(blob, 'x', sizeof(blob));
	ok(header_block_end(span_of(blob, sizeof(blob)), &len) && len == 0,
	   "a line without a colon is body before it ends");
}

static void test_take_empty(void) {
	static const char *const cases[] = { "\r\nx", "\nx", "\rx" };
	for (size_t i = 0; i < 3; i++) {
		struct span in = span_str(cases[i]);
		ok(header_take_empty(&in) && span_eq(in, SPAN("x")),
		   "empty line %zu is taken", i);
	}
	struct span in = SPAN("x");
	ok(!header_take_empty(&in) && in.len == 1, "another line stays");
}

static void test_has(void) {
	ok(header_has(SPAN("A: 1\nSubject: x\n"), "subject"), "a field is there");
	ok(!header_has(SPAN("A: 1\nSubject: x\n"), "Subj"), "another is not");
	ok(!header_has(SPAN(""), "Subject"), "nor is one in no header");
	ok(header_is_signed(SPAN("dkim-signature: v=1\n")) &&
		   header_is_signed(SPAN("A: 1\nARC-Message-Signature: i=1\n")),
	   "DKIM and ARC sign a message");
	ok(!header_is_signed(SPAN("ARC-Seal: i=1\nX-Signature: a\n")),
	   "what covers no body does not");
}

static void test_hostile(void) {
	static const char *const pieces[] = { "a:\r", "a:\n ", "a:\n", "\r", "a", "a: " };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		AUTO_BUF struct buf in = BUF_INIT(8 << 20);
		while (in.len < 4 << 20)
			buf_adds(&in, pieces[i]);
		ok(header_block_len(buf_span(&in)) <= in.len,
		   "four megabytes of piece %zu end", i);
	}
}

int main(void) {
	test_block_len();
	test_take();
	test_mbox();
	test_find();
	test_unfold();
	test_block_end();
	test_take_empty();
	test_has();
	test_hostile();
	return done_testing();
}
