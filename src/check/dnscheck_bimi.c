/* BIMI: the record, the logo that it names, and the certificate that vouches for it. */

#include <stdio.h>
#include <time.h>

#include "authres/dmarc.h"
#include "base/auto.h"
#include "check/dnscheck_state.h"
#include "check/lint.h"
#include "check/svg.h"
#include "mail/fields.h"
#include "mail/uri.h"
#include "net/crypto.h"
#include "net/mark_cert.h"

#define TXT_MAX 65536
#define LINES_MAX (1u << 20)
#define SOON_S (30 * 86400)
#define SELECTOR "default._bimi"

static struct finding *add(struct dnscheck *c, const char *id, enum finding_severity s,
			   const char *text) {
	return finding_add(c->out, id, s, c->domain, "%s", text);
}

static void add_lines(struct dnscheck *c, const char *id, enum finding_severity s,
		      const struct buf *lines) {
	struct span rest = buf_span(lines), line;
	while (span_take_line(&rest, &line))
		finding_add(c->out, id, s, c->domain, "%.*s", (int)line.len, line.p);
}

/* --- the logo --- */

static void no_file(struct dnscheck *c, const char *id, const struct dnscheck_file *f) {
	finding_add(c->out, f->silent ? "bimi.unknown" : id,
		    f->silent ? FINDING_UNKNOWN : FINDING_WARN, c->domain, "%s: %s",
		    f->url, f->why);
}

static void check_logo(struct dnscheck *c) {
	AUTO_BUF struct buf errors = BUF_INIT(LINES_MAX), notes = BUF_INIT(LINES_MAX);
	const struct dnscheck_file *f = &c->bimi_logo;
	if (f->fetch == DNSCHECK_FETCH_FAILED)
		no_file(c, "bimi.logo_fetch", f);
	if (f->fetch != DNSCHECK_FETCHED)
		return;
	if (svg_is_packed(f->bytes)) {
		add(c, "bimi.logo_packed", FINDING_INFO,
		    "the logo is compressed and was not looked into");
		return;
	}
	if (svg_check(f->bytes, &errors, &notes))
		finding_add(c->out, "bimi.logo_ok", FINDING_OK, c->domain,
			    "SVG Tiny PS, %zu bytes", f->bytes.len);
	add_lines(c, "bimi.svg", FINDING_WARN, &errors);
	add_lines(c, "bimi.svg", FINDING_NOTICE, &notes);
}

/* --- the certificate --- */

/* One of the names in the certificate is the domain, or one under which the record may stand. */
static bool is_for(const struct dnscheck *c, const struct mark_cert *m, const char *org) {
	struct span rest = span_str(m->leaf.names), name;
	while (span_take_word(&rest, &name)) {
		span_take_lit_nocase(&name, SPAN(SELECTOR "."));
		if (span_eq_nocase(name, span_str(c->domain)) ||
		    span_eq_nocase(name, span_str(org)))
			return true;
	}
	return false;
}

static void check_dates(struct dnscheck *c, const struct mark_cert *m) {
	int64_t left_s = m->leaf.not_after_s - time(NULL);
	if (m->leaf.not_before_s > time(NULL))
		add(c, "bimi.vmc_expired", FINDING_WARN,
		    "the mark certificate is not valid yet");
	else if (left_s <= 0)
		add(c, "bimi.vmc_expired", FINDING_WARN,
		    "the mark certificate has expired");
	else if (left_s < SOON_S)
		finding_add(c->out, "bimi.vmc_expires", FINDING_WARN, c->domain,
			    "the mark certificate expires in %lld days",
			    (long long)(left_s / 86400));
}

/* The picture that the certificate vouches for against the one that is served. */
static void check_picture(struct dnscheck *c, const struct mark_cert *m) {
	const struct dnscheck_file *f = &c->bimi_logo;
	struct crypto_digest digest;
	if (!m->has_logo) {
		add(c, "bimi.vmc_bad", FINDING_WARN,
		    "the mark certificate names no logo");
		return;
	}
	if (f->fetch != DNSCHECK_FETCHED || !crypto_sha256(f->bytes, &digest))
		return;
	if (memcmp(digest.byte, m->logo_hash, sizeof(m->logo_hash)) == 0)
		return;
	if (m->logo_packed || svg_is_packed(f->bytes))
		add(c, "bimi.logo_packed", FINDING_INFO,
		    "the certificate's logo is compressed and was not compared");
	else
		add(c, "bimi.vmc_logo", FINDING_WARN,
		    "the logo is not the one that the mark certificate vouches for");
}

static void check_mark(struct dnscheck *c, const char *org) {
	const struct dnscheck_file *f = &c->bimi_mark;
	struct mark_cert m;
	struct err err = ERR_INIT;
	if (!f->url[0])
		add(c, "bimi.no_vmc", FINDING_INFO,
		    "the record names no mark certificate");
	if (f->fetch == DNSCHECK_FETCH_FAILED)
		no_file(c, "bimi.vmc_fetch", f);
	if (f->fetch != DNSCHECK_FETCHED)
		return;
	if (mark_cert_read(f->bytes, &m, &err) != 0) {
		finding_add(c->out, "bimi.vmc_bad", FINDING_WARN, c->domain, "%s",
			    err.msg);
		return;
	}
	size_t before = c->out->count;
	if (!m.is_mark)
		add(c, "bimi.vmc_bad", FINDING_WARN,
		    "the certificate is not one for marks (1.3.6.1.5.5.7.3.31)");
	if (!m.chained || (m.count == 1 && !m.leaf.self_signed))
		add(c, "bimi.vmc_bad", FINDING_WARN,
		    m.count == 1 ? "the file lacks the certificates of the issuer"
				 : "a certificate is not signed by the one behind it");
	if (!is_for(c, &m, org))
		finding_add(c->out, "bimi.vmc_name", FINDING_WARN, c->domain,
			    "the mark certificate is for %s",
			    m.leaf.names[0] ? m.leaf.names : "no domain");
	check_dates(c, &m);
	check_picture(c, &m);
	if (c->out->count == before)
		finding_add(c->out, "bimi.vmc_ok", FINDING_OK, c->domain,
			    "a mark certificate by %s", m.leaf.issuer);
}

/* --- the record --- */

/* And asks for its host, which is needed to fetch it. */
static void keep_url(struct dnscheck *c, struct dnscheck_file *f, struct span url) {
	struct span host;
	if (url.len >= sizeof(f->url) || !uri_https_host(url, &host))
		return;
	memcpy(f->url, url.p, url.len);
	f->url[url.len] = '\0';
	dns_get(c->dns, host, DNS_A);
	dns_get(c->dns, host, DNS_AAAA);
}

/* Notes where the files are. False: the domain declines. */
static bool read_places(struct dnscheck *c, struct span text) {
	struct field f;
	bool any = false;
	while (fields_take(&text, &f) > 0) {
		if (span_eq_nocase(f.name, SPAN("l")) && f.value.len > 0) {
			keep_url(c, &c->bimi_logo, f.value);
			any = true;
		}
		if (span_eq_nocase(f.name, SPAN("a")))
			keep_url(c, &c->bimi_mark, f.value);
	}
	return any;
}

/* Why receivers show no logo with this policy, or NULL. */
static const char *too_weak(const struct dmarc_report *r,
			    const struct dmarc_record *record) {
	if (r->policy != DMARC_QUARANTINE && r->policy != DMARC_REJECT)
		return "there is a logo, but the DMARC policy must be quarantine or reject";
	if (record->sp == DMARC_NONE)
		return "there is a logo, but the DMARC policy of subdomains is none (sp=)";
	return NULL;
}

static void check_record(struct dnscheck *c, struct span text,
			 const struct dmarc_report *dmarc,
			 const struct dmarc_record *record) {
	struct lint l;
	const char *weak = too_weak(dmarc, record);
	if (!lint_record(LINT_BIMI, text, &l)) {
		struct span rest = buf_span(&l.errors), line;
		while (span_take_line(&rest, &line))
			finding_evidence(finding_add(c->out, "bimi.bad", FINDING_WARN,
						     c->domain, "%.*s", (int)line.len,
						     line.p),
					 text);
	} else if (!read_places(c, text)) {
		add(c, "bimi.declined", FINDING_NA, "declined");
	} else {
		if (weak)
			finding_fix(add(c, "bimi.no_policy", FINDING_WARN, weak),
				    "_dmarc.%s. TXT \"v=DMARC1; p=quarantine; "
				    "rua=mailto:dmarc@%s\"",
				    c->domain, c->domain);
		else
			finding_evidence(add(c, "bimi.ok", FINDING_OK,
					     "there is a record"),
					 text);
		check_logo(c);
		check_mark(c, dmarc->org);
	}
	lint_release(&l);
}

/* The record of the domain, or of the one that it belongs to. */
static const struct dns_answer *find_record(struct dnscheck *c, const char *org,
					    struct buf *text) {
	const struct dns_answer *a = dnscheck_get(c, SELECTOR, c->domain, DNS_TXT);
	if (a->status == DNS_PENDING || dns_is_temporary(a) ||
	    dnscheck_txt(a, SPAN("v=BIMI1"), text) > 0 || !org[0] ||
	    strcmp(org, c->domain) == 0)
		return a;
	a = dnscheck_get(c, SELECTOR, org, DNS_TXT);
	if (a->status == DNS_FOUND)
		dnscheck_txt(a, SPAN("v=BIMI1"), text);
	return a;
}

bool dnscheck_bimi(struct dnscheck *c) {
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX), policy = BUF_INIT(TXT_MAX);
	struct dmarc_query q = { .from = span_str(c->domain), .rules = DMARC_RFC9989 };
	struct dmarc_record record = { .sp = DMARC_UNSET };
	struct dmarc_report r;
	enum dmarc_result result = dmarc_check(c->dns, &q, &r);
	const struct dns_answer *a = find_record(c, result == DMARC_PENDING ? "" : r.org,
						 &text);
	if (a->status == DNS_PENDING || result == DMARC_PENDING)
		return false;
	if (dns_is_temporary(a))
		finding_add(c->out, "bimi.unknown", FINDING_UNKNOWN, c->domain, "TXT: %s",
			    a->why);
	else if (text.len == 0)
		add(c, "bimi.none", FINDING_NA, "no record (optional)");
	if (dns_is_temporary(a) || text.len == 0)
		return true;
	if (r.record_domain[0] &&
	    dmarc_fetch(c->dns, r.record_domain, &policy, &record) != DMARC_FETCH_FOUND)
		record.sp = DMARC_UNSET;
	check_record(c, buf_span(&text), &r, &record);
	return true;
}
