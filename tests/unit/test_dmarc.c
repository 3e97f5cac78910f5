/* DMARC: records as receivers read them, the tree walk, policies, consent to reports. */

#include "authres/dmarc.h"

#include "authres/psl.h"
#include "net/dns_table.h"
#include "tap.h"

/* --- records --- */

static const struct {
	const char *record;
	bool taken;
	enum dmarc_policy p, sp, np;
} records[] = {
	{ "v=DMARC1; p=reject", true, DMARC_REJECT, DMARC_UNSET, DMARC_UNSET },
	{ "V = DMARC1 ;P= Quarantine;sp=NONE ; np=reject;", true, DMARC_QUARANTINE,
	  DMARC_NONE, DMARC_REJECT },
	{ "v=DMARC1; x=y; p=none; ; =; junk", true, DMARC_NONE, DMARC_UNSET,
	  DMARC_UNSET },
	{ "v=DMARC1; p=bad; rua=mailto:a@b.example", true, DMARC_NONE, DMARC_UNSET,
	  DMARC_UNSET },
	{ "v=DMARC1; p=reject; sp=bad; rua=mailto:a@b.example", true, DMARC_NONE,
	  DMARC_UNSET, DMARC_UNSET },
	{ "v=DMARC1; rua=mailto:a@b.example", true, DMARC_NONE, DMARC_UNSET,
	  DMARC_UNSET },
	{ "v=DMARC1; p=reject; np=bad", false, DMARC_UNSET, DMARC_UNSET, DMARC_UNSET },
	{ "v=DMARC1", false, DMARC_UNSET, DMARC_UNSET, DMARC_UNSET },
	{ "v=DMARC1; rua=nonsense", false, DMARC_UNSET, DMARC_UNSET, DMARC_UNSET },
	{ "v=dmarc1; p=reject", false, DMARC_UNSET, DMARC_UNSET, DMARC_UNSET },
	{ "v=DMARC12; p=reject", false, DMARC_UNSET, DMARC_UNSET, DMARC_UNSET },
	{ "p=reject; v=DMARC1", false, DMARC_UNSET, DMARC_UNSET, DMARC_UNSET },
	{ "", false, DMARC_UNSET, DMARC_UNSET, DMARC_UNSET },
};

static void test_records(void) {
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct dmarc_record r;
		bool taken = dmarc_record_parse(span_str(records[i].record), &r);
		ok(taken == records[i].taken, "\"%s\" is %s", records[i].record,
		   records[i].taken ? "a record" : "none");
		if (taken && records[i].taken)
			ok(r.p == records[i].p && r.sp == records[i].sp &&
				   r.np == records[i].np,
			   "and its policies are right");
	}
}

/* --- the tree walk --- */

static const struct {
	const char *what, *zone, *domain, *org;
	size_t steps;
} walks[] = {
	{ "without a record the domain is its own organisation",
	  "x.example A 192.0.2.1\n", "a.b.example", "a.b.example", 3 },
	{ "the record with the fewest labels decides",
	  "_dmarc.a.b.example TXT \"v=DMARC1; p=none\"\n_dmarc.b.example TXT \"v=DMARC1; p=none\"\n",
	  "c.a.b.example", "b.example", 4 },
	{ "psd=n ends the walk",
	  "_dmarc.a.b.example TXT \"v=DMARC1; p=none; psd=n\"\n"
	  "_dmarc.b.example TXT \"v=DMARC1; p=none\"\n",
	  "c.a.b.example", "a.b.example", 2 },
	{ "psd=y is one label above the organisation",
	  "_dmarc.b.example TXT \"v=DMARC1; p=none; psd=y\"\n", "d.c.a.b.example",
	  "a.b.example", 4 },
	{ "a public suffix itself is its own",
	  "_dmarc.b.example TXT \"v=DMARC1; p=none; psd=y\"\n", "b.example", "b.example",
	  1 },
	{ "several records count as none",
	  "_dmarc.b.example TXT \"v=DMARC1; p=none\"\n_dmarc.b.example TXT \"v=DMARC1; p=reject\"\n",
	  "a.b.example", "a.b.example", 3 },
	{ "a long name is cut to seven labels after the first question",
	  "_dmarc.x.example TXT \"v=DMARC1; p=none\"\n",
	  "l.k.j.i.h.g.f.e.d.c.b.a.x.example", "x.example", 8 },
	{ "eight labels are asked one after another", "x.example A 192.0.2.1\n",
	  "f.e.d.c.b.a.x.example", "f.e.d.c.b.a.x.example", 8 },
};

static void test_walk(void) {
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		struct dns *dns = dns_table_open(span_str(walks[i].zone), NULL);
		struct dmarc_walk w;
		unsigned rounds = 0;
		while (!dmarc_walk(dns, walks[i].domain, &w) && dns_run(dns) > 0)
			rounds++;
		is_str(w.org, walks[i].org, "%s", walks[i].what);
		is_int((int64_t)w.count, (int64_t)walks[i].steps, "in so many steps");
		is_int(rounds, 1, "and one round of questions");
		dns_close(dns);
	}
}

/* --- policies --- */

static const struct {
	const char *what, *zone, *from, *dkim;
	enum dmarc_rules rules;
	enum dmarc_result result;
	enum dmarc_policy policy;
} checks[] = {
	{ "np is for names that do not exist",
	  "_dmarc.b.example TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"\n",
	  "no.b.example", NULL, DMARC_RFC9989, DMARC_FAIL, DMARC_REJECT },
	{ "a name that exists without address exists",
	  "_dmarc.b.example TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"\n"
	  "is.b.example TXT x\n",
	  "is.b.example", NULL, DMARC_RFC9989, DMARC_FAIL, DMARC_QUARANTINE },
	{ "RFC 7489 knows no np",
	  "_dmarc.b.example TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"\n",
	  "no.b.example", NULL, DMARC_RFC7489, DMARC_FAIL, DMARC_QUARANTINE },
	{ "t=y takes one step off", "_dmarc.b.example TXT \"v=DMARC1; p=reject; t=y\"\n",
	  "b.example", NULL, DMARC_RFC9989, DMARC_FAIL, DMARC_QUARANTINE },
	{ "and none from none", "_dmarc.b.example TXT \"v=DMARC1; p=none; t=y\"\n",
	  "b.example", NULL, DMARC_RFC9989, DMARC_FAIL, DMARC_NONE },
	{ "the record of a public suffix is the last resort",
	  "_dmarc.b.example TXT \"v=DMARC1; p=reject; sp=quarantine; psd=y\"\na.b.example TXT x\n",
	  "a.b.example", NULL, DMARC_RFC9989, DMARC_FAIL, DMARC_QUARANTINE },
	{ "one organisation by the tree walk, another by psd=n",
	  "_dmarc.b.example TXT \"v=DMARC1; p=reject\"\n"
	  "_dmarc.a.b.example TXT \"v=DMARC1; p=reject; psd=n\"\n",
	  "a.b.example", "b.example", DMARC_RFC9989, DMARC_FAIL, DMARC_REJECT },
	{ "which RFC 7489 takes for one",
	  "_dmarc.b.example TXT \"v=DMARC1; p=reject\"\n"
	  "_dmarc.a.b.example TXT \"v=DMARC1; p=reject; psd=n\"\n",
	  "a.b.example", "b.example", DMARC_RFC7489, DMARC_PASS, DMARC_REJECT },
	{ "what DNS does not tell is no failure",
	  "_dmarc.a.b.example TXT \"v=DMARC1; p=reject\"\n_dmarc.b.example TXT !servfail\n",
	  "a.b.example", "b.example", DMARC_RFC9989, DMARC_TEMPERROR, DMARC_REJECT },
	{ "and does not matter when the domains are equal",
	  "_dmarc.a.b.example TXT \"v=DMARC1; p=reject\"\n_dmarc.b.example TXT !servfail\n",
	  "A.b.Example.", "a.B.example", DMARC_RFC9989, DMARC_PASS, DMARC_REJECT },
	{ "a U-label is its A-label",
	  "_dmarc.xn--mller-kva.example TXT \"v=DMARC1; p=reject\"\n",
	  "x@m\xc3\xbcller.example", "xn--mller-kva.example", DMARC_RFC9989, DMARC_PASS,
	  DMARC_REJECT },
};

static void test_checks(void) {
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct err err = ERR_INIT;
		struct dns *dns = dns_table_open(span_str(checks[i].zone), &err);
		struct span dkim = span_str(checks[i].dkim);
		struct dmarc_query q = { .from = span_str(checks[i].from),
					 .dkim = &dkim,
					 .dkim_count = checks[i].dkim != NULL,
					 .rules = checks[i].rules };
		struct dmarc_report r;
		while (dmarc_check(dns, &q, &r) == DMARC_PENDING && dns_run(dns) > 0)
			;
		is_str(dmarc_result_name(r.result), dmarc_result_name(checks[i].result),
		       "%s", checks[i].what);
		is_str(dmarc_policy_name(r.policy), dmarc_policy_name(checks[i].policy),
		       "and so is the policy");
		dns_close(dns);
	}
}

static enum dmarc_consent consent(struct dns *dns, const char *to) {
	enum dmarc_consent c;
	while ((c = dmarc_consent(dns, "a.b.example", to)) == DMARC_CONSENT_PENDING &&
	       dns_run(dns) > 0)
		;
	return c;
}

static void test_consent(void) {
	struct dns *dns = dns_table_open(
		SPAN("_dmarc.b.example TXT \"v=DMARC1; p=none\"\n"
		     "a.b.example._report._dmarc.yes.test TXT \"v=DMARC1\"\n"
		     "a.b.example._report._dmarc.odd.test TXT \"hello\"\n"
		     "a.b.example._report._dmarc.slow.test TXT !timeout\n"),
		NULL);
	is_int(consent(dns, "a.b.example"), DMARC_CONSENT_YES, "reports to oneself");
	is_int(consent(dns, "c.b.example"), DMARC_CONSENT_YES, "within one organisation");
	is_int(consent(dns, "yes.test"), DMARC_CONSENT_YES, "to one who agreed");
	is_int(consent(dns, "odd.test"), DMARC_CONSENT_NO,
	       "to one who said something else");
	is_int(consent(dns, "no.test"), DMARC_CONSENT_NO, "to one who said nothing");
	is_int(consent(dns, "slow.test"), DMARC_CONSENT_TEMPORARY,
	       "to one whose DNS is silent");
	dns_close(dns);
}

static void test_psl(void) {
	char org[256];
	ok(psl_org_domain(SPAN("A.B.co.UK."), org) && strcmp(org, "b.co.uk") == 0,
	   "an organisational domain by the public suffix list: %s", org);
	ok(!psl_org_domain(SPAN("co.uk"), org), "a public suffix has none");
	ok(!psl_org_domain(SPAN(".example.com"), org), "nor has what is no name");
	ok(!psl_org_domain(SPAN("\xff\xfe.com"), org) || org[0], "nor does rubbish hurt");
}

int main(void) {
	test_records();
	test_walk();
	test_checks();
	test_consent();
	test_psl();
	return done_testing();
}
