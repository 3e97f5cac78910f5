/* Findings: the verdict, the exit code, and what each form of the report shows. */

#include "check/finding.h"

#include "tap.h"

static const struct {
	enum finding_severity severity;
	const char *name;
	int code;
} severities[] = {
	{ FINDING_NA, "n/a", 0 },          { FINDING_OK, "ok", 0 },
	{ FINDING_INFO, "info", 0 },       { FINDING_NOTICE, "notice", 0 },
	{ FINDING_UNKNOWN, "unknown", 3 }, { FINDING_WARN, "warn", 1 },
	{ FINDING_FAIL, "fail", 2 },
};
#define SEVERITIES (sizeof(severities) / sizeof(severities[0]))

static void test_verdict(void) {
	struct findings f = { .at = NULL };
	is_int(finding_exit(&f), 0, "nothing found is good");
	for (size_t i = 0; i < SEVERITIES; i++) {
		finding_add(&f, "mx.ok", severities[i].severity, "a.example", "x");
		is_str(finding_severity_name(severities[i].severity), severities[i].name,
		       "a severity is called %s", severities[i].name);
		is_int(finding_exit(&f), severities[i].code,
		       "and its code is %d, over all before it", severities[i].code);
	}
	finding_clear(&f);
	is_int((int64_t)f.count, 0, "nothing is left");
	finding_add(&f, "no.such", FINDING_OK, "a.example", "x");
	ok(f.failed && f.count == 0, "an id that is not in the table is no finding");
	is_int(finding_exit(&f), 3, "and the report is not whole");
	finding_clear(&f);
}

static void test_move(void) {
	struct findings a = { .at = NULL }, b = { .at = NULL };
	finding_add(&a, "mx.ok", FINDING_OK, "a.example", "one");
	for (int i = 0; i < 40; i++)
		finding_fix(finding_add(&b, "spf.none", FINDING_FAIL, "a.example",
					"two %d", i),
			    "fix %d", i);
	finding_move(&a, &b);
	ok(a.count == 41 && b.count == 0 && !b.at, "findings move");
	is_str(a.at[40].text, "two 39", "with their texts");
	is_str(a.at[40].fix, "fix 39", "and what mends them");
	finding_clear(&a);
}

static char *printed(void (*print)(FILE *out, const struct findings *f),
		     const struct findings *f) {
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	print(out, f);
	fclose(out);
	return text;
}

static void for_people(FILE *out, const struct findings *f) {
	struct finding_style style = { .subject = "a.example" };
	finding_print(out, f, &style);
}
static void in_colour(FILE *out, const struct findings *f) {
	struct finding_style style = { .subject = "a.example",
				       .color = true,
				       .verbose = true };
	finding_print(out, f, &style);
}
static void for_monitoring(FILE *out, const struct findings *f) {
	finding_print_nagios(out, f, "a.example", 1234);
}

static void test_print(void) {
	struct findings f = { .at = NULL };
	finding_add(&f, "mx.ok", FINDING_OK, "a.example", "two hosts");
	finding_add(&f, "mx.one_host", FINDING_INFO, "a.example", "quiet");
	finding_evidence(finding_add(&f, "spf.tree", FINDING_INFO, "a.example",
				     "the tree"),
			 SPAN("hidden"));
	finding_show(finding_add(&f, "spf.tree", FINDING_INFO, "a.example", "the tree"),
		     SPAN("line one\nline two"));
	finding_fix(
		finding_add(
			&f, "spf.none", FINDING_FAIL, "b.example",
			"a \x1b[31mlong text that goes on and on so that it has to be "
			"folded somewhere, \xe2\x80\xae of course"),
		"b.example. TXT \"v=spf1\"");
	finding_fix(finding_add(&f, "dmarc.none", FINDING_WARN, "a.example", "none"),
		    "not first");
	char *text = printed(for_people, &f);
	ok(strstr(text, "  ok    MX        two hosts\n") != NULL,
	   "a line is mark, area and text");
	ok(!strstr(text, "quiet") && !strstr(text, "hidden"), "info stays away");
	ok(strstr(text, "> line one\n                  > line two\n") != NULL,
	   "what is to be seen is shown");
	ok(strstr(text, "FAIL  SPF       b.example: a \\x1b[31mlong") != NULL,
	   "another subject is named, foreign bytes are escaped");
	ok(strstr(text, "Fix first:\n  b.example. TXT \"v=spf1\"\n") &&
		   !strstr(text, "not first"),
	   "the worst is mended first");
	ok(strstr(text, "FAIL  1 fail, 1 warn\n") != NULL, "the verdict is there");
	ok(text[strlen(text) - 2] == 'n' && !strchr(text, 27),
	   "at the end, without colours");
	size_t widest = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		if ((size_t)(end - line) > widest)
			widest = (size_t)(end - line);
	ok(widest <= 84, "lines are folded (%zu bytes)", widest);
	free(text);
	text = printed(in_colour, &f);
	ok(strstr(text, "\033[1;31mFAIL  \033[0m") && strstr(text, "quiet") &&
		   strstr(text, "not first") && strstr(text, "hidden"),
	   "with colours, and with everything");
	free(text);
	text = printed(finding_print_plain, &f);
	ok(strstr(text, "fail\tspf.none\tb.example\ta \\x1b[31m") != NULL,
	   "a line for scripts");
	free(text);
	text = printed(for_monitoring, &f);
	ok(strncmp(text,
		   "CRITICAL - a.example: 1 fail, 1 warn | fail=1 warn=1 unknown=0 "
		   "time=1.234s\n",
		   74) == 0,
	   "a line for monitoring");
	free(text);
	finding_clear(&f);
}

static void test_explain(void) {
	ok(finding_kind(SPAN("spf.lookups")) && !finding_kind(SPAN("spf.")),
	   "ids are known whole");
	is_str(finding_area("sts.none"), "MTA-STS", "an id tells its area");
	is_str(finding_nearest(SPAN("spf.lockups")), "spf.lookups",
	       "a mistyped id finds another");
	ok(!finding_nearest(SPAN("qqqqqqqqqqqqqq")), "but not any");
}

int main(void) {
	test_verdict();
	test_move();
	test_print();
	test_explain();
	return done_testing();
}
