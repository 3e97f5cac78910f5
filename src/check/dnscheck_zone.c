/* The zone itself (DNSSEC, name servers), and domains without mail. */

#include "authres/dmarc.h"
#include "base/auto.h"
#include "check/dnscheck_state.h"

#define TXT_MAX 65536

/* --- DNSSEC --- */

/* True when all name servers that are named are one. */
static void check_servers(struct dnscheck *c, const struct dns_answer *ns) {
	if (ns->status == DNS_FOUND && ns->count == 1)
		finding_add(c->out, "ns.one", FINDING_NOTICE, c->domain,
			    "there is one name server");
}

bool dnscheck_dnssec(struct dnscheck *c) {
	const struct dns_answer *soa = dns_get(c->dns, span_str(c->domain), DNS_SOA);
	const struct dns_answer *mx = dns_get(c->dns, span_str(c->domain), DNS_MX);
	const struct dns_answer *ns = dns_get(c->dns, span_str(c->domain), DNS_NS);
	if (soa->status == DNS_PENDING || mx->status == DNS_PENDING ||
	    ns->status == DNS_PENDING)
		return false;
	if (soa->status == DNS_BOGUS || mx->status == DNS_BOGUS) {
		c->facts.dnssec = DNSCHECK_BOGUS;
		finding_add(c->out, "dnssec.bogus", FINDING_FAIL, c->domain, "%s",
			    mx->status == DNS_BOGUS ? mx->why : soa->why);
	} else if (dns_is_temporary(soa) && dns_is_temporary(mx)) {
		finding_add(c->out, "dnssec.unknown", FINDING_UNKNOWN, c->domain, "%s",
			    mx->why);
	} else if (mx->secure || (dns_is_temporary(mx) && soa->secure)) {
		c->facts.dnssec = DNSCHECK_SECURE;
		finding_add(c->out, "dnssec.secure", FINDING_OK, c->domain,
			    "signed and valid");
	} else if (dns_warning(c->dns)[0]) {
		c->facts.dnssec = DNSCHECK_DNSSEC_UNKNOWN;
		finding_add(c->out, "dnssec.ad_untrusted", FINDING_NOTICE, c->domain,
			    "not verified: %s", dns_warning(c->dns));
	} else {
		c->facts.dnssec = DNSCHECK_INSECURE;
		finding_add(c->out, "dnssec.insecure", FINDING_INFO, c->domain,
			    "the zone is not signed");
	}
	check_servers(c, ns);
	return true;
}

/* --- domains without mail --- */

bool dnscheck_parked(struct dnscheck *c) {
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	struct dmarc_query q = { .from = span_str(c->domain), .rules = DMARC_RFC9989 };
	struct dmarc_report r;
	struct dnscheck_hosts h;
	enum spf_result spf = spf_fetch(c->dns, span_str(c->domain), &text);
	enum finding_severity s = c->parked ? FINDING_WARN : FINDING_NOTICE;
	if (!dnscheck_hosts(c, &h) || spf == SPF_PENDING ||
	    dmarc_check(c->dns, &q, &r) == DMARC_PENDING)
		return false;
	bool no_mail = h.null && h.count == 0;
	bool no_sender = spf == SPF_PASS &&
			 span_eq_nocase(span_trim(buf_span(&text)), SPAN("v=spf1 -all"));
	if (!c->parked && !no_mail)
		return true;
	if (!no_mail)
		finding_fix(finding_add(c->out, "parked.mx", s, c->domain,
					"there is no null MX"),
			    "%s. MX 0 .", c->domain);
	if (!no_sender && spf != SPF_TEMPERROR)
		finding_fix(finding_add(c->out, "parked.spf", s, c->domain,
					"the SPF record is not \"v=spf1 -all\" alone"),
			    "%s. TXT \"v=spf1 -all\"", c->domain);
	if (r.policy != DMARC_REJECT && r.result != DMARC_TEMPERROR)
		finding_fix(finding_add(c->out, "parked.dmarc", s, c->domain,
					"the DMARC policy is not reject"),
			    "_dmarc.%s. TXT \"v=DMARC1; p=reject\"", c->domain);
	if (c->out->count == 0)
		finding_add(c->out, "parked.ok", FINDING_OK, c->domain,
			    "no mail in, none out, forgeries rejected");
	return true;
}
