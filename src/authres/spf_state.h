#ifndef NIGHTMAIL_AUTHRES_SPF_STATE_H
#define NIGHTMAIL_AUTHRES_SPF_STATE_H

/* What the files of the SPF evaluation share; nobody else includes it. */

#include "authres/spf.h"

struct spf_state {
	struct dns *dns;
	const struct spf_query *q;
	struct spf_report *report;
	struct span local;        /* %{l} */
	char sender_domain[256];  /* %{o} */
	struct span sender_shown; /* %{s} */
	struct buf sender;        /* what sender_shown points to */
	bool p_counted;           /* %{p} was paid for as one lookup */
};

/* Notes the reason in the report; returns the result. */
enum spf_result spf_because(struct spf_state *s, enum spf_result r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* TEMPERROR, and why. */
enum spf_result spf_dns_trouble(struct spf_state *s, const struct dns_answer *a);

/* False, with the reason noted: one term more than may ask DNS. */
bool spf_count_lookup(struct spf_state *s, struct span term);
bool spf_is_void(const struct dns_answer *a);
/* False, with the reason noted: more answers without a record than may be. both: the name has
 * neither A nor AAAA. */
bool spf_count_void(struct spf_state *s, const struct dns_answer *a, bool both);

enum spf_result spf_match_host(struct spf_state *s, struct span name,
			       const struct spf_term *t);
enum spf_result spf_match_mx(struct spf_state *s, struct span name,
			     const struct spf_term *t);
enum spf_result spf_match_ptr(struct spf_state *s, struct span domain);
enum spf_result spf_match_exists(struct spf_state *s, struct span name);

/* True when the names validated for the client (section 5.5) are known. Calls fn for each of
 * them, until it returns true. */
typedef bool spf_name_fn(void *ctx, const char *name);
bool spf_validated_names(struct spf_state *s, spf_name_fn *fn, void *ctx);

/* Expands a macro-string into out. domain: %{d}. False: an answer is pending. */
bool spf_expand(struct spf_state *s, struct span in, enum spf_macro_where where,
		const char *domain, struct buf *out);
/* Expands a domain-spec to a name of at most 253 characters (section 7.3): left labels go.
 * False: an answer is pending. */
bool spf_expand_domain(struct spf_state *s, struct span in, const char *domain,
		       struct buf *out);

#include "base/banned.h"

#endif
