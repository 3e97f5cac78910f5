/* Records and policies of MTA-STS and TLS-RPT, and what they are made of. */

#include "tlspolicy/http_reply.h"
#include "mail/fields.h"
#include "mail/uri.h"
#include "tap.h"
#include "tlspolicy/sts_record.h"
#include "tlspolicy/tlsrpt_record.h"

static void test_fields(void) {
	struct span rest = SPAN(" a = b ;c=; d==e;");
	struct field f;
	is_int(fields_take(&rest, &f), 1, "a field with blanks");
	ok(span_eq(f.name, SPAN("a")) && span_eq(f.value, SPAN("b")) && f.spaced,
	   "is read");
	is_int(fields_take(&rest, &f), 1, "one without value");
	ok(span_eq(f.name, SPAN("c")) && f.value.len == 0 && !f.spaced, "is read");
	is_int(fields_take(&rest, &f), 1, "one with = in its value");
	ok(span_eq(f.value, SPAN("=e")), "is read");
	is_int(fields_take(&rest, &f), 0, "a last ; is the end");
	static const char *const bad[] = { ";", "a", "=b", "a b=c", "a%=b" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rest = span_str(bad[i]);
		is_int(fields_take(&rest, &f), -1, "\"%s\" is no field", bad[i]);
	}
}

static const struct {
	const char *uri;
	bool good;
} uris[] = {
	{ "mailto:a@b.example", true },
	{ "https://x.example/a%20b?c", true },
	{ "x.example", false },
	{ "1a:b", false },
	{ "mailto:", false },
	{ "https://x.example/%", false },
	{ "https://x.example/%zz", false },
	{ "https://x example", false },
	{ "https://x\xc3\xa9", false },
	{ "", false },
};

static void test_uris(void) {
	struct span domain;
	for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++)
		ok(uri_ok(span_str(uris[i].uri)) == uris[i].good, "\"%s\" is %s",
		   uris[i].uri, uris[i].good ? "a URI" : "none");
	ok(uri_mailto_domain(SPAN("MAILTO:a@b@c.example?x=@d"), &domain) &&
		   span_eq(domain, SPAN("c.example")),
	   "the domain of an address");
	ok(!uri_mailto_domain(SPAN("mailto:a"), &domain), "of none without @");
}

/* --- MTA-STS --- */

static const struct {
	const char *record, *id; /* id NULL: not valid */
} sts_records[] = {
	{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
	{ "v=STSv1;id=a;x_y.z-1=!", "a" },
	{ "v=STSv1 ; id=a", "a" },
	{ "v=STSv1; id = a", NULL },
	{ "v=STSv1; id=a; id=b", NULL },
	{ "v=STSv1; id=", NULL },
	{ "v=STSv1; id=a b", NULL },
	{ "v=stsv1; id=a", NULL },
	{ "id=a; v=STSv1", NULL },
	{ "v=STSv1; id=a;;", NULL },
};

static void test_sts_records(void) {
	char id[STS_ID_MAX + 1];
	struct err err = ERR_INIT;
	for (size_t i = 0; i < sizeof(sts_records) / sizeof(sts_records[0]); i++) {
		int r = sts_record_parse(span_str(sts_records[i].record), id, &err);
		is_int(r, sts_records[i].id ? 0 : -1, "%s", sts_records[i].record);
		if (r == 0 && sts_records[i].id)
			is_str(id, sts_records[i].id, "with its id");
	}
}

static const struct {
	const char *policy;
	bool good;
} policies[] = {
	{ "version: STSv1\nmode: enforce\nmx: *.a.example\nmax_age: 31557600\n", true },
	{ "version:STSv1\r\nmode:testing\r\nmx:a.example\r\nmax_age:1\r\n\r\n", true },
	{ "mode: none\nmax_age: 0\nversion: STSv1\nmode: nonsense\n", true },
	{ "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 31557601\n", false },
	{ "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1e3\n", false },
	{ "version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1\n", false },
	{ "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n", false },
	{ "version: STSv1\nmode: enforce\nmx: a..example\nmax_age: 1\n", false },
	{ "version: STSv1\nmode: enforce\nmx: a.example.\nmax_age: 1\n", false },
	{ "version: STSv1\n\nmode: none\nmax_age: 1\n", false },
	{ "version: STSv1\nmode: none\nmax_age: 1\nx: \xff\n", false },
	{ "version: STSv1\nmode: none\nmax_age: 1\nx: \x01\n", false },
	{ "version: STSv1\nmode: none\rmax_age: 1\n", false },
	{ "version: STSv1 mode: none\nmax_age: 1\n", false },
};

static void test_policies(void) {
	struct sts_policy p;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		is_int(sts_policy_parse(span_str(policies[i].policy), &p, &err),
		       policies[i].good ? 0 : -1, "%s", policies[i].policy);
	char *big = malloc(STS_POLICY_MAX + 2);
	memset(big, '\n', STS_POLICY_MAX + 2);
	is_int(sts_policy_parse(span_of(big, STS_POLICY_MAX + 1), &p, &err), -1,
	       "64 KiB are the limit");
	is_int(err.kind, ERR_LIMIT, "and said to be");
	free(big);
}

static const struct {
	const char *pattern, *host;
	bool covers;
} covers[] = {
	{ "mail.a.example", "MAIL.a.Example.", true },
	{ "mail.a.example", "mail.a.example.evil.test", false },
	{ "mail.a.example", "xmail.a.example", false },
	{ "*.a.example", "b.a.example", true },
	{ "*.a.example", "c.b.a.example", false },
	{ "*.a.example", "a.example", false },
	{ "*.a.example", ".a.example", false },
	{ "*.a.example", "b.a.example.evil.test", false },
};

static void test_covers(void) {
	for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++)
		ok(sts_mx_matches(span_str(covers[i].pattern),
				  span_str(covers[i].host)) == covers[i].covers,
		   "%s %s %s", covers[i].pattern,
		   covers[i].covers ? "covers" : "does not cover", covers[i].host);
}

/* --- TLS-RPT --- */

static void count_uri(void *ctx, struct span uri) {
	*(size_t *)ctx += uri.len > 0;
}

static void test_tlsrpt(void) {
	size_t n = 0;
	is_int(tlsrpt_record_parse(
		       SPAN("v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/; x=y"),
		       count_uri, &n, NULL),
	       0, "a record with two addresses");
	is_int((int64_t)n, 2, "which are told");
	is_int(tlsrpt_record_parse(SPAN("v=TLSRPTv1; rua=mailto:a@b.example,"), NULL,
				   NULL, NULL),
	       -1, "an empty address is none");
	is_int(tlsrpt_record_parse(SPAN("v=TLSRPTv1; rua=http://c.example/"), NULL, NULL,
				   NULL),
	       -1, "nor is one by HTTP");
}

/* --- HTTP --- */

static const struct {
	const char *what, *bytes, *body; /* body NULL: refused */
	bool whole;
} replies[] = {
	{ "with a length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "abc",
	  true },
	{ "with a length that is not there",
	  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", NULL, false },
	{ "to the end", "HTTP/1.0 200\n\nabc", "abc", false },
	{ "in chunks",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
	  "abc", true },
	{ "in chunks that end early",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", NULL,
	  false },
	{ "in a chunk of a strange length",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\nab\r\n",
	  NULL, true },
	{ "in a chunk that is longer than it says",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n", NULL,
	  true },
	{ "with two lengths",
	  "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", NULL,
	  true },
	{ "without a status", "HTTP/1.1 OK\r\n\r\n", NULL, true },
	{ "of another protocol", "220 mail.example ESMTP\r\n", NULL, true },
	{ "of nothing", "", NULL, false },
};

static void test_replies(void) {
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		AUTO_BUF struct buf body = BUF_INIT(1024);
		struct http_reply r;
		struct span bytes = span_str(replies[i].bytes);
		int got = http_reply_parse(bytes, &r, &body, NULL);
		ok(http_reply_is_whole(bytes) == replies[i].whole, "an answer %s is %s",
		   replies[i].what, replies[i].whole ? "whole" : "not yet whole");
		is_int(got, replies[i].body ? 0 : -1, "and %s",
		       replies[i].body ? "read" : "refused");
		if (got == 0 && replies[i].body)
			is_str(buf_str(&body), replies[i].body, "with its text");
	}
}

int main(void) {
	test_fields();
	test_uris();
	test_sts_records();
	test_policies();
	test_covers();
	test_tlsrpt();
	test_replies();
	return done_testing();
}
