/* Templates: what stands where a field was, and what a value cannot become. */

#include "mail/template.h"

#include "tap.h"

static const struct {
	const char *label;
	enum template_use use;
	const char *text, *value, *want; /* the field is "v"; there is "name" as well */
} cases[] = {
	{ "a text", TEMPLATE_TEXT, "a {{v}} b", "<x>", "a <x> b" },
	{ "blanks inside the braces", TEMPLATE_TEXT, "{{  v\t}}", "1", "1" },
	{ "twice", TEMPLATE_TEXT, "{{v}}{{v}}", "1", "11" },
	{ "a value is not looked at again", TEMPLATE_TEXT, "{{v}}", "{{v}}", "{{v}}" },
	{ "single braces", TEMPLATE_TEXT, "{v} } }} {", "1", "{v} } }} {" },
	{ "an escaped place", TEMPLATE_TEXT, "\\{{v}} \\{{{v}}}", "1", "{{v}} {{{v}}}" },
	{ "another backslash", TEMPLATE_TEXT, "\\n\\{v\\", "1", "\\n\\{v\\" },
	{ "no place", TEMPLATE_TEXT, "", "1", "" },
	{ "HTML", TEMPLATE_HTML, "<b>{{v}}</b>", "<&>\"'",
	  "<b>&lt;&amp;&gt;&quot;&#39;</b>" },
	{ "raw HTML", TEMPLATE_HTML, "{{{v}}}", "<i>", "<i>" },
	{ "a URL", TEMPLATE_URL, "https://x/?a={{v}}", "a b&c/\xc3\xbc~",
	  "https://x/?a=a%20b%26c%2F%C3%BC~" },
	{ "an address", TEMPLATE_ADDRESS, "{{v}}", "a@x.example", "a@x.example" },
	{ "words", TEMPLATE_ADDRESS, "{{v}} <a@x.example>", "Bob Miller",
	  "Bob Miller <a@x.example>" },
	{ "a name with a comma", TEMPLATE_ADDRESS, "{{v}} <a@x.example>", "Doe, J.",
	  "\"Doe, J.\" <a@x.example>" },
	{ "two addresses", TEMPLATE_ADDRESS, "{{v}}", "a@x.example, b@x.example",
	  "\"a@x.example, b@x.example\"" },
	{ "an address in brackets", TEMPLATE_ADDRESS, "{{v}}", "<a@x.example>",
	  "\"<a@x.example>\"" },
	{ "quotes and backslashes", TEMPLATE_ADDRESS, "{{v}} <a@x.example>", "a\"b\\",
	  "\"a\\\"b\\\\\" <a@x.example>" },
	{ "inside quotes", TEMPLATE_ADDRESS, "\"{{v}} jun.\" <a@x.example>", "Doe, \"J\"",
	  "\"Doe, \\\"J\\\" jun.\" <a@x.example>" },
	{ "behind an escaped quote", TEMPLATE_ADDRESS, "\"\\\"{{v}}\" <a@x.example>",
	  "b, c", "\"\\\"b, c\" <a@x.example>" },
	{ "inside a comment", TEMPLATE_ADDRESS, "a@x.example (of {{v}})",
	  "x), b@x.example, (\\", "a@x.example (of x\\), b@x.example, \\(\\\\)" },
	{ "behind a quote in a comment", TEMPLATE_ADDRESS, "a@x.example (\"\\)({{v}}))", ")",
	  "a@x.example (\"\\)(\\)))" },
	{ "behind a comment", TEMPLATE_ADDRESS, "(x) {{v}}, \")(\" {{v}}", "b, c",
	  "(x) \"b, c\", \")(\" \"b, c\"" },
	{ "raw", TEMPLATE_ADDRESS, "{{{v}}}", "a@x.example, b@x.example",
	  "a@x.example, b@x.example" },
	{ "nothing", TEMPLATE_ADDRESS, "{{v}}", "", "" },
	{ "no such field", TEMPLATE_TEXT, "{{quite other}}", "",
	  "! the data has no field \"quite other\"" },
	{ "a mistyped field", TEMPLATE_TEXT, "{{nmae}}", "",
	  "! the data has no field \"nmae\"; did you mean \"name\"?" },
	{ "no end", TEMPLATE_TEXT, "a\n{{v", "",
	  "! line 2: {{ without a name and }} behind it" },
	{ "no name", TEMPLATE_TEXT, "{{ }}", "",
	  "! line 1: {{ without a name and }} behind it" },
	{ "a line end", TEMPLATE_TEXT, "{{v\n}}", "",
	  "! line 1: {{ without a name and }} behind it" },
	{ "two braces for three", TEMPLATE_TEXT, "{{{v}}", "",
	  "! line 1: {{ without a name and }} behind it" },
};

static void set(struct row *row, const char *value) {
	row->count = 2;
	row_add_text(row, &row->name[0], SPAN("name"));
	row_add_text(row, &row->value[0], SPAN("n"));
	row_add_text(row, &row->name[1], SPAN("v"));
	row_add_text(row, &row->value[1], span_str(value));
}

int main(void) {
	static struct row row;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		AUTO_BUF struct buf out = BUF_INIT(4096);
		struct err err = ERR_INIT;
		row_init(&row);
		set(&row, cases[i].value);
		if (template_expand(span_str(cases[i].text), cases[i].use, &row, &out,
				    &err) != 0) {
			buf_reset(&out);
			buf_addf(&out, "! %s", err.msg);
		}
		is_str(buf_str(&out), cases[i].want, "%s", cases[i].label);
		row_release(&row);
	}
	AUTO_BUF struct buf small = BUF_INIT(3);
	struct err err = ERR_INIT;
	row_init(&row);
	set(&row, "long");
	ok(template_expand(SPAN("{{v}}"), TEMPLATE_TEXT, &row, &small, &err) != 0 &&
		   err.kind == ERR_LIMIT,
	   "what does not fit is refused");
	row_release(&row);
	return done_testing();
}
