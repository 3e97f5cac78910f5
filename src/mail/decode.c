/* Base64, quoted-printable and encoded words, as they occur; see decode.h. */

#include "mail/decode.h"

#include "mail/charset.h"
#include "mail/chars.h"
#include "mail/header.h"

#define WORDS_MAX (1u << 20) /* bytes of encoded words that are joined */

static int digit64(char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int decode_base64(struct buf *out, struct span s) {
	uint32_t bits = 0;
	unsigned have = 0;
	for (size_t i = 0; i < s.len; i++) {
		int d = digit64(s.p[i]);
		if (s.p[i] == '=') { /* the bits that are left are padding */
			bits = 0;
			have = 0;
		}
		if (d < 0)
			continue;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_addc(out, (char)(bits >> have & 0xff));
		}
	}
	return buf_failed(out) ? -1 : 0;
}

/* Takes "XX" behind an "=". */
static bool take_hex(struct span *in, struct buf *out) {
	uint64_t octet;
	if (!span_take_hex(in, 2, &octet))
		return false;
	buf_addc(out, (char)octet);
	return true;
}

static void decode_qp_line(struct buf *out, struct span line) {
	while (line.len) {
		struct span rest = span_from(line, 1);
		if (line.p[0] != '=' || !take_hex(&rest, out))
			buf_addc(out, line.p[0]);
		line = rest;
	}
}

int decode_qp(struct buf *out, struct span s) {
	while (s.len) {
		size_t nl = span_find(s, '\n');
		struct span line = span_head(s, nl), end = span_head(span_from(s, nl), 1);
		s = span_from(s, nl + 1);
		if (line.len && line.p[line.len - 1] == '\r') {
			line.len--;
			end = end.len ? SPAN("\r\n") : end;
		}
		while (line.len && chars_blank(line.p[line.len - 1]))
			line.len--;
		bool soft = line.len && line.p[line.len - 1] == '=';
		line.len -= soft;
		decode_qp_line(out, line);
		if (!soft)
			buf_add(out, end);
	}
	return buf_failed(out) ? -1 : 0;
}

/* --- encoded words --- */

struct word {
	struct span charset, text;
	bool base64;
};

/* Takes "=?charset*language?Q?text?=". Blanks in the text are not allowed and occur. */
static bool take_word(struct span *in, struct word *ret) {
	struct span s = *in, encoding;
	size_t n = 0;
	if (!span_take_lit(&s, SPAN("=?")) || !span_take_until(&s, '?', &ret->charset) ||
	    !span_take_until(&s, '?', &encoding) || encoding.len != 1)
		return false;
	char e = span_lower(encoding.p[0]);
	if (ret->charset.len == 0 || (e != 'q' && e != 'b'))
		return false;
	while (n + 1 < s.len && !(s.p[n] == '?' && s.p[n + 1] == '='))
		n++;
	if (n + 1 >= s.len)
		return false;
	ret->base64 = e == 'b';
	ret->text = span_head(s, n);
	ret->charset = span_head(ret->charset, span_find(ret->charset, '*'));
	*in = span_from(s, n + 2);
	return span_find(ret->charset, ' ') == ret->charset.len;
}

static void decode_q(struct buf *out, struct span s) {
	while (s.len) {
		struct span rest = span_from(s, 1);
		if (s.p[0] == '_')
			buf_addc(out, ' ');
		else if (s.p[0] != '=' || !take_hex(&rest, out))
			buf_addc(out, s.p[0]);
		s = rest;
	}
}

/* Control characters would make lines or worse out of a word. */
static void add_plain(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i++)
		buf_addc(out,
			 (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? ' ' : s.p[i]);
}

/* Takes a row of encoded words in one character set, and the blanks between them. */
static bool take_words(struct span *in, struct buf *out) {
	AUTO_BUF struct buf bytes = BUF_INIT(WORDS_MAX), text = BUF_INIT(4 * WORDS_MAX);
	struct word w, first;
	struct span next = *in;
	if (!take_word(&next, &w))
		return false;
	first = w;
	do {
		if (w.base64)
			decode_base64(&bytes, w.text);
		else
			decode_q(&bytes, w.text);
		*in = next;
		while (next.len && chars_blank(next.p[0]))
			next = span_from(next, 1);
	} while (take_word(&next, &w) && span_eq_nocase(w.charset, first.charset));
	charset_add(&text, first.charset, buf_span(&bytes));
	add_plain(out, buf_span(&text));
	return true;
}

/* True when only blanks stand before another encoded word: they separate nothing. */
static bool blanks_before_word(struct span s, size_t *ret_blanks) {
	struct span rest = s;
	struct word w;
	while (rest.len && chars_blank(rest.p[0]))
		rest = span_from(rest, 1);
	*ret_blanks = s.len - rest.len;
	return take_word(&rest, &w);
}

int decode_line(struct buf *out, struct span s) {
	while (s.len) {
		size_t blanks, n = 1;
		if (s.p[0] == '=' && take_words(&s, out)) {
			if (blanks_before_word(s, &blanks))
				s = span_from(s, blanks);
			continue;
		}
		while (n < s.len && s.p[n] != '=')
			n++;
		buf_add(out, span_head(s, n));
		s = span_from(s, n);
	}
	return buf_failed(out) ? -1 : 0;
}

int decode_words(struct buf *out, struct span value) {
	AUTO_BUF struct buf line = BUF_INIT(HEADER_BLOCK_MAX);
	if (header_unfold(value, &line) != 0)
		return -1;
	return decode_line(out, buf_span(&line));
}
