/* Tables: CSV and JSON give the same rows, and say where they are wrong. */

#include "mail/rows.h"

#include "tap.h"

/* The rows as "name=value|name=value/..." or the error's words. */
static void read_all(enum rows_format format, struct span data, struct buf *out) {
	static struct rows rows;
	static struct row row;
	struct err err = ERR_INIT;
	int got = rows_open(&rows, format, data, &err) == 0 ? 1 : -1;
	row_init(&row);
	while (got > 0 && (got = rows_next(&rows, &row, &err)) > 0) {
		if (out->len)
			buf_addc(out, '/');
		for (size_t i = 0; i < row.count; i++) {
			if (i)
				buf_addc(out, '|');
			buf_add(out, row_name(&row, i));
			buf_addc(out, '=');
			buf_add(out, row_value(&row, i));
		}
	}
	if (got < 0) {
		buf_reset(out);
		buf_addf(out, "! %s", err.msg);
	}
	row_release(&row);
	rows_release(&rows);
}

static const struct {
	const char *label;
	enum rows_format format;
	struct span data;
	const char *want;
} tables[] = {
	{ "two rows", ROWS_CSV, SPAN_INIT("a,b\n1,2\n3,4\n"), "a=1|b=2/a=3|b=4" },
	{ "CRLF, no end", ROWS_CSV, SPAN_INIT("a,b\r\n1,2\r\n3,4"), "a=1|b=2/a=3|b=4" },
	{ "CR alone", ROWS_CSV, SPAN_INIT("a,b\r1,2\r"), "a=1|b=2" },
	{ "quotes", ROWS_CSV, SPAN_INIT("a,b\n\"1,\n\"\"x\",\"\"\n"), "a=1,\n\"x|b=" },
	{ "blanks stay", ROWS_CSV, SPAN_INIT("a, b\n 1 ,2 \n"), "a= 1 | b=2 " },
	{ "empty fields", ROWS_CSV, SPAN_INIT("a,b\n,\n"), "a=|b=" },
	{ "one column, empty lines passed over", ROWS_CSV, SPAN_INIT("\na\n\n1\n\n"),
	  "a=1" },
	{ "semicolons", ROWS_CSV, SPAN_INIT("a;b\n1,5;2\n"), "a=1,5|b=2" },
	{ "tabs", ROWS_CSV, SPAN_INIT("a\tb\n1;5\t2\n"), "a=1;5|b=2" },
	{ "a BOM", ROWS_CSV,
	  SPAN_INIT("\xef\xbb\xbf"
		    "a\n1\n"),
	  "a=1" },
	{ "names only", ROWS_CSV, SPAN_INIT("a,b\n"), "" },
	{ "nothing", ROWS_CSV, SPAN_INIT(""),
	  "! no first line with the names of the fields" },
	{ "too few", ROWS_CSV, SPAN_INIT("a,b\n1\n"),
	  "! line 2: 1 fields, the first line has 2" },
	{ "too many, behind lines in quotes", ROWS_CSV, SPAN_INIT("a\n\"\n\n\"\n1,2\n"),
	  "! line 5: 2 fields, the first line has 1" },
	{ "an open quote", ROWS_CSV, SPAN_INIT("a\n\"1\n2"),
	  "! line 2: the quote of a field is never closed" },
	{ "text behind a quote", ROWS_CSV, SPAN_INIT("a\n\"1\"2\n"),
	  "! line 2: text behind the closing quote of a field" },
	{ "a quote inside", ROWS_CSV, SPAN_INIT("a\n1\"2\n"),
	  "! line 2: a quote inside a field without quotes" },
	{ "a NUL", ROWS_CSV, SPAN_INIT("a\n\0\n"),
	  "! line 2 has a NUL byte (UTF-16? only UTF-8 is read)" },
	{ "Latin-1", ROWS_CSV, SPAN_INIT("a\n\xfc\n"), "! line 2 is not UTF-8" },

	{ "an array", ROWS_JSON, SPAN_INIT("[{\"a\":\"1\",\"b\":\"2\"},{\"a\":\"3\"}]"),
	  "a=1|b=2/a=3" },
	{ "lines", ROWS_JSON, SPAN_INIT("{\"a\":\"1\"}\n{\"a\":\"3\"}\n"), "a=1/a=3" },
	{ "blanks everywhere", ROWS_JSON,
	  SPAN_INIT(" [ { \"a\" : \"1\" , \"b\" : 2 } \n , { } ] \n"), "a=1|b=2/" },
	{ "an empty array", ROWS_JSON, SPAN_INIT("[ ]"), "" },
	{ "no JSON at all", ROWS_JSON, SPAN_INIT(" \n"), "" },
	{ "other values", ROWS_JSON,
	  SPAN_INIT("{\"a\":true,\"b\":false,\"c\":null,\"d\":-0.5e+3,\"e\":0}"),
	  "a=true|b=false|c=|d=-0.5e+3|e=0" },
	{ "escapes", ROWS_JSON, SPAN_INIT("{\"\\u0061\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"),
	  "a=\"\\/\b\f\n\r\t" },
	{ "code points", ROWS_JSON,
	  SPAN_INIT("{\"a\":\"\\u00fc\\u65e5\\ud83c\\udf19\\uFFFF\"}"),
	  "a=\xc3\xbc\xe6\x97\xa5\xf0\x9f\x8c\x99\xef\xbf\xbf" },
	{ "a high surrogate alone", ROWS_JSON, SPAN_INIT("{\"a\":\"\\ud83c\"}"),
	  "! line 1: an escape that JSON does not have" },
	{ "a low surrogate alone", ROWS_JSON, SPAN_INIT("{\"a\":\"\\udf19\"}"),
	  "! line 1: an escape that JSON does not have" },
	{ "an escaped NUL", ROWS_JSON, SPAN_INIT("{\"a\":\"\\u0000\"}"),
	  "! line 1: an escape that JSON does not have" },
	{ "a leading zero", ROWS_JSON, SPAN_INIT("{\"a\":01}"),
	  "! line 1: an object is not closed" },
	{ "a plus", ROWS_JSON, SPAN_INIT("{\"a\":+1}"),
	  "! line 1: no value where one belongs" },
	{ "a point without digits", ROWS_JSON, SPAN_INIT("{\"a\":1.}"),
	  "! line 1: no value where one belongs" },
	{ "a nested array", ROWS_JSON, SPAN_INIT("\n{\"a\":[1]}"),
	  "! line 2: a value is an object or array; it has to be a text" },
	{ "a comma at the end of an object", ROWS_JSON, SPAN_INIT("{\"a\":1,}"),
	  "! line 1: no name of a field where one belongs" },
	{ "an array that is not closed", ROWS_JSON, SPAN_INIT("[{}"),
	  "! line 1: the array is not closed" },
	{ "an object that is not closed", ROWS_JSON, SPAN_INIT("{\"a\":1"),
	  "! line 1: an object is not closed" },
	{ "a text that is not closed", ROWS_JSON, SPAN_INIT("{\"a"),
	  "! line 1: a text is never closed" },
	{ "a line end in a text", ROWS_JSON, SPAN_INIT("{\"a\":\"\n\"}"),
	  "! line 1: a control character inside a text" },
	{ "no colon", ROWS_JSON, SPAN_INIT("{\"a\" 1}"),
	  "! line 1: no colon behind the name of a field" },
};

static void test_limits(void) {
	AUTO_BUF struct buf data = BUF_INIT(16u << 20), out = BUF_INIT(16u << 20);
	for (unsigned i = 0; i <= ROWS_CELLS_MAX; i++)
		buf_adds(&data, i ? ",x" : "x");
	read_all(ROWS_CSV, buf_span(&data), &out);
	is_str(buf_str(&out), "! line 1: more than 256 fields",
	       "too many fields are refused");
	buf_reset(&data);
	buf_adds(&data, "a\n");
	for (size_t i = 0; i < ROWS_ROW_MAX; i++)
		buf_addc(&data, 'x');
	buf_reset(&out);
	read_all(ROWS_CSV, buf_span(&data), &out);
	is_str(buf_str(&out), "! line 2: the row is too long",
	       "and a row that is too long");
}

int main(void) {
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		AUTO_BUF struct buf out = BUF_INIT(1 << 20);
		read_all(tables[i].format, tables[i].data, &out);
		is_str(buf_str(&out), tables[i].want, "%s: %s",
		       tables[i].format == ROWS_CSV ? "CSV" : "JSON", tables[i].label);
	}
	test_limits();
	return done_testing();
}
