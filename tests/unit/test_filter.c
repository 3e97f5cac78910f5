/* The filter language: what matches, and what is said of what cannot be read. */

#include "queue/filter.h"

#include "base/buf.h"
#include "tap.h"

#define NOW 1000000

static const struct filter_row row = {
	.state = QUEUE_DEFERRED,
	.created = NOW - 7200,
	.next = NOW + 600,
	.size = 10240,
	.attempts = 3,
	.id = SPAN_INIT("CO6L0H2B5KQ1C7VT"),
	.from = SPAN_INIT("ann@example.org"),
	.relay = SPAN_INIT("default"),
	.reason = SPAN_INIT("451 4.7.1 greylisted"),
	.why = SPAN_INIT("greylisted by mx1.example.net; next try in 10 min"),
	.to = SPAN_INIT("bob@example.net\nKim@Old.Example.edu"),
	.flags = SPAN_INIT("possibly-twice"),
};

/* Held, from the null sender, without relay, next try and flags. */
static const struct filter_row bounce = {
	.state = QUEUE_HELD,
	.created = NOW + 5, /* the clock was set back */
	.next = FILTER_NO_TIME,
	.id = SPAN_INIT("CO6L0H2B5KQ1C7VV"),
	.to = SPAN_INIT("ann@example.org"),
};

static bool passes(const char *line, const struct filter_row *r) {
	struct filter f = FILTER_INIT;
	struct err err = ERR_INIT;
	if (filter_parse(&f, span_str(line), &err) == 0)
		return filter_match(&f, r, NOW);
	ok(false, "%s can be read: %s", line, err.msg);
	return false;
}

static void test_match(void) {
	static const struct {
		const char *line;
		bool row, bounce;
	} cases[] = {
		{ "", true, true },
		{ "   ", true, true },
		{ "state=deferred", true, false },
		{ "state=held", false, true },
		{ "state=held,deferred", true, true },
		{ "STATE=Held", false, true },
		{ "state!=held", true, false },
		{ "state!=held,deferred", false, false },
		{ "id=c7vt", true, false },
		{ "id=CO6L0H2B5KQ1C7VT", true, false },
		{ "id~kq1", true, true },
		{ "id!=C7VT", false, true },
		{ "from=ann@example.org", true, false },
		{ "from=ANN@example.org", true, false },
		{ "from=ann", false, false },
		{ "from~ann", true, false },
		{ "from!~ann", false, true },
		{ "from=none", false, true },
		{ "from!=none", true, false },
		{ "to=bob@example.net", true, false },
		{ "to=kim@old.example.edu", true, false },
		{ "to~example", true, true },
		{ "to!~bob", false, true },
		{ "to!=bob@example.net", false, true },
		/* A match does not go over the end of an address. */
		{ "to~netKim", false, false },
		{ "relay=default", true, false },
		{ "relay=none", false, true },
		{ "reason~4.7.1", true, false },
		{ "why~\"next try\"", true, false },
		{ "why~'next", false, false },
		{ "size=10K", true, false },
		{ "size>=10k", true, false },
		{ "size>10K", false, false },
		{ "size<1", false, true },
		{ "size<=10240", true, true },
		{ "size!=0", true, false },
		{ "size<10KB", false, true },
		{ "size<1m", true, true },
		{ "age>1h", true, false },
		{ "age>=2h", true, false },
		{ "age>2h", false, false },
		{ "age<1h59m60s", false, true },
		{ "age<=0", false, true },
		{ "age<1w", true, true },
		{ "attempts=3", true, false },
		{ "attempts>2 attempts<4", true, false },
		{ "attempts!=3", false, true },
		{ "next<1h", true, false },
		{ "next>1h", false, false },
		{ "next=none", false, true },
		{ "next!=none", true, false },
		{ "flags=possibly-twice", true, false },
		{ "flags=none", false, true },
		{ "flags~twice", true, false },
		{ "greylist", true, false },
		{ "EXAMPLE.EDU", true, false },
		{ "\"next try\"", true, false },
		{ "c7v", true, true },
		{ "state=deferred to~example age>1h", true, false },
		{ "state=deferred to~example age>3h", false, false },
		{ "\tstate=deferred\t to~\"bob@example.net\"", true, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		is_int(passes(cases[i].line, &row), cases[i].row,
		       "'%s' and the deferred one", cases[i].line);
		is_int(passes(cases[i].line, &bounce), cases[i].bounce,
		       "'%s' and the held one", cases[i].line);
	}
}

static void test_errors(void) {
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "stat=held",
		  "stat=held: there is no key 'stat'; did you mean 'state'?" },
		{ "colour=red",
		  "colour=red: there is no key 'colour'; possible: state, id, from, to, relay, "
		  "reason, why, size, age, attempts, next, flags" },
		{ "=held", "=held: nothing to compare stands before the operator" },
		{ "state=hold",
		  "state=hold: there is no state 'hold'; did you mean 'held'?" },
		{ "state=x",
		  "state=x: there is no state 'x'; possible: queued, active, deferred, "
		  "held, dead" },
		{ "state=",
		  "state=: queued, active, deferred, held, dead; several with commas" },
		{ "state=held,,dead",
		  "state=held,,dead: there is no state ''; possible: queued, "
		  "active, deferred, held, dead" },
		{ "state~held", "state~held: state does not take '~'; possible: =, !=" },
		{ "to==x", "to==x: to does not take '=='; possible: =, !=, ~, !~" },
		{ "age=1h", "age=1h: age does not take '='; possible: <, >, <=, >=" },
		{ "age>1", "age>1: a time is a number with s, m, h, d or w: 90s, 1h30m" },
		{ "age>1y",
		  "age>1y: a time is a number with s, m, h, d or w: 90s, 1h30m" },
		{ "age>99999999999h",
		  "age>99999999999h: a time is a number with s, m, h, d or w: 90s, 1h30m" },
		{ "size>big",
		  "size>big: a size is a number, or one with K, M or G: 10K" },
		{ "size>10KX",
		  "size>10KX: a size is a number, or one with K, M or G: 10K" },
		{ "size~10",
		  "size~10: size does not take '~'; possible: =, !=, <, >, <=, "
		  ">=" },
		{ "attempts>many", "attempts>many: that takes a number" },
		{ "next<none", "next<none: next does not take '<'; possible: =, !=" },
		{ "next>", "next>: time until the next try, or none" },
		{ "\033[31m=x",
		  "\\x1b[31m=x: there is no key '\\x1b[31m'; possible: state, id, "
		  "from, to, relay, reason, why, size, age, attempts, next, flags" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct filter f = FILTER_INIT;
		struct err err = ERR_INIT;
		filter_parse(&f, SPAN("state=held"), NULL);
		is_int(filter_parse(&f, span_str(cases[i].line), &err), -1,
		       "'%s' is refused", cases[i].line);
		is_str(err.msg, cases[i].words, "and in these words");
		is_int(err.kind, ERR_SYNTAX, "as a mistake of the person");
		ok(f.count == 1 && !filter_match(&f, &row, NOW),
		   "and the filter stays as it was");
	}
}

static void test_limits(void) {
	AUTO_BUF struct buf line = BUF_INIT(8192);
	struct filter f = FILTER_INIT;
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < FILTER_TERMS_MAX; i++)
		buf_adds(&line, "to~e ");
	is_int(filter_parse(&f, buf_span(&line), NULL), 0, "%u words are a filter",
	       FILTER_TERMS_MAX);
	ok(filter_match(&f, &row, NOW), "which matches");
	is_int(filter_add(&f, SPAN("to~e"), &err), -1, "one more is not");
	is_int(err.kind, ERR_LIMIT, "because of a limit");
	ok(f.count == FILTER_TERMS_MAX, "and nothing was added");
	buf_reset(&line);
	for (unsigned i = 0; i < FILTER_TEXT_MAX; i++)
		buf_addc(&line, 'e');
	is_int(filter_parse(&f, buf_span(&line), NULL), 0, "a text of %u bytes is kept",
	       FILTER_TEXT_MAX);
	buf_addc(&line, 'e');
	is_int(filter_parse(&f, buf_span(&line), NULL), -1, "a longer one is not");
	ok(strstr(err.msg, "16 words"), "the words name the limit");
}

static void test_words(void) {
	struct filter f = FILTER_INIT;
	ok(filter_is_term(SPAN("state=held")),
	   "a word with an operator is one of a filter");
	ok(!filter_is_term(SPAN("C7VT")), "an ID is none");
	ok(!filter_is_term(SPAN("")), "the empty word is none");
	is_int(filter_add(&f, SPAN("why~next try"), NULL), 0,
	       "an argument of a command line may hold blanks");
	ok(filter_match(&f, &row, NOW), "and is compared with them");
	ok(filter_contains(SPAN("Example.ORG"), SPAN("ple.org")), "a part is found");
	ok(!filter_contains(SPAN("abc"), SPAN("abcd")),
	   "a part longer than the text is not");
	ok(filter_contains(SPAN("abc"), SPAN("")), "the empty part is in every text");
	size_t n = 0;
	while (filter_key_name(n))
		n++;
	is_int((int64_t)n, 12, "there are twelve keys");
}

int main(void) {
	test_match();
	test_errors();
	test_limits();
	test_words();
	return done_testing();
}
