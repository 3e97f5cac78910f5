/* MIME writing: facts, encodings, parameters, names and types, what stands between parts. */

#include "mail/mime.h"

#include "base/codec.h"
#include "tap.h"

static const struct {
	const char *label;
	struct span text;
	const char *charset;
	bool nul, cr, long_line;
	size_t octets_8bit;
} facts[] = {
	{ "nothing", SPAN_INIT(""), "us-ascii", false, false, false, 0 },
	{ "ASCII", SPAN_INIT("abc\n"), "us-ascii", false, false, false, 0 },
	{ "UTF-8", SPAN_INIT("\xc3\xbc\xe6\x97\xa5"), "utf-8", false, false, false, 5 },
	{ "Latin-1", SPAN_INIT("\xfc\n"), "unknown-8bit", false, false, false, 1 },
	{ "a torn character", SPAN_INIT("\xc3"), "unknown-8bit", false, false, false, 1 },
	{ "a NUL", SPAN_INIT("a\0b"), "us-ascii", true, false, false, 0 },
	{ "a CR in a line end", SPAN_INIT("a\r\n"), "us-ascii", false, true, false, 0 },
	{ "a CR alone", SPAN_INIT("a\rb"), "us-ascii", false, true, false, 0 },
};

static void test_facts(void) {
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		struct mime_facts f = { .octets = 0 };
		mime_look(&f, facts[i].text);
		is_str(mime_charset(&f), facts[i].charset, "%s: its charset",
		       facts[i].label);
		ok(f.has_nul == facts[i].nul && f.has_cr == facts[i].cr &&
			   f.has_long_line == facts[i].long_line &&
			   f.octets_8bit == facts[i].octets_8bit &&
			   f.octets == facts[i].text.len,
		   "%s: the rest", facts[i].label);
	}
}

/* Is a line of n octets with that end long, looked at in pieces of that size? */
static bool is_long(size_t n, const char *end, size_t piece) {
	AUTO_BUF struct buf text = BUF_INIT(4096);
	struct mime_facts f = { .octets = 0 };
	buf_adds(&text, "short\n");
	for (size_t i = 0; i < n; i++)
		buf_addc(&text, 'x');
	buf_adds(&text, end);
	for (struct span rest = buf_span(&text); rest.len > 0;
	     rest = span_from(rest, piece))
		mime_look(&f, span_head(rest, piece));
	return f.has_long_line;
}

static void test_lines(void) {
	static const size_t pieces[] = { 4096, 500, 7 };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		ok(!is_long(998, "\n", pieces[i]),
		   "998 octets are not long, in pieces of %zu", pieces[i]);
		ok(!is_long(998, "", pieces[i]), "nor without a line end");
		ok(is_long(999, "\n", pieces[i]), "999 are");
		ok(is_long(999, "", pieces[i]), "without a line end too");
	}
	ok(!is_long(998, "\r\n", 4096), "the CR of a line end does not count");
}

static const struct {
	const char *label;
	struct span piece;
	size_t whole;
} wholes[] = {
	{ "nothing", SPAN_INIT(""), 0 },
	{ "ASCII", SPAN_INIT("abc"), 3 },
	{ "two octets of three", SPAN_INIT("a\xe6\x97"), 1 },
	{ "one octet of four", SPAN_INIT("a\xf0"), 1 },
	{ "three octets of four", SPAN_INIT("a\xf0\x9f\x8c"), 1 },
	{ "a whole one stays behind too", SPAN_INIT("a\xc3\xbc"), 1 },
	{ "no UTF-8 at all", SPAN_INIT("\x80\x80\x80\x80\x80"), 5 },
};

static void test_whole(void) {
	for (size_t i = 0; i < sizeof(wholes) / sizeof(*wholes); i++)
		is_int((int64_t)mime_whole(wholes[i].piece), (int64_t)wholes[i].whole,
		       "whole characters: %s", wholes[i].label);
}

static void test_base64(void) {
	AUTO_BUF struct buf bytes = BUF_INIT(4096), lines = BUF_INIT(8192);
	AUTO_BUF struct buf joined = BUF_INIT(8192), back = BUF_INIT(4096);
	for (unsigned i = 0; i < 1000; i++)
		buf_addc(&bytes, (char)(i * 7));
	for (struct span rest = buf_span(&bytes); rest.len > 0;
	     rest = span_from(rest, 2 * MIME_LINE_BYTES))
		mime_base64(span_head(rest, 2 * MIME_LINE_BYTES), &lines);
	size_t longest = 0, count = 0;
	for (struct span rest = buf_span(&lines), line; span_take_line(&rest, &line);) {
		longest = line.len > longest ? line.len : longest;
		count++;
		buf_add(&joined, line);
	}
	is_int((int64_t)longest, 76, "lines of base64 are 76 long");
	is_int((int64_t)count, (1000 + MIME_LINE_BYTES - 1) / MIME_LINE_BYTES,
	       "as many as are needed, whatever the pieces");
	ok(codec_base64_decode(&back, buf_span(&joined)) == 0 &&
		   span_eq(buf_span(&back), buf_span(&bytes)),
	   "and they decode to the bytes");
	buf_reset(&lines);
	mime_encode_text(SPAN("a\nb\n"), MIME_BASE64, &lines);
	is_str(buf_str(&lines), "YQ0KYg0K\n", "text in base64 has CRLF");
}

static const struct {
	const char *label;
	struct span value;
	const char *want;
} params[] = {
	{ "a plain name", SPAN_INIT("report.pdf"), ";\n filename=\"report.pdf\"" },
	{ "an empty one", SPAN_INIT(""), ";\n filename=\"\"" },
	{ "a quote and a backslash", SPAN_INIT("a\"b\\c"),
	  ";\n filename=\"a\\\"b\\\\c\"" },
	{ "UTF-8", SPAN_INIT("\xc3\xbc b.txt"), ";\n filename*=UTF-8''%C3%BC%20b.txt" },
	{ "what looks like an encoded word", SPAN_INIT("=?x"),
	  ";\n filename*=UTF-8''%3D%3Fx" },
	{ "a long name in sections, characters whole",
	  SPAN_INIT(
		  "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
		  "\xe6\x97\xa5"),
	  ";\n filename*0*=UTF-8''%E6%97%A5%E6%97%A5%E6%97%A5%E6%97%A5%E6%97%A5%E6%97%A5"
	  ";\n filename*1*=%E6%97%A5" },
};

static void test_params(void) {
	for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++) {
		AUTO_BUF struct buf out = BUF_INIT(4096);
		mime_param(&out, "filename", params[i].value);
		is_str(buf_str(&out), params[i].want, "a parameter: %s", params[i].label);
	}
	AUTO_BUF struct buf out = BUF_INIT(4096), name = BUF_INIT(4096);
	mime_file_name(&name, SPAN("/tmp/a\nb/c\r\x7f\xff\xc2\x85"
				   "d.txt"));
	is_str(buf_str(&name), "c____d.txt", "a file's name is one line of UTF-8");
	mime_content_id(&out, SPAN("my logo(1).png"));
	is_str(buf_str(&out), "my_logo_1_.png", "a content ID has no special characters");
}

static const struct {
	const char *name, *want;
} types[] = {
	{ "a.pdf", "application/pdf" },
	{ "A.PDF", "application/pdf" },
	{ "a.tar.gz", "application/gzip" },
	{ "a.jpeg", "image/jpeg" },
	{ "pdf", NULL },
	{ "a.", NULL },
	{ ".d/a", NULL },
	{ "a.pd", NULL },
	{ "a.pdfx", NULL },
	{ "", NULL },
};

static void test_types(void) {
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct span type = SPAN("");
		bool found = mime_type_find(mime_types_known(), span_str(types[i].name),
					    &type);
		ok(found == (types[i].want != NULL) &&
			   (!found || span_eq(type, span_str(types[i].want))),
		   "the type of \"%s\"", types[i].name);
	}
	static const char file[] =
		"# a comment\n\nbroken qqq\na/b;c qqq\nx/\tqqq\n/y qqq\n"
		"chemical/x-pdb\tpdb ent qqq\n";
	struct span type;
	ok(mime_type_find(SPAN(file), SPAN("a.qqq"), &type) &&
		   span_eq(type, SPAN("chemical/x-pdb")),
	   "lines that are no types are passed over");
}

static void test_tree(void) {
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct mime_tree t = { .out = &out, .seed = "s" };
	mime_open(&t, "mixed", "");
	mime_next(&t);
	mime_open(&t, "related", ";\n type=\"text/html\"");
	mime_next(&t);
	buf_adds(&out, "X: 1\n\none");
	mime_close(&t);
	mime_next(&t);
	buf_adds(&out, "X: 2\n\ntwo\n");
	mime_close(&t);
	is_str(buf_str(&out),
	       "Content-Type: multipart/mixed;\n boundary=\"=_1_s\"\n"
	       "\n--=_1_s\n"
	       "Content-Type: multipart/related;\n type=\"text/html\";\n boundary=\"=_2_s\"\n"
	       "\n--=_2_s\nX: 1\n\none\n--=_2_s--\n"
	       "\n--=_1_s\nX: 2\n\ntwo\n\n--=_1_s--\n",
	       "nested multiparts");
}

int main(void) {
	struct mime_facts german = { .octets = 90, .octets_8bit = 30 };
	struct mime_facts dense = { .octets = 90, .octets_8bit = 31 };
	test_facts();
	test_lines();
	test_whole();
	test_base64();
	test_params();
	test_types();
	test_tree();
	ok(mime_text_encoding(&german) == MIME_QP, "mostly ASCII is quoted-printable");
	ok(mime_text_encoding(&dense) == MIME_BASE64, "else it is base64");
	return done_testing();
}
