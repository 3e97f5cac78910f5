/*
 * Text for header fields: RFC 2047 encoded words where it is not plain ASCII, folding
 * where it is long. Encoded words hold whole characters, at most 75 octets each, one on
 * each line. Control characters become spaces, so no text can make a line or a field.
 */

#include "mail/fixup.h"

#include <string.h>

#include "base/codec.h"
#include "mail/chars.h"

#define WORD_MAX 75   /* RFC 2047 section 2 */
#define COLUMN_MAX 76 /* of a line with an encoded word */
#define LINE_GOOD 78  /* RFC 5322 section 2.1.1: should */
#define LINE_HARD 900 /* must: 998; room for the field's name */
#define FRAME 12      /* "=?UTF-8?Q?" and "?=" */

/* Takes one character; a control character comes back as a space, a byte that is not
 * UTF-8 as U+FFFD. The result points into *in or at a constant. */
static struct span take_clean(struct span *in) {
	struct span s = *in;
	uint32_t cp;
	if (!span_take_utf8(in, &cp)) {
		*in = span_from(*in, 1);
		return SPAN("\xef\xbf\xbd");
	}
	if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029)
		return SPAN(" ");
	return span_head(s, s.len - in->len);
}

static size_t q_cost(struct span character) {
	size_t cost = 0;
	for (size_t i = 0; i < character.len; i++)
		cost += character.p[i] == ' ' || chars_is(character.p[i], CHARS_QENC) ? 1
										      : 3;
	return cost;
}

static void add_q(struct buf *out, struct span text) {
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == ' ')
			buf_addc(out, '_');
		else if (chars_is(text.p[i], CHARS_QENC))
			buf_addc(out, text.p[i]);
		else
			buf_addf(out, "=%02X", (unsigned char)text.p[i]);
	}
}

/* Encodes as much from the front of *in as fits in `room` octets (but a character at
 * least), in Q or B, whichever the caller found to be shorter. */
static void add_word(struct buf *out, struct span *in, size_t room, bool q) {
	AUTO_BUF struct buf text = BUF_INIT(WORD_MAX * 2);
	size_t cost = 0;
	while (in->len > 0) {
		struct span rest = *in, c = take_clean(&rest);
		size_t more = q ? cost + q_cost(c) : (text.len + c.len + 2) / 3 * 4;
		if (text.len > 0 && FRAME + more > room)
			break;
		cost = more;
		buf_add(&text, c);
		*in = rest;
	}
	buf_adds(out, q ? "=?UTF-8?Q?" : "=?UTF-8?B?");
	if (q)
		add_q(out, buf_span(&text));
	else
		codec_base64_add(out, buf_span(&text));
	buf_adds(out, "?=");
}

static void add_encoded(struct buf *out, struct span text, size_t column) {
	size_t q = 0;
	for (struct span rest = text; rest.len > 0;)
		q += q_cost(take_clean(&rest));
	bool use_q = q <=
		     text.len / 3 * 4 + 8; /* a little longer, but people can read it */
	while (text.len > 0) {
		size_t room = column < COLUMN_MAX ? COLUMN_MAX - column : 0;
		add_word(out, &text, room < WORD_MAX ? room : WORD_MAX, use_q);
		if (text.len > 0)
			buf_adds(out, "\r\n ");
		column = 1;
	}
}

/* True when the text cannot stand as it is: beyond ASCII, an unbreakable run too long for
 * a line, or something that would be read as an encoded word. */
static bool needs_encoding(struct span text) {
	size_t run = 0; /* of what folding cannot break */
	for (size_t i = 0; i < text.len; i++) {
		bool breakable = i > 0 && text.p[i] == ' ' && text.p[i - 1] != ' ';
		run = breakable ? 1 : run + 1;
		if ((unsigned char)text.p[i] >= 0x80 || run > LINE_HARD)
			return true;
		if (text.p[i] == '=' && i + 1 < text.len && text.p[i + 1] == '?')
			return true;
	}
	return false;
}

static void add_quoted(struct buf *out, struct span text) {
	buf_addc(out, '"');
	while (text.len > 0) {
		struct span c = take_clean(&text);
		if (c.p[0] == '"' || c.p[0] == '\\')
			buf_addc(out, '\\');
		buf_add(out, c);
	}
	buf_addc(out, '"');
}

/* Atoms with one space between them need no quotes. */
static bool is_atoms(struct span text) {
	struct span word;
	while (span_take_until(&text, ' ', &word))
		if (word.len == 0 || chars_run(word, CHARS_ATEXT) != word.len)
			return false;
	return text.len > 0 && chars_run(text, CHARS_ATEXT) == text.len;
}

int fixup_phrase(struct buf *out, struct span name) {
	name = span_trim(name);
	if (needs_encoding(name) || name.len > LINE_HARD)
		add_encoded(out, name, sizeof("Resent-From:"));
	else if (name.len == 0 || is_atoms(name))
		buf_add(out, name);
	else
		add_quoted(out, name);
	return buf_failed(out) ? -1 : 0;
}

/* Appends ASCII text; a line is broken in front of the blanks between two words, which
 * unfolding gives back. */
static void add_folded(struct buf *out, struct span text, size_t column) {
	while (text.len > 0) {
		size_t n = 0;
		while (n < text.len &&
		       take_clean(&(struct span){ text.p + n, 1 }).p[0] == ' ')
			n++;
		bool breakable = n > 0;
		while (n < text.len &&
		       take_clean(&(struct span){ text.p + n, 1 }).p[0] != ' ')
			n++;
		if (breakable && column > 1 && column + n > LINE_GOOD) {
			buf_adds(out, "\r\n");
			column = 0;
		}
		column += n;
		for (struct span word = span_head(text, n); word.len > 0;)
			buf_add(out, take_clean(&word));
		text = span_from(text, n);
	}
}

int fixup_text(struct buf *out, struct span text, size_t column) {
	text = span_trim(text);
	if (needs_encoding(text))
		add_encoded(out, text, column);
	else
		add_folded(out, text, column);
	return buf_failed(out) ? -1 : 0;
}
