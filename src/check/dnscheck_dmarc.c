/* The DMARC record, as receivers of either RFC find it, and where its reports go. */

#include "authres/dmarc.h"
#include "authres/psl.h"
#include "base/auto.h"
#include "check/dnscheck_state.h"
#include "check/lint.h"
#include "mail/fields.h"
#include "mail/uri.h"

#define TXT_MAX 65536

static struct finding *add(struct dnscheck *c, const char *id, enum finding_severity s,
			   const char *text) {
	return finding_add(c->out, id, s, c->domain, "%s", text);
}

/* --- where it is --- */

static const struct dns_answer *ask(struct dnscheck *c, const char *at) {
	return dnscheck_get(c, "_dmarc", at, DNS_TXT);
}

/* Records that look like DMARC where they are not looked for. False: pending. */
static bool check_places(struct dnscheck *c, bool has_record) {
	AUTO_BUF struct buf twice = BUF_INIT(1024), text = BUF_INIT(TXT_MAX);
	const struct dns_answer *apex = dns_get(c->dns, span_str(c->domain), DNS_TXT);
	buf_addf(&twice, "_dmarc.%s.%s", c->domain, c->domain);
	const struct dns_answer *doubled = dns_get(c->dns, buf_span(&twice), DNS_TXT);
	enum finding_severity s = has_record ? FINDING_NOTICE : FINDING_FAIL;
	if (apex->status == DNS_PENDING || doubled->status == DNS_PENDING)
		return false;
	if (dnscheck_txt(apex, SPAN("v=DMARC1"), &text) > 0) {
		struct finding *f = add(c, "dmarc.wrong_place", s,
					"a DMARC record stands at the domain itself");
		finding_evidence(f, buf_span(&text));
		finding_fix(f, "_dmarc.%s. TXT \"%s\"", c->domain, buf_str(&text));
	}
	if (dnscheck_txt(doubled, SPAN("v=DMARC1"), &text) > 0)
		finding_add(c->out, "dmarc.wrong_place", s, c->domain,
			    "a DMARC record stands at %s: the domain was appended twice",
			    doubled->name);
	return true;
}

/* Why there is a TXT record and still no DMARC record. */
static void check_bad(struct dnscheck *c, enum dmarc_fetch found) {
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	const struct dns_answer *a = ask(c, c->domain);
	struct lint l;
	if (found == DMARC_FETCH_SEVERAL) {
		add(c, "dmarc.multiple", FINDING_FAIL, "there are several DMARC records");
		return;
	}
	if (dnscheck_txt(a, SPAN("v=DMARC1"), &text) == 0)
		return;
	if (!dmarc_is_record(buf_span(&text))) {
		finding_evidence(
			add(c, "dmarc.case_v", FINDING_FAIL,
			    "the record does not begin with v=DMARC1 in capital letters"),
			buf_span(&text));
		return;
	}
	lint_record(LINT_DMARC, buf_span(&text), &l);
	struct span rest = buf_span(&l.errors), line = SPAN("it is no DMARC record");
	span_take_line(&rest, &line);
	finding_evidence(finding_add(c->out, "dmarc.syntax", FINDING_FAIL, c->domain,
				     "%.*s", (int)line.len, line.p),
			 buf_span(&text));
	lint_release(&l);
}

/* --- what it says --- */

/* The same record with p=quarantine and without sp=none. */
static void add_stricter(struct finding *f, struct span text, const char *record_domain) {
	AUTO_BUF struct buf line = BUF_INIT(TXT_MAX);
	struct field field;
	while (fields_take(&text, &field) > 0) {
		bool p = span_eq_nocase(field.name, SPAN("p"));
		if (span_eq_nocase(field.name, SPAN("sp")))
			continue;
		buf_addf(&line, "%s%.*s=%.*s", line.len > 0 ? "; " : "",
			 (int)field.name.len, field.name.p,
			 (int)(p ? 10 : field.value.len),
			 p ? "quarantine" : field.value.p);
	}
	finding_fix(f, "_dmarc.%s. TXT \"%s\"", record_domain, buf_str(&line));
}

static void check_policy(struct dnscheck *c, const struct dmarc_record *r,
			 struct span text, const char *record_domain) {
	bool own = strcmp(record_domain, c->domain) == 0;
	enum dmarc_policy p = own || r->sp == DMARC_UNSET ? r->p : r->sp;
	if (r->testing && p > DMARC_NONE)
		add(c, "dmarc.t_y", FINDING_WARN, "t=y: receivers apply one step less");
	if (p == DMARC_NONE) {
		struct finding *f = add(c, "dmarc.p_none", FINDING_WARN, "the policy is none");
		/* A domain without mail is told p=reject elsewhere. */
		if (!dnscheck_is_parked(c))
			add_stricter(f, text, record_domain);
	}
	if (r->sp != DMARC_UNSET && r->sp < r->p)
		finding_add(c->out, "dmarc.sp_weaker", FINDING_NOTICE, c->domain,
			    "sp=%s is weaker than p=%s", dmarc_policy_name(r->sp),
			    dmarc_policy_name(r->p));
	if (r->np == DMARC_UNSET && (r->sp != DMARC_UNSET ? r->sp : r->p) != DMARC_REJECT)
		add(c, "dmarc.np_absent", FINDING_NOTICE,
		    "there is no np= for names that do not exist");
	if (r->has_pct)
		add(c, "dmarc.pct", FINDING_NOTICE,
		    "pct= is gone since RFC 9989; older receivers still honour it");
	if (r->has_rf)
		add(c, "dmarc.rf", FINDING_NOTICE, "rf= is gone since RFC 9989");
	if (r->has_ri)
		add(c, "dmarc.ri", FINDING_NOTICE, "ri= is gone since RFC 9989");
	if (r->has_p && !r->p_second)
		add(c, "dmarc.p_not_second", FINDING_NOTICE,
		    "p= does not stand right behind v=");
}

static void check_syntax(struct dnscheck *c, struct span text) {
	struct lint l;
	if (!lint_record(LINT_DMARC, text, &l)) {
		struct span rest = buf_span(&l.errors), line;
		while (span_take_line(&rest, &line))
			if (!span_starts(line, SPAN("p: it does not stand")))
				finding_evidence(finding_add(c->out, "dmarc.syntax",
							     FINDING_WARN, c->domain,
							     "%.*s", (int)line.len,
							     line.p),
						 text);
	}
	lint_release(&l);
}

/* --- where reports go --- */

/* False: pending. */
static bool check_receiver(struct dnscheck *c, const char *record_domain,
			   const struct dmarc_uri *u) {
	struct span domain;
	char name[256];
	if (u->size.p)
		add(c, "dmarc.rua_size", FINDING_NOTICE, "a size behind ! is ignored");
	if (!u->valid || !uri_mailto_domain(u->uri, &domain) ||
	    !dns_name_parse(domain, name))
		return true;
	enum dmarc_consent consent = dmarc_consent(c->dns, record_domain, name);
	const struct dns_answer *mx = dnscheck_get(c, "", name, DNS_MX);
	const struct dns_answer *a = dnscheck_get(c, "", name, DNS_A);
	struct dns_mx null;
	if (consent == DMARC_CONSENT_PENDING || mx->status == DNS_PENDING ||
	    a->status == DNS_PENDING)
		return false;
	if (consent == DMARC_CONSENT_NO)
		finding_fix(finding_add(c->out, "dmarc.rua_unauthorised", FINDING_WARN,
					c->domain, "%s has not agreed to take reports",
					name),
			    "%s._report._dmarc.%s. TXT \"v=DMARC1\"", record_domain,
			    name);
	bool is_null = mx->count == 1 && dns_mx(mx->record[0], &null) && !null.host[0];
	if (is_null || ((mx->status == DNS_NXDOMAIN || mx->status == DNS_NODATA) &&
			a->status != DNS_FOUND && !dns_is_temporary(a)))
		finding_add(c->out, "dmarc.rua_no_mx", FINDING_FAIL, c->domain,
			    "%s takes no mail, so no reports", name);
	return true;
}

static bool check_reports(struct dnscheck *c, const char *record_domain,
			  const struct dmarc_record *r) {
	const struct span lists[] = { r->rua, r->ruf };
	struct dmarc_uri u;
	bool all = true;
	if (!r->any_rua)
		finding_fix(add(c, "dmarc.no_rua", FINDING_NOTICE, "nobody gets reports"),
			    "rua=mailto:dmarc@%s", c->domain);
	for (size_t i = 0; i < 2; i++)
		for (struct span rest = lists[i]; dmarc_take_uri(&rest, &u);)
			all = check_receiver(c, record_domain, &u) && all;
	return all;
}

/* --- the two ways to the organisational domain --- */

static void check_walk(struct dnscheck *c, const struct dmarc_walk *w,
		       const char *record_domain) {
	AUTO_BUF struct buf steps = BUF_INIT(8192);
	char org[256];
	for (size_t i = 0; i < w->count; i++)
		buf_addf(&steps, "%s_dmarc.%s: %s", i > 0 ? "\n" : "", w->step[i].name,
			 w->step[i].found == DMARC_FETCH_FOUND       ? "record"
			 : w->step[i].found == DMARC_FETCH_TEMPORARY ? "not known"
			 : w->step[i].found == DMARC_FETCH_NONE      ? "none"
								     : "not usable");
	bool has_org = psl_org_domain(span_str(c->domain), org);
	memcpy(c->facts.org_walk, w->org, sizeof(c->facts.org_walk));
	memcpy(c->facts.org_list, has_org ? org : "", has_org ? strlen(org) + 1 : 1);
	finding_show(
		finding_add(c->out, "dmarc.tree", FINDING_INFO, c->domain,
			    "record at %s; organisational domain by the tree walk %s, "
			    "by the public suffix list %s",
			    record_domain, w->org, has_org ? org : "none"),
		buf_span(&steps));
	if (has_org && !w->temporary && strcmp(org, w->org) != 0)
		finding_add(
			c->out, "dmarc.psl_differs", FINDING_WARN, c->domain,
			"organisational domain: %s by the tree walk (RFC 9989), %s by the "
			"public suffix list (RFC 7489)",
			w->org, org);
}

/* --- the whole --- */

static bool without(struct dnscheck *c, const struct dmarc_report *r) {
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	struct dmarc_record record;
	if (r->result == DMARC_TEMPERROR) {
		finding_add(c->out, "dmarc.unknown", FINDING_UNKNOWN, c->domain, "%s",
			    r->why);
		return true;
	}
	size_t before = c->out->count;
	if (!check_places(c, false))
		return false;
	check_bad(c, dmarc_fetch(c->dns, c->domain, &text, &record));
	if (c->out->count == before)
		finding_fix(add(c, "dmarc.none", FINDING_FAIL,
				"there is no DMARC record"),
			    "_dmarc.%s. TXT \"v=DMARC1; p=%s; rua=mailto:dmarc@%s\"",
			    c->domain, c->facts.null_mx ? "reject" : "none", c->domain);
	return true;
}

bool dnscheck_dmarc(struct dnscheck *c) {
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	struct dmarc_query q = { .from = span_str(c->domain), .rules = DMARC_RFC9989 };
	struct dmarc_report r;
	struct dmarc_record record;
	struct dmarc_walk w;
	if (dmarc_check(c->dns, &q, &r) == DMARC_PENDING)
		return false;
	c->facts.dmarc = NULL;
	if (r.result != DMARC_FAIL && r.result != DMARC_PASS)
		return without(c, &r);
	if (dmarc_fetch(c->dns, r.record_domain, &text, &record) != DMARC_FETCH_FOUND)
		return false;
	bool own = strcmp(r.record_domain, c->domain) == 0, all = true;
	c->facts.dmarc = dmarc_policy_name(r.policy);
	check_syntax(c, buf_span(&text));
	check_policy(c, &record, buf_span(&text), r.record_domain);
	all = check_reports(c, r.record_domain, &record) && all;
	all = check_places(c, true) && all;
	if (finding_worst(c->out) < FINDING_WARN)
		finding_add(c->out, "dmarc.ok", FINDING_OK, c->domain, "%s%s%s",
			    dmarc_policy_name(r.policy), own ? "" : ", by the record of ",
			    own ? "" : r.record_domain);
	if (!dmarc_walk(c->dns, c->domain, &w))
		return false;
	check_walk(c, &w, r.record_domain);
	return all;
}
