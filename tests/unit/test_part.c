/* A message as its parts: well-formed, broken, hostile. */

#include "mail/part.h"

#include "tap.h"

#define OUT_MAX (1u << 20)

/* One line a part: depth, type, what it is, name, text. */
static int describe(void *ctx, const struct part *p) {
	AUTO_BUF struct buf text = BUF_INIT(OUT_MAX);
	struct buf *out = ctx;
	buf_addf(out, "%u %s%s%s%s", p->depth, p->type, p->multipart ? " multi" : "",
		 p->message ? " message" : "", p->attachment ? " attached" : "");
	if (p->alternative)
		buf_adds(out, " alternative");
	if (p->name[0])
		buf_addf(out, " name=%s", p->name);
	if (!p->multipart && !p->message && !p->attachment) {
		part_text(p, &text);
		buf_addf(out, " [%s]", buf_str(&text));
	}
	buf_addc(out, '\n');
	return 0;
}

static void test_walk(void) {
	static const struct {
		const char *name, *message, *want;
	} cases[] = {
		{ "plain text without fields", "Subject: x\r\n\r\nhello\r\n",
		  "0 text/plain [hello\n]\n" },
		{ "no header at all", "hello\n", "0 text/plain [hello\n]\n" },
		{ "nothing", "", "0 text/plain []\n" },
		{ "text in a character set",
		  "Content-Type: text/plain; charset=iso-8859-1\n"
		  "Content-Transfer-Encoding: quoted-printable\n\ncaf=E9=\n!\n",
		  "0 text/plain [caf\xc3\xa9!\n]\n" },
		{ "two parts",
		  "Content-Type: multipart/mixed; boundary=b\r\n\r\nbefore\r\n--b\r\n\r\none\r\n"
		  "--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; "
		  "filename=\"x.pdf\"\r\n\r\ntwo\r\n--b--\r\nbehind\r\n",
		  "0 multipart/mixed multi\n1 text/plain [one]\n"
		  "1 application/pdf attached name=x.pdf\n" },
		{ "a multipart that never ends",
		  "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n",
		  "0 multipart/mixed multi\n1 text/plain [one]\n1 text/plain [two\n]\n" },
		{ "a multipart without any delimiter",
		  "Content-Type: multipart/mixed; boundary=b\n\none\n",
		  "0 multipart/mixed multi\n" },
		{ "a multipart without a boundary",
		  "Content-Type: multipart/mixed\n\none\n",
		  "0 multipart/mixed [one\n]\n" },
		{ "an inner multipart that never ends",
		  "Content-Type: multipart/mixed; boundary=ab\n\n--ab\n"
		  "Content-Type: multipart/alternative; boundary=abc\n\n--abc\n\none\n--ab\n\ntwo\n"
		  "--ab--\n",
		  "0 multipart/mixed multi\n1 multipart/alternative multi\n"
		  "2 text/plain alternative [one]\n1 text/plain [two]\n" },
		{ "a message in a message",
		  "Content-Type: message/rfc822\n\nSubject: in\n\ntext\n",
		  "0 message/rfc822 message\n1 text/plain [text\n]\n" },
		{ "one that is encoded",
		  "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
		  "U3ViamVjdDogaW4KCnRleHQK\n",
		  "0 message/rfc822 message\n1 text/plain [text\n]\n" },
		{ "a digest",
		  "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\nt\n--b--\n",
		  "0 multipart/digest multi\n1 message/rfc822 message\n2 text/plain [t]\n" },
		{ "an encoding that nobody knows",
		  "Content-Transfer-Encoding: x-uuencode\n\nabc\n",
		  "0 text/plain attached\n" },
		{ "a type that cannot be read", "Content-Type: ;;\n\nabc\n",
		  "0 text/plain [abc\n]\n" },
		{ "a name in two ways",
		  "Content-Type: image/png; name=a.png\n"
		  "Content-Disposition: inline; filename*=utf-8''%C3%A4.png\n\nx",
		  "0 image/png attached name=\xc3\xa4.png\n" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
		bool more = true;
		is_int(part_walk(span_str(cases[i].message), describe, &out, &more), 0,
		       "%s", cases[i].name);
		is_str(buf_str(&out), cases[i].want, "has these parts");
		ok(!more, "and no others");
	}
}

static int count(void *ctx, const struct part *p) {
	unsigned *n = ctx;
	(void)p;
	return ++*n == 7 ? 42 : 0;
}

static int only_count(void *ctx, const struct part *p) {
	(void)p;
	++*(unsigned *)ctx;
	return 0;
}

static void test_bounds(void) {
	AUTO_BUF struct buf deep = BUF_INIT(OUT_MAX), wide = BUF_INIT(OUT_MAX);
	unsigned n = 0;
	bool more = false;
	for (unsigned i = 0; i < 100; i++)
		buf_adds(&deep, "Content-Type: message/rfc822\n\n");
	is_int(part_walk(buf_span(&deep), only_count, &n, &more), 0,
	       "messages in messages in messages");
	is_int(n, PART_DEPTH_MAX + 1, "are walked to a depth");
	ok(more, "and it is told that there are more");
	buf_adds(&wide, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (unsigned i = 0; i < 2 * PART_COUNT_MAX; i++)
		buf_adds(&wide, "--b\n\nx\n");
	n = 0;
	more = false;
	is_int(part_walk(buf_span(&wide), only_count, &n, &more), 0, "very many parts");
	is_int(n, PART_COUNT_MAX, "are walked up to a number");
	ok(more, "and it is told that there are more");
	n = 0;
	is_int(part_walk(buf_span(&wide), count, &n, NULL), 42, "the caller can stop it");
	is_int(n, 7, "at any part");
}

static int sizes(void *ctx, const struct part *p) {
	*(uint64_t *)ctx = part_size(p);
	return 0;
}

static void test_text(void) {
	AUTO_BUF struct buf message = BUF_INIT(OUT_MAX), little = BUF_INIT(10);
	uint64_t size = 0;
	buf_adds(&message, "Content-Transfer-Encoding: base64\n\n");
	for (unsigned i = 0; i < 100; i++)
		buf_adds(
			&message,
			"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2"
			"d3h5ejAx\r\n");
	part_walk(buf_span(&message), sizes, &size, NULL);
	ok(size > 5000 && size < 5600,
	   "the size of 5400 encoded bytes is near that: %llu", (unsigned long long)size);
	struct part p = { .body = SPAN("a\r\nb\rc\nd"), .encoding = PART_PLAIN };
	AUTO_BUF struct buf text = BUF_INIT(OUT_MAX);
	is_int(part_text(&p, &text), 0, "a text with all line ends");
	is_str(buf_str(&text), "a\nb\nc\nd", "has LF alone");
	p.body = SPAN("more than ten bytes");
	is_int(part_text(&p, &little), -1, "a text for which there is no room fails");
}

int main(void) {
	test_walk();
	test_bounds();
	test_text();
	return done_testing();
}
