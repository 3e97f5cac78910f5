/*
 * JSON (RFC 8259), as much of it as a table needs: objects of texts, numbers, true, false and
 * null. The bytes are known to be UTF-8 without NUL.
 */

#include "mail/rows.h"

static void skip_blanks(struct rows *r) {
	while (r->rest.len > 0 && strchr(" \t\r\n", r->rest.p[0])) {
		r->line += r->rest.p[0] == '\n';
		r->rest = span_from(r->rest, 1);
	}
}

static int wrong(const struct rows *r, const char *words, struct err *err) {
	return err_set(err, ERR_SYNTAX, "line %zu: %s", r->line, words);
}

static void add_utf8(struct buf *out, uint32_t cp) {
	if (cp < 0x80) {
		buf_addc(out, (char)cp);
	} else if (cp < 0x800) {
		buf_addc(out, (char)(0xc0 | cp >> 6));
		buf_addc(out, (char)(0x80 | (cp & 63)));
	} else {
		if (cp < 0x10000) {
			buf_addc(out, (char)(0xe0 | cp >> 12));
		} else {
			buf_addc(out, (char)(0xf0 | cp >> 18));
			buf_addc(out, (char)(0x80 | (cp >> 12 & 63)));
		}
		buf_addc(out, (char)(0x80 | (cp >> 6 & 63)));
		buf_addc(out, (char)(0x80 | (cp & 63)));
	}
}

/* Takes the digits behind \u; a character beyond 16 bits is two of them (section 7). */
static bool take_unicode(struct span *in, uint32_t *ret) {
	uint64_t high, low;
	if (!span_take_hex(in, 4, &high) || high == 0 ||
	    (high >= 0xdc00 && high <= 0xdfff))
		return false;
	*ret = (uint32_t)high;
	if (high < 0xd800 || high > 0xdbff)
		return true;
	if (!span_take_lit(in, SPAN("\\u")) || !span_take_hex(in, 4, &low) ||
	    low < 0xdc00 || low > 0xdfff)
		return false;
	*ret = 0x10000 + (uint32_t)((high - 0xd800) << 10 | (low - 0xdc00));
	return true;
}

/* Takes one escape behind its backslash. */
static bool take_escape(struct span *in, struct buf *out) {
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t cp;
	if (span_take_char(in, 'u')) {
		if (!take_unicode(in, &cp))
			return false;
		add_utf8(out, cp);
		return true;
	}
	const char *at = in->len > 0 ? strchr(from, in->p[0]) : NULL;
	if (!at)
		return false;
	buf_addc(out, to[at - from]);
	*in = span_from(*in, 1);
	return true;
}

/* Takes a text whose first quote is taken already. */
static int take_string(struct rows *r, struct row *row, struct row_text *slot,
		       struct err *err) {
	size_t at = row->text.len;
	while (r->rest.len > 0) {
		unsigned char c = (unsigned char)r->rest.p[0];
		r->rest = span_from(r->rest, 1);
		if (c == '"') {
			*slot = (struct row_text){ at, row->text.len - at };
			return 0;
		}
		if (c < 0x20)
			return wrong(r, "a control character inside a text", err);
		if (c != '\\')
			buf_addc(&row->text, (char)c);
		else if (!take_escape(&r->rest, &row->text))
			return wrong(r, "an escape that JSON does not have", err);
	}
	return wrong(r, "a text is never closed", err);
}

static bool take_digits(struct span *in) {
	size_t before = in->len;
	while (in->len > 0 && in->p[0] >= '0' && in->p[0] <= '9')
		*in = span_from(*in, 1);
	return in->len < before;
}

/* number = [ "-" ] int [ frac ] [ exp ]; int has no leading zero. */
static bool take_number(struct span *in) {
	struct span s = *in;
	(void)span_take_char(&s, '-');
	if (!span_take_char(&s, '0') && !take_digits(&s))
		return false;
	if (span_take_char(&s, '.') && !take_digits(&s))
		return false;
	if (span_take_char(&s, 'e') || span_take_char(&s, 'E')) {
		if (!span_take_char(&s, '+'))
			(void)span_take_char(&s, '-');
		if (!take_digits(&s))
			return false;
	}
	*in = s;
	return true;
}

static int take_value(struct rows *r, struct row *row, struct row_text *slot,
		      struct err *err) {
	struct span before = r->rest;
	if (span_take_char(&r->rest, '"'))
		return take_string(r, row, slot, err);
	if (span_take_lit(&r->rest, SPAN("null")))
		return row_add_text(row, slot, SPAN(""));
	if (span_take_lit(&r->rest, SPAN("true")) ||
	    span_take_lit(&r->rest, SPAN("false")) || take_number(&r->rest))
		return row_add_text(row, slot,
				    span_head(before, before.len - r->rest.len));
	if (before.len > 0 && (before.p[0] == '{' || before.p[0] == '['))
		return wrong(r, "a value is an object or array; it has to be a text",
			     err);
	return wrong(r, "no value where one belongs", err);
}

static int take_member(struct rows *r, struct row *row, struct err *err) {
	skip_blanks(r);
	if (row->count == ROWS_CELLS_MAX)
		return err_set(err, ERR_LIMIT, "line %zu: more than %u fields", r->line,
			       ROWS_CELLS_MAX);
	if (!span_take_char(&r->rest, '"'))
		return wrong(r, "no name of a field where one belongs", err);
	if (take_string(r, row, &row->name[row->count], err) != 0)
		return -1;
	skip_blanks(r);
	if (!span_take_char(&r->rest, ':'))
		return wrong(r, "no colon behind the name of a field", err);
	skip_blanks(r);
	if (take_value(r, row, &row->value[row->count], err) != 0)
		return -1;
	row->count++;
	skip_blanks(r);
	return 0;
}

static int take_object(struct rows *r, struct row *row, struct err *err) {
	row->count = 0;
	buf_reset(&row->text);
	skip_blanks(r);
	if (!span_take_char(&r->rest, '}')) {
		do {
			if (take_member(r, row, err) != 0)
				return -1;
		} while (span_take_char(&r->rest, ','));
		if (!span_take_char(&r->rest, '}'))
			return wrong(r, "an object is not closed", err);
	}
	if (buf_failed(&row->text))
		return err_set(err, ERR_LIMIT, "line %zu: the row is too long", r->line);
	return 1;
}

/* Takes what ends the rows. Returns 0 when it is there, 1 when not, -1: it is not alone. */
static int take_end(struct rows *r, struct err *err) {
	if (!r->in_array)
		return r->rest.len > 0;
	if (r->rest.len == 0)
		return wrong(r, "the array is not closed", err);
	if (!span_take_char(&r->rest, ']'))
		return 1;
	r->in_array = false;
	skip_blanks(r);
	return r->rest.len > 0 ? wrong(r, "something behind the array", err) : 0;
}

/* Takes what stands in front of an object, and its brace. Returns 1, or 0 at the end. */
static int take_start(struct rows *r, struct err *err) {
	skip_blanks(r);
	if (r->count == 0 && !r->in_array && span_take_char(&r->rest, '[')) {
		r->in_array = true;
		skip_blanks(r);
	}
	int more = take_end(r, err);
	if (more <= 0)
		return more;
	if (r->in_array && r->count > 0 && !span_take_char(&r->rest, ','))
		return wrong(r, "no comma between two objects", err);
	skip_blanks(r);
	return span_take_char(&r->rest, '{')
		       ? 1
		       : wrong(r, "no object where one belongs", err);
}

int rows_next_json(struct rows *r, struct row *ret, struct err *err) {
	int started = take_start(r, err);
	int got = started > 0 ? take_object(r, ret, err) : started;
	if (got > 0)
		r->count++;
	return got;
}
