/*
 * Percent words, base64, base32hex and hexadecimal. Decoders first check, then write: on
 * a syntax error the output is cut back to where it was.
 */

#include "base/codec.h"

#include <string.h>

static const char hex_upper[] = "0123456789ABCDEF";
static const char hex_lower[] = "0123456789abcdef";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base32hex_digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

static bool is_graphic(unsigned char c) {
	return c >= 0x21 && c <= 0x7e;
}

static bool stands_for_itself(unsigned char c) {
	return is_graphic(c) && c != '%' && c != '=';
}

int codec_percent_add(struct buf *out, struct span s) {
	if (s.len == 0)
		return buf_addc(out, '%');
	for (size_t i = 0; i < s.len;) {
		size_t run = i;
		while (run < s.len && stands_for_itself((unsigned char)s.p[run]))
			run++;
		if (run > i) {
			buf_addm(out, s.p + i, run - i);
			i = run;
			continue;
		}
		unsigned char c = (unsigned char)s.p[i++];
		const char esc[3] = { '%', hex_upper[c >> 4], hex_upper[c & 15] };
		buf_addm(out, esc, sizeof(esc));
	}
	return buf_failed(out) ? -1 : 0;
}

int codec_percent_decode(struct buf *out, struct span s) {
	size_t before = out->len;
	if (span_eq(s, SPAN("%")))
		return 0;
	while (s.len > 0) {
		char c = s.p[0];
		uint64_t v = (unsigned char)c;
		s = span_from(s, 1);
		bool valid = c == '%' ? span_take_hex(&s, 2, &v)
				      : is_graphic((unsigned char)c);
		if (!valid || buf_addc(out, (char)v) != 0) {
			buf_truncate(out, before);
			return -1;
		}
	}
	return 0;
}

int codec_word_add(struct buf *out, const char *key, struct span value) {
	buf_addc(out, ' ');
	buf_adds(out, key);
	buf_addc(out, '=');
	return codec_percent_add(out, value);
}

int codec_word_add_int(struct buf *out, const char *key, int64_t value) {
	buf_addc(out, ' ');
	buf_adds(out, key);
	buf_addc(out, '=');
	return buf_addi(out, value);
}

bool codec_word_take(struct span *line, struct span *ret_key, struct span *ret_value) {
	struct span rest = *line;
	span_take_char(&rest, ' ');
	if (rest.len == 0)
		return false;
	struct span word = span_head(rest, span_find(rest, ' '));
	size_t eq = span_find(word, '=');
	*line = span_from(rest, word.len);
	*ret_key = span_head(word, eq);
	*ret_value = eq < word.len ? span_from(word, eq + 1) : span_of(NULL, 0);
	return true;
}

int codec_base64_add(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i += 3) {
		size_t have = s.len - i < 3 ? s.len - i : 3;
		uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16;
		if (have > 1)
			v |= (uint32_t)(unsigned char)s.p[i + 1] << 8;
		if (have > 2)
			v |= (unsigned char)s.p[i + 2];
		const char quad[4] = {
			base64_digits[v >> 18],
			base64_digits[v >> 12 & 63],
			have > 1 ? base64_digits[v >> 6 & 63] : '=',
			have > 2 ? base64_digits[v & 63] : '=',
		};
		buf_addm(out, quad, sizeof(quad));
	}
	return buf_failed(out) ? -1 : 0;
}

static int digit_of(const char *digits, char c) {
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* One group of four; returns its number of bytes, 0 when it is not valid. Bits that the
 * padding leaves over must be zero, so that every text has one decoding only. */
static size_t base64_quad(const char *p, bool last, char bytes[3]) {
	size_t n = 3;
	if (last && p[3] == '=')
		n = p[2] == '=' ? 1 : 2;
	uint32_t v = 0;
	for (size_t i = 0; i < 4; i++) {
		int digit = i <= n ? digit_of(base64_digits, p[i]) : 0;
		if (digit < 0)
			return 0;
		v = v << 6 | (uint32_t)digit;
	}
	if ((n == 1 && (v & 0xffff)) || (n == 2 && (v & 0xff)))
		return 0;
	bytes[0] = (char)(v >> 16 & 255);
	bytes[1] = (char)(v >> 8 & 255);
	bytes[2] = (char)(v & 255);
	return n;
}

int codec_base64_decode(struct buf *out, struct span s) {
	size_t before = out->len;
	if (s.len % 4 != 0)
		return -1;
	for (size_t i = 0; i < s.len; i += 4) {
		char bytes[3];
		size_t n = base64_quad(s.p + i, i + 4 == s.len, bytes);
		if (n == 0 || buf_addm(out, bytes, n) != 0) {
			buf_truncate(out, before);
			return -1;
		}
	}
	return 0;
}

void codec_base32hex_80(char out[16], const uint8_t bits[10]) {
	for (unsigned half = 0; half < 2; half++) {
		uint64_t v = 0;
		for (unsigned i = 0; i < 5; i++)
			v = v << 8 | bits[half * 5 + i];
		for (unsigned i = 0; i < 8; i++)
			out[half * 8 + i] = base32hex_digits[v >> (35 - 5 * i) & 31];
	}
}

/* Without the table: every name in the queue goes through here. */
static int base32hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

int codec_base32hex_80_decode(uint8_t bits[10], struct span s) {
	uint8_t result[10];
	if (s.len != 16)
		return -1;
	for (unsigned half = 0; half < 2; half++) {
		uint64_t v = 0;
		for (unsigned i = 0; i < 8; i++) {
			int digit = base32hex_digit(s.p[half * 8 + i]);
			if (digit < 0)
				return -1;
			v = v << 5 | (uint64_t)digit;
		}
		for (unsigned i = 0; i < 5; i++)
			result[half * 5 + i] = (uint8_t)(v >> (32 - 8 * i));
	}
	memcpy(bits, result, sizeof(result));
	return 0;
}

int codec_hex_add(struct buf *out, uint64_t v, unsigned n) {
	for (unsigned i = n; i-- > 0;)
		buf_addc(out, hex_lower[i < 16 ? v >> (4 * i) & 15 : 0]);
	return buf_failed(out) ? -1 : 0;
}
