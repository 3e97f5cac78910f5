/* Where mail for the domain goes. */

#include "base/auto.h"
#include "check/dnscheck_state.h"

static struct finding *add(struct dnscheck *c, const char *id, enum finding_severity s,
			   const char *subject, const char *text) {
	return finding_add(c->out, id, s, subject, "%s", text);
}

/* --- addresses --- */

bool dnscheck_is_private(const struct inet_addr *a) {
	static const char *const nets[] = {
		"0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10",  "127.0.0.0/8",
		"169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::/128",
		"::1/128",        "fc00::/7",      "fe80::/10",
	};
	struct inet_net net;
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if (inet_net_parse(span_str(nets[i]), &net, NULL) == 0 &&
		    inet_net_has(&net, a))
			return true;
	return false;
}

/* --- MX --- */

struct host_state {
	bool v4, v6, known;
};

static void check_addresses(struct dnscheck *c, const char *host,
			    const struct dns_answer *a) {
	AUTO_BUF struct buf text = BUF_INIT(64);
	struct inet_addr addr;
	for (size_t i = 0; i < a->count; i++) {
		if (!dns_addr(a, i, &addr) || !dnscheck_is_private(&addr))
			continue;
		buf_reset(&text);
		inet_addr_add(&text, &addr);
		finding_add(c->out, "mx.target_private", FINDING_FAIL, host,
			    "the address %s is not reachable from the internet",
			    buf_str(&text));
	}
}

/* False: pending. */
static bool check_host(struct dnscheck *c, const char *host, bool alone,
		       struct host_state *ret) {
	const struct dns_answer *v4 = dnscheck_get(c, "", host, DNS_A);
	const struct dns_answer *v6 = dnscheck_get(c, "", host, DNS_AAAA);
	struct inet_addr literal;
	*ret = (struct host_state){ .known = true };
	if (inet_addr_parse(span_str(host), &literal)) {
		add(c, "mx.target_literal", FINDING_FAIL, host,
		    "the MX names an IP address");
		return true;
	}
	if (v4->status == DNS_PENDING || v6->status == DNS_PENDING)
		return false;
	ret->v4 = v4->status == DNS_FOUND;
	ret->v6 = v6->status == DNS_FOUND;
	if (!strchr(host, '.'))
		add(c, "mx.dotless", FINDING_WARN, host,
		    "the MX names a host of one label");
	if (v4->cnames > 0 || v6->cnames > 0) {
		const char *to = v4->cnames > 0 ? v4->canonical : v6->canonical;
		struct finding *f = finding_add(c->out, "mx.target_cname", FINDING_WARN,
						host, "it is an alias for %s", to);
		finding_fix(f, "%s. MX 10 %s.", c->domain, to);
	}
	if (!ret->v4 && !ret->v6 && (dns_is_temporary(v4) || dns_is_temporary(v6))) {
		ret->known = false;
		finding_add(c->out, "mx.unknown", FINDING_UNKNOWN, host,
			    "its address: %s", dns_is_temporary(v4) ? v4->why : v6->why);
	} else if (!ret->v4 && !ret->v6) {
		finding_add(c->out, "mx.target_nx", alone ? FINDING_FAIL : FINDING_WARN,
			    host, "it has no address (%s)", v4->why);
	}
	check_addresses(c, host, v4);
	check_addresses(c, host, v6);
	return true;
}

static void check_proofs(struct dnscheck *c, const struct dns_answer *a) {
	struct dns_mx mx;
	for (size_t i = 0; i < a->count; i++)
		if (dns_mx(a->record[i], &mx) && dnscheck_is_msv1(mx.host))
			finding_fix(add(c, "mx.msv1_invalid", FINDING_NOTICE, mx.host,
					"the MX proves an ownership and is no host"),
				    "; remove: %s. MX %u %s.", c->domain, mx.preference,
				    mx.host);
}

static void check_duplicates(struct dnscheck *c, const struct dnscheck_hosts *h) {
	for (size_t i = 0; i < h->count; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(h->name[i], h->name[k]) == 0) {
				add(c, "mx.dup", FINDING_NOTICE, h->name[i],
				    "it stands in several MX records");
				break;
			}
}

/* The null MX and what may stand beside it. */
static void check_null(struct dnscheck *c, const struct dnscheck_hosts *h,
		       const struct dns_answer *a) {
	struct dns_mx mx;
	c->facts.null_mx = h->count == 0;
	if (h->count > 0) {
		add(c, "mx.null_mixed", FINDING_FAIL, c->domain,
		    "a null MX stands beside other MX records");
		return;
	}
	add(c, "mx.null", FINDING_OK, c->domain, "a null MX: the domain takes no mail");
	if (dns_mx(a->record[0], &mx) && mx.preference != 0)
		finding_fix(finding_add(c->out, "mx.null_pref", FINDING_NOTICE, c->domain,
					"the null MX has preference %u", mx.preference),
			    "%s. MX 0 .", c->domain);
}

/* What holds for all hosts together. */
static void sum_up(struct dnscheck *c, const struct dnscheck_hosts *h, size_t good,
		   bool v6, bool known) {
	AUTO_BUF struct buf names = BUF_INIT(8192);
	for (size_t i = 0; i < h->count; i++)
		buf_addf(&names, "%s%s", i > 0 ? ", " : "", h->name[i]);
	if (h->implicit && good > 0)
		finding_fix(
			add(c, "mx.implicit", FINDING_WARN, c->domain,
			    "there is no MX; mail goes to the address of the domain itself"),
			"%s. MX 10 mail.%s.", c->domain, c->domain);
	else if (good == h->count)
		finding_add(c->out, "mx.ok", FINDING_OK, c->domain, "%zu host%s: %s",
			    h->count, h->count == 1 ? "" : "s", buf_str(&names));
	if (!h->implicit && h->count == 1)
		add(c, "mx.one_host", FINDING_INFO, c->domain, "there is one host only");
	if (good > 0 && !v6 && known)
		add(c, "mx.no_ipv6", FINDING_INFO, c->domain,
		    "no host has an IPv6 address");
}

static void no_mx(struct dnscheck *c, const char *why) {
	finding_fix(finding_add(c->out, "mx.none", c->parked ? FINDING_NA : FINDING_FAIL,
				c->domain, "no MX and no address (%s)", why),
		    "%s. MX 10 mail.%s.", c->domain, c->domain);
}

/* Without an MX the domain's own addresses count. False: pending. */
static bool check_implicit(struct dnscheck *c, bool *ret_nothing) {
	const struct dns_answer *v4 = dns_get(c->dns, span_str(c->domain), DNS_A);
	const struct dns_answer *v6 = dns_get(c->dns, span_str(c->domain), DNS_AAAA);
	if (v4->status == DNS_PENDING || v6->status == DNS_PENDING)
		return false;
	*ret_nothing = v4->status == DNS_NODATA && v6->status == DNS_NODATA;
	if (*ret_nothing)
		no_mx(c, "the name exists without them");
	return true;
}

/* Whether the hosts take connections from here, where that was tried. */
static void check_reach(struct dnscheck *c) {
	for (size_t i = 0; i < c->reach_count; i++) {
		const struct dnscheck_reach *r = &c->reach[i];
		if (r->reached)
			add(c, "mx.reached", FINDING_OK, r->name, "it answers on port 25");
		else
			finding_add(c->out, "mx.unreachable", FINDING_UNKNOWN, r->name,
				    "port 25: %s (networks often close it)", r->why);
	}
}

bool dnscheck_mx(struct dnscheck *c) {
	const struct dns_answer *a = dns_get(c->dns, span_str(c->domain), DNS_MX);
	struct dnscheck_hosts h;
	size_t good = 0;
	bool v6 = false, pending = false, known = true, nothing = false;
	if (!dnscheck_hosts(c, &h))
		return false;
	if (dns_is_temporary(a)) {
		finding_add(c->out, "mx.unknown", FINDING_UNKNOWN, c->domain, "MX: %s",
			    a->why);
		return true;
	}
	if (a->cnames > 0)
		finding_add(c->out, "mx.apex_cname", FINDING_FAIL, c->domain,
			    "the domain is an alias for %s", a->canonical);
	c->facts.mx_count = h.implicit ? 0 : h.count;
	memcpy(c->facts.mx, h.name, sizeof(c->facts.mx));
	if (a->status != DNS_FOUND && a->status != DNS_NODATA) {
		no_mx(c, a->why);
		return true;
	}
	if (h.null)
		check_null(c, &h, a);
	if (h.implicit && !check_implicit(c, &nothing))
		return false;
	if (nothing)
		return true;
	for (size_t i = 0; i < h.count; i++) {
		struct host_state s = { .known = true };
		if (!check_host(c, h.name[i], h.count == 1, &s))
			pending = true;
		good += s.v4 || s.v6;
		v6 |= s.v6;
		known &= s.known;
	}
	if (pending)
		return false;
	check_duplicates(c, &h);
	check_proofs(c, a);
	check_reach(c);
	if (h.count > 0)
		sum_up(c, &h, good, v6, known);
	return true;
}
