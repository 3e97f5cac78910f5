/*
 * check_host(): evaluates terms from the left, with the limits of RFC 7208 section 4.6.4. It
 * starts from the beginning each time it is called; what it was told by DNS makes it come
 * further, and the counts therefore belong to one call.
 */

#include "authres/spf.h"

#include "authres/spf_state.h"
#include "base/auto.h"
#include "base/term.h"
#include "mail/addr.h"

#define RECORD_MAX 65536
#define NAME_BUF 4096
#define EXPLAIN_MAX 8192

static const char *const result_names[] = {
	[SPF_PENDING] = "pending",     [SPF_NONE] = "none",
	[SPF_NEUTRAL] = "neutral",     [SPF_PASS] = "pass",
	[SPF_FAIL] = "fail",           [SPF_SOFTFAIL] = "softfail",
	[SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
};

const char *spf_result_name(enum spf_result r) {
	return result_names[r];
}

enum spf_result spf_fetch(struct dns *dns, struct span domain, struct buf *text) {
	const struct dns_answer *a = dns_get(dns, domain, DNS_TXT);
	bool found = false;
	if (a->status == DNS_PENDING)
		return SPF_PENDING;
	if (dns_is_temporary(a))
		return SPF_TEMPERROR;
	for (size_t i = 0; a->status == DNS_FOUND && i < a->count; i++) {
		AUTO_BUF struct buf one = BUF_INIT(RECORD_MAX);
		if (!dns_txt(a->record[i], &one) || !spf_is_record(buf_span(&one)))
			continue;
		if (found)
			return SPF_PERMERROR;
		found = true;
		buf_reset(text);
		buf_add(text, buf_span(&one));
	}
	return found ? SPF_PASS : SPF_NONE;
}

/* --- records --- */

static enum spf_result check_host(struct spf_state *s, const char *domain, bool included);

/* Section 5.2. */
static enum spf_result match_include(struct spf_state *s, struct span name) {
	char domain[256];
	if (!dns_name_parse(name, domain))
		return spf_because(s, SPF_PERMERROR, "include:%.*s: this is no name",
				   (int)name.len, name.p);
	enum spf_result r = check_host(s, domain, true);
	if (r == SPF_NONE)
		return spf_because(s, SPF_PERMERROR, "include:%s: there is no SPF record",
				   domain);
	return r == SPF_FAIL || r == SPF_SOFTFAIL ? SPF_NEUTRAL : r;
}

/* %{p} asks DNS as ptr does. */
static bool count_p(struct spf_state *s, const struct spf_term *t) {
	struct spf_macro m;
	struct span rest = t->domain;
	bool has_p = false;
	while (spf_take_macro(&rest, SPF_MACRO_DOMAIN, &m) > 0)
		has_p |= m.letter == 'p';
	if (!has_p || s->p_counted)
		return true;
	s->p_counted = true;
	return spf_count_lookup(s, t->text);
}

static enum spf_result match(struct spf_state *s, const struct spf_term *t,
			     const char *domain) {
	AUTO_BUF struct buf target = BUF_INIT(NAME_BUF);
	if (t->kind == SPF_ALL)
		return SPF_PASS;
	if (t->kind == SPF_IP4 || t->kind == SPF_IP6)
		return inet_share_prefix(&t->addr, &s->q->ip,
					 t->kind == SPF_IP4 ? t->prefix4 : t->prefix6)
			       ? SPF_PASS
			       : SPF_NEUTRAL;
	if (!spf_count_lookup(s, t->text) || !count_p(s, t))
		return SPF_PERMERROR;
	if (!t->domain.p)
		buf_adds(&target, domain);
	else if (!spf_expand_domain(s, t->domain, domain, &target))
		return SPF_PENDING;
	struct span name = buf_span(&target);
	switch (t->kind) {
	case SPF_INCLUDE:
		return match_include(s, name);
	case SPF_A:
		return spf_match_host(s, name, t);
	case SPF_MX:
		return spf_match_mx(s, name, t);
	case SPF_PTR:
		return spf_match_ptr(s, name);
	case SPF_EXISTS:
		return spf_match_exists(s, name);
	case SPF_ALL:
	case SPF_IP4:
	case SPF_IP6:
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_OTHER:
		break;
	}
	return SPF_NEUTRAL;
}

static bool is_ascii(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] & '\x80' || s.p[i] == 0)
			return false;
	return true;
}

/* Section 6.2: whatever goes wrong, there is no explanation. False: pending. */
static bool explain(struct spf_state *s, struct span spec, const char *domain) {
	AUTO_BUF struct buf name = BUF_INIT(NAME_BUF), text = BUF_INIT(EXPLAIN_MAX),
			    out = BUF_INIT(EXPLAIN_MAX);
	struct spf_macro m;
	int r;
	if (!spec.p)
		return true;
	if (!spf_expand_domain(s, spec, domain, &name))
		return false;
	const struct dns_answer *a = dns_get(s->dns, buf_span(&name), DNS_TXT);
	if (a->status != DNS_FOUND || a->count != 1)
		return a->status != DNS_PENDING;
	if (!dns_txt(a->record[0], &text) || !is_ascii(buf_span(&text)))
		return true;
	struct span rest = buf_span(&text);
	while ((r = spf_take_macro(&rest, SPF_MACRO_EXPLAIN, &m)) > 0)
		;
	if (r < 0)
		return true;
	if (!spf_expand(s, buf_span(&text), SPF_MACRO_EXPLAIN, domain, &out))
		return false;
	if (is_ascii(buf_span(&out)))
		snprintf(s->report->explanation, sizeof(s->report->explanation), "%s",
			 buf_str(&out));
	return true;
}

static enum spf_result of_qualifier(char q) {
	return q == '-'   ? SPF_FAIL
	       : q == '~' ? SPF_SOFTFAIL
	       : q == '?' ? SPF_NEUTRAL
			  : SPF_PASS;
}

static enum spf_result redirect(struct spf_state *s, const struct spf_record *r,
				const char *domain, bool included) {
	AUTO_BUF struct buf target = BUF_INIT(NAME_BUF);
	struct spf_term t = { .text = r->redirect, .domain = r->redirect };
	char next[256];
	if (!spf_count_lookup(s, r->redirect) || !count_p(s, &t))
		return SPF_PERMERROR;
	if (!spf_expand_domain(s, r->redirect, domain, &target))
		return SPF_PENDING;
	if (!dns_name_parse(buf_span(&target), next))
		return spf_because(s, SPF_PERMERROR, "redirect=%s: this is no name",
				   buf_str(&target));
	enum spf_result result = check_host(s, next, included);
	if (result == SPF_NONE)
		return spf_because(s, SPF_PERMERROR,
				   "redirect=%s: there is no SPF record", next);
	return result;
}

static enum spf_result evaluate(struct spf_state *s, const struct spf_record *record,
				const char *domain, bool included) {
	struct span rest = record->terms;
	struct spf_term t;
	while (spf_take_term(&rest, &t, NULL) > 0) {
		if (t.kind >= SPF_REDIRECT)
			continue;
		enum spf_result r = match(s, &t, domain);
		if (r == SPF_NEUTRAL)
			continue;
		if (r != SPF_PASS)
			return r;
		r = of_qualifier(t.qualifier);
		if (!included)
			snprintf(s->report->term, sizeof(s->report->term), "%.*s",
				 (int)t.text.len, t.text.p);
		if (r == SPF_FAIL && !included && !explain(s, record->exp, domain))
			return SPF_PENDING;
		return r;
	}
	if (record->redirect.p && !record->has_all)
		return redirect(s, record, domain, included);
	return SPF_NEUTRAL;
}

static enum spf_result check_host(struct spf_state *s, const char *domain,
				  bool included) {
	AUTO_BUF struct buf text = BUF_INIT(RECORD_MAX);
	struct spf_record record;
	struct err err = ERR_INIT;
	enum spf_result r = spf_fetch(s->dns, span_str(domain), &text);
	if (r == SPF_TEMPERROR)
		return spf_dns_trouble(s, dns_get(s->dns, span_str(domain), DNS_TXT));
	if (r == SPF_PERMERROR)
		return spf_because(s, r, "%s has more than one SPF record", domain);
	if (r == SPF_NONE && included) {
		const struct dns_answer *a = dns_get(s->dns, span_str(domain), DNS_TXT);
		if (spf_is_void(a) && !spf_count_void(s, a, true))
			return SPF_PERMERROR;
	}
	if (r == SPF_NONE)
		return spf_because(s, r, "%s has no SPF record", domain);
	if (r != SPF_PASS)
		return r;
	if (spf_record_parse(buf_span(&text), &record, NULL, &err) != 0)
		return spf_because(s, SPF_PERMERROR, "%s: %s", domain, err.msg);
	return evaluate(s, &record, domain, included);
}

/* --- the start --- */

/* Sections 2.4 and 4.3: who is asked about. False: there is no domain to ask. */
static bool find_sender(struct spf_state *s) {
	struct span from = s->q->sender, domain = s->q->helo;
	size_t at = from.len;
	while (at > 0 && from.p[at - 1] != '@')
		at--;
	s->local = SPAN("postmaster");
	if (from.len > 0) {
		domain = span_from(from, at);
		if (at > 1)
			s->local = span_head(from, at - 1);
	}
	buf_add(&s->sender, s->local);
	buf_addc(&s->sender, '@');
	buf_add(&s->sender, domain);
	s->sender_shown = buf_span(&s->sender);
	snprintf(s->report->domain, sizeof(s->report->domain), "%.*s",
		 (int)span_head(domain, 255).len, domain.p ? domain.p : "");
	AUTO_BUF struct buf ascii = BUF_INIT(NAME_BUF);
	if (addr_is_utf8(domain) && addr_domain_ascii(domain, &ascii, NULL) == 0)
		domain = buf_span(&ascii);
	return dns_name_parse(domain, s->sender_domain) &&
	       strchr(s->sender_domain, '.') && s->sender_domain[0] != '[';
}

enum spf_result spf_check(struct dns *dns, const struct spf_query *q,
			  struct spf_report *ret) {
	struct spf_state s = { .dns = dns, .q = q, .report = ret };
	*ret = (struct spf_report){ .result = SPF_NONE };
	buf_init(&s.sender, NAME_BUF);
	if (find_sender(&s)) {
		snprintf(ret->domain, sizeof(ret->domain), "%s", s.sender_domain);
		ret->result = check_host(&s, s.sender_domain, false);
	} else {
		spf_because(&s, SPF_NONE, "the sender has no domain that DNS could hold");
	}
	buf_release(&s.sender);
	return ret->result;
}
