/*
 * Names that lead to nothing: aliases and hosts whose end does not exist. Where even the domain
 * of that end is free, whoever registers it gets what was meant for this one.
 */

#include "authres/psl.h"
#include "base/auto.h"
#include "check/dnscheck_state.h"

bool dnscheck_is_unregistered(struct dnscheck *c, const char *name, bool *ret) {
	char org[256];
	*ret = false;
	if (!psl_org_domain(span_str(name), org))
		return true;
	const struct dns_answer *a = dnscheck_get(c, "", org, DNS_SOA);
	*ret = a->status == DNS_NXDOMAIN;
	return a->status != DNS_PENDING;
}

/* --- hosts of the MX --- */

static unsigned preference(struct dnscheck *c, const char *host) {
	const struct dns_answer *a = dns_get(c->dns, span_str(c->domain), DNS_MX);
	struct dns_mx mx;
	for (size_t i = 0; i < a->count; i++)
		if (dns_mx(a->record[i], &mx) && strcmp(mx.host, host) == 0)
			return mx.preference;
	return 0;
}

/* False: pending. */
static bool check_mx_host(struct dnscheck *c, const char *host) {
	const struct dns_answer *a = dnscheck_get(c, "", host, DNS_A);
	bool unregistered;
	if (a->status == DNS_PENDING)
		return false;
	if (a->status != DNS_NXDOMAIN)
		return true;
	if (!dnscheck_is_unregistered(c, a->canonical, &unregistered))
		return false;
	if (unregistered)
		finding_fix(finding_add(c->out, "mx.dangling", FINDING_FAIL, host,
					"nobody has registered the domain of %s",
					a->canonical),
			    "; remove: %s. MX %u %s.", c->domain, preference(c, host), host);
	return true;
}

/* --- aliases --- */

/* Where each kind of record is looked up. DKIM's selectors: dnscheck_dkim.c. */
static const struct {
	const char *prefix;
	enum dns_type type;
} places[] = {
	{ "_dmarc", DNS_TXT },     { "_mta-sts", DNS_TXT },      { "mta-sts", DNS_A },
	{ "_smtp._tls", DNS_TXT }, { "default._bimi", DNS_TXT },
};

/* False: pending. */
static bool check_alias(struct dnscheck *c, const char *prefix, enum dns_type type) {
	const struct dns_answer *a = dnscheck_get(c, prefix, c->domain, type);
	bool unregistered;
	if (a->status == DNS_PENDING)
		return false;
	if (a->status != DNS_NXDOMAIN || a->cnames == 0)
		return true;
	if (!dnscheck_is_unregistered(c, a->canonical, &unregistered))
		return false;
	finding_fix(finding_add(c->out, "alias.dangling",
				unregistered ? FINDING_FAIL : FINDING_WARN, a->name,
				"an alias for %s, which does not exist%s", a->canonical,
				unregistered ? "; nobody has registered its domain" : ""),
		    "; remove: %s. CNAME %s%s", a->name, a->cnames == 1 ? a->canonical : "...",
		    a->cnames == 1 ? "." : "");
	return true;
}

bool dnscheck_dangling(struct dnscheck *c) {
	struct dnscheck_hosts h;
	bool all = true;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		all = check_alias(c, places[i].prefix, places[i].type) && all;
	if (!dnscheck_hosts(c, &h))
		return false;
	for (size_t i = 0; i < h.count && !h.implicit; i++)
		all = check_mx_host(c, h.name[i]) && all;
	return all;
}
