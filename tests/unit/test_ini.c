/* The INI lexer: what is an item, where it stands, and that nothing is lost or misread. */

#include "config/ini.h"

#include "base/buf.h"

#include "tap.h"

/* Every item as one line: "S line:column word|name", "K line:column word|value",
 * "U line:column word", "E line:column" and "B line:column". */
static void lex(struct span text, struct buf *out) {
	struct ini in = ini_over(text);
	struct ini_item item;
	while (ini_next(&in, &item) != INI_END) {
		struct span second = item.kind == INI_SECTION ? item.name : item.value;
		static const char letters[] = "?SBKUE";
		buf_addf(out, "%s%c %u:%u", out->len ? "; " : "", letters[item.kind],
			 item.line, item.column);
		if (item.words)
			continue;
		buf_addf(out, " %.*s", (int)item.word.len, item.word.p);
		if (item.kind != INI_UNSET)
			buf_addf(out, "|%.*s@%u", (int)second.len, second.p,
				 item.value_column);
	}
}

static void test_items(void) {
	static const struct {
		const char *label;
		struct span input;
		const char *want;
	} cases[] = {
		{ "an empty file has no item", SPAN_INIT(""), "" },
		{ "blank lines and comments are no items",
		  SPAN_INIT("\n  \n# a = b\n\t; [c]\n#"), "" },
		{ "a comment may hold any byte", SPAN_INIT("# \xff\x01\0\n"), "" },
		{ "a section has a word", SPAN_INIT("[queue]"), "S 1:2 queue|@7" },
		{ "a section has a word and a name", SPAN_INIT(" [ relay  default ]\n"),
		  "S 1:4 relay|default@11" },
		{ "a key has a value", SPAN_INIT("host=a"), "K 1:1 host|a@6" },
		{ "blanks around key and value are dropped",
		  SPAN_INIT("\t host =  a b \t\r\n"), "K 1:3 host|a b@11" },
		{ "a value holds =, # and ; as they are", SPAN_INIT("k = a=b # c ; d"),
		  "K 1:1 k|a=b # c ; d@5" },
		{ "a value holds UTF-8", SPAN_INIT("k = \xc3\xa9"),
		  "K 1:1 k|\xc3\xa9@5" },
		{ "a value may be empty", SPAN_INIT("k ="), "K 1:1 k|@4" },
		{ "-key = takes a key back", SPAN_INIT("-host ="), "U 1:1 host" },
		{ "-key with a value is an error", SPAN_INIT("-host = a"), "E 1:9" },
		{ "-key without = is an error", SPAN_INIT("-host"), "E 1:1" },
		{ "a line without = is an error", SPAN_INIT("\n  host a\nb = c"),
		  "E 2:3; K 3:1 b|c@5" },
		{ "= without a key is an error", SPAN_INIT(" = a"), "E 1:2" },
		{ "[ without ] breaks the section", SPAN_INIT("[relay a\nk = v"),
		  "B 1:1; K 2:1 k|v@5" },
		{ "bytes behind ] break the section", SPAN_INIT("[queue] # c"), "B 1:9" },
		{ "an empty section is broken", SPAN_INIT("[ ]"), "B 1:1" },
		{ "NUL is an error at its place", SPAN_INIT("k = a\0b"), "E 1:6" },
		{ "ESC is an error", SPAN_INIT("k = \x1b[31m"), "E 1:5" },
		{ "DEL is an error", SPAN_INIT("k = \x7f"), "E 1:5" },
		{ "a C1 control is an error", SPAN_INIT("k = \xc2\x9b"), "E 1:5" },
		{ "invalid UTF-8 is an error", SPAN_INIT("k = caf\xe9"), "E 1:8" },
		{ "a control in a section breaks it", SPAN_INIT("[a\x01]"), "B 1:3" },
		{ "CR inside a line is an error", SPAN_INIT("k = a\rb"), "E 1:6" },
		{ "CRLF ends a line", SPAN_INIT("a = 1\r\nb = 2\r\n"),
		  "K 1:1 a|1@5; K 2:1 b|2@5" },
		{ "a byte order mark is skipped", SPAN_INIT("\xef\xbb\xbf[queue]"),
		  "S 1:2 queue|@7" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(1000);
		lex(cases[i].input, &out);
		is_str(buf_str(&out), cases[i].want, "%s", cases[i].label);
	}
}

static void test_long_lines(void) {
	AUTO_BUF struct buf text = BUF_INIT(20000);
	AUTO_BUF struct buf out = BUF_INIT(20000);
	buf_adds(&text, "k = ");
	while (text.len < INI_LINE_MAX)
		buf_addc(&text, 'x');
	lex(buf_span(&text), &out);
	ok(out.len > 4000 && out.data[0] == 'K', "a line of 4096 bytes is read");
	buf_adds(&text, "x\n[a]\n");
	buf_reset(&out);
	lex(buf_span(&text), &out);
	is_str(buf_str(&out), "E 1:4097; S 2:2 a|@3",
	       "one of 4097 is an error, and the next is read");
}

int main(void) {
	test_items();
	test_long_lines();
	return done_testing();
}
