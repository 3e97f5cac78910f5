/*
 * Values and checksummed lines of the spool's text formats.
 */

#include "queue/words.h"

#include <string.h>

#include "base/codec.h"

#define CRC_DIGITS 8

static bool is_plain(struct span s) {
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= 0x20 || c >= 0x7f || c == '%')
			return false;
	}
	return s.len > 0;
}

bool words_decode(char *base, struct span *s) {
	if (is_plain(*s))
		return true;
	AUTO_BUF struct buf plain = BUF_INIT(s->len + 1);
	if (s->len == 0 || codec_percent_decode(&plain, *s) != 0)
		return false;
	char *at = base + (s->p - base);
	if (plain.len > 0)
		memcpy(at, plain.data, plain.len);
	s->len = plain.len;
	return true;
}

bool words_int(struct span s, int64_t *ret) {
	uint64_t v;
	bool negative = span_take_char(&s, '-');
	if (!span_uint(s, WORDS_INT_MAX, &v))
		return false;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

int words_add_moment(struct buf *out, const struct moment *m) {
	codec_word_add_int(out, "wall_ms", m->wall_ms);
	codec_word_add_int(out, "boot_ms", m->boot_ms);
	buf_adds(out, " boot_id=");
	return codec_hex_add(out, m->boot_id, 8);
}

bool words_moment(struct span key, struct span value, struct moment *m, unsigned *seen) {
	static const char *const keys[] = { "wall_ms", "boot_ms", "boot_id" };
	unsigned which = 0;
	while (which < 3 && !span_eq(key, span_str(keys[which])))
		which++;
	if (which == 3 || (*seen & 1u << which))
		return false;
	uint64_t id;
	bool valid = which == 0   ? words_int(value, &m->wall_ms)
		     : which == 1 ? words_int(value, &m->boot_ms)
				  : span_take_hex(&value, 8, &id) && value.len == 0;
	if (!valid)
		return false;
	if (which == 2)
		m->boot_id = (uint32_t)id;
	*seen |= 1u << which;
	return true;
}

size_t words_record_begin(struct buf *out, const char *kind) {
	size_t begin = out->len;
	codec_hex_add(out, 0, CRC_DIGITS);
	buf_addc(out, ' ');
	buf_adds(out, kind);
	return begin;
}

int words_record_end(struct buf *out, size_t begin) {
	if (buf_failed(out))
		return -1;
	size_t text = begin + CRC_DIGITS + 1;
	uint32_t crc = codec_crc32c(0, out->data + text, out->len - text);
	AUTO_BUF struct buf digits = BUF_INIT(CRC_DIGITS);
	if (buf_addc(out, '\n') != 0 || codec_hex_add(&digits, crc, CRC_DIGITS) != 0)
		return -1;
	memcpy(out->data + begin, digits.data, CRC_DIGITS);
	return 0;
}

bool words_record_take(struct span *in, struct span *ret) {
	struct span rest = *in, line;
	uint64_t crc;
	if (!span_take_until(&rest, '\n', &line) ||
	    !span_take_hex(&line, CRC_DIGITS, &crc) || !span_take_char(&line, ' ') ||
	    codec_crc32c(0, line.p, line.len) != crc)
		return false;
	*in = rest;
	*ret = line;
	return true;
}
