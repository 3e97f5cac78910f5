/* DNS from a table: every type of record from text and back, CNAMEs, statuses, replays. */

#include <stdlib.h>

#include "net/dns.h"
#include "net/dns_table.h"
#include "tap.h"

static const struct {
	const char *label, *type, *text, *back; /* back NULL: the same; "": refused */
} records[] = {
	{ "an A", "A", "192.0.2.1", NULL },
	{ "an AAAA", "AAAA", "2001:DB8::1", "2001:db8::1" },
	{ "an AAAA that maps an IPv4 address", "AAAA", "::ffff:192.0.2.1",
	  "::ffff:192.0.2.1" },
	{ "an MX", "MX", "10 MX1.example.org.", "10 mx1.example.org" },
	{ "the null MX", "MX", "0 .", NULL },
	{ "a TXT in quotes", "TXT", "\"v=spf1 \" \"-all\"", NULL },
	{ "a TXT without quotes", "TXT", "v=spf1 -all", "\"v=spf1\" \"-all\"" },
	{ "a TXT with quotes in it", "TXT", "\"a\\\"b\\\\c\\009\"", NULL },
	{ "an empty TXT", "TXT", "\"\"", NULL },
	{ "a CNAME", "CNAME", "b.example", NULL },
	{ "an NS", "NS", "ns.example", NULL },
	{ "a PTR", "PTR", "host.example", NULL },
	{ "an SOA", "SOA", "ns.example host.example 1 2 3 4 4294967295", NULL },
	{ "an SRV", "SRV", "1 2 587 s.example", NULL },
	{ "a DS", "DS", "12345 13 2 00ff", NULL },
	{ "a DNSKEY", "DNSKEY", "257 3 13 AAEC", NULL },
	{ "a TLSA", "TLSA", "3 1 1 AABB cc", "3 1 1 aabbcc" },
	{ "a CAA", "CAA", "0 issue \"ca.example; x=1\"",
	  "0 \"issue\" \"ca.example; x=1\"" },
	{ "an unknown type", "TYPE99", "\\# 3 01 02ff", "\\# 3 0102ff" },
	{ "a known type in the form of unknown ones", "A", "\\# 4 c0000201",
	  "192.0.2.1" },
	{ "a known type with rdata of another", "A", "\\# 3 c00002", NULL },
	{ "an A of words", "A", "localhost", "" },
	{ "an A that is an AAAA", "A", "2001:db8::1", "" },
	{ "an A with more behind it", "A", "192.0.2.1 x", "" },
	{ "an MX without a host", "MX", "10", "" },
	{ "an MX with a large number", "MX", "65536 x", "" },
	{ "a TXT without its last quote", "TXT", "\"abc", "" },
	{ "a TXT of nothing", "TXT", "", "" },
	{ "a TLSA with half a byte", "TLSA", "3 1 1 abc", "" },
	{ "an unknown type in words", "TYPE99", "abc", "" },
	{ "an unknown type with another length", "TYPE99", "\\# 2 01", "" },
};

static void test_text(void) {
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		AUTO_BUF struct buf rdata = BUF_INIT(1024), text = BUF_INIT(1024);
		struct err err = ERR_INIT;
		enum dns_type type;
		const char *want = records[i].back ? records[i].back : records[i].text;
		dns_type_parse(span_str(records[i].type), &type);
		int r = dns_rdata_parse(span_str(records[i].text), type, &rdata, &err);
		if (records[i].back && !*records[i].back) {
			ok(r == -1 && err.kind == ERR_SYNTAX, "%s is refused",
			   records[i].label);
			continue;
		}
		dns_rdata_add(&text, type, buf_span(&rdata));
		is_str(r == 0 ? buf_str(&text) : err.msg, want, "%s", records[i].label);
	}
	AUTO_BUF struct buf name = BUF_INIT(1024), odd = BUF_INIT(1024),
			    again = BUF_INIT(1024);
	for (int i = 0; i < 4; i++) {
		buf_addc(&name, 60);
		for (int k = 0; k < 60; k++)
			buf_addc(&name, 1);
	}
	buf_addc(&name, '\0');
	dns_rdata_add(&odd, DNS_NS, buf_span(&name));
	ok(dns_rdata_parse(buf_span(&odd), DNS_NS, &again, NULL) == 0 &&
		   span_eq(buf_span(&again), buf_span(&name)),
	   "a name whose text would be too long is written as bytes");

	AUTO_BUF struct buf in = BUF_INIT(1024), rdata = BUF_INIT(1024),
			    joined = BUF_INIT(1024);
	buf_addc(&in, '"');
	for (int i = 0; i < 300; i++)
		buf_addc(&in, 'x');
	buf_addc(&in, '"');
	dns_rdata_parse(buf_span(&in), DNS_TXT, &rdata, NULL);
	is_int(rdata.len, 302, "a string of 300 bytes is split in two");
	ok(dns_txt(buf_span(&rdata), &joined) && joined.len == 300, "and joined again");
}

static const char table[] = "# a table\n"
			    "example.org MX 10 mx1.example.org\n"
			    "example.org MX 20 mx2.example.org\n"
			    "  Example.ORG.  TXT   \"v=spf1 \" \"-all\"  \r\n"
			    "mx1.example.org A secure ttl=60 192.0.2.1\n"
			    "mx1.example.org A secure ttl=30 192.0.2.2\n"
			    "\n"
			    "www.example.org CNAME mx1.example.org\n"
			    "far.example.org CNAME secure www2.example.org\n"
			    "www2.example.org CNAME secure mx1.example.org\n"
			    "gone.example.org CNAME nothing.example.org\n"
			    "a.loop CNAME b.loop\n"
			    "b.loop CNAME a.loop\n"
			    "slow.example TXT !timeout\n"
			    "fail.example TXT !servfail\n"
			    "bogus.example TXT !bogus the signature has expired\n"
			    "none.example TXT secure !nxdomain\n"
			    "empty.example TXT !nodata\n"
			    "deep.er.example A 192.0.2.3\n";

static const struct {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	bool secure;
	unsigned cnames, count;
	const char *why, *canonical;
} cases[] = {
	{ "example.org", DNS_MX, DNS_FOUND, false, 0, 2, "", "example.org" },
	{ "example.org", DNS_TXT, DNS_FOUND, false, 0, 1, "", "example.org" },
	{ "example.org", DNS_A, DNS_NODATA, false, 0, 0, "no such record",
	  "example.org" },
	{ "no.example.org", DNS_A, DNS_NXDOMAIN, false, 0, 0, "NXDOMAIN",
	  "no.example.org" },
	{ "mx1.example.org", DNS_A, DNS_FOUND, true, 0, 2, "", "mx1.example.org" },
	{ "www.example.org", DNS_A, DNS_FOUND, false, 1, 2, "", "mx1.example.org" },
	{ "far.example.org", DNS_A, DNS_FOUND, true, 2, 2, "", "mx1.example.org" },
	{ "far.example.org", DNS_MX, DNS_NODATA, false, 2, 0, "no such record",
	  "mx1.example.org" },
	{ "www.example.org", DNS_CNAME, DNS_FOUND, false, 0, 1, "", "www.example.org" },
	{ "gone.example.org", DNS_A, DNS_NXDOMAIN, false, 1, 0, "NXDOMAIN",
	  "nothing.example.org" },
	{ "a.loop", DNS_A, DNS_SERVFAIL, false, 17, 0,
	  "a loop, or too long a chain, of CNAMEs", NULL },
	{ "slow.example", DNS_TXT, DNS_TIMEOUT, false, 0, 0, "timeout", "slow.example" },
	{ "fail.example", DNS_TXT, DNS_SERVFAIL, false, 0, 0, "SERVFAIL",
	  "fail.example" },
	{ "bogus.example", DNS_TXT, DNS_BOGUS, false, 0, 0, "the signature has expired",
	  "bogus.example" },
	{ "none.example", DNS_TXT, DNS_NXDOMAIN, true, 0, 0, "NXDOMAIN", "none.example" },
	{ "empty.example", DNS_TXT, DNS_NODATA, false, 0, 0, "no such record",
	  "empty.example" },
	{ "empty.example", DNS_A, DNS_NODATA, false, 0, 0, "no such record",
	  "empty.example" },
	{ "er.example", DNS_A, DNS_NODATA, false, 0, 0, "no such record", "er.example" },
	{ "r.example", DNS_A, DNS_NXDOMAIN, false, 0, 0, "NXDOMAIN", "r.example" },
};

static void check(struct dns *d, const char *which) {
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		dns_get(d, span_str(cases[i].name), cases[i].type);
	dns_run(d);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dns_answer *a = dns_get(d, span_str(cases[i].name),
						     cases[i].type);
		const char *type = dns_type_name(cases[i].type);
		ok(a->status == cases[i].status && a->count == cases[i].count &&
			   a->secure == cases[i].secure,
		   "%s: %s %s is %s%s with %u records", which, cases[i].name, type,
		   cases[i].secure ? "secure " : "", dns_status_name(cases[i].status),
		   cases[i].count);
		is_str(a->why, cases[i].why, "%s: for its reason", which);
		if (cases[i].canonical)
			is_str(a->canonical, cases[i].canonical,
			       "%s: at the end of its chain", which);
	}
}

static void test_table(void) {
	struct err err = ERR_INIT;
	struct dns *d = dns_table_open(SPAN(table), &err);
	if (!ok(d != NULL, "the table is read"))
		return;
	check(d, "the table");
	is_int(dns_get(d, SPAN("far.example.org"), DNS_A)->cnames, 2,
	       "a chain has its length");
	is_int(dns_get(d, SPAN("mx1.example.org"), DNS_A)->ttl, 30,
	       "the smallest TTL holds");

	AUTO_BUF struct buf first = BUF_INIT(65536), second = BUF_INIT(65536);
	is_int(dns_table_write(d, &first), 0, "what was answered is written as a table");
	dns_close(d);
	d = dns_table_open(buf_span(&first), &err);
	if (!ok(d != NULL, "which is a table again")) {
		printf("# %s\n%s", err.msg, buf_str(&first));
		return;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		dns_get(d, span_str(cases[i].name), cases[i].type);
	dns_run(d);
	check(d, "the replay");
	dns_table_write(d, &second);
	is_str(buf_str(&second), buf_str(&first), "and written again it is the same");
	dns_close(d);
}

static void test_refused(void) {
	static const struct {
		const char *label, *text, *want;
	} bad[] = {
		{ "a name that is none", "# x\na..b A 192.0.2.1\n",
		  "line 2: not a name that DNS can hold" },
		{ "a type that is none", "a WORD 1\n",
		  "line 1: not a type of record (such as MX or TYPE99)" },
		{ "a name alone", "a\n",
		  "line 1: not a type of record (such as MX or TYPE99)" },
		{ "a record that is none", "a A b\n",
		  "line 1: not the text of a record of type A: b" },
		{ "a status that is none", "a A !gone\n",
		  "line 1: not a status (!timeout, !servfail, !bogus, !nxdomain, !nodata)" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = ERR_INIT;
		ok(dns_table_open(span_str(bad[i].text), &err) == NULL, "%s is refused",
		   bad[i].label);
		is_str(err.msg, bad[i].want, "with its line");
	}
}

int main(void) {
	test_text();
	test_table();
	test_refused();
	return done_testing();
}
