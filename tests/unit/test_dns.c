/* Questions, answers, and records: with a backend that counts what it is asked. */

#include <stdlib.h>

#include "net/dns.h"
#include "net/dns_backend.h"
#include "tap.h"

struct counting {
	unsigned asked, rounds, forgot, closed;
	bool silent;
};

static void ask(void *ctx, struct dns_question *const *q, size_t count) {
	struct counting *c = ctx;
	const struct span record[] = { SPAN_INIT("\4text"), SPAN_INIT("") };
	c->rounds++;
	for (size_t i = 0; i < count; i++) {
		struct dns_found f = { .status = DNS_FOUND,
				       .record = record,
				       .count = 2 };
		c->asked++;
		f.secure = true;
		f.canonical = "end.example";
		f.cnames = 1;
		if (strcmp(q[i]->answer.name, "bogus.example") == 0)
			f.status = DNS_BOGUS;
		if (!c->silent)
			dns_settle(q[i], &f);
	}
}

static void forget(void *ctx) {
	((struct counting *)ctx)->forgot++;
}

static void note_close(void *ctx) {
	((struct counting *)ctx)->closed++;
}

static const struct dns_backend backend = {
	.ask = ask,
	.forget = forget,
	.close = note_close,
};

static void count_each(void *ctx, const struct dns_answer *a) {
	(void)a;
	++*(unsigned *)ctx;
}

static void test_questions(void) {
	struct counting c = { .asked = 0 };
	struct dns *d = dns_new(&backend, &c, 1500);
	const struct dns_answer *a = dns_get(d, SPAN("One.Example."), DNS_TXT);
	is_int(a->status, DNS_PENDING, "a new question is pending");
	is_str(a->name, "one.example", "its name is lower case without the last dot");
	ok(dns_get(d, SPAN("one.example"), DNS_TXT) == a, "the same question is one");
	ok(dns_get(d, SPAN("one.example"), DNS_A) != a,
	   "another type is another question");
	is_int(c.asked, 0, "nothing is asked before the run");
	is_int(dns_run(d), 2, "a run answers both");
	is_int(c.rounds, 1, "in one round");
	is_int(a->status, DNS_FOUND, "the answer stands where the question stood");
	is_int(a->count, 2, "with its records");
	ok(span_eq(a->record[0], SPAN("\4text")) && a->record[1].len == 0,
	   "which are the backend's bytes");
	is_str(a->canonical, "end.example", "the end of the chain is told");
	is_str(a->why, "", "a found answer has no reason");
	is_int(a->round, 1, "it came in the first round");
	is_int(dns_run(d), 0, "a run with nothing noted does nothing");

	a = dns_ask(d, SPAN("bogus.example"), DNS_MX);
	ok(a->status == DNS_BOGUS && a->count == 0 && !a->secure && a->record == NULL,
	   "a bogus answer has no records and is not secure");
	is_str(a->why, "bogus", "without words of the backend the status is the reason");
	is_int(a->round, 2, "and it came in the second round");
	ok(dns_is_temporary(a), "bogus is temporary");

	c.silent = true;
	a = dns_ask(d, SPAN("silent.example"), DNS_MX);
	is_int(a->status, DNS_TIMEOUT, "what the backend leaves is a time-out");
	is_str(a->why, "no answer in 1500 ms", "with the deadline in words");
	a = dns_ask(d, SPAN("a..b"), DNS_MX);
	is_int(a->status, DNS_BADNAME, "a name with an empty label is not asked");
	ok(!dns_is_temporary(a), "and is no temporary failure");
	is_int(c.asked, 4, "four questions were asked in all");
	unsigned each = 0;
	dns_each(d, count_each, &each);
	is_int(each, 5, "every answer is visited");

	dns_get(d, SPAN("noted.example"), DNS_A);
	dns_forget(d);
	each = 0;
	dns_each(d, count_each, &each);
	is_int(each, 0, "what is forgotten is gone");
	is_int(c.forgot, 1, "the backend forgets too");
	c.silent = false;
	is_int(dns_run(d), 1, "a noted question is not forgotten");
	for (int i = 0; i < 1000; i++) {
		char name[32];
		int n = snprintf(name, sizeof(name), "n%d.example", i);
		dns_get(d, span_of(name, (size_t)n), DNS_A);
	}
	is_int(dns_run(d), 1000, "a thousand questions fit");
	is_str(dns_get(d, SPAN("n777.example"), DNS_A)->name, "n777.example",
	       "and are found again");
	is_int(dns_run(d), 0, "without asking");
	dns_close(d);
	is_int(c.closed, 1, "closing closes the backend");
	dns_close(NULL);
}

static void test_names(void) {
	char long_label[70], long_name[300], ret[256];
	memset(long_label, 'a', 64);
	long_label[64] = '\0';
	for (size_t i = 0; i < 256; i++)
		long_name[i] = i % 64 == 63 ? '.' : 'b';
	static const struct {
		const char *label, *input, *want; /* want NULL: refused */
	} cases[] = {
		{ "a plain name", "MX1.Example.org", "mx1.example.org" },
		{ "a last dot", "example.org.", "example.org" },
		{ "the root", ".", "" },
		{ "an underscore", "_25._tcp.x", "_25._tcp.x" },
		{ "a space becomes an escape", "a b.example", "a\\032b.example" },
		{ "UTF-8 becomes escapes", "\xc3\xa9.example", "\\195\\169.example" },
		{ "an escape stays", "a\\046b.example", "a\\046b.example" },
		{ "a dot by a backslash", "a\\.b.example", "a\\046b.example" },
		{ "an escape of a letter goes", "\\065bc", "abc" },
		{ "the empty text", "", NULL },
		{ "two dots", "a..b", NULL },
		{ "a dot in front", ".a", NULL },
		{ "an escape that is too large", "a\\256", NULL },
		{ "an escape that is cut", "a\\25", NULL },
		{ "a lone backslash", "a\\", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool good = dns_name_parse(span_str(cases[i].input), ret);
		is_str(good ? ret : NULL, cases[i].want, "%s", cases[i].label);
	}
	ok(!dns_name_parse(span_str(long_label), ret), "a label of 64 bytes is refused");
	ok(dns_name_parse(span_of(long_label, 63), ret), "one of 63 is not");
	ok(!dns_name_parse(span_of(long_name, 254), ret),
	   "a name of 254 bytes is refused");
	ok(dns_name_parse(span_of(long_name, 253), ret), "one of 253 is not");
}

static void test_wire_names(void) {
	AUTO_BUF struct buf wire = BUF_INIT(512), text = BUF_INIT(512);
	dns_name_wire(&wire, "a\\046b.example.org");
	ok(span_eq(buf_span(&wire), SPAN("\3a.b\7example\3org\0")),
	   "a name goes to bytes");
	buf_addc(&wire, 'X');
	struct span in = buf_span(&wire);
	ok(dns_take_name(&in, &text) && span_eq(in, SPAN("X")), "and is taken off them");
	is_str(buf_str(&text), "a\\046b.example.org", "as the same text");
	static const struct {
		const char *label;
		struct span bytes;
	} bad[] = {
		{ "a cut name", SPAN_INIT("\3ab") },
		{ "a name without end", SPAN_INIT("\1a") },
		{ "a compression pointer", SPAN_INIT("\xc0\x0c") },
		{ "nothing", SPAN_INIT("") },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		in = bad[i].bytes;
		ok(!dns_take_name(&in, &text) && in.len == bad[i].bytes.len,
		   "%s is refused", bad[i].label);
	}
	AUTO_BUF struct buf huge = BUF_INIT(512);
	for (int i = 0; i < 130; i++)
		buf_addm(&huge, "\1a", 2);
	buf_addc(&huge, '\0');
	in = buf_span(&huge);
	ok(!dns_take_name(&in, &text), "a name of more than 255 bytes is refused");
}

static void test_records(void) {
	AUTO_BUF struct buf text = BUF_INIT(1024);
	struct dns_mx mx;
	struct dns_srv srv;
	struct dns_tlsa tlsa;
	char host[256];
	ok(dns_txt(SPAN("\3v=s\0\2pf"), &text), "strings of a TXT are joined");
	is_str(buf_str(&text), "v=spf", "without a space");
	ok(!dns_txt(SPAN("\5cut"), &text), "a cut string is refused");
	ok(dns_mx(SPAN("\0\12\2mX\1b\0"), &mx) && mx.preference == 10,
	   "an MX has its preference");
	is_str(mx.host, "mx.b", "and its host in lower case");
	ok(dns_mx(SPAN("\0\0\0"), &mx) && mx.host[0] == '\0', "the null MX has no host");
	ok(!dns_mx(SPAN("\0\0\0\0"), &mx), "an MX that is too long is refused");
	ok(!dns_mx(SPAN("\0"), &mx), "an MX that is cut is refused");
	ok(dns_srv(SPAN("\0\1\0\2\2\113\1s\0"), &srv) && srv.priority == 1 &&
		   srv.weight == 2 && srv.port == 587,
	   "an SRV has its numbers");
	is_str(srv.host, "s", "and its host");
	ok(!dns_srv(SPAN("\0\1\0\2\2"), &srv), "an SRV that is cut is refused");
	ok(dns_tlsa(SPAN("\3\1\1\xaa\xbb"), &tlsa) && tlsa.usage == 3 &&
		   tlsa.matching == 1 && tlsa.data.len == 2,
	   "a TLSA is taken apart");
	ok(!dns_tlsa(SPAN("\3\1"), &tlsa), "a TLSA that is cut is refused");
	ok(dns_host(SPAN("\1P\0"), host) && strcmp(host, "p") == 0, "a PTR is a host");

	const struct span record[] = { SPAN_INIT("\300\0\2\1"), SPAN_INIT("\300\0\2") };
	struct dns_answer a = { .type = DNS_A, .record = record, .count = 2 };
	struct inet_addr addr;
	buf_reset(&text);
	ok(dns_addr(&a, 0, &addr) && inet_addr_add(&text, &addr) == 0,
	   "an A is an address");
	is_str(buf_str(&text), "192.0.2.1", "with its four bytes");
	ok(!dns_addr(&a, 1, &addr), "an A of three bytes is refused");
	ok(!dns_addr(&a, 2, &addr), "there is no third one");
	a.type = DNS_AAAA;
	ok(!dns_addr(&a, 0, &addr), "an AAAA of four bytes is refused");

	buf_reset(&text);
	inet_addr_parse(SPAN("192.0.2.1"), &addr);
	dns_reverse_name(&text, &addr);
	is_str(buf_str(&text), "1.2.0.192.in-addr.arpa",
	       "an IPv4 address is turned around");
	buf_reset(&text);
	inet_addr_parse(SPAN("2001:db8::1"), &addr);
	dns_reverse_name(&text, &addr);
	is_str(buf_str(&text),
	       "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	       "an IPv6 address nibble by nibble");
	enum dns_type type;
	ok(dns_type_parse(SPAN("tlsa"), &type) && type == DNS_TLSA, "a type has a name");
	ok(dns_type_parse(SPAN("TYPE99"), &type) && type == 99, "or a number");
	ok(!dns_type_parse(SPAN("TYPE0"), &type) &&
		   !dns_type_parse(SPAN("TYPE65536"), &type) &&
		   !dns_type_parse(SPAN("MAIL"), &type),
	   "others are none");
	is_str(dns_type_name((enum dns_type)99), "TYPE99",
	       "a type without a name shows its number");
}

int main(void) {
	test_questions();
	test_names();
	test_wire_names();
	test_records();
	return done_testing();
}
