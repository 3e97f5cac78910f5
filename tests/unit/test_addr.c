/* Addresses of the envelope: what is one, what is not, and paths in angle brackets. */

#include "mail/addr.h"

#include "tap.h"

#define L10 "abcdefghij"
#define L60 L10 L10 L10 L10 L10 L10
#define D63 L60 "klm"

static const struct {
	struct span input;
	enum addr_kind kind;
	int want;                   /* 0, or the kind of error */
	const char *local, *domain; /* NULL domain: none */
} addresses[] = {
	{ SPAN_INIT("bob@example.org"), ADDR_SMTP, 0, "bob", "example.org" },
	{ SPAN_INIT("root"), ADDR_SUBMITTED, 0, "root", NULL },
	{ SPAN_INIT("root"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("\"a b\""), ADDR_SUBMITTED, 0, "\"a b\"", NULL },
	{ SPAN_INIT("\"a@b \\\" c\"@x.org"), ADDR_SMTP, 0, "\"a@b \\\" c\"", "x.org" },
	{ SPAN_INIT("\"\"@x.org"), ADDR_SMTP, 0, "\"\"", "x.org" },
	{ SPAN_INIT("a@[192.0.2.1]"), ADDR_SMTP, 0, "a", "[192.0.2.1]" },
	{ SPAN_INIT("a@[ipv6:2001:db8::1]"), ADDR_SMTP, 0, "a", "[ipv6:2001:db8::1]" },
	{ SPAN_INIT("a@[x-tag:any.thing]"), ADDR_SMTP, 0, "a", "[x-tag:any.thing]" },
	{ SPAN_INIT("j\xc3\xbcrgen@m\xc3\xbcller.de"), ADDR_SMTP, 0, "j\xc3\xbcrgen",
	  "m\xc3\xbcller.de" },
	{ SPAN_INIT("root@web_1"), ADDR_SMTP, 0, "root", "web_1" },
	{ SPAN_INIT("!#$%&'*+-/=?^_`{|}~@x"), ADDR_SMTP, 0, "!#$%&'*+-/=?^_`{|}~", "x" },
	{ SPAN_INIT(L60 "abcd@x"), ADDR_SMTP, 0, L60 "abcd", "x" },
	{ SPAN_INIT(L60 "abcde@x"), ADDR_SMTP, ERR_LIMIT, NULL, NULL },
	{ SPAN_INIT("a@" D63 ".org"), ADDR_SMTP, 0, "a", D63 ".org" },
	{ SPAN_INIT("a@" D63 "n.org"), ADDR_SMTP, ERR_LIMIT, NULL, NULL },
	{ SPAN_INIT("a@" D63 "." D63 "." D63 "." L60), ADDR_SMTP, 0, "a",
	  D63 "." D63 "." D63 "." L60 },
	{ SPAN_INIT("abc@" D63 "." D63 "." D63 "." L60), ADDR_SMTP, ERR_LIMIT, NULL,
	  NULL },
	{ SPAN_INIT(""), ADDR_SUBMITTED, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("@x"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@"), ADDR_SUBMITTED, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@b@c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a..b@c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT(".a@c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a.@c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@b..c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@b."), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@-b"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@b-"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("<a@b>"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a b@c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@b c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("\"a\"b@c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("\"a"), ADDR_SUBMITTED, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a(comment)@b"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a\0b@c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@b\r\nRCPT"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("\"a\nb\"@c"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a\x7f@b"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a\xc2\x85@b"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a\xff@b"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@b\xc0\xae"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@[192.0.2.256]"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@[192.0.2.1"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@[192.0.2.1]x"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@[IPv6:12345::]"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@[IPv6:fe80::1%eth0]"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
	{ SPAN_INIT("a@[]"), ADDR_SMTP, ERR_SYNTAX, NULL, NULL },
};

static bool span_is(struct span s, const char *want) {
	return want ? span_eq(s, span_str(want)) : s.p == NULL;
}

static void test_parse(void) {
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct addr got;
		struct err err = ERR_INIT;
		int rc = addr_parse(addresses[i].input, addresses[i].kind, &got, &err);
		is_int(rc == 0 ? 0 : (int)err.kind, addresses[i].want,
		       "address %zu \"%.60s\"", i, addresses[i].input.p);
		if (rc == 0)
			ok(span_is(got.local, addresses[i].local) &&
				   span_is(got.domain, addresses[i].domain),
			   "address %zu has the right parts", i);
	}
	struct addr got;
	struct err err = ERR_INIT;
	addr_parse(SPAN("a\x1b[31m@b"), ADDR_SMTP, &got, &err);
	ok(strchr(err.msg, 0x1b) == NULL,
	   "an error shows no control byte of the address");
	is_int(addr_parse(SPAN("x"), ADDR_SMTP, &got, NULL), -1,
	       "the error may be unwanted");
}

static const struct {
	const char *input;
	const char *want; /* NULL: does not parse */
	const char *rest;
} paths[] = {
	{ "<bob@example.org> SIZE=1", "bob@example.org", " SIZE=1" },
	{ "<>", "", "" },
	{ "<PostMaster>x", "PostMaster", "x" },
	{ "<@a.org,@b.org:bob@c.org>", "bob@c.org", "" },
	{ "<@[192.0.2.1]:bob@c.org>", "bob@c.org", "" },
	{ "<\"a> b\"@c.org>", "\"a> b\"@c.org", "" },
	{ "<postmaster@c.org>", "postmaster@c.org", "" },
	{ "<root>", NULL, NULL },
	{ "<@a.org:>", NULL, NULL },
	{ "<@a.org:postmaster", NULL, NULL },
	{ "bob@example.org", NULL, NULL },
	{ "<bob@example.org", NULL, NULL },
	{ "<bob@example.org SIZE=1>", NULL, NULL },
	{ "< bob@example.org>", NULL, NULL },
	{ "<bob@>", NULL, NULL },
	{ "<", NULL, NULL },
	{ "", NULL, NULL },
	{ "<a@" D63 "n.org>", NULL, NULL },
};

static void test_paths(void) {
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct span in = span_str(paths[i].input), got = SPAN("untouched");
		bool taken = addr_take_path(&in, &got);
		ok(taken == (paths[i].want != NULL), "path \"%.40s\" %s", paths[i].input,
		   paths[i].want ? "is taken" : "is refused");
		if (taken)
			ok(span_is(got, paths[i].want) && span_is(in, paths[i].rest),
			   "and gives its part and the rest");
		else
			ok(in.p == paths[i].input && span_is(got, "untouched"),
			   "and leaves everything as it was");
	}
}

static void test_utf8(void) {
	ok(!addr_is_utf8(SPAN("a~\x7f@b")), "7-bit bytes are not UTF-8");
	ok(addr_is_utf8(SPAN("a@m\xc3\xbc")), "one byte of 0x80 makes it UTF-8");
}

static const struct {
	const char *label, *input, *want; /* want NULL: refused */
} domains[] = {
	{ "a plain domain", "example.org", "example.org" },
	{ "a literal", "[192.0.2.1]", "[192.0.2.1]" },
	{ "a U-label", "m\xc3\xbcller.example", "xn--mller-kva.example" },
	{ "upper case in a U-label", "M\xc3\x9cLLER.example", "xn--mller-kva.example" },
	{ "sharp s (IDNA2008 keeps it)",
	  "stra\xc3\x9f"
	  "e.de",
	  "xn--strae-oqa.de" },
	{ "an underscore beside a U-label", "_x.m\xc3\xbc.de", "_x.xn--m-eha.de" },
	{ "an empty label", "m\xc3\xbc..de", NULL },
	{ "invalid UTF-8", "m\xff.de", NULL },
	{ "a label that grows past 63 octets",
	  "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc" L60 ".de", NULL },
};

static void test_idn(void) {
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(300);
		struct err err = ERR_INIT;
		int rc = addr_domain_ascii(span_str(domains[i].input), &out, &err);
		if (domains[i].want)
			is_str(buf_str(&out), domains[i].want, "%s", domains[i].label);
		else
			ok(rc == -1 && out.len == 0 && err.kind == ERR_SYNTAX,
			   "%s is refused", domains[i].label);
	}
	AUTO_BUF struct buf small = BUF_INIT(5);
	is_int(addr_domain_ascii(SPAN("example.org"), &small, NULL), -1,
	       "a full buffer fails");
}

static void test_unquoted(void) {
	AUTO_BUF struct buf out = BUF_INIT(100);
	addr_local_unquoted(SPAN("\"a\\\"b \\\\c\""), &out);
	is_str(buf_str(&out), "a\"b \\c", "quotes and backslashes go");
	buf_reset(&out);
	addr_local_unquoted(SPAN("plain"), &out);
	is_str(buf_str(&out), "plain", "a local part without quotes stays");
	buf_reset(&out);
	addr_local_unquoted(SPAN("\"\""), &out);
	is_str(buf_str(&out), "", "an empty quoted local part is empty");
}

int main(void) {
	test_parse();
	test_paths();
	test_utf8();
	test_idn();
	test_unquoted();
	return done_testing();
}
