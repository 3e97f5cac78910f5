/*
 * CAA: who may issue certificates for the domain, and whether those who issued the certificates in
 * use still may. Authorities name themselves in CAA by a domain that is not in their certificates,
 * hence the table.
 */

#include "base/auto.h"
#include "check/dnscheck_state.h"

#define TXT_MAX 65536
#define CAA_HEAD 2 /* flags, length of the tag */

static const struct {
	const char *organisation; /* a part of O= */
	const char *domain;       /* what CAA records call it */
} authorities[] = {
	{ "Let's Encrypt", "letsencrypt.org" },
	{ "DigiCert", "digicert.com" },
	{ "GeoTrust", "digicert.com" },
	{ "Thawte", "digicert.com" },
	{ "RapidSSL", "digicert.com" },
	{ "Sectigo", "sectigo.com" },
	{ "COMODO", "sectigo.com" },
	{ "ZeroSSL", "sectigo.com" },
	{ "Google Trust Services", "pki.goog" },
	{ "Amazon", "amazon.com" },
	{ "GlobalSign", "globalsign.com" },
	{ "SSL Corp", "ssl.com" },
	{ "Buypass", "buypass.com" },
	{ "Actalis", "actalis.it" },
	{ "Entrust", "entrust.net" },
	{ "GoDaddy", "godaddy.com" },
	{ "Starfield", "starfieldtech.com" },
	{ "IdenTrust", "identrust.com" },
	{ "Certum", "certum.pl" },
	{ "Asseco", "certum.pl" },
	{ "SwissSign", "swisssign.com" },
	{ "HARICA", "harica.gr" },
	{ "Hellenic Academic", "harica.gr" },
	{ "Telekom Security", "telesec.de" },
	{ "D-Trust", "d-trust.net" },
};

/* --- records --- */

/* Takes a record apart: "issue", "letsencrypt.org; x=y". */
static bool read_caa(struct span r, struct span *tag, struct span *value) {
	size_t len = r.len > CAA_HEAD ? (uint8_t)r.p[1] : 0;
	if (len == 0 || r.len < CAA_HEAD + len)
		return false;
	*tag = span_of(r.p + CAA_HEAD, len);
	*value = span_from(r, CAA_HEAD + len);
	return true;
}

/* "issue letsencrypt.org" of each record. */
static void add_caa(const struct dns_answer *a, struct buf *out) {
	struct span tag, value;
	for (size_t i = 0; i < a->count; i++)
		if (read_caa(a->record[i], &tag, &value))
			buf_addf(out, "%s%.*s %.*s", out->len > 0 ? ", " : "",
				 (int)tag.len, tag.p, (int)value.len, value.p);
}

static const char *parent(const char *name) {
	const char *dot = strchr(name, '.');
	return dot ? dot + 1 : NULL;
}

/* RFC 8659 section 3: the name, else the nearest one above with records; all of them are asked at
 * once. *ret is the answer that counts, NULL while pending. */
static const struct dns_answer *find_records(struct dnscheck *c, const char *name) {
	const struct dns_answer *a = NULL;
	bool pending = false;
	for (const char *n = name; n; n = parent(n))
		pending |= dnscheck_get(c, "", n, DNS_CAA)->status == DNS_PENDING;
	for (const char *n = name; n && !pending; n = parent(n)) {
		a = dnscheck_get(c, "", n, DNS_CAA);
		if (dns_is_temporary(a) || a->status == DNS_FOUND)
			break;
	}
	return a;
}

/* --- certificates in use --- */

/* The value of O= in a distinguished name; empty without one. */
static struct span organisation(const char *issuer) {
	struct span rest = span_str(issuer);
	for (size_t i = 0; i < rest.len; i++)
		if ((i == 0 || rest.p[i - 1] == ',' || rest.p[i - 1] == '+') &&
		    span_starts(span_from(rest, i), SPAN("O="))) {
			struct span value = span_from(rest, i + 2);
			size_t end = 0;
			while (end < value.len && (value.p[end] != ',' ||
						   (end > 0 && value.p[end - 1] == '\\')))
				end++;
			return span_head(value, end);
		}
	return SPAN("");
}

static bool contains(struct span s, const char *part) {
	size_t len = strlen(part);
	for (size_t i = 0; i + len <= s.len; i++)
		if (span_eq_nocase(span_of(s.p + i, len), span_of(part, len)))
			return true;
	return false;
}

/* Records that say who may issue: 1: this one, 0: others only, -1: nobody is named. */
static int permits(const struct dns_answer *a, const char *authority) {
	struct span tag, value, domain;
	int found = -1;
	for (size_t i = 0; i < a->count; i++) {
		if (!read_caa(a->record[i], &tag, &value) ||
		    !span_eq_nocase(tag, SPAN("issue")))
			continue;
		domain = span_trim(span_head(value, span_find(value, ';')));
		if (span_eq_nocase(domain, span_str(authority)))
			return 1;
		found = 0;
	}
	return found;
}

/* False: pending. */
static bool check_certificate(struct dnscheck *c, const struct dnscheck_cert *used) {
	const struct dns_answer *a = find_records(c, used->name);
	struct span o = organisation(used->cert.issuer);
	const char *authority = NULL;
	if (!a)
		return false;
	for (size_t i = 0; i < sizeof(authorities) / sizeof(authorities[0]) && !authority;
	     i++)
		if (contains(o, authorities[i].organisation))
			authority = authorities[i].domain;
	if (!authority || a->status != DNS_FOUND || permits(a, authority) != 0)
		return true;
	AUTO_BUF struct buf seen = BUF_INIT(TXT_MAX);
	add_caa(a, &seen);
	struct finding *f =
		finding_add(c->out, "caa.forbids_current_issuer", FINDING_WARN,
			    used->name,
			    "its certificate is by %.*s, and the CAA records of %s "
			    "do not name it",
			    (int)o.len, o.p, a->name);
	finding_evidence(f, buf_span(&seen));
	finding_fix(f, "%s. CAA 0 issue \"%s\"", a->name, authority);
	return true;
}

/* --- the whole --- */

bool dnscheck_caa(struct dnscheck *c) {
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	const struct dns_answer *a = find_records(c, c->domain);
	bool all = true;
	if (!a)
		return false;
	add_caa(a, &text);
	if (text.len > 0)
		finding_add(c->out, "caa.set", FINDING_INFO, c->domain, "%s",
			    buf_str(&text));
	else if (dns_is_temporary(a))
		finding_add(c->out, "caa.unknown",
			    strcmp(a->name, c->domain) == 0 ? FINDING_UNKNOWN
							    : FINDING_INFO,
			    a->name, "%s", a->why);
	else
		finding_add(c->out, "caa.none", FINDING_INFO, c->domain,
			    "there is no CAA record");
	for (size_t i = 0; i < c->cert_count; i++)
		all = check_certificate(c, &c->cert[i]) && all;
	return all;
}
