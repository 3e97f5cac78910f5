/* SPF: what the grammar takes, what evaluation counts, and the tree of a record. */

#include "authres/spf_tree.h"

#include "net/dns_table.h"
#include "tap.h"

/* --- grammar --- */

static const struct {
	const char *record;
	int at; /* offset of the wrong term; -1: there is none */
} records[] = {
	{ "v=spf1", -1 },
	{ "V=SPF1  ", -1 },
	{ "v=spf1 -all", -1 },
	{ "v=spf1 +A:x.example ~MX/24 ?ptr -exists:%{i}.x.example", -1 },
	{ "v=spf1 a//64 a/24//64 a:x.example/24//64 mx/0", -1 },
	{ "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip6:::ffff:1.2.3.4", -1 },
	{ "v=spf1 include:x.example redirect=%{d}.x.example exp=e.x.example", -1 },
	{ "v=spf1 unknown.mod-ifier_=%{c}any%%thing", -1 },
	{ "v=spf1 a:x.%{d1r-}", -1 },
	{ "v=spf1 a:x.example.", -1 },
	{ "v=spf10", 0 },
	{ "v=spf1\t-all", 0 },
	{ " v=spf1 -all", 0 },
	{ "v=spf1 -all moo", 12 },
	{ "v=spf1 ip4:1.2.3.4/33", 7 },
	{ "v=spf1 ip4:1.2.3.4/01", 7 },
	{ "v=spf1 ip4:1.2.3", 7 },
	{ "v=spf1 ip4", 7 },
	{ "v=spf1 ip6:1::/129", 7 },
	{ "v=spf1 ip6:1.2.3.4", 7 },
	{ "v=spf1 a:x.example/33", 7 },
	{ "v=spf1 a:x.example//129", 7 },
	{ "v=spf1 a/24/64", 7 },
	{ "v=spf1 a/", 7 },
	{ "v=spf1 ptr/24", 7 },
	{ "v=spf1 all:x.example", 7 },
	{ "v=spf1 include", 7 },
	{ "v=spf1 include:", 7 },
	{ "v=spf1 exists", 7 },
	{ "v=spf1 a:example", 7 },
	{ "v=spf1 a:x.123", 7 },
	{ "v=spf1 a:x.-y", 7 },
	{ "v=spf1 a:x.y-", 7 },
	{ "v=spf1 a:%{d}x", 7 },
	{ "v=spf1 a:%{x}", 7 },
	{ "v=spf1 a:%{d0}", 7 },
	{ "v=spf1 a:%{d", 7 },
	{ "v=spf1 a:%d.example", 7 },
	{ "v=spf1 a:%{d}%", 7 },
	{ "v=spf1 exp=%{c}", 7 },
	{ "v=spf1 exp=%{r}.example", 7 },
	{ "v=spf1 -redirect=x.example", 7 },
	{ "v=spf1 redirect=a.example redirect=b.example", 26 },
	{ "v=spf1 exp=a.example -all exp=b.example", 26 },
	{ "v=spf1 1x=y", 7 },
	{ "v=spf1 -", 7 },
	{ "v=spf1 a:x.ex\xe4mple", 7 },
};

static void test_grammar(void) {
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct spf_record r;
		struct err err = ERR_INIT;
		size_t at = 999;
		int got = spf_record_parse(span_str(records[i].record), &r, &at, &err);
		is_int(got, records[i].at < 0 ? 0 : -1, "%s", records[i].record);
		if (records[i].at >= 0)
			ok((int)at == records[i].at && err.kind == ERR_SYNTAX &&
				   err.msg[0],
			   "and the term is found at %d (%zu: %s)", records[i].at, at,
			   err.msg);
	}
}

/* --- evaluation --- */

static enum spf_result check(const char *zone, const char *ip, const char *from,
			     bool lenient, struct spf_report *r) {
	struct err err = ERR_INIT;
	struct dns *dns = dns_table_open(span_str(zone), &err);
	struct spf_query q = { .sender = span_str(from),
			       .helo = SPAN("helo.example"),
			       .lenient_voids = lenient };
	inet_addr_parse(span_str(ip), &q.ip);
	if (!ok(dns != NULL, "the table opens %s", err.msg))
		return SPF_PENDING;
	while (spf_check(dns, &q, r) == SPF_PENDING && dns_run(dns) > 0)
		;
	dns_close(dns);
	return r->result;
}

static const char v4only[] =
	"d.example TXT \"v=spf1 mx ip6:2001:db8::1 -all\"\n"
	"d.example MX 1 a.example\nd.example MX 2 b.example\nd.example MX 3 c.example\n"
	"a.example A 192.0.2.1\nb.example A 192.0.2.2\nc.example A 192.0.2.3\n";

static void test_voids(void) {
	struct spf_report r;
	is_int(check(v4only, "2001:db8::1", "x@d.example", false, &r), SPF_PERMERROR,
	       "three hosts without IPv6 are three void lookups, literally");
	is_int(check(v4only, "2001:db8::1", "x@d.example", true, &r), SPF_PASS,
	       "and none, leniently");
	ok(r.voids == 3 && r.voids_lenient == 0, "both are counted");
	is_int(check(v4only, "192.0.2.3", "x@d.example", false, &r), SPF_PASS,
	       "by IPv4 there is none");
	is_str(r.term, "mx", "and the term that decided is told");
}

static void test_senders(void) {
	static const char zone[] =
		"d.example TXT \"v=spf1 exists:%{l}.%{o}.x.example -all\"\n"
		"helo.example TXT \"v=spf1 exists:%{l}.x.example -all\"\n"
		"postmaster.d.example.x.example A 127.0.0.2\n"
		"postmaster.x.example A 127.0.0.2\n";
	struct spf_report r;
	is_int(check(zone, "192.0.2.1", "@d.example", false, &r), SPF_PASS,
	       "without local part the sender is postmaster");
	is_int(check(zone, "192.0.2.1", "", false, &r), SPF_PASS,
	       "without sender it is postmaster at the greeting");
	is_str(r.domain, "helo.example", "whose record is asked for");
	is_int(check(zone, "192.0.2.1", "a@localhost", false, &r), SPF_NONE,
	       "a domain of one label has no SPF");
	is_int(check(zone, "192.0.2.1", "a@b@d.example", false, &r), SPF_FAIL,
	       "the last @ counts");
}

static void test_hostile(void) {
	struct spf_report r;
	static const char zone[] =
		"d.example TXT \"v=spf1 exists:%{l}.x.example ~all\"\n"
		"loop.example TXT \"v=spf1 include:loop.example -all\"\n"
		"deep.example TXT \"v=spf1 redirect=%{l}.deep.example\"\n";
	is_int(check(zone, "192.0.2.1", "a\\.b\\\\c\x01@d.example", false, &r),
	       SPF_SOFTFAIL, "a backslash of the client is a byte like any other");
	is_int(check(zone, "192.0.2.1", "x@loop.example", false, &r), SPF_PERMERROR,
	       "a record that includes itself ends");
	is_int(r.lookups, SPF_LOOKUPS_MAX + 1, "at the limit");
	ok(strstr(r.why, "more than 10 lookups") != NULL, "with words (%s)", r.why);
	is_int(check(zone, "192.0.2.1", "x@deep.example", false, &r), SPF_PERMERROR,
	       "a redirect to nothing is an error");
}

/* --- trees --- */

static void test_tree(void) {
	static const char zone[] =
		"d.example TXT \"v=spf1 include:i.example include:i.example a:gone.example "
		"include:m.%{d} -all\"\n"
		"i.example TXT \"v=spf1 a:h.example include:j.example ?all\"\n"
		"j.example TXT \"v=spf1 ip4:192.0.2.0/24 include:i.example\"\n"
		"h.example A 192.0.2.1\n";
	struct spf_tree *t = calloc(1, sizeof(*t));
	struct dns *dns = dns_table_open(SPAN(zone), NULL);
	while (!spf_tree_build(dns, "d.example", t) && dns_run(dns) > 0)
		spf_tree_release(t);
	is_int(t->root, SPF_PASS, "the record is read");
	is_int(t->lookups, 10,
	       "each include is descended into, as often as it stands there");
	is_int(t->node[0].lookups, 4, "a term costs what is below it as well");
	is_int(t->voids, 1, "one name has no records");
	unsigned loops = 0, macros = 0;
	for (size_t i = 0; i < t->count; i++) {
		loops += t->node[i].state == SPF_NODE_LOOP;
		macros += t->node[i].state == SPF_NODE_MACRO;
	}
	is_int(loops, 2, "what leads back is seen");
	is_int(macros, 1, "what depends on the message is not followed");
	spf_tree_release(t);
	dns_close(dns);
	free(t);
}

int main(void) {
	test_grammar();
	test_voids();
	test_senders();
	test_hostile();
	test_tree();
	return done_testing();
}
