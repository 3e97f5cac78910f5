/* Long lines: what each kind of part becomes, what is refused, however the input is cut. */

#include "mail/longline.h"

#include <stdlib.h>

#include "tap.h"

/* '@' stands for 1000 octets 'x'; results are compared without their soft breaks. */
struct row {
	const char *label, *input, *want;
};

#define MP(type) "Content-Type: multipart/" type "; boundary=\"b b\"\r\n\r\n"
#define TEXT_QP                                                            \
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"

static const struct row rows[] = {
	{ "short lines keep their bytes", "A: b\r\n\r\nx =\r\n.\r\n", NULL },
	{ "a header alone", "A: b\r\n\r\n", NULL },
	{ "a plain text becomes quoted-printable", "A: b\r\n\r\na=\r\n@\r\nend\r\n",
	  "A: b\r\n" TEXT_QP "a=3D\r\n@\r\nend\r\n" },
	{ "an encoding that was named is replaced",
	  "Content-Transfer-Encoding: 8bit (c)\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/html; charset=latin1\r\n\r\n@\r\n",
	  "MIME-Version: 1.0\r\nContent-Type: text/html; charset=latin1\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n@\r\n" },
	{ "bytes that are no UTF-8 are not called so",
	  "A: b\r\n\r\n\xff\xfe\xfd\xfc\r\n@\r\n",
	  "A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FF=FE=FD=FC\r\n@\r\n" },
	{ "only the part that has one changes",
	  MP("mixed") "pre\r\n--b b\r\n\r\na \r\n--b b \r\nContent-Type: text/x\r\n\r\n@\r\n"
		      "--b b--\r\nepilogue\r\n",
	  MP("mixed") "pre\r\n--b b\r\n\r\na \r\n--b b \r\nContent-Type: text/x\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n@\r\n--b b--\r\nepilogue\r\n" },
	{ "a line that only begins like a delimiter is text",
	  MP("mixed") "--b b\r\nContent-Type: text/x\r\n\r\n--b bc\r\n@\r\n--b b--\r\n",
	  MP("mixed") "--b b\r\nContent-Type: text/x\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n--b bc\r\n@\r\n--b b--\r\n" },
	{ "a part beside a signed one may change",
	  MP("mixed") "--b b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n"
		      "--c\r\n\r\na\r\n--c--\r\n--b b\r\nContent-Type: text/x\r\n\r\n@\r\n",
	  MP("mixed") "--b b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n"
		      "--c\r\n\r\na\r\n--c--\r\n--b b\r\nContent-Type: text/x\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n@\r\n" },
	{ "a message in a message",
	  "Content-Type: message/rfc822\r\n\r\nContent-Type: text/x\r\n\r\n@\r\n",
	  "Content-Type: message/rfc822\r\n\r\nContent-Type: text/x\r\nMIME-Version: 1.0\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n@\r\n" },
	{ "and in a digest, unsaid",
	  MP("digest") "--b b\r\n\r\nContent-Type: text/x\r\n\r\n@\r\n--b b--\r\n",
	  MP("digest") "--b b\r\n\r\nContent-Type: text/x\r\nMIME-Version: 1.0\r\n"
		       "Content-Transfer-Encoding: quoted-printable\r\n\r\n@\r\n--b b--\r\n" },
	{ "the outer delimiter ends the inner multipart",
	  MP("mixed") "--b b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n"
		      "\r\nx\r\n--b b\r\nContent-Type: text/x\r\n\r\n@\r\n--c\r\n\r\n--b b--\r\n",
	  MP("mixed") "--b b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n"
		      "\r\nx\r\n--b b\r\nContent-Type: text/x\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n@\r\n--c\r\n\r\n--b b--\r\n" },
	{ "short lines of a signed message stay",
	  MP("signed") "--b b\r\n\r\na \r\n--b b--\r\n", NULL },
};

static const char sealed[] = "a line is longer than 998 octets, in a signed or encrypted "
			     "part, which may not be changed";

static const struct row refusals[] = {
	{ "signed", MP("signed") "--b b\r\n\r\n@\r\n--b b--\r\n", sealed },
	{ "encrypted", MP("Encrypted") "--b b\r\n\r\n@\r\n--b b--\r\n", sealed },
	{ "signed, within another",
	  MP("mixed") "--b b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n"
		      "Content-Type: text/x\r\n\r\n@\r\n--c--\r\n--b b--\r\n",
	  sealed },
	{ "S/MIME", "Content-Type: application/pkcs7-mime\r\n\r\n@\r\n", sealed },
	{ "PGP", "Content-Type: application/pgp-encrypted\r\n\r\n@\r\n", sealed },
	{ "already encoded", "Content-Transfer-Encoding: quoted-printable\r\n\r\n@\r\n",
	  "a line is longer than 998 octets, in a part that has an encoding already" },
	{ "binary", "Content-Transfer-Encoding: binary\r\n\r\n@\r\n",
	  "a line is longer than 998 octets, in a part that has an encoding already" },
	{ "the preamble", MP("mixed") "@\r\n--b b\r\n",
	  "a line is longer than 998 octets, outside of the parts of a multipart" },
	{ "a multipart without a boundary", "Content-Type: multipart/mixed\r\n\r\n@\r\n",
	  "a line is longer than 998 octets, in a multipart that cannot be read" },
	{ "a header without blanks", "Subject: @\r\n\r\n",
	  "a line is longer than 998 octets, in the header, and has no blank where it could "
	  "be folded" },
};

static void expand(struct buf *out, const char *s) {
	for (; *s; s++) {
		if (*s == '@')
			for (int i = 0; i < 1000; i++)
				buf_addc(out, 'x');
		else
			buf_addc(out, *s);
	}
}

/* Soft breaks away; so that results can be written down. */
static void join(struct buf *out, struct span s) {
	while (s.len > 0)
		if (!span_take_lit(&s, SPAN("=\r\n"))) {
			buf_addc(out, s.p[0]);
			s = span_from(s, 1);
		}
}

static int run(struct span in, size_t step, struct buf *out, struct err *err) {
	struct longline l;
	int r = 0;
	longline_init(&l);
	for (; in.len > 0 && r == 0; in = span_from(in, step))
		r = longline_feed(&l, span_head(in, step), out, err);
	if (r == 0)
		r = longline_finish(&l, out, err);
	longline_release(&l);
	return r;
}

static size_t longest(struct span s) {
	struct span line;
	size_t max = 0;
	while (span_take_line(&s, &line))
		max = line.len > max ? line.len : max;
	return max;
}

static const size_t steps[] = { 1, 2, 7, 999, 1001, 100000 };
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void test_rows(void) {
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO_BUF struct buf in = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
		size_t good = 0;
		expand(&in, rows[i].input);
		expand(&want, rows[i].want ? rows[i].want : rows[i].input);
		for (size_t k = 0; k < STEPS; k++) {
			AUTO_BUF struct buf out = BUF_INIT(1 << 20),
					    flat = BUF_INIT(1 << 20);
			int r = run(buf_span(&in), steps[k], &out, NULL);
			if (rows[i].want)
				join(&flat, buf_span(&out));
			else
				buf_add(&flat, buf_span(&out));
			good += r == 0 && longest(buf_span(&out)) <= 998 &&
				span_eq(buf_span(&flat), buf_span(&want));
		}
		is_int((int64_t)good, STEPS, "%s, cut anywhere", rows[i].label);
	}
}

static void test_refusals(void) {
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		AUTO_BUF struct buf in = BUF_INIT(1 << 20);
		size_t good = 0;
		expand(&in, refusals[i].input);
		for (size_t k = 0; k < STEPS; k++) {
			AUTO_BUF struct buf out = BUF_INIT(1 << 20);
			struct err err = ERR_INIT;
			good += run(buf_span(&in), steps[k], &out, &err) != 0 &&
				err.kind == ERR_SYNTAX &&
				strcmp(err.msg, refusals[i].want) == 0;
		}
		is_int((int64_t)good, STEPS, "refused: %s", refusals[i].label);
	}
}

/* One line of n octets as the body; whether it was left alone. */
static bool stays(size_t n, size_t step) {
	AUTO_BUF struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	buf_adds(&in, "A: b\r\n\r\n");
	for (size_t i = 0; i < n; i++)
		buf_addc(&in, 'x');
	buf_adds(&in, "\r\n");
	return run(buf_span(&in), step, &out, NULL) == 0 &&
	       span_eq(buf_span(&in), buf_span(&out));
}

static void test_limit(void) {
	for (size_t k = 0; k < STEPS; k++) {
		ok(stays(998, steps[k]), "998 octets are allowed, in pieces of %zu",
		   steps[k]);
		ok(!stays(999, steps[k]), "999 are not, in pieces of %zu", steps[k]);
	}
}

static void test_base64(void) {
	AUTO_BUF struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	struct span line, rest;
	size_t octets = 0;
	buf_adds(&in, "Content-Transfer-Encoding: BASE64\r\n\r\nYWJj\r\n");
	for (int i = 0; i < 500; i++)
		buf_adds(&in, "YWJj");
	buf_adds(&in, "\r\nYWJj\r\n");
	is_int(run(buf_span(&in), 64, &out, NULL), 0,
	       "base64 without line ends is taken");
	rest = buf_span(&out);
	while (span_take_line(&rest, &line))
		octets += line.len;
	ok(longest(buf_span(&out)) == 76 && octets == 33 + 2008,
	   "and broken, with all its octets (%zu)", octets);
}

static void test_header(void) {
	AUTO_BUF struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	AUTO_BUF struct buf flat = BUF_INIT(1 << 20);
	buf_adds(&in, "To: a@b.example\r\nReferences:");
	for (int i = 0; i < 200; i++)
		buf_addf(&in, " <%d@x.example>", i);
	buf_adds(&in, "\r\nSubject: s\r\n\r\ntext\r\n");
	is_int(run(buf_span(&in), 100, &out, NULL), 0, "a long header line is taken");
	ok(longest(buf_span(&out)) <= 998, "and folded");
	for (struct span s = buf_span(&out); s.len > 0;)
		if (!span_take_lit(&s, SPAN("\r\n "))) {
			buf_addc(&flat, s.p[0]);
			s = span_from(s, 1);
		} else {
			buf_addc(&flat, ' ');
		}
	ok(span_eq(buf_span(&flat), buf_span(&in)), "and unfolds to what it was");
}

static void add_lines(struct buf *in, size_t bytes) {
	while (in->len < bytes)
		buf_adds(in, "a line\r\n");
}

static void test_late(void) {
	AUTO_BUF struct buf in = BUF_INIT(16 << 20), out = BUF_INIT(64 << 20);
	struct err err = ERR_INIT;
	buf_adds(&in, "A: b\r\n\r\n");
	add_lines(&in, LONGLINE_HELD_MAX);
	ok(run(buf_span(&in), 65536, &out, NULL) == 0 &&
		   span_eq(buf_span(&in), buf_span(&out)),
	   "a part as long as what can be held goes as it is");
	buf_reset(&out);
	add_lines(&in, LONGLINE_HELD_MAX + 4096);
	expand(&in, "@\r\n");
	ok(run(buf_span(&in), 65536, &out, &err) == 0 &&
		   strstr(buf_str(&out), "Content-Transfer-Encoding: quoted-printable\r\n"),
	   "a longer one is encoded in case: a long line may come late: %s", err.msg);
	ok(longest(buf_span(&out)) <= 76, "and then no line is long");
	buf_reset(&in);
	buf_reset(&out);
	buf_adds(&in, "DKIM-Signature: v=1\r\nA: b\r\n\r\n");
	add_lines(&in, LONGLINE_HELD_MAX + 4096);
	ok(run(buf_span(&in), 65536, &out, NULL) == 0 &&
		   span_eq(buf_span(&in), buf_span(&out)),
	   "in a signed message it goes as it is");
	buf_reset(&out);
	expand(&in, "@\r\n");
	ok(run(buf_span(&in), 65536, &out, &err) != 0 && err.kind == ERR_SYNTAX,
	   "unless a long line comes late: %s", err.msg);
}

/* Looked for in text that is whole: a line of 998 octets is none, one of 999 is. */
static void test_any(void) {
	static const struct {
		const char *label;
		size_t before, line;
		const char *after;
		bool want;
	} rows_any[] = {
		{ "no text has no long line", 0, 0, "", false },
		{ "998 octets are not long", 0, 998, "\r\n", false },
		{ "999 octets are long", 0, 999, "\r\n", true },
		{ "so they are after other lines", 3000, 999, "\r\nend\r\n", true },
		{ "and without a line end", 3000, 999, "", true },
		{ "many short lines are not one long one", 3000, 998, "\r\nend\r\n", false },
	};
	for (size_t i = 0; i < sizeof(rows_any) / sizeof(*rows_any); i++) {
		AUTO_BUF struct buf text = BUF_INIT(8192);
		while (text.len < rows_any[i].before)
			buf_adds(&text, "short\r\n");
		for (size_t n = 0; n < rows_any[i].line; n++)
			buf_addc(&text, 'x');
		buf_adds(&text, rows_any[i].after);
		is_int(longline_any(buf_span(&text)), rows_any[i].want, "%s",
		       rows_any[i].label);
	}
}

int main(void) {
	test_any();
	test_rows();
	test_refusals();
	test_limit();
	test_base64();
	test_header();
	test_late();
	return done_testing();
}
