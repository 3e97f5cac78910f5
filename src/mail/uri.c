/* URIs; see uri.h. */

#include "mail/uri.h"

static bool is_hex(char c) {
	c = span_lower(c);
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_scheme(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if (!span_is_alnum(s.p[i]) &&
		    (i == 0 || !s.p[i] || !strchr("+-.", s.p[i])))
			return false;
	return s.len > 0 && (s.p[0] < '0' || s.p[0] > '9');
}

bool uri_ok(struct span s) {
	size_t colon = span_find(s, ':');
	if (colon + 1 >= s.len || !is_scheme(span_head(s, colon)))
		return false;
	for (size_t i = colon + 1; i < s.len; i++) {
		char c = s.p[i];
		if (c == '%' &&
		    (s.len - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
			return false;
		if (!c || (!span_is_alnum(c) && !strchr("%-._~:/?#[]@!$&'()*+,;=", c)))
			return false;
	}
	return true;
}

bool uri_is_mailto(struct span s) {
	return span_starts_nocase(s, SPAN("mailto:")) && s.len > 7;
}

bool uri_is_https(struct span s) {
	return span_starts_nocase(s, SPAN("https://")) && s.len > 8;
}

bool uri_mailto_domain(struct span s, struct span *ret) {
	if (!uri_is_mailto(s))
		return false;
	s = span_head(s, span_find(s, '?'));
	size_t at = s.len;
	while (at > 0 && s.p[at - 1] != '@')
		at--;
	*ret = span_from(s, at);
	return at > 8 && ret->len > 0;
}

bool uri_https_host(struct span s, struct span *ret) {
	size_t end = 0, port;
	if (!uri_ok(s) || !span_take_lit_nocase(&s, SPAN("https://")))
		return false;
	while (end < s.len && !strchr("/?#", s.p[end]))
		end++;
	*ret = span_head(s, end);
	port = span_find(*ret, ':');
	if (memchr(ret->p, '@', ret->len))
		return false;
	*ret = span_head(*ret, port);
	return ret->len > 0 && ret->p[0] != '[';
}
