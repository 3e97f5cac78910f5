/* TLSA look-up over tables of DNS, and the decision how a connection must be protected. */

#include "tlspolicy/decide.h"

#include <string.h>

#include "net/dns_table.h"
#include "tap.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char zone[] =
	"good.example A secure 192.0.2.1\n"
	"_25._tcp.good.example TLSA secure 3 1 1 " HASH "\n"
	"both.example A secure 192.0.2.1\n"
	"_25._tcp.both.example TLSA secure 0 0 1 " HASH "\n"
	"_25._tcp.both.example TLSA secure 2 0 1 " HASH "\n"
	"unusable.example A secure 192.0.2.1\n"
	"_25._tcp.unusable.example TLSA secure 1 0 1 " HASH "\n"
	"none.example A secure 192.0.2.1\n"
	"insecure.example A 192.0.2.1\n"
	"_25._tcp.insecure.example TLSA 3 1 1 " HASH "\n"
	"six.example AAAA secure 2001:db8::1\n"
	"_25._tcp.six.example TLSA secure 3 1 1 " HASH "\n"
	"halfsigned.example A secure 192.0.2.1\n"
	"_25._tcp.halfsigned.example TLSA 3 1 1 " HASH "\n"
	"servfail.example A secure 192.0.2.1\n"
	"_25._tcp.servfail.example TLSA !servfail\n"
	"bogus.example A secure 192.0.2.1\n"
	"_25._tcp.bogus.example TLSA !bogus\n"
	"slow.example A secure 192.0.2.1\n"
	"_25._tcp.slow.example TLSA !timeout\n"
	"badaddress.example A !bogus\n"
	"badaddress.example AAAA !bogus\n"
	"unsigned-broken.example A 192.0.2.1\n"
	"_25._tcp.unsigned-broken.example TLSA !servfail\n";

static enum dane_status look(struct dns *d, const char *host, uint16_t port,
			     struct dane_result *ret) {
	enum dane_status s;
	do
		s = dane_lookup(d, span_str(host), port, ret);
	while (s == DANE_PENDING && dns_run(d) > 0);
	return s;
}

static void test_lookup(void) {
	static const struct {
		const char *host;
		enum dane_status want;
		size_t count;
		const char *words;
	} rows[] = {
		{ "good.example", DANE_RECORDS, 1, "published and validated" },
		{ "GOOD.example.", DANE_RECORDS, 1, "published and validated" },
		{ "both.example", DANE_RECORDS, 2, "published and validated" },
		{ "unusable.example", DANE_UNUSABLE, 1, "can be used" },
		{ "none.example", DANE_NONE, 0, "no TLSA record at _25._tcp.none.example" },
		{ "insecure.example", DANE_NONE, 0, "not signed" },
		{ "six.example", DANE_RECORDS, 1, "published and validated" },
		{ "halfsigned.example", DANE_NONE, 0, "without a valid signature" },
		{ "servfail.example", DANE_TEMPORARY, 0, "cannot be looked up" },
		{ "bogus.example", DANE_TEMPORARY, 0, "cannot be looked up" },
		{ "slow.example", DANE_TEMPORARY, 0, "cannot be looked up" },
		{ "badaddress.example", DANE_TEMPORARY, 0, "addresses cannot be looked up" },
		{ "unsigned-broken.example", DANE_NONE, 0, "not signed" },
		{ "absent.example", DANE_NO_HOST, 0, "no address of" },
	};
	struct err err = ERR_INIT;
	struct dns *d = dns_table_open(SPAN(zone), &err);
	ok(d != NULL, "the table is read %s", err.msg);
	for (size_t i = 0; d && i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dane_result r;
		is_int(look(d, rows[i].host, 25, &r), rows[i].want, "%s", rows[i].host);
		is_int(r.count, rows[i].count, "%s: as many records", rows[i].host);
		ok(strstr(r.reason, rows[i].words), "%s: in words: %s", rows[i].host, r.reason);
	}
	struct dane_result r;
	is_int(look(d, "good.example", 587, &r), DANE_NONE, "each port has its own records");
	dns_close(d);
}

static void test_decision(void) {
	struct err err = ERR_INIT;
	struct sts_policy enforce, testing, none;
	ok(sts_policy_parse(SPAN("version: STSv1\nmode: enforce\nmx: mx.example\nmax_age: 86400\n"),
			    &enforce, &err) == 0 &&
		   sts_policy_parse(SPAN("version: STSv1\nmode: testing\nmx: mx.example\n"
					 "max_age: 86400\n"),
				    &testing, &err) == 0 &&
		   sts_policy_parse(SPAN("version: STSv1\nmode: none\nmax_age: 86400\n"), &none,
				    &err) == 0,
	   "the policies are read %s", err.msg);
	static const struct dane_result records = { .status = DANE_RECORDS },
					unusable = { .status = DANE_UNUSABLE },
					temporary = { .status = DANE_TEMPORARY },
					nothing = { .status = DANE_NONE };
	const struct {
		const char *label;
		struct tlspolicy_query q;
		enum tlspolicy_level want;
		enum tlspolicy_source source;
	} rows[] = {
#define HOST SPAN("mx.example")
		{ "none is none, even with DANE", { TLSPOLICY_WISH_NONE, false, HOST, &records, NULL, false },
		  TLSPOLICY_CLEAR, TLSPOLICY_BY_CONFIG },
		{ "configured TLS is verified", { TLSPOLICY_WISH_VERIFY, false, HOST, NULL, NULL, false },
		  TLSPOLICY_VERIFY, TLSPOLICY_BY_CONFIG },
		{ "pins", { TLSPOLICY_WISH_PIN, false, HOST, NULL, NULL, false }, TLSPOLICY_PIN,
		  TLSPOLICY_BY_CONFIG },
		{ "nothing published", { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, &nothing, NULL, false },
		  TLSPOLICY_MAY, TLSPOLICY_BY_DEFAULT },
		{ "DANE", { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, &records, NULL, false },
		  TLSPOLICY_DANE, TLSPOLICY_BY_DANE },
		{ "DANE before MTA-STS",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, &records, &enforce, false },
		  TLSPOLICY_DANE, TLSPOLICY_BY_DANE },
		{ "unusable records", { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, &unusable, NULL, false },
		  TLSPOLICY_ENCRYPT, TLSPOLICY_BY_DANE },
		{ "records that cannot be known",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, &temporary, &enforce, false },
		  TLSPOLICY_WAIT, TLSPOLICY_BY_DANE },
		{ "MTA-STS", { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, &nothing, &enforce, false },
		  TLSPOLICY_VERIFY, TLSPOLICY_BY_STS },
		{ "a host that the policy does not name",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, false, SPAN("evil.example"), &nothing, &enforce, false },
		  TLSPOLICY_REFUSE, TLSPOLICY_BY_STS },
		{ "testing asks for nothing",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, false, SPAN("evil.example"), NULL, &testing, false },
		  TLSPOLICY_MAY, TLSPOLICY_BY_STS },
		{ "mode none is no policy", { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, NULL, &none, false },
		  TLSPOLICY_MAY, TLSPOLICY_BY_DEFAULT },
		{ "tls = dane with records", { TLSPOLICY_WISH_DANE, false, HOST, &records, NULL, false },
		  TLSPOLICY_DANE, TLSPOLICY_BY_DANE },
		{ "tls = dane without", { TLSPOLICY_WISH_DANE, false, HOST, &nothing, &enforce, false },
		  TLSPOLICY_WAIT, TLSPOLICY_BY_CONFIG },
		{ "REQUIRETLS where nothing is published",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, true, HOST, &nothing, NULL, false }, TLSPOLICY_VERIFY,
		  TLSPOLICY_BY_DEFAULT },
		{ "REQUIRETLS with DANE", { TLSPOLICY_WISH_OPPORTUNISTIC, true, HOST, &records, NULL, false },
		  TLSPOLICY_DANE, TLSPOLICY_BY_DANE },
		{ "REQUIRETLS over no TLS", { TLSPOLICY_WISH_NONE, true, HOST, NULL, NULL, false },
		  TLSPOLICY_REFUSE, TLSPOLICY_BY_CONFIG },
		{ "REQUIRETLS with unusable records",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, true, HOST, &unusable, NULL, false }, TLSPOLICY_VERIFY,
		  TLSPOLICY_BY_DANE },
		{ "TLS-Required: No with DANE",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, &records, NULL, true }, TLSPOLICY_MAY,
		  TLSPOLICY_BY_MESSAGE },
		{ "TLS-Required: No with MTA-STS",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, false, SPAN("evil.example"), NULL, &enforce, true },
		  TLSPOLICY_MAY, TLSPOLICY_BY_MESSAGE },
		{ "TLS-Required: No where it cannot be known",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, false, HOST, &temporary, NULL, true }, TLSPOLICY_MAY,
		  TLSPOLICY_BY_MESSAGE },
		{ "TLS-Required: No and REQUIRETLS",
		  { TLSPOLICY_WISH_OPPORTUNISTIC, true, HOST, &records, NULL, true }, TLSPOLICY_DANE,
		  TLSPOLICY_BY_DANE },
		{ "TLS-Required: No against tls = dane",
		  { TLSPOLICY_WISH_DANE, false, HOST, &records, NULL, true }, TLSPOLICY_DANE,
		  TLSPOLICY_BY_DANE },
		{ "TLS-Required: No against configured TLS",
		  { TLSPOLICY_WISH_VERIFY, false, HOST, NULL, NULL, true }, TLSPOLICY_VERIFY,
		  TLSPOLICY_BY_CONFIG },
		{ "TLS-Required: No against pins",
		  { TLSPOLICY_WISH_PIN, false, HOST, NULL, NULL, true }, TLSPOLICY_PIN,
		  TLSPOLICY_BY_CONFIG },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tlspolicy_decision d = tlspolicy_decide(&rows[i].q);
		is_str(tlspolicy_level_name(d.level), tlspolicy_level_name(rows[i].want), "%s",
		       rows[i].label);
		is_str(tlspolicy_source_name(d.source), tlspolicy_source_name(rows[i].source),
		       "%s: by (%s)", rows[i].label, d.reason);
		is_int(d.testing, rows[i].q.sts == &testing, "%s: testing", rows[i].label);
	}
}

int main(void) {
	test_lookup();
	test_decision();
	return done_testing();
}
