/*
 * The mechanisms that ask for addresses and names, and the limits of what may be asked (RFC 7208
 * sections 4.6.4 and 5.3 to 5.7). A mechanism's outcome is SPF_PASS for a match, SPF_NEUTRAL for
 * none, or what ends the evaluation.
 */

#include <stdarg.h>

#include "authres/spf_state.h"
#include "base/auto.h"
#include "base/term.h"

#define WORDS_MAX 4096

__attribute__((format(printf, 3, 4))) enum spf_result spf_because(struct spf_state *s,
								  enum spf_result r,
								  const char *fmt, ...) {
	AUTO_BUF struct buf text = BUF_INIT(WORDS_MAX), safe = BUF_INIT(4 * WORDS_MAX);
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	term_safe(&safe, buf_span(&text));
	snprintf(s->report->why, sizeof(s->report->why), "%s", buf_str(&safe));
	return r;
}

enum spf_result spf_dns_trouble(struct spf_state *s, const struct dns_answer *a) {
	return spf_because(s, SPF_TEMPERROR, "%s %s: %s", a->name, dns_type_name(a->type),
			   a->why);
}

/* --- limits --- */

/* False: one term more than may ask DNS. */
bool spf_count_lookup(struct spf_state *s, struct span term) {
	if (++s->report->lookups <= SPF_LOOKUPS_MAX)
		return true;
	spf_because(s, SPF_PERMERROR, "more than %d lookups: %.*s is one too many",
		    SPF_LOOKUPS_MAX, (int)span_head(term, 200).len, term.p);
	return false;
}

bool spf_is_void(const struct dns_answer *a) {
	return a->status == DNS_NXDOMAIN || a->status == DNS_NODATA;
}

/* False: more answers without a record than may be. both: the name has neither A nor AAAA. */
bool spf_count_void(struct spf_state *s, const struct dns_answer *a, bool both) {
	s->report->voids++;
	if (both)
		s->report->voids_lenient++;
	unsigned n = s->q->lenient_voids ? s->report->voids_lenient : s->report->voids;
	if (n <= SPF_VOIDS_MAX)
		return true;
	spf_because(s, SPF_PERMERROR,
		    "more than %d lookups without an answer: %s %s is one too many",
		    SPF_VOIDS_MAX, a->name, dns_type_name(a->type));
	return false;
}

/* --- addresses --- */

static const struct dns_answer *addresses(struct spf_state *s, struct span name) {
	return dns_get(s->dns, name, s->q->ip.bits == 32 ? DNS_A : DNS_AAAA);
}

/* Whether the other family is missing as well; false: not known yet. */
static bool other_family(struct spf_state *s, const struct dns_answer *a,
			 struct span name, bool *ret_both) {
	*ret_both = true;
	if (a->status == DNS_NXDOMAIN)
		return true;
	const struct dns_answer *other = dns_get(s->dns, name,
						 a->type == DNS_A ? DNS_AAAA : DNS_A);
	*ret_both = spf_is_void(other);
	return other->status != DNS_PENDING;
}

static bool has_address(struct spf_state *s, const struct dns_answer *a,
			const struct spf_term *t) {
	struct inet_addr addr;
	unsigned prefix = s->q->ip.bits == 32 ? t->prefix4 : t->prefix6;
	for (size_t i = 0; a->status == DNS_FOUND && i < a->count; i++)
		if (dns_addr(a, i, &addr) && inet_share_prefix(&addr, &s->q->ip, prefix))
			return true;
	return false;
}

/* A mechanism's outcome: PASS is a match, NEUTRAL none. */
enum spf_result spf_match_host(struct spf_state *s, struct span name,
			       const struct spf_term *t) {
	const struct dns_answer *a = addresses(s, name);
	bool both;
	if (a->status == DNS_PENDING)
		return SPF_PENDING;
	if (dns_is_temporary(a))
		return spf_dns_trouble(s, a);
	if (spf_is_void(a)) {
		if (!other_family(s, a, name, &both))
			return SPF_PENDING;
		if (!spf_count_void(s, a, both))
			return SPF_PERMERROR;
	}
	return has_address(s, a, t) ? SPF_PASS : SPF_NEUTRAL;
}

/* PASS: there are records to look at. What else it is is the mechanism's outcome. */
static enum spf_result look(struct spf_state *s, const struct dns_answer *a) {
	if (a->status == DNS_PENDING)
		return SPF_PENDING;
	if (dns_is_temporary(a))
		return spf_dns_trouble(s, a);
	if (spf_is_void(a) && !spf_count_void(s, a, true))
		return SPF_PERMERROR;
	return a->status == DNS_FOUND ? SPF_PASS : SPF_NEUTRAL;
}

enum spf_result spf_match_mx(struct spf_state *s, struct span name,
			     const struct spf_term *t) {
	const struct dns_answer *a = dns_get(s->dns, name, DNS_MX);
	struct dns_mx mx;
	enum spf_result seen = look(s, a);
	bool pending = false;
	if (seen != SPF_PASS)
		return seen;
	/* Also where one of the first ten would match: which they are depends on the resolver. */
	if (a->count > SPF_NAMES_MAX)
		return spf_because(s, SPF_PERMERROR, "%s has more than %d MX hosts",
				   a->name, SPF_NAMES_MAX);
	for (size_t i = 0; i < a->count; i++)
		if (dns_mx(a->record[i], &mx))
			pending |= addresses(s, span_str(mx.host))->status == DNS_PENDING;
	if (pending)
		return SPF_PENDING;
	for (size_t i = 0; i < a->count; i++) {
		if (!dns_mx(a->record[i], &mx) || !mx.host[0])
			continue;
		enum spf_result r = spf_match_host(s, span_str(mx.host), t);
		if (r != SPF_NEUTRAL)
			return r;
	}
	return SPF_NEUTRAL;
}

/* --- the client's names --- */

bool spf_validated_names(struct spf_state *s, spf_name_fn *fn, void *ctx) {
	static const struct spf_term exact = { .prefix4 = 32, .prefix6 = 128 };
	AUTO_BUF struct buf name = BUF_INIT(256);
	char host[256];
	bool pending = false;
	dns_reverse_name(&name, &s->q->ip);
	const struct dns_answer *a = dns_get(s->dns, buf_span(&name), DNS_PTR);
	if (a->status != DNS_FOUND)
		return a->status != DNS_PENDING;
	size_t count = a->count < SPF_NAMES_MAX ? a->count : SPF_NAMES_MAX;
	for (size_t i = 0; i < count; i++)
		if (dns_host(a->record[i], host))
			pending |= addresses(s, span_str(host))->status == DNS_PENDING;
	if (pending)
		return false;
	for (size_t i = 0; i < count; i++)
		if (dns_host(a->record[i], host) &&
		    has_address(s, addresses(s, span_str(host)), &exact) && fn(ctx, host))
			break;
	return true;
}

static bool is_at_or_below(struct span name, struct span domain) {
	return span_eq_nocase(name, domain) ||
	       (name.len > domain.len && span_ends_nocase(name, domain) &&
		name.p[name.len - domain.len - 1] == '.');
}

struct wanted {
	struct span domain;
	bool found;
};

static bool name_matches(void *ctx, const char *name) {
	struct wanted *w = ctx;
	w->found = is_at_or_below(span_str(name), w->domain);
	return w->found;
}

enum spf_result spf_match_ptr(struct spf_state *s, struct span domain) {
	struct wanted w = { .domain = domain };
	AUTO_BUF struct buf name = BUF_INIT(256);
	if (!spf_validated_names(s, name_matches, &w))
		return SPF_PENDING;
	dns_reverse_name(&name, &s->q->ip);
	const struct dns_answer *a = dns_get(s->dns, buf_span(&name), DNS_PTR);
	if (spf_is_void(a) && !spf_count_void(s, a, true))
		return SPF_PERMERROR;
	return w.found ? SPF_PASS : SPF_NEUTRAL;
}

enum spf_result spf_match_exists(struct spf_state *s, struct span name) {
	return look(s, dns_get(s->dns, name, DNS_A)); /* A, for IPv6 too */
}
