/*
 * DMARC evaluation. The names of a tree walk do not depend on each other's answers, so all of
 * them are asked for at once and read in their order.
 */

#include "authres/dmarc.h"

#include "authres/psl.h"
#include "base/auto.h"
#include "base/term.h"
#include "mail/addr.h"

#define RECORD_MAX 65536
#define WALK_LABELS 7 /* a longer name is cut to so many, RFC 9989 section 4.10 */

static const char *const result_names[] = {
	[DMARC_PENDING] = "pending",     [DMARC_NO_RECORD] = "none",
	[DMARC_PASS] = "pass",           [DMARC_FAIL] = "fail",
	[DMARC_TEMPERROR] = "temperror",
};

const char *dmarc_result_name(enum dmarc_result r) {
	return result_names[r];
}

/* --- names --- */

static size_t labels(const char *name) {
	size_t n = 1;
	for (; *name; name++)
		n += *name == '.';
	return n;
}

/* The name without its first label; NULL for the last one. */
static const char *parent(const char *name) {
	const char *dot = strchr(name, '.');
	return dot ? dot + 1 : NULL;
}

static bool shares_a_label(const char *a, const char *b) {
	const char *x = strrchr(a, '.'), *y = strrchr(b, '.');
	return strcmp(x ? x + 1 : a, y ? y + 1 : b) == 0;
}

/* A domain, or that of a mailbox, as A-labels in lower case. */
static bool normalise(struct span s, char ret[256]) {
	AUTO_BUF struct buf ascii = BUF_INIT(1024);
	size_t at = s.len;
	while (at > 0 && s.p[at - 1] != '@')
		at--;
	s = span_trim(span_from(s, at));
	return s.len > 0 && addr_domain_ascii(s, &ascii, NULL) == 0 &&
	       dns_name_parse(buf_span(&ascii), ret);
}

/* --- records --- */

static const struct dns_answer *ask_record(struct dns *dns, const char *domain) {
	AUTO_BUF struct buf name = BUF_INIT(300);
	buf_addf(&name, "_dmarc.%s", domain);
	return dns_get(dns, buf_span(&name), DNS_TXT);
}

enum dmarc_fetch dmarc_fetch(struct dns *dns, const char *domain, struct buf *text,
			     struct dmarc_record *ret) {
	const struct dns_answer *a = ask_record(dns, domain);
	size_t found = 0;
	if (a->status == DNS_PENDING)
		return DMARC_FETCH_PENDING;
	if (dns_is_temporary(a))
		return DMARC_FETCH_TEMPORARY;
	for (size_t i = 0; i < a->count; i++) {
		AUTO_BUF struct buf one = BUF_INIT(RECORD_MAX);
		if (!dns_txt(a->record[i], &one) || !dmarc_is_record(buf_span(&one)))
			continue;
		if (found++ > 0)
			continue;
		buf_reset(text);
		buf_add(text, buf_span(&one));
	}
	if (found == 0)
		return DMARC_FETCH_NONE;
	if (found > 1)
		return DMARC_FETCH_SEVERAL;
	return dmarc_record_parse(buf_span(text), ret) ? DMARC_FETCH_FOUND
						       : DMARC_FETCH_BAD;
}

/* --- the tree walk --- */

/* Rules of RFC 9989 section 4.10.2. */
static void find_org(struct dmarc_walk *w) {
	const char *org = w->step[0].name;
	for (size_t i = 0; i < w->count; i++) {
		const struct dmarc_step *s = &w->step[i];
		if (s->found != DMARC_FETCH_FOUND)
			continue;
		org = s->name;
		if (s->psd == 'n' || (s->psd == 'y' && i == 0))
			break;
		if (s->psd == 'y') { /* one label below it */
			org = w->step[0].name;
			for (const char *up = parent(org);
			     up && labels(up) > labels(s->name); up = parent(up))
				org = up;
			break;
		}
	}
	snprintf(w->org, sizeof(w->org), "%s", org);
}

bool dmarc_walk(struct dns *dns, const char *domain, struct dmarc_walk *ret) {
	const char *name = domain;
	bool pending = false, ended = false;
	memset(ret, 0, sizeof(*ret));
	for (size_t asked = 0; name && asked < DMARC_WALK_MAX; asked++) {
		AUTO_BUF struct buf text = BUF_INIT(RECORD_MAX);
		struct dmarc_step *s = &ret->step[asked];
		struct dmarc_record record;
		snprintf(s->name, sizeof(s->name), "%s", name);
		s->found = dmarc_fetch(dns, name, &text, &record);
		pending |= s->found == DMARC_FETCH_PENDING && !ended;
		if (!ended && !pending) {
			ret->count = asked + 1;
			ret->temporary |= s->found == DMARC_FETCH_TEMPORARY;
			if (s->found == DMARC_FETCH_FOUND) {
				s->psd = record.psd;
				ended = record.psd != 'u';
			}
		}
		name = parent(name);
		while (asked == 0 && name && labels(name) > WALK_LABELS)
			name = parent(name);
	}
	if (pending)
		return false;
	find_org(ret);
	return true;
}

/* --- organisational domains, by either rule --- */

enum org { ORG_PENDING, ORG_FOUND, ORG_TEMPORARY };

static enum org find_org_of(struct dns *dns, enum dmarc_rules rules, const char *domain,
			    char ret[256]) {
	struct dmarc_walk w;
	if (rules == DMARC_RFC7489) {
		if (!psl_org_domain(span_str(domain), ret))
			snprintf(ret, 256, "%s", domain);
		return ORG_FOUND;
	}
	if (!dmarc_walk(dns, domain, &w))
		return ORG_PENDING;
	if (w.temporary)
		return ORG_TEMPORARY;
	memcpy(ret, w.org, 256);
	return ORG_FOUND;
}

/* --- the policy --- */

struct found_policy {
	struct dmarc_record record;
	struct buf text;
};

static enum dmarc_fetch use(struct dns *dns, const char *domain, struct found_policy *p,
			    struct dmarc_report *r) {
	enum dmarc_fetch f = dmarc_fetch(dns, domain, &p->text, &p->record);
	if (f == DMARC_FETCH_FOUND)
		snprintf(r->record_domain, sizeof(r->record_domain), "%s", domain);
	return f == DMARC_FETCH_SEVERAL || f == DMARC_FETCH_BAD ? DMARC_FETCH_NONE : f;
}

/* The record at the author's domain, else at the organisational domain, else (RFC 9989) at the
 * public suffix above. */
static enum dmarc_fetch find_policy(struct dns *dns, enum dmarc_rules rules,
				    struct found_policy *p, struct dmarc_report *r) {
	struct dmarc_walk w;
	enum dmarc_fetch f = use(dns, r->from, p, r);
	if (rules == DMARC_RFC7489) {
		find_org_of(dns, rules, r->from, r->org);
		return f == DMARC_FETCH_NONE && strcmp(r->org, r->from) != 0
			       ? use(dns, r->org, p, r)
			       : f;
	}
	if (!dmarc_walk(dns, r->from, &w))
		return DMARC_FETCH_PENDING;
	memcpy(r->org, w.org, sizeof(r->org));
	if (f == DMARC_FETCH_FOUND || f == DMARC_FETCH_TEMPORARY)
		return f;
	if (w.temporary)
		return DMARC_FETCH_TEMPORARY;
	f = use(dns, w.org, p, r);
	const struct dmarc_step *last = &w.step[w.count - 1];
	if (f == DMARC_FETCH_NONE && last->found == DMARC_FETCH_FOUND && last->psd == 'y')
		f = use(dns, last->name, p, r);
	return f;
}

/* Which of p, sp and np. False: pending. */
static bool choose(struct dns *dns, const struct dmarc_record *rec,
		   enum dmarc_rules rules, struct dmarc_report *r, bool *temporary) {
	enum dmarc_policy policy = rec->p;
	bool below = strcmp(r->record_domain, r->from) != 0;
	if (below && rec->sp != DMARC_UNSET)
		policy = rec->sp;
	if (below && rules == DMARC_RFC9989 && rec->np != DMARC_UNSET) {
		/* Only a name that does not exist at all is meant (section 4.10.1). */
		const struct dns_answer *a = dns_get(dns, span_str(r->from), DNS_A);
		if (a->status == DNS_PENDING)
			return false;
		*temporary |= dns_is_temporary(a);
		if (a->status == DNS_NXDOMAIN)
			policy = rec->np;
	}
	r->published = r->policy = policy;
	r->testing = rules == DMARC_RFC9989 && rec->testing;
	if (r->testing && policy > DMARC_NONE)
		r->policy = (enum dmarc_policy)(policy - 1);
	return true;
}

/* --- alignment --- */

enum aligned { ALIGNED_NO, ALIGNED_YES, ALIGNED_PENDING, ALIGNED_TEMPORARY };

static enum aligned is_aligned(struct dns *dns, enum dmarc_rules rules,
			       const struct dmarc_report *r, struct span domain,
			       bool strict) {
	char name[256], org[256], own[256];
	if (!normalise(domain, name))
		return ALIGNED_NO;
	if (strcmp(name, r->from) == 0)
		return ALIGNED_YES;
	if (strict || !shares_a_label(name, r->from))
		return ALIGNED_NO;
	enum org a = find_org_of(dns, rules, name, org);
	enum org b = find_org_of(dns, rules, r->from, own);
	if (a == ORG_PENDING || b == ORG_PENDING)
		return ALIGNED_PENDING;
	if (a == ORG_TEMPORARY || b == ORG_TEMPORARY)
		return ALIGNED_TEMPORARY;
	return strcmp(org, own) == 0 ? ALIGNED_YES : ALIGNED_NO;
}

static enum aligned any_aligned(struct dns *dns, enum dmarc_rules rules,
				const struct dmarc_report *r, const struct span *domain,
				size_t count, bool strict) {
	enum aligned all = ALIGNED_NO;
	for (size_t i = 0; i < count; i++) {
		enum aligned one = is_aligned(dns, rules, r, domain[i], strict);
		if (one == ALIGNED_YES)
			return one;
		if (one == ALIGNED_PENDING || all == ALIGNED_NO)
			all = one;
	}
	return all;
}

/* --- the whole --- */

static enum dmarc_result without_record(struct dmarc_report *r, enum dmarc_fetch f) {
	if (f == DMARC_FETCH_PENDING)
		return DMARC_PENDING;
	snprintf(r->why, sizeof(r->why), "%s",
		 f == DMARC_FETCH_TEMPORARY
			 ? "DNS did not tell whether there is a DMARC record"
			 : "there is no DMARC record");
	return f == DMARC_FETCH_TEMPORARY ? DMARC_TEMPERROR : DMARC_NO_RECORD;
}

static enum dmarc_result check(struct dns *dns, const struct dmarc_query *q,
			       struct found_policy *p, struct dmarc_report *r) {
	bool temporary = false;
	enum dmarc_fetch f = find_policy(dns, q->rules, p, r);
	if (f != DMARC_FETCH_FOUND)
		return without_record(r, f);
	const struct dmarc_record *rec = &p->record;
	enum aligned dkim = any_aligned(dns, q->rules, r, q->dkim, q->dkim_count,
					rec->adkim_strict);
	enum aligned spf = any_aligned(dns, q->rules, r, q->spf, q->spf_count,
				       rec->aspf_strict);
	if (!choose(dns, rec, q->rules, r, &temporary) || dkim == ALIGNED_PENDING ||
	    spf == ALIGNED_PENDING)
		return DMARC_PENDING;
	r->dkim_aligned = dkim == ALIGNED_YES;
	r->spf_aligned = spf == ALIGNED_YES;
	if (r->dkim_aligned || r->spf_aligned)
		return DMARC_PASS;
	if (!temporary && dkim == ALIGNED_NO && spf == ALIGNED_NO)
		return DMARC_FAIL;
	snprintf(r->why, sizeof(r->why),
		 "DNS did not tell to which organisation a domain belongs");
	return DMARC_TEMPERROR;
}

enum dmarc_result dmarc_check(struct dns *dns, const struct dmarc_query *q,
			      struct dmarc_report *ret) {
	struct found_policy p = { .text = BUF_INIT(RECORD_MAX) };
	*ret = (struct dmarc_report){ .result = DMARC_NO_RECORD };
	if (!normalise(q->from, ret->from))
		snprintf(ret->why, sizeof(ret->why),
			 "From has no domain that DNS could hold");
	else
		ret->result = check(dns, q, &p, ret);
	buf_release(&p.text);
	return ret->result;
}

/* --- reports to others --- */

enum dmarc_consent dmarc_consent(struct dns *dns, const char *domain, const char *to) {
	AUTO_BUF struct buf name = BUF_INIT(600);
	char org[256], other[256];
	if (strcmp(domain, to) == 0)
		return DMARC_CONSENT_YES;
	if (shares_a_label(domain, to)) {
		enum org a = find_org_of(dns, DMARC_RFC9989, domain, org);
		enum org b = find_org_of(dns, DMARC_RFC9989, to, other);
		if (a == ORG_PENDING || b == ORG_PENDING)
			return DMARC_CONSENT_PENDING;
		if (a == ORG_FOUND && b == ORG_FOUND && strcmp(org, other) == 0)
			return DMARC_CONSENT_YES;
	}
	buf_addf(&name, "%s._report._dmarc.%s", domain, to);
	const struct dns_answer *a = dns_get(dns, buf_span(&name), DNS_TXT);
	if (a->status == DNS_PENDING)
		return DMARC_CONSENT_PENDING;
	if (dns_is_temporary(a))
		return DMARC_CONSENT_TEMPORARY;
	for (size_t i = 0; i < a->count; i++) {
		AUTO_BUF struct buf text = BUF_INIT(RECORD_MAX);
		if (dns_txt(a->record[i], &text) && dmarc_is_record(buf_span(&text)))
			return DMARC_CONSENT_YES;
	}
	return DMARC_CONSENT_NO;
}
