/* Parameters of header fields; see param.h. */

#include "mail/param.h"

#include "mail/charset.h"
#include "mail/chars.h"
#include "mail/decode.h"

#define VALUE_MAX (64u << 10)
#define SECTIONS_MAX 99999u

/* A run of what is neither blank nor one of the characters that mean something here. */
static struct span take_token(struct span *in, const char *ends) {
	size_t n = 0;
	while (n < in->len && !chars_space(in->p[n]) &&
	       (in->p[n] == '\0' || !strchr(ends, in->p[n])))
		n++;
	struct span token = span_head(*in, n);
	*in = span_from(*in, n);
	return token;
}

/* True when a parameter begins here, although no ";" is before it. */
static bool begins_param(struct span s) {
	while (s.len && chars_space(s.p[0]))
		s = span_from(s, 1);
	return take_token(&s, "=;(\"").len > 0 && s.len && s.p[0] == '=';
}

/* What nobody quoted: blanks occur in it; a ";", a comment or another parameter ends it. */
static struct span take_bare(struct span *in) {
	size_t n = 0;
	while (n < in->len && in->p[n] != ';' && in->p[n] != '(' &&
	       !(chars_space(in->p[n]) && begins_param(span_from(*in, n))))
		n++;
	struct span s = span_trim(span_head(*in, n));
	*in = span_from(*in, n);
	return s;
}

/* A quoted string with its quotes, or a bare value. */
static struct span take_value(struct span *in) {
	size_t n = 1;
	if (in->len == 0 || in->p[0] != '"')
		return take_bare(in);
	while (n < in->len && in->p[n] != '"')
		n += in->p[n] == '\\' ? 2 : 1;
	struct span s = span_head(*in, n + 1);
	*in = span_from(*in, n + 1);
	return s;
}

static void add_lower(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i++)
		buf_addc(out, span_lower(s.p[i]));
}

static void take_type(struct span *in, struct buf *type) {
	struct span sub;
	chars_skip_gap(in, "");
	add_lower(type, take_token(in, ";/("));
	chars_skip_gap(in, "");
	if (type->len == 0 || !span_take_char(in, '/'))
		return;
	chars_skip_gap(in, "");
	sub = take_token(in, ";(,");
	if (sub.len)
		buf_addc(type, '/');
	add_lower(type, sub);
}

/* "name*2*" is section 2 of name, extended. */
static void split_name(struct param_item *p, struct span name) {
	struct span rest;
	uint64_t section;
	p->section = -1;
	p->extended = false;
	p->name = span_head(name, span_find(name, '*'));
	rest = span_from(name, p->name.len + 1);
	if (p->name.len == name.len)
		return;
	if (rest.len == 0) { /* name* */
		p->extended = true;
		return;
	}
	if (!span_take_uint(&rest, SECTIONS_MAX, &section))
		return;
	p->section = (int)section;
	p->extended = span_take_char(&rest, '*');
}

/* Takes what stands before the next parameter: a ";", or nothing but blanks and comments. */
static void take_gap(struct span *in) {
	chars_skip_gap(in, "");
	while (span_take_char(in, ';'))
		chars_skip_gap(in, "");
}

void param_parse(struct span value, struct buf *type, struct param_list *ret) {
	ret->count = 0;
	take_type(&value, type);
	while (type->len && value.len && ret->count < PARAM_MAX) {
		struct param_item p;
		take_gap(&value);
		struct span name = take_token(&value, "=;(");
		chars_skip_gap(&value, "");
		if (!span_take_char(&value, '=')) {
			/* not understood up to the next ";" */
			value = span_from(value, span_find(value, ';'));
			continue;
		}
		chars_skip_gap(&value, "");
		split_name(&p, name);
		p.value = take_value(&value);
		if (p.name.len && p.value.len)
			ret->item[ret->count++] = p;
	}
}

/* Without quotes and the backslashes in them. */
static void add_unquoted(struct buf *out, struct span s) {
	if (s.len == 0 || s.p[0] != '"') {
		buf_add(out, s);
		return;
	}
	s = span_from(s, 1);
	if (s.len && s.p[s.len - 1] == '"')
		s.len--;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			buf_addc(out, s.p[i]);
	}
}

static void add_percent(struct buf *out, struct span s) {
	while (s.len) {
		struct span rest = span_from(s, 1);
		uint64_t octet;
		if (s.p[0] == '%' && span_take_hex(&rest, 2, &octet))
			buf_addc(out, (char)octet);
		else
			buf_addc(out, s.p[0]);
		s = rest;
	}
}

/* Takes "charset'language'" from the front; an older form has none of it. */
static struct span take_charset(struct span *in) {
	struct span s = *in, charset, language;
	if (!span_take_until(&s, '\'', &charset) || !span_take_until(&s, '\'', &language))
		return SPAN("");
	*in = s;
	return charset;
}

/* The character set once more, before a further section, where it is wrong and occurs. */
static void skip_charset(struct span *in, struct span charset) {
	struct span s = *in, language;
	if (charset.len == 0 || !span_take_lit_nocase(&s, charset) ||
	    !span_take_char(&s, '\''))
		return;
	*in = s;
	if (span_take_until(&s, '\'', &language) &&
	    span_find(language, '%') == language.len)
		*in = s;
}

/* The section of that name with the lowest number from `from` on; NULL: there is none. */
static const struct param_item *next_section(const struct param_list *list,
					     struct span name, int from) {
	const struct param_item *best = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct param_item *p = &list->item[i];
		if (p->section >= from && (!best || p->section < best->section) &&
		    span_eq_nocase(p->name, name))
			best = p;
	}
	return best;
}

/* The character set that the first section names is that of all (RFC 2231 section 4.1). Gaps
 * in the numbers are passed over. */
static bool join_sections(const struct param_list *list, struct span name,
			  struct buf *out) {
	AUTO_BUF struct buf bytes = BUF_INIT(VALUE_MAX), first = BUF_INIT(VALUE_MAX);
	const struct param_item *p = next_section(list, name, 0);
	struct span charset = SPAN("");
	bool found = p != NULL;
	for (bool begin = true; p; begin = false) {
		AUTO_BUF struct buf plain = BUF_INIT(VALUE_MAX);
		add_unquoted(begin ? &first : &plain, p->value);
		struct span s = buf_span(begin ? &first : &plain);
		if (begin && p->extended)
			charset = take_charset(&s);
		else if (p->extended)
			skip_charset(&s, charset);
		if (p->extended)
			add_percent(&bytes, s);
		else
			buf_add(&bytes, s);
		p = next_section(list, name, p->section + 1);
	}
	if (found)
		charset_add(out, charset, buf_span(&bytes));
	return found;
}

static void add_single(const struct param_item *p, struct buf *out) {
	AUTO_BUF struct buf plain = BUF_INIT(VALUE_MAX), bytes = BUF_INIT(VALUE_MAX);
	add_unquoted(&plain, p->value);
	struct span s = buf_span(&plain);
	if (!p->extended) {
		decode_line(out, s);
		return;
	}
	struct span charset = take_charset(&s);
	add_percent(&bytes, s);
	charset_add(out, charset, buf_span(&bytes));
}

bool param_find(const struct param_list *list, struct span name, struct buf *out) {
	const struct param_item *plain = NULL, *extended = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct param_item *p = &list->item[i];
		if (p->section != -1 || !span_eq_nocase(p->name, name))
			continue;
		if (p->extended && !extended)
			extended = p;
		else if (!p->extended && !plain)
			plain = p;
	}
	if (extended)
		add_single(extended, out);
	else if (join_sections(list, name, out))
		return true;
	else if (plain)
		add_single(plain, out);
	return extended || plain;
}
