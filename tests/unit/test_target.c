/* The servers behind a name: MX, SRV and lists with weights, over a table of records. */

#include <stdlib.h>
#include <string.h>

#include "net/dns_table.h"
#include "route/target.h"
#include "tap.h"

static const char records[] =
	"good.example MX 20 back.good.example\n"
	"good.example MX 10 a.good.example\n"
	"a.good.example A 192.0.2.1\n"
	"a.good.example AAAA 2001:db8::1\n"
	"back.good.example A 192.0.2.2\n"
	"equal.example MX 10 a.good.example\n"
	"equal.example MX 10 back.good.example\n"
	"plain.example A 192.0.2.3\n"
	"six.example AAAA 2001:db8::6\n"
	"null.example MX 0 .\n"
	"empty.example TXT \"no mail here\"\n"
	"slow.example MX !timeout\n"
	"fail.example MX !servfail\n"
	"bogus.example MX !bogus\n"
	"dangling.example MX 10 nowhere.example\n"
	"half.example MX 10 nowhere.example\n"
	"half.example MX 20 a.good.example\n"
	"later.example MX 10 later-host.example\n"
	"later-host.example A !timeout\n"
	"later-host.example AAAA !timeout\n"
	"alias.example MX 10 cname.example\n"
	"cname.example CNAME a.good.example\n"
	"us.example MX 10 a.good.example\n"
	"us.example MX 20 we.example\n"
	"us.example MX 20 back.good.example\n"
	"us.example MX 30 plain.example\n"
	"we.example A 192.0.2.9\n"
	"circle.example MX 10 WE.example\n"
	"address.example MX 10 other.example\n"
	"other.example A 192.0.2.99\n"
	"backup.example MX 10 later-host.example\n"
	"backup.example MX 20 we.example\n"
	"stale.example MX 10 nowhere.example\n"
	"stale.example MX 20 we.example\n"
	"signed.example MX secure 10 signed-host.example\n"
	"signed-host.example A secure 192.0.2.7\n"
	"_submissions._tcp.mail.example SRV 10 0 465 a.good.example\n"
	"_submission._tcp.mail.example SRV 5 0 587 back.good.example\n"
	"_submission._tcp.mail.example SRV 1 0 588 a.good.example\n"
	"_submission._tcp.none.example SRV 0 0 0 .\n"
	"none.example A 192.0.2.3\n"
	"_submissions._tcp.slow.example SRV !timeout\n";

static bool has(void *ctx, const struct inet_addr *a) {
	struct inet_addr ours;
	inet_addr_parse(span_str(ctx), &ours);
	return inet_same(a, &ours);
}

static char our_address[] = "192.0.2.99";
static const struct target_self self = {
	.names = { "we.example" },
	.has = has,
	.ctx = our_address,
};

/* "a.good.example[2001:db8::1,192.0.2.1] ..." or "550 1.2 words" */
static void show(enum target_result r, const struct target *t, struct buf *out) {
	if (r != TARGET_FOUND) {
		buf_addf(out, "%s%u %u.%u %s", r == TARGET_LATER ? "later " : "", t->code,
			 t->subject, t->detail, t->words);
		return;
	}
	for (size_t i = 0; i < t->count; i++) {
		buf_addf(out, "%s%s", i ? " " : "", t->host[i].name);
		if (t->host[i].port > 0)
			buf_addf(out, ":%u%s", t->host[i].port, t->host[i].implicit ? "s" : "");
		for (size_t k = 0; k < t->host[i].addrs; k++) {
			buf_addc(out, k ? ',' : '[');
			inet_addr_add(out, &t->host[i].addr[k]);
		}
		buf_adds(out, t->host[i].addrs ? "]" : "");
	}
}

static enum target_result find_mx(struct dns *d, const char *domain, uint64_t random,
				  struct target *t) {
	enum target_result r;
	do
		r = target_mx(d, domain, &self, random, t);
	while (r == TARGET_PENDING && dns_run(d) > 0);
	return r;
}

static const struct {
	const char *label, *domain, *want;
} mx[] = {
	{ "by preference, IPv6 before IPv4", "good.example",
	  "a.good.example[2001:db8::1,192.0.2.1] back.good.example[192.0.2.2]" },
	{ "a domain without MX is its own server", "plain.example", "plain.example[192.0.2.3]" },
	{ "by IPv6 alone, too", "six.example", "six.example[2001:db8::6]" },
	{ "a null MX takes no mail", "null.example",
	  "556 1.10 null.example takes no mail (null MX)" },
	{ "a domain that does not exist", "gone.example",
	  "550 1.2 the domain gone.example does not exist (NXDOMAIN)" },
	{ "one with neither MX nor address", "empty.example",
	  "550 1.2 empty.example has neither a mail server nor an address (no such record)" },
	{ "MX without an address", "dangling.example",
	  "550 4.4 no mail server of dangling.example has an address (nowhere.example: "
	  "NXDOMAIN)" },
	{ "of several the one that has an address", "half.example",
	  "a.good.example[2001:db8::1,192.0.2.1]" },
	{ "an address that is not known now", "later.example",
	  "later 451 4.3 the address of later-host.example cannot be looked up now: timeout" },
	{ "a CNAME is followed", "alias.example", "cname.example[2001:db8::1,192.0.2.1]" },
	{ "only servers before us, by name", "us.example",
	  "a.good.example[2001:db8::1,192.0.2.1]" },
	{ "no circle, by name", "circle.example",
	  "550 4.6 mail for circle.example loops back to myself: its mail server is this "
	  "machine" },
	{ "no circle, by address", "address.example",
	  "550 4.6 mail for address.example loops back to myself: its mail server is this "
	  "machine" },
	{ "a circle only because a better server is not known now", "backup.example",
	  "later 451 4.3 the address of later-host.example cannot be looked up now: timeout" },
	{ "a circle because the better one has no address", "stale.example",
	  "550 4.6 mail for stale.example loops back to myself: its mail server is this "
	  "machine" },
	{ "an address literal", "[192.0.2.5]", "192.0.2.5[192.0.2.5]" },
	{ "an IPv6 literal", "[IPv6:2001:db8::5]", "2001:db8::5[2001:db8::5]" },
	{ "what is no literal", "[nonsense]", "550 1.2 [nonsense] is no address" },
};

static void check_mx(void) {
	struct err err = ERR_INIT;
	struct dns *d = dns_table_open(SPAN(records), &err);
	struct target t;
	if (!ok(d != NULL, "the records are read"))
		return;
	for (size_t i = 0; i < sizeof(mx) / sizeof(mx[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(4096);
		show(find_mx(d, mx[i].domain, 1, &t), &t, &out);
		is_str(buf_str(&out), mx[i].want, "%s", mx[i].label);
	}
	static const char *const unsure[] = { "slow.example", "fail.example", "bogus.example" };
	for (size_t i = 0; i < 3; i++)
		ok(find_mx(d, unsure[i], 1, &t) == TARGET_LATER && t.code == 451,
		   "%s proves nothing", unsure[i]);
	ok(find_mx(d, "signed.example", 1, &t) == TARGET_FOUND && t.host[0].secure,
	   "what DNSSEC validated is told");
	ok(find_mx(d, "good.example", 1, &t) == TARGET_FOUND && !t.host[0].secure && t.mx,
	   "and what it did not");
	unsigned first = 0;
	for (uint64_t random = 0; random < 200; random++)
		first += find_mx(d, "equal.example", random * 7919, &t) == TARGET_FOUND &&
			 strcmp(t.host[0].name, "a.good.example") == 0;
	ok(first > 50 && first < 150, "servers of one preference take turns (%u of 200)", first);
	dns_close(d);
}

static enum target_result find_srv(struct dns *d, const char *domain, unsigned which,
				   struct target *t) {
	enum target_result r;
	do
		r = target_srv(d, domain, which, 1, t);
	while (r == TARGET_PENDING && dns_run(d) > 0);
	return r;
}

static void check_srv(void) {
	static const struct {
		const char *label, *domain;
		unsigned which;
		const char *want;
	} srv[] = {
		{ "TLS first, then STARTTLS by priority", "mail.example",
		  TARGET_SUBMISSIONS | TARGET_SUBMISSION,
		  "a.good.example:465s[2001:db8::1,192.0.2.1] "
		  "a.good.example:588[2001:db8::1,192.0.2.1] back.good.example:587[192.0.2.2]" },
		{ "one kind alone", "mail.example", TARGET_SUBMISSIONS,
		  "a.good.example:465s[2001:db8::1,192.0.2.1]" },
		{ "a service that is said not to be there", "none.example",
		  TARGET_SUBMISSIONS | TARGET_SUBMISSION,
		  "550 4.4 none.example names no submission server (SRV)" },
		{ "no answer is none", "slow.example", TARGET_SUBMISSIONS,
		  "later 451 4.3 the submission servers of slow.example cannot be looked up now: "
		  "timeout" },
	};
	struct err err = ERR_INIT;
	struct dns *d = dns_table_open(SPAN(records), &err);
	struct target t;
	for (size_t i = 0; d && i < sizeof(srv) / sizeof(srv[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(4096);
		show(find_srv(d, srv[i].domain, srv[i].which, &t), &t, &out);
		is_str(buf_str(&out), srv[i].want, "%s", srv[i].label);
	}
	dns_close(d);
}

static void check_weights(void) {
	AUTO_BUF struct buf text = BUF_INIT(10000);
	struct err err = ERR_INIT;
	struct target t;
	unsigned heavy = 0;
	buf_adds(&text, "_submission._tcp.w.example SRV 0 3 587 a.w.example\n"
			"_submission._tcp.w.example SRV 0 1 587 b.w.example\n"
			"a.w.example A 192.0.2.1\nb.w.example A 192.0.2.2\n");
	struct dns *d = dns_table_open(buf_span(&text), &err);
	for (uint64_t random = 0; d && random < 400; random++) {
		while (target_srv(d, "w.example", TARGET_SUBMISSION, random * 104729, &t) ==
			       TARGET_PENDING &&
		       dns_run(d) > 0)
			;
		heavy += t.count == 2 && strcmp(t.host[0].name, "a.w.example") == 0;
	}
	ok(heavy > 240 && heavy < 360, "weights of SRV share the first place (%u of 400)", heavy);
	dns_close(d);
}

static void check_list(void) {
	static char first[] = "first.example", a[] = "a.example*3", b[] = "b.example*1",
		    last[] = "last.example";
	char *const hosts[] = { first, a, b, last };
	struct target t;
	unsigned heavy = 0;
	bool placed = true;
	for (uint64_t random = 0; random < 400; random++) {
		target_list(hosts, 4, random * 65537, &t);
		placed &= t.count == 4 && strcmp(t.host[0].name, "first.example") == 0 &&
			  strcmp(t.host[3].name, "last.example") == 0;
		heavy += strcmp(t.host[1].name, "a.example") == 0;
	}
	ok(placed, "hosts without a weight keep their place");
	ok(heavy > 240 && heavy < 360, "those with one share theirs (%u of 400)", heavy);
}

int main(void) {
	check_mx();
	check_srv();
	check_weights();
	check_list();
	return done_testing();
}
