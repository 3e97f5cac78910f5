/* What makes senders use TLS with the right server: MTA-STS, TLS-RPT, DANE. */

#include <time.h>

#include "base/auto.h"
#include "check/dnscheck_state.h"
#include "tlspolicy/tlsrpt_record.h"

#define TXT_MAX 65536
#define WEEK_S 604800u
#define DAY_S 86400u
#define TESTING_DAYS 30
#define CERTIFICATE_WARN_S (14 * 86400)
#define CERTIFICATE_FAIL_S (3 * 86400)

/* --- MTA-STS --- */

static void set_sts(struct dnscheck *c, const char *status, const char *mode) {
	c->facts.sts_status = status;
	c->facts.sts_mode = mode;
}

/* The MX hosts against the mx lines, both ways. False: pending. */
static bool check_cover(struct dnscheck *c, const struct sts_policy *p) {
	struct dnscheck_hosts h;
	struct span rest = p->text, pattern;
	enum finding_severity s = p->mode == STS_ENFORCE ? FINDING_FAIL : FINDING_WARN;
	if (!dnscheck_hosts(c, &h))
		return false;
	for (size_t i = 0; i < h.count; i++)
		if (p->mode != STS_NONE && !sts_policy_covers(p, span_str(h.name[i])))
			finding_fix(finding_add(c->out, "sts.mx_uncovered", s, h.name[i],
						"no mx line of the policy covers it"),
				    "mx: %s", h.name[i]);
	while (sts_policy_take_mx(&rest, &pattern)) {
		bool used = false;
		for (size_t i = 0; i < h.count; i++)
			used |= sts_mx_matches(pattern, span_str(h.name[i]));
		if (!used)
			finding_add(c->out, "sts.mx_extra", FINDING_NOTICE, c->domain,
				    "mx: %.*s covers no MX host", (int)pattern.len,
				    pattern.p);
	}
	return true;
}

/* Without the policy's server senders have no policy, and with an old one no other MX. */
static void check_certificate(struct dnscheck *c) {
	if (c->sts_left_s < 0 || c->sts_left_s >= CERTIFICATE_WARN_S)
		return;
	int64_t days = c->sts_left_s / DAY_S;
	finding_add(c->out, "sts.cert_expires",
		    c->sts_left_s < CERTIFICATE_FAIL_S ? FINDING_FAIL : FINDING_WARN, c->domain,
		    "the certificate of mta-sts.%s expires in %lld day%s", c->domain, (long long)days,
		    days == 1 ? "" : "s");
}

/* Senders ask for the policy again only when they see another id (RFC 8461 section 3.3). */
static void check_id(struct dnscheck *c) {
	char now[32];
	time_t t = time(NULL);
	struct tm tm;
	crypto_sha256(c->sts_policy, &c->facts.sts_hash);
	if (!c->sts_before_id[0] || strcmp(c->sts_before_id, c->facts.sts_id) != 0 ||
	    memcmp(&c->sts_before_hash, &c->facts.sts_hash, sizeof(c->facts.sts_hash)) == 0 ||
	    !gmtime_r(&t, &tm))
		return;
	strftime(now, sizeof(now), "%Y%m%d%H%M%S", &tm);
	finding_fix(finding_add(c->out, "sts.id_unchanged", FINDING_FAIL, c->domain,
				"the policy has changed, and the id is still %s",
				c->facts.sts_id),
		    "_mta-sts.%s. TXT \"v=STSv1; id=%s\"", c->domain, now);
}

/* Days since the date with which most ids begin (20260131...); -1: it has none. */
static int64_t days_of_id(const char *id) {
	uint64_t number;
	struct span date = span_head(span_str(id), 8);
	if (date.len < 8 || !span_uint(date, 99991231, &number))
		return -1;
	struct tm tm = { .tm_year = (int)(number / 10000) - 1900,
			 .tm_mon = (int)(number / 100 % 100) - 1,
			 .tm_mday = (int)(number % 100) };
	if (tm.tm_year < 115 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31)
		return -1;
	int64_t age_s = (int64_t)time(NULL) - (int64_t)timegm(&tm);
	return age_s < 0 ? -1 : age_s / DAY_S;
}

static void check_testing(struct dnscheck *c) {
	int64_t days = days_of_id(c->facts.sts_id);
	if (days > TESTING_DAYS)
		finding_add(c->out, "sts.testing", FINDING_WARN, c->domain,
			    "mode testing, for %lld days by the id %s", (long long)days,
			    c->facts.sts_id);
	else
		finding_add(c->out, "sts.testing", FINDING_NOTICE, c->domain, "mode testing");
}

static bool check_policy(struct dnscheck *c) {
	struct sts_policy p;
	struct err err = ERR_INIT;
	if (c->sts_fetch == DNSCHECK_NOT_FETCHED) {
		set_sts(c, NULL, NULL);
		return true; /* the caller fetches, and comes again */
	}
	set_sts(c, "invalid", NULL);
	if (c->sts_fetch == DNSCHECK_FETCH_FAILED) {
		finding_add(c->out, c->sts_silent ? "sts.unknown" : "sts.policy_fetch",
			    c->sts_silent ? FINDING_UNKNOWN : FINDING_FAIL, c->domain,
			    "%s", c->sts_why);
		return true;
	}
	if (sts_policy_parse(c->sts_policy, &p, &err) != 0) {
		finding_evidence(finding_add(c->out, "sts.policy_bad", FINDING_FAIL,
					     c->domain, "%s", err.msg),
				 c->sts_policy);
		return true;
	}
	set_sts(c, "valid", sts_mode_name(p.mode));
	check_certificate(c);
	check_id(c);
	if (!check_cover(c, &p))
		return false;
	if (p.max_age_s < DAY_S)
		finding_fix(finding_add(c->out, "sts.max_age", FINDING_WARN, c->domain,
					"max_age is %u s", (unsigned)p.max_age_s),
			    "max_age: %u", WEEK_S);
	if (p.mode == STS_TESTING)
		check_testing(c);
	else if (p.mode == STS_NONE)
		finding_add(c->out, "sts.mode_none", FINDING_NOTICE, c->domain,
			    "mode none");
	else if (finding_worst(c->out) < FINDING_WARN)
		finding_add(c->out, "sts.ok", FINDING_OK, c->domain,
			    "mode enforce, max_age %u s, all MX hosts covered",
			    (unsigned)p.max_age_s);
	return true;
}

bool dnscheck_sts(struct dnscheck *c) {
	const struct dns_answer *a = dnscheck_get(c, "_mta-sts", c->domain, DNS_TXT);
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	char id[STS_ID_MAX + 1];
	struct err err = ERR_INIT;
	c->facts.sts_record = false;
	if (a->status == DNS_PENDING)
		return false;
	set_sts(c, "none", NULL);
	if (dns_is_temporary(a)) {
		set_sts(c, NULL, NULL);
		finding_add(c->out, "sts.unknown", FINDING_UNKNOWN, c->domain, "TXT: %s",
			    a->why);
		return true;
	}
	size_t n = dnscheck_txt(a, SPAN("v=STSv1"), &text);
	if (n == 0) {
		struct dnscheck_hosts h;
		if (!dnscheck_hosts(c, &h))
			return false;
		finding_add(c->out, "sts.none",
			    h.null && h.count == 0 ? FINDING_NA : FINDING_NOTICE,
			    c->domain, "there is no MTA-STS record");
	} else if (n > 1) {
		set_sts(c, "invalid", NULL);
		finding_add(c->out, "sts.multiple", FINDING_FAIL, c->domain,
			    "there are %zu MTA-STS records", n);
	} else if (sts_record_parse(buf_span(&text), id, &err) != 0) {
		set_sts(c, "invalid", NULL);
		finding_evidence(finding_add(c->out, "sts.record_bad", FINDING_FAIL,
					     c->domain, "%s", err.msg),
				 buf_span(&text));
	} else {
		c->facts.sts_record = true;
		memcpy(c->facts.sts_id, id, sizeof(id));
		return check_policy(c);
	}
	return true;
}

/* --- TLS-RPT --- */

bool dnscheck_tlsrpt(struct dnscheck *c) {
	const struct dns_answer *a = dnscheck_get(c, "_smtp._tls", c->domain, DNS_TXT);
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	struct err err = ERR_INIT;
	struct dnscheck_hosts h;
	if (a->status == DNS_PENDING || !dnscheck_hosts(c, &h))
		return false;
	if (dns_is_temporary(a)) {
		finding_add(c->out, "tlsrpt.unknown", FINDING_UNKNOWN, c->domain,
			    "TXT: %s", a->why);
		return true;
	}
	size_t n = dnscheck_txt(a, SPAN("v=TLSRPTv1"), &text);
	if (n == 0)
		finding_fix(finding_add(c->out, "tlsrpt.none",
					h.null && h.count == 0 ? FINDING_NA
							       : FINDING_NOTICE,
					c->domain, "there is no TLS-RPT record"),
			    "_smtp._tls.%s. TXT \"v=TLSRPTv1; rua=mailto:tls@%s\"",
			    c->domain, c->domain);
	else if (n > 1)
		finding_add(c->out, "tlsrpt.multiple", FINDING_WARN, c->domain,
			    "there are %zu TLS-RPT records", n);
	else if (tlsrpt_record_parse(buf_span(&text), NULL, NULL, &err) != 0)
		finding_evidence(finding_add(c->out, "tlsrpt.bad", FINDING_WARN,
					     c->domain, "%s", err.msg),
				 buf_span(&text));
	else
		finding_evidence(finding_add(c->out, "tlsrpt.ok", FINDING_OK, c->domain,
					     "reports are asked for"),
				 buf_span(&text));
	return true;
}

/* --- DANE --- */

/* Lengths of SHA-256 and SHA-512; 0: the whole certificate or key. */
static bool is_sound(const struct dns_tlsa *t) {
	static const size_t lengths[] = { 0, 32, 64 };
	return t->usage <= 3 && t->selector <= 1 && t->matching <= 2 && t->data.len > 0 &&
	       (t->matching == 0 || t->data.len == lengths[t->matching]);
}

struct tlsa_state {
	size_t usable, ee, ta;
};

static struct tlsa_state check_records(struct dnscheck *c, const char *host,
				       const struct dns_answer *a) {
	struct tlsa_state s = { .usable = 0 };
	struct dns_tlsa t;
	for (size_t i = 0; i < a->count; i++) {
		if (!dns_tlsa(a->record[i], &t) || !is_sound(&t)) {
			finding_add(c->out, "dane.bad", FINDING_FAIL, host,
				    "TLSA record %zu of %zu cannot be right", i + 1,
				    a->count);
			continue;
		}
		s.ee += t.usage == 3;
		s.ta += t.usage == 2;
	}
	s.usable = s.ee + s.ta;
	if (s.usable == 0)
		finding_add(c->out, "dane.unusable", FINDING_WARN, host,
			    "no TLSA record has usage 2 or 3");
	else if (s.usable == 1)
		finding_add(c->out, "dane.rollover", FINDING_NOTICE, host,
			    "there is one TLSA record");
	return s;
}

/* Whether there are records that a sender heeds; says why when there are none. */
static bool heeded(struct dnscheck *c, const char *host, const struct dns_answer *addr,
		   const struct dns_answer *a) {
	if (a->status == DNS_BOGUS || (dns_is_temporary(a) && addr->secure)) {
		finding_add(c->out,
			    a->status == DNS_BOGUS ? "dane.bogus" : "dane.unknown",
			    a->status == DNS_BOGUS ? FINDING_FAIL : FINDING_UNKNOWN, host,
			    "%s of %s: %s", dns_type_name(a->type), a->name, a->why);
		return false;
	}
	if (a->status != DNS_FOUND) {
		if (addr->secure)
			finding_add(c->out, "dane.none", FINDING_INFO, host,
				    "no TLSA record");
		else if (addr->status == DNS_FOUND && !dns_warning(c->dns)[0])
			finding_add(c->out, "dane.insecure", FINDING_INFO, host,
				    "the zone is not signed");
		return false;
	}
	if (!addr->secure && dns_warning(c->dns)[0]) {
		finding_add(c->out, "dane.unknown", FINDING_UNKNOWN, host,
			    "TLSA records, not verified: %s", dns_warning(c->dns));
		return false;
	}
	if (!a->secure || !addr->secure) {
		finding_add(c->out, "dane.ignored", FINDING_WARN, host,
			    "TLSA records in a zone that is not signed");
		return false;
	}
	return true;
}

/* -1: pending, 0: no usable record, 1: one. */
static int check_host(struct dnscheck *c, const char *host) {
	const struct dns_answer *addr = dnscheck_get(c, "", host, DNS_A);
	if (addr->status == DNS_PENDING)
		return -1;
	if (addr->status != DNS_FOUND)
		addr = dnscheck_get(c, "", host, DNS_AAAA);
	if (addr->status == DNS_PENDING)
		return -1;
	const char *base = addr->secure && addr->cnames > 0 ? addr->canonical : host;
	const struct dns_answer *a = dnscheck_get(c, "_25._tcp", base, DNS_TLSA);
	const struct dns_answer *other = dnscheck_get(c, "_25._tcp", base, DNS_A);
	if (a->status == DNS_PENDING || other->status == DNS_PENDING)
		return -1;
	/* Some name servers cannot deny such names so that it validates, whatever is asked. */
	if (a->status != DNS_FOUND && addr->secure && other->status == DNS_BOGUS)
		a = other;
	if (!heeded(c, host, addr, a))
		return 0;
	struct tlsa_state s = check_records(c, host, a);
	if (s.usable > 0)
		finding_add(c->out, "dane.ok", FINDING_OK, host,
			    "%zu usable TLSA record%s", s.usable,
			    s.usable == 1 ? "" : "s");
	return s.usable > 0;
}

bool dnscheck_dane(struct dnscheck *c) {
	struct dnscheck_hosts h;
	const struct dns_answer *mx = dns_get(c->dns, span_str(c->domain), DNS_MX);
	size_t with = 0;
	bool all = true;
	if (!dnscheck_hosts(c, &h))
		return false;
	for (size_t i = 0; i < h.count && !h.implicit; i++) {
		int r = check_host(c, h.name[i]);
		all = all && r >= 0;
		with += r > 0;
	}
	if (!all)
		return false;
	if (with > 0 && !mx->secure)
		finding_add(c->out, "dane.ignored", FINDING_WARN, c->domain,
			    "the MX records are not in a signed zone");
	if (with > 0 && with < h.count)
		finding_add(c->out, "dane.partial", FINDING_WARN, c->domain,
			    "%zu of %zu MX hosts have usable TLSA records", with,
			    h.count);
	return true;
}
