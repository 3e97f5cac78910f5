/*
 * Comparing and consuming spans. Letters are compared as ASCII by hand, because the C
 * library's functions look at the locale. Every span_take_*() works on a copy and stores
 * it back only when it succeeds.
 */

#include "base/span.h"

#include <stdlib.h>
#include <string.h>

bool span_eq_nocase(struct span a, struct span b) {
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (span_lower(a.p[i]) != span_lower(b.p[i]))
			return false;
	return true;
}

bool span_starts(struct span s, struct span prefix) {
	return s.len >= prefix.len && span_eq(span_head(s, prefix.len), prefix);
}

bool span_starts_nocase(struct span s, struct span prefix) {
	return s.len >= prefix.len && span_eq_nocase(span_head(s, prefix.len), prefix);
}

bool span_ends_nocase(struct span s, struct span suffix) {
	return s.len >= suffix.len &&
	       span_eq_nocase(span_from(s, s.len - suffix.len), suffix);
}

size_t span_find(struct span s, char c) {
	const char *at = s.len ? memchr(s.p, c, s.len) : NULL;
	return at ? (size_t)(at - s.p) : s.len;
}

struct span span_from(struct span s, size_t from) {
	if (from > s.len)
		from = s.len;
	return from ? span_of(s.p + from, s.len - from) : s;
}

struct span span_head(struct span s, size_t n) {
	return span_of(s.p, n < s.len ? n : s.len);
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

static bool is_space(char c) {
	return is_blank(c) || c == '\r' || c == '\n';
}

struct span span_trim(struct span s) {
	while (s.len && is_space(s.p[0]))
		s = span_from(s, 1);
	while (s.len && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

bool span_take_char(struct span *in, char c) {
	if (in->len == 0 || in->p[0] != c)
		return false;
	*in = span_from(*in, 1);
	return true;
}

bool span_take_lit(struct span *in, struct span lit) {
	if (!span_starts(*in, lit))
		return false;
	*in = span_from(*in, lit.len);
	return true;
}

bool span_take_lit_nocase(struct span *in, struct span lit) {
	if (!span_starts_nocase(*in, lit))
		return false;
	*in = span_from(*in, lit.len);
	return true;
}

bool span_take_until(struct span *in, char c, struct span *ret) {
	size_t at = span_find(*in, c);
	if (at == in->len)
		return false;
	*ret = span_head(*in, at);
	*in = span_from(*in, at + 1);
	return true;
}

bool span_take_line(struct span *in, struct span *ret) {
	if (in->len == 0)
		return false;
	size_t at = span_find(*in, '\n');
	*ret = span_head(*in, at);
	if (at < in->len && at > 0 && in->p[at - 1] == '\r')
		ret->len--;
	*in = span_from(*in, at + 1);
	return true;
}

bool span_take_word(struct span *in, struct span *ret) {
	struct span s = *in;
	while (s.len && is_blank(s.p[0]))
		s = span_from(s, 1);
	size_t n = 0;
	while (n < s.len && !is_blank(s.p[n]))
		n++;
	if (n == 0)
		return false;
	*ret = span_head(s, n);
	*in = span_from(s, n);
	return true;
}

bool span_take_uint(struct span *in, uint64_t max, uint64_t *ret) {
	uint64_t v = 0;
	size_t n = 0;
	for (; n < in->len && in->p[n] >= '0' && in->p[n] <= '9'; n++) {
		uint64_t digit = (uint64_t)(in->p[n] - '0');
		if (v > max / 10 || digit > max - v * 10)
			return false;
		v = v * 10 + digit;
	}
	if (n == 0)
		return false;
	*ret = v;
	*in = span_from(*in, n);
	return true;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	char l = span_lower(c);
	return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool span_take_hex(struct span *in, unsigned n, uint64_t *ret) {
	uint64_t v = 0;
	if (in->len < n || n == 0 || n > 16)
		return false;
	for (unsigned i = 0; i < n; i++) {
		int digit = hex_digit(in->p[i]);
		if (digit < 0)
			return false;
		v = v << 4 | (uint64_t)digit;
	}
	*ret = v;
	*in = span_from(*in, n);
	return true;
}

/* RFC 3629 section 4: what may follow depends on the first byte only in the second byte. */
bool span_take_utf8(struct span *in, uint32_t *ret) {
	if (in->len == 0)
		return false;
	unsigned char first = (unsigned char)in->p[0];
	unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || in->len <= more)
		return false;

	uint32_t cp = more ? first & (0x3fu >> more) : first;
	for (unsigned i = 1; i <= more; i++) {
		unsigned char c = (unsigned char)in->p[i];
		if ((c & 0xc0) != 0x80)
			return false;
		cp = cp << 6 | (c & 0x3fu);
	}
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	if (cp < least[more] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return false;
	*ret = cp;
	*in = span_from(*in, more + 1);
	return true;
}

bool span_uint(struct span s, uint64_t max, uint64_t *ret) {
	uint64_t v;
	if (!span_take_uint(&s, max, &v) || s.len != 0)
		return false;
	*ret = v;
	return true;
}

char *span_dup(struct span s) {
	char *copy = malloc(s.len + 1);
	if (!copy)
		return NULL;
	if (s.len)
		memcpy(copy, s.p, s.len);
	copy[s.len] = '\0';
	return copy;
}
