/* Quoted-printable: what is encoded, where lines break, and that a decoder gets it back. */

#include "mail/qp.h"

#include <stdlib.h>

#include "tap.h"

static const struct {
	const char *label;
	struct span input;
	const char *want;
} texts[] = {
	{ "no text is none", SPAN_INIT(""), "" },
	{ "plain text stays", SPAN_INIT("Hello, world!\n"), "Hello, world!\n" },
	{ "a text without a last line end gets none", SPAN_INIT("a\nb"), "a\nb" },
	{ "empty lines stay", SPAN_INIT("\n\n"), "\n\n" },
	{ "CRLF is a line end too", SPAN_INIT("a\r\nb\r\n"), "a\nb\n" },
	{ "a CR alone is an octet", SPAN_INIT("a\rb\n"), "a=0Db\n" },
	{ "an equals sign is encoded", SPAN_INIT("a=b\n"), "a=3Db\n" },
	{ "octets beyond ASCII and controls are encoded",
	  SPAN_INIT("\xc3\xbc\x7f\x1b\0\n"), "=C3=BC=7F=1B=00\n" },
	{ "blanks inside a line stay", SPAN_INIT("a b\tc\n"), "a b\tc\n" },
	{ "a blank at a line's end is encoded", SPAN_INIT("a \nb\t\nc "),
	  "a=20\nb=09\nc=20" },
	{ "only the last of several", SPAN_INIT("a  \n"), "a =20\n" },
	{ "a dot at a line's start is encoded", SPAN_INIT(".\n.a\na.\n"),
	  "=2E\n=2Ea\na.\n" },
	{ "From at a line's start is encoded", SPAN_INIT("From me\na From\n"),
	  "=46rom me\na From\n" },
};

static int hex_digit(char c) {
	const char *digits = "0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* A decoder by the letter of RFC 2045; -1 when the text breaks its rules. */
static int decode(struct span in, struct buf *out) {
	size_t column = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] == '\n') {
			if (i > 0 && (in.p[i - 1] == ' ' || in.p[i - 1] == '\t'))
				return -1;
			buf_addc(out, '\n');
			column = 0;
			continue;
		}
		if (++column > 76)
			return -1;
		if (in.p[i] != '=') {
			buf_addc(out, in.p[i]);
			continue;
		}
		if (i + 1 < in.len && in.p[i + 1] == '\n') {
			i++;
			column = 0;
			continue;
		}
		int high = i + 2 < in.len ? hex_digit(in.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(in.p[i + 2]) : -1;
		if (low < 0)
			return -1;
		buf_addc(out, (char)(high << 4 | low));
		column += 2;
		i += 2;
	}
	return buf_failed(out) || column > 76 ? -1 : 0;
}

/* Every length of line around the limit, of octets that take one place and three. */
static void test_lengths(void) {
	unsigned wrong = 0, rounds = 0;
	for (size_t n = 0; n < 400; n++) {
		for (unsigned kind = 0; kind < 4; kind++) {
			AUTO_BUF struct buf text = BUF_INIT(4096), out = BUF_INIT(4096),
					    back = BUF_INIT(4096);
			for (size_t i = 0; i < n; i++)
				buf_addc(&text, "x\xfc. "[kind]);
			buf_addc(&text, '\n');
			rounds++;
			wrong += qp_encode_text(buf_span(&text), &out) != 0 ||
				 decode(buf_span(&out), &back) != 0 ||
				 !span_eq(buf_span(&back), buf_span(&text));
		}
	}
	is_int(wrong, 0,
	       "all %u lines up to 400 octets come back, in lines of at most 76", rounds);
}

static void test_random(void) {
	unsigned wrong = 0;
	srandom(7);
	for (int round = 0; round < 500; round++) {
		AUTO_BUF struct buf text = BUF_INIT(4096), out = BUF_INIT(16384),
				    back = BUF_INIT(8192);
		for (long i = random() % 2000; i > 0; i--) {
			char c = (char)(random() % 256);
			if (c != '\r')
				buf_addc(&text, c);
		}
		wrong += qp_encode_text(buf_span(&text), &out) != 0 ||
			 decode(buf_span(&out), &back) != 0 ||
			 !span_eq(buf_span(&back), buf_span(&text));
	}
	is_int(wrong, 0, "500 random texts come back");
}

int main(void) {
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		AUTO_BUF struct buf out = BUF_INIT(4096);
		qp_encode_text(texts[i].input, &out);
		is_str(buf_str(&out), texts[i].want, "%s", texts[i].label);
	}
	AUTO_BUF struct buf small = BUF_INIT(10);
	is_int(qp_encode_text(SPAN("\xfc\xfc\xfc\xfc"), &small), -1,
	       "past the ceiling it fails");
	test_lengths();
	test_random();
	return done_testing();
}
