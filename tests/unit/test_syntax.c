/* Pieces of the SMTP grammar: keywords, parameters, xtext, original recipients. */

#include "smtp/syntax.h"

#include "tap.h"

static void test_params(void) {
	static const struct {
		const char *label, *input, *key, *value;
		size_t left;
	} rows[] = {
		{ "a keyword", " SMTPUTF8", "SMTPUTF8", NULL, 0 },
		{ "a keyword with a value", " SIZE=10 X", "SIZE", "10", 2 },
		{ "blanks before it", "   a-b=c", "a-b", "c", 0 },
		{ "no blank", "SIZE=10", NULL, NULL, 7 },
		{ "an empty value", " SIZE= X", NULL, NULL, 8 },
		{ "two equals signs", " A=b=c", NULL, NULL, 6 },
		{ "a hyphen at the start", " -A=b", NULL, NULL, 5 },
		{ "an underscore", " A_B=c", NULL, NULL, 6 },
		{ "a control byte in the value", " A=b\001c", NULL, NULL, 6 },
		{ "a DEL in the value", " A=b\177", NULL, NULL, 5 },
		{ "UTF-8 in the value", " A=\xc3\xbc", "A", "\xc3\xbc", 0 },
		{ "blanks only", "  ", NULL, NULL, 2 },
		{ "nothing", "", NULL, NULL, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span in = span_str(rows[i].input), key = SPAN(""),
			    value = SPAN("");
		bool got = smtp_take_param(&in, &key, &value);
		bool same = got == (rows[i].key != NULL) && in.len == rows[i].left;
		if (got && rows[i].key)
			same = same && span_eq(key, span_str(rows[i].key)) &&
			       (value.p != NULL) == (rows[i].value != NULL) &&
			       span_eq(value, span_str(rows[i].value));
		ok(same, "parameter: %s", rows[i].label);
	}
}

static void test_xtext(void) {
	char all[256];
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	AUTO_BUF struct buf text = BUF_INIT(4096), back = BUF_INIT(4096);
	smtp_xtext_add(&text, span_of(all, 256));
	bool clean = true;
	for (size_t i = 0; i < text.len; i++)
		clean = clean && text.data[i] > ' ' && text.data[i] < 0x7f &&
			text.data[i] != '=';
	ok(clean, "xtext of every byte is printable");
	ok(smtp_xtext_decode(&back, buf_span(&text)) == 0 &&
		   span_eq(buf_span(&back), span_of(all, 256)),
	   "and comes back as it was");

	static const char *const bad[] = { "a+",  "a+2",   "a+2G",    "a=b",
					   "a b", "a\177", "\xc3\xbc" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		buf_reset(&back);
		buf_adds(&back, "kept");
		ok(smtp_xtext_decode(&back, span_str(bad[i])) == -1 &&
			   strcmp(buf_str(&back), "kept") == 0,
		   "no xtext, and nothing changes: %s", bad[i]);
	}
}

static void test_orcpt(void) {
	static const struct {
		const char *plain, *wire;
	} rows[] = {
		{ "rfc822;bob@example.org", "rfc822;bob@example.org" },
		{ "rfc822;a+b=c@example.org", "rfc822;a+2Bb+3Dc@example.org" },
		{ "utf-8;b\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80+\\@x",
		  "utf-8;b\\x{FC}\\x{20AC}\\x{1F600}\\x{2B}\\x{5C}@x" },
		{ "UTF-8;a b", "UTF-8;a\\x{20}b" },
	};
	AUTO_BUF struct buf b = BUF_INIT(4096);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_reset(&b);
		smtp_orcpt_add(&b, span_str(rows[i].plain));
		is_str(buf_str(&b), rows[i].wire, "ORCPT of %s", rows[i].plain);
		buf_reset(&b);
		smtp_orcpt_decode(&b, span_str(rows[i].wire));
		is_str(buf_str(&b), rows[i].plain, "and back");
	}
	static const char *const bad[] = { "",
					   ";a",
					   "rfc822",
					   "rfc822;",
					   "a b;c",
					   "rfc822;a b",
					   "utf-8;\\x{D800}",
					   "utf-8;\\x{110000}",
					   "utf-8;\\x{0}",
					   "utf-8;\\x{00}",
					   "utf-8;\\x{FC",
					   "utf-8;\\q",
					   "utf-8;\xff",
					   "utf-8;a=b" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		buf_reset(&b);
		ok(smtp_orcpt_decode(&b, span_str(bad[i])) == -1 && b.len == 0,
		   "no original recipient: \"%s\"", bad[i]);
	}
	buf_reset(&b);
	ok(smtp_orcpt_decode(&b, SPAN("utf-8;\xc3\xbc@x")) == 0,
	   "UTF-8 as it is may come");
	buf_reset(&b);
	ok(smtp_orcpt_add(&b, SPAN("utf-8;\xff")) == -1 && b.len == 0,
	   "what is not UTF-8 is not called so");
	ok(smtp_orcpt_add(&b, SPAN("bob")) == -1 && b.len == 0,
	   "an original recipient has a type");
	ok(smtp_orcpt_add(&b, SPAN("rfc822\r\nRSET;bob")) == -1 && b.len == 0,
	   "and the type is one word");
}

static void test_words(void) {
	ok(smtp_list_has("PLAIN LOGIN", SPAN("login")), "a list has a word without case");
	ok(!smtp_list_has("SCRAM-SHA-256-PLUS", SPAN("SCRAM-SHA-256")),
	   "but not a part of one");
	ok(!smtp_list_has("", SPAN("")) && !smtp_list_has(NULL, SPAN("a")),
	   "an empty list has none");
	ok(smtp_is_clean(SPAN("a \xc3\xbc~")) && !smtp_is_clean(SPAN("a\tb")) &&
		   !smtp_is_clean(SPAN("\177")) && !smtp_is_clean(SPAN("a\0")),
	   "control bytes are not clean");
}

int main(void) {
	test_params();
	test_xtext();
	test_orcpt();
	test_words();
	return done_testing();
}
