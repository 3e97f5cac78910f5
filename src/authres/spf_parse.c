/*
 * SPF records, term by term. The grammar of a domain-spec lets '/' and ':' stand in it, so a
 * CIDR length is looked for from the end; what is left must end in a macro or a top label.
 */

#include "authres/spf_parse.h"

#include <arpa/inet.h>

#include "base/buf.h"
#include "base/term.h"

#define SHOWN_MAX 80

static const struct {
	const char *name;
	enum spf_kind kind;
	bool domain;      /* may have ":" domain-spec */
	bool must_domain; /* must have it */
	bool cidr;        /* may have a dual-cidr-length */
} mechanisms[] = {
	{ "all", SPF_ALL, false, false, false },
	{ "include", SPF_INCLUDE, true, true, false },
	{ "a", SPF_A, true, false, true },
	{ "mx", SPF_MX, true, false, true },
	{ "ptr", SPF_PTR, true, false, false },
	{ "ip4", SPF_IP4, false, false, false },
	{ "ip6", SPF_IP6, false, false, false },
	{ "exists", SPF_EXISTS, true, true, false },
};
#define MECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

bool spf_asks_dns(enum spf_kind kind) {
	return kind == SPF_INCLUDE || kind == SPF_A || kind == SPF_MX ||
	       kind == SPF_PTR || kind == SPF_EXISTS || kind == SPF_REDIRECT;
}

/* The term in words, safe to show; always -1. */
static int wrong(struct err *err, struct span term, const char *why) {
	AUTO_BUF struct buf shown = BUF_INIT(4 * SHOWN_MAX + 8);
	term_safe(&shown, span_head(term, SHOWN_MAX));
	return err_set(err, ERR_SYNTAX, "%s%s: %s", buf_str(&shown),
		       term.len > SHOWN_MAX ? "..." : "", why);
}

static bool is_alpha(char c) {
	return span_lower(c) >= 'a' && span_lower(c) <= 'z';
}
static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}
static bool is_delimiter(char c) {
	return c && strchr(".-+,/_=", c);
}

/* --- macros --- */

static bool letter_ok(char letter, enum spf_macro_where where) {
	if (strchr("slodiphv", letter))
		return true;
	return where != SPF_MACRO_DOMAIN && strchr("crt", letter);
}

/* What stands between the braces of %{...}. */
static bool parse_braces(struct span in, enum spf_macro_where where,
			 struct spf_macro *ret) {
	uint64_t digits;
	if (in.len == 0 || !is_alpha(in.p[0]))
		return false;
	ret->letter = span_lower(in.p[0]);
	ret->escape = in.p[0] != ret->letter;
	if (!letter_ok(ret->letter, where))
		return false;
	in = span_from(in, 1);
	if (in.len > 0 && is_digit(in.p[0])) {
		if (!span_take_uint(&in, UINT32_MAX, &digits) || digits == 0)
			return false;
		ret->digits = digits > 128 ? 128 : (uint8_t)digits;
	}
	ret->reverse = span_take_lit_nocase(&in, SPAN("r"));
	ret->delimiters = in;
	for (size_t i = 0; i < in.len; i++)
		if (!is_delimiter(in.p[i]))
			return false;
	return true;
}

static bool is_literal(char c, enum spf_macro_where where) {
	return (c > ' ' && c < 0x7f && c != '%') ||
	       (c == ' ' && where == SPF_MACRO_EXPLAIN);
}

int spf_take_macro(struct span *rest, enum spf_macro_where where, struct spf_macro *ret) {
	struct span in = *rest, inner;
	size_t n = 0;
	*ret = (struct spf_macro){ .letter = 0 };
	if (in.len == 0)
		return 0;
	while (n < in.len && is_literal(in.p[n], where))
		n++;
	if (n == 0) {
		if (in.p[0] != '%' || in.len < 2)
			return -1;
		n = 2;
		if (in.p[1] == '{') {
			struct span body = span_from(in, 2);
			if (!span_take_until(&body, '}', &inner) ||
			    !parse_braces(inner, where, ret))
				return -1;
			n = inner.len + 3;
		} else if (strchr("%_-", in.p[1])) {
			ret->letter = in.p[1];
		} else {
			return -1;
		}
	}
	ret->text = span_head(in, n);
	*rest = span_from(in, n);
	return 1;
}

bool spf_has_macro(struct span domain) {
	return span_find(domain, '%') < domain.len;
}

static bool is_macro_string(struct span s, enum spf_macro_where where) {
	struct spf_macro m;
	int r;
	while ((r = spf_take_macro(&s, where, &m)) > 0)
		;
	return r == 0;
}

/* --- domain-spec --- */

/* toplabel: letters, digits and inner hyphens, not digits alone. */
static bool is_toplabel(struct span s) {
	bool all_digits = true;
	for (size_t i = 0; i < s.len; i++) {
		if (!span_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
		all_digits &= is_digit(s.p[i]);
	}
	return s.len > 0 && !all_digits && s.p[0] != '-' && s.p[s.len - 1] != '-';
}

/* macro-string domain-end, where the end is a macro-expand or "." toplabel [ "." ]. */
static bool is_domain_spec(struct span s) {
	struct spf_macro m, last = { .letter = 0 };
	struct span rest = s;
	int r;
	while ((r = spf_take_macro(&rest, SPF_MACRO_DOMAIN, &m)) > 0)
		last = m;
	if (r < 0 || s.len == 0)
		return false;
	if (last.letter)
		return true;
	/* The last dot may stand before a macro: then the top label is not whole. */
	struct span tail = last.text;
	if (tail.p[tail.len - 1] == '.')
		tail.len--;
	size_t dot = tail.len;
	while (dot > 0 && tail.p[dot - 1] != '.')
		dot--;
	return dot > 0 && is_toplabel(span_from(tail, dot));
}

/* --- CIDR lengths --- */

/* "0" or a number without leading zero, up to max: takes "/number" (or "//number") off the
 * end. *bad: there is something of this shape that is no length. */
static bool take_cidr(struct span *s, const char *slashes, unsigned max, uint8_t *ret,
		      bool *bad) {
	size_t digits = s->len, n = strlen(slashes);
	uint64_t value;
	while (digits > 0 && is_digit(s->p[digits - 1]))
		digits--;
	struct span number = span_from(*s, digits);
	if (number.len == 0 || digits < n ||
	    !span_eq(span_of(s->p + digits - n, n), span_str(slashes)))
		return false;
	if (n == 1 && digits >= 2 && s->p[digits - 2] == '/')
		return false;
	if (!span_uint(number, max, &value) || (number.len > 1 && number.p[0] == '0')) {
		*bad = true;
		return false;
	}
	*ret = (uint8_t)value;
	*s = span_head(*s, digits - n);
	return true;
}

/* --- terms --- */

static int parse_modifier(struct span name, struct span value, struct spf_term *t,
			  struct err *err) {
	if (span_eq_nocase(name, SPAN("redirect")))
		t->kind = SPF_REDIRECT;
	else if (span_eq_nocase(name, SPAN("exp")))
		t->kind = SPF_EXP;
	else
		t->kind = SPF_OTHER;
	t->domain = value;
	if (t->kind == SPF_OTHER)
		return is_macro_string(value, SPF_MACRO_OTHER)
			       ? 0
			       : wrong(err, t->text, "its value is no macro-string");
	if (!is_domain_spec(value))
		return wrong(err, t->text, "what follows = is no domain");
	return 0;
}

static int parse_ip(struct span value, struct spf_term *t, struct err *err) {
	bool v4 = t->kind == SPF_IP4, bad = false;
	char text[INET6_ADDRSTRLEN];
	if (value.len == 0 || value.p[0] != ':')
		return wrong(err, t->text, "an address must follow the colon");
	value = span_from(value, 1);
	take_cidr(&value, "/", v4 ? 32 : 128, v4 ? &t->prefix4 : &t->prefix6, &bad);
	if (bad)
		return wrong(err, t->text,
			     v4 ? "the prefix length is not 0 to 32"
				: "the prefix length is not 0 to 128");
	t->addr.bits = v4 ? 32 : 128;
	if (value.len == 0 || value.len >= sizeof(text) ||
	    span_find(value, 0) < value.len)
		return wrong(err, t->text,
			     v4 ? "this is no IPv4 address" : "this is no IPv6 address");
	memcpy(text, value.p, value.len);
	text[value.len] = '\0';
	if (inet_pton(v4 ? AF_INET : AF_INET6, text, t->addr.byte) != 1)
		return wrong(err, t->text,
			     v4 ? "this is no IPv4 address" : "this is no IPv6 address");
	return 0;
}

/* value: what follows the name of the mechanism. */
static int parse_mechanism(size_t which, struct span value, struct spf_term *t,
			   struct err *err) {
	bool bad = false;
	t->kind = mechanisms[which].kind;
	if (t->kind == SPF_IP4 || t->kind == SPF_IP6)
		return parse_ip(value, t, err);
	if (mechanisms[which].cidr) {
		take_cidr(&value, "//", 128, &t->prefix6, &bad);
		if (!bad)
			take_cidr(&value, "/", 32, &t->prefix4, &bad);
		if (bad)
			return wrong(err, t->text,
				     "a prefix length is 0 to 32, after // 0 to 128");
	}
	if (value.len == 0 && mechanisms[which].must_domain)
		return wrong(err, t->text, "a domain must follow");
	if (value.len == 0)
		return 0;
	if (!mechanisms[which].domain)
		return wrong(err, t->text, "nothing may follow this mechanism");
	if (value.p[0] != ':' || !is_domain_spec(span_from(value, 1)))
		return wrong(err, t->text,
			     value.p[0] == ':'
				     ? "what follows the colon is no domain"
				     : "a prefix length or ':' and a domain may follow");
	t->domain = span_from(value, 1);
	return 0;
}

static int parse_term(struct spf_term *t, struct err *err) {
	struct span s = t->text;
	size_t n = 0;
	bool qualified = s.len > 0 && s.p[0] && strchr("+-~?", s.p[0]);
	if (qualified) {
		t->qualifier = s.p[0];
		s = span_from(s, 1);
	}
	if (s.len == 0 || !is_alpha(s.p[0]))
		return wrong(err, t->text, "no mechanism and no modifier begins so");
	while (n < s.len && (span_is_alnum(s.p[n]) || (s.p[n] && strchr("-_.", s.p[n]))))
		n++;
	struct span name = span_head(s, n);
	if (n < s.len && s.p[n] == '=') {
		if (qualified)
			return wrong(err, t->text, "a modifier has no qualifier");
		t->qualifier = 0;
		return parse_modifier(name, span_from(s, n + 1), t, err);
	}
	for (size_t i = 0; i < MECHANISMS; i++)
		if (span_eq_nocase(name, span_str(mechanisms[i].name)))
			return parse_mechanism(i, span_from(s, n), t, err);
	return wrong(err, t->text, "there is no such mechanism");
}

int spf_take_term(struct span *rest, struct spf_term *ret, struct err *err) {
	while (rest->len > 0 && rest->p[0] == ' ')
		*rest = span_from(*rest, 1);
	if (rest->len == 0)
		return 0;
	*ret = (struct spf_term){
		.qualifier = '+',
		.text = span_head(*rest, span_find(*rest, ' ')),
		.prefix4 = 32,
		.prefix6 = 128,
	};
	if (parse_term(ret, err) != 0)
		return -1;
	*rest = span_from(*rest, ret->text.len);
	return 1;
}

bool spf_is_record(struct span text) {
	struct span rest = text;
	return span_take_lit_nocase(&rest, SPAN("v=spf1")) &&
	       (rest.len == 0 || rest.p[0] == ' ');
}

/* redirect and exp may stand once only (section 6). */
static int note_modifier(struct span *once, const struct spf_term *t, struct err *err) {
	if (once->p)
		return wrong(err, t->text, "this modifier may stand once only");
	*once = t->domain;
	return 0;
}

int spf_record_parse(struct span text, struct spf_record *ret, size_t *ret_at,
		     struct err *err) {
	struct spf_term t;
	int r;
	size_t at = 0;
	*ret = (struct spf_record){ .has_all = false };
	if (ret_at)
		*ret_at = 0;
	if (!spf_is_record(text))
		return err_set(err, ERR_SYNTAX,
			       "it does not begin with v=spf1 and a space");
	ret->terms = span_from(text, 6);
	struct span rest = ret->terms;
	while ((r = spf_take_term(&rest, &t, err)) > 0) {
		at = (size_t)(t.text.p - text.p);
		ret->has_all |= t.kind == SPF_ALL;
		if (t.kind == SPF_REDIRECT)
			r = note_modifier(&ret->redirect, &t, err);
		else if (t.kind == SPF_EXP)
			r = note_modifier(&ret->exp, &t, err);
		if (r < 0)
			break;
	}
	if (r < 0 && ret_at)
		*ret_at = rest.len > 0 && t.text.p == rest.p ? (size_t)(rest.p - text.p)
							     : at;
	return r < 0 ? -1 : 0;
}
