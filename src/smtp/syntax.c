/*
 * Shared grammar of commands. Two encodings live here because they exist for one purpose,
 * carrying any address inside a parameter: xtext, and for UTF-8 addresses the form with
 * \x{hexadecimal code point}.
 */

#include "smtp/syntax.h"

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
bool smtp_take_keyword(struct span *in, struct span *ret) {
	size_t n = 0;
	while (n < in->len && (span_is_alnum(in->p[n]) || (n > 0 && in->p[n] == '-')))
		n++;
	if (n == 0)
		return false;
	*ret = span_head(*in, n);
	*in = span_from(*in, n);
	return true;
}

/* esmtp-value = 1*(%d33-60 / %d62-126), and UTF-8 with SMTPUTF8 */
bool smtp_take_param(struct span *in, struct span *ret_key, struct span *ret_value) {
	struct span s = *in, key, value = { NULL, 0 };
	if (!span_take_char(&s, ' '))
		return false;
	while (span_take_char(&s, ' '))
		;
	if (!smtp_take_keyword(&s, &key))
		return false;
	if (span_take_char(&s, '=')) {
		size_t n = 0;
		while (n < s.len && (unsigned char)s.p[n] > ' ' && s.p[n] != '=' &&
		       s.p[n] != 0x7f)
			n++;
		if (n == 0)
			return false;
		value = span_head(s, n);
		s = span_from(s, n);
	}
	if (s.len > 0 && s.p[0] != ' ')
		return false;
	*in = s;
	*ret_key = key;
	*ret_value = value;
	return true;
}

static bool is_xchar(unsigned char c) {
	return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

int smtp_xtext_add(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (is_xchar(c))
			buf_addc(out, (char)c);
		else
			buf_addf(out, "+%02X", c);
	}
	return buf_failed(out) ? -1 : 0;
}

int smtp_xtext_decode(struct buf *out, struct span s) {
	size_t start = out->len;
	while (s.len > 0) {
		uint64_t v = (unsigned char)s.p[0];
		if (span_take_char(&s, '+')) {
			if (!span_take_hex(&s, 2, &v))
				goto bad;
		} else {
			if (!is_xchar((unsigned char)v))
				goto bad;
			s = span_from(s, 1);
		}
		if (buf_addc(out, (char)v) < 0)
			goto bad;
	}
	return 0;
bad:
	buf_truncate(out, start);
	return -1;
}

/* utf-8-addr-xtext = 1*(QCHAR / EmbeddedUnicodeChar); a QCHAR is an xchar but "\". */
static int utf8_address_add(struct buf *out, struct span s) {
	while (s.len > 0) {
		unsigned char c = (unsigned char)s.p[0];
		uint32_t cp;
		if (is_xchar(c) && c != '\\') {
			buf_addc(out, (char)c);
			s = span_from(s, 1);
		} else if (span_take_utf8(&s, &cp)) {
			buf_addf(out, "\\x{%02X}", (unsigned)cp);
		} else {
			return -1;
		}
	}
	return buf_failed(out) ? -1 : 0;
}

static void utf8_add(struct buf *out, uint32_t cp) {
	if (cp < 0x80) {
		buf_addc(out, (char)cp);
	} else if (cp < 0x800) {
		buf_addc(out, (char)(0xc0 | cp >> 6));
	} else {
		if (cp < 0x10000) {
			buf_addc(out, (char)(0xe0 | cp >> 12));
		} else {
			buf_addc(out, (char)(0xf0 | cp >> 18));
			buf_addc(out, (char)(0x80 | (cp >> 12 & 0x3f)));
		}
		buf_addc(out, (char)(0x80 | (cp >> 6 & 0x3f)));
	}
	if (cp >= 0x80)
		buf_addc(out, (char)(0x80 | (cp & 0x3f)));
}

/* Takes "\x{10FFFF}": two to six digits. */
static bool take_embedded(struct span *in, uint32_t *ret) {
	struct span s = *in, digits;
	uint64_t cp;
	if (!span_take_lit(&s, SPAN("\\x{")) || !span_take_until(&s, '}', &digits))
		return false;
	if (digits.len < 2 || digits.len > 6 ||
	    !span_take_hex(&digits, (unsigned)digits.len, &cp))
		return false;
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff) || cp == 0)
		return false;
	*in = s;
	*ret = (uint32_t)cp;
	return true;
}

/* Also takes UTF-8 as it is (utf-8-addr-unitext). */
static int utf8_address_decode(struct buf *out, struct span s) {
	while (s.len > 0) {
		uint32_t cp;
		if (s.p[0] == '\\') {
			if (!take_embedded(&s, &cp))
				return -1;
		} else if (!is_xchar((unsigned char)s.p[0]) &&
			   (unsigned char)s.p[0] < 0x80) {
			return -1;
		} else if (!span_take_utf8(&s, &cp)) {
			return -1;
		}
		utf8_add(out, cp);
	}
	return buf_failed(out) ? -1 : 0;
}

/* Takes "type;" of an original recipient. */
static bool take_type(struct span *in, struct span *ret) {
	struct span s = *in, type, keyword;
	if (!span_take_until(&s, ';', &type) || !smtp_take_keyword(&type, &keyword) ||
	    type.len > 0)
		return false;
	*in = s;
	*ret = keyword;
	return true;
}

int smtp_orcpt_add(struct buf *out, struct span orcpt) {
	struct span rest = orcpt, type;
	size_t start = out->len;
	if (!take_type(&rest, &type))
		return -1;
	buf_add(out, type);
	buf_addc(out, ';');
	int r = span_eq_nocase(type, SPAN("utf-8")) ? utf8_address_add(out, rest)
						    : smtp_xtext_add(out, rest);
	if (r < 0 && !buf_failed(out))
		buf_truncate(out, start);
	return r;
}

int smtp_orcpt_decode(struct buf *out, struct span value) {
	struct span type;
	size_t start = out->len;
	if (!take_type(&value, &type) || value.len == 0)
		return -1;
	buf_add(out, type);
	buf_addc(out, ';');
	int r = span_eq_nocase(type, SPAN("utf-8")) ? utf8_address_decode(out, value)
						    : smtp_xtext_decode(out, value);
	if (r < 0 && !buf_failed(out))
		buf_truncate(out, start);
	return r;
}

bool smtp_list_has(const char *list, struct span word) {
	struct span s = span_str(list), w;
	while (span_take_word(&s, &w))
		if (span_eq_nocase(w, word))
			return true;
	return false;
}

bool smtp_is_clean(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}
