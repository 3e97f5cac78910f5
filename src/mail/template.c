/*
 * Templates. In a list of addresses a value must not become two addresses, nor a name an
 * address: it is quoted (RFC 5322 section 3.2.4) unless it is one address or plain words, and
 * in a comment, where quotes mean nothing, what could end that is quoted (section 3.2.2).
 */

#include "mail/template.h"

#include "base/suggest.h"
#include "mail/addr.h"
#include "mail/chars.h"

#define NAME_MAX_OCTETS 100u

void template_html(struct buf *out, struct span value) {
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		if (c == '&')
			buf_adds(out, "&amp;");
		else if (c == '<')
			buf_adds(out, "&lt;");
		else if (c == '>')
			buf_adds(out, "&gt;");
		else if (c == '"')
			buf_adds(out, "&quot;");
		else if (c == '\'')
			buf_adds(out, "&#39;");
		else
			buf_addc(out, c);
	}
}

static void add_url(struct buf *out, struct span value) {
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		if (span_is_alnum(c) || (c && strchr("-._~", c)))
			buf_addc(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned char)c);
	}
}

static bool is_words(struct span value) {
	struct span word, rest = value;
	while (span_take_word(&rest, &word))
		if (chars_run(word, CHARS_ATEXT) != word.len)
			return false;
	return rest.len == 0 || span_trim(rest).len == 0;
}

/* Each of the special characters gets a backslash. */
static void add_escaped(struct buf *out, struct span value, const char *special) {
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] && strchr(special, value.p[i]))
			buf_addc(out, '\\');
		buf_addc(out, value.p[i]);
	}
}

static void add_address(struct buf *out, struct span value, bool in_quotes, bool in_comment) {
	struct addr parts;
	bool plain = addr_parse(value, ADDR_SMTP, &parts, NULL) == 0 || is_words(value);
	if (in_comment) {
		add_escaped(out, value, "()\\");
		return;
	}
	if (plain && !in_quotes) {
		buf_add(out, value);
		return;
	}
	if (!in_quotes)
		buf_addc(out, '"');
	add_escaped(out, value, "\"\\");
	if (!in_quotes)
		buf_addc(out, '"');
}

static int no_field(struct span name, const struct row *row, struct err *err) {
	struct suggest s = { .word = name };
	AUTO_BUF struct buf names = BUF_INIT(ROWS_ROW_MAX);
	for (size_t i = 0; i < row->count; i++) {
		buf_add(&names, row_name(row, i));
		buf_addc(&names, 0);
	}
	const char *at = buf_str(&names);
	for (size_t i = 0; i < row->count && !buf_failed(&names); i++) {
		suggest_try(&s, at);
		at += strlen(at) + 1;
	}
	return err_set(err, ERR_MISSING, "the data has no field \"%.*s\"%s%s%s",
		       (int)name.len, name.p, s.best ? "; did you mean \"" : "",
		       s.best ? s.best : "", s.best ? "\"?" : "");
}

struct expansion {
	enum template_use use;
	const struct row *row;
	struct buf *out;
	bool in_quotes; /* of a list of addresses */
	unsigned in_comment; /* how deep */
};

static int add_value(struct expansion *x, struct span name, bool raw, struct err *err) {
	struct span value;
	if (!row_get(x->row, name, &value))
		return no_field(name, x->row, err);
	if (raw || x->use == TEMPLATE_TEXT)
		buf_add(x->out, value);
	else if (x->use == TEMPLATE_HTML)
		template_html(x->out, value);
	else if (x->use == TEMPLATE_URL)
		add_url(x->out, value);
	else
		add_address(x->out, value, x->in_quotes, x->in_comment > 0);
	return 0;
}

/* Takes "{{name}}" or "{{{name}}}". */
static bool take_place(struct span *in, struct span *ret_name, bool *ret_raw) {
	struct span s = *in;
	if (!span_take_lit(&s, SPAN("{{")))
		return false;
	*ret_raw = span_take_char(&s, '{');
	size_t n = 0;
	while (n < s.len && n <= NAME_MAX_OCTETS && !strchr("{}\n", s.p[n]))
		n++;
	*ret_name = span_trim(span_head(s, n));
	s = span_from(s, n);
	if (ret_name->len == 0 || !span_take_lit(&s, *ret_raw ? SPAN("}}}") : SPAN("}}")))
		return false;
	*in = s;
	return true;
}

/* Takes text up to the next place; an escaped one is text. */
static void take_text(struct expansion *x, struct span *in) {
	while (in->len > 0 && !span_starts(*in, SPAN("{{"))) {
		if (span_take_lit(in, SPAN("\\{{"))) {
			buf_adds(x->out, "{{");
			continue;
		}
		char c = in->p[0];
		if ((x->in_quotes || x->in_comment) && c == '\\' && in->len > 1) {
			buf_addc(x->out, '\\');
			*in = span_from(*in, 1);
		} else if (c == '"' && !x->in_comment) {
			x->in_quotes = !x->in_quotes;
		} else if (c == '(' && !x->in_quotes) {
			x->in_comment++;
		} else if (c == ')' && !x->in_quotes && x->in_comment) {
			x->in_comment--;
		}
		buf_addc(x->out, in->p[0]);
		*in = span_from(*in, 1);
	}
}

static size_t line_of(struct span text, struct span rest) {
	size_t line = 1;
	for (size_t i = 0; i < text.len - rest.len; i++)
		line += text.p[i] == '\n';
	return line;
}

int template_expand(struct span text, enum template_use use, const struct row *row,
		    struct buf *out, struct err *err) {
	struct expansion x = { .use = use, .row = row, .out = out };
	struct span rest = text, name;
	bool raw;
	while (rest.len > 0) {
		take_text(&x, &rest);
		if (rest.len == 0)
			break;
		if (!take_place(&rest, &name, &raw))
			return err_set(err, ERR_SYNTAX,
				       "line %zu: {{ without a name and }} behind it",
				       line_of(text, rest));
		if (add_value(&x, name, raw, err) != 0)
			return -1;
	}
	return buf_failed(out) ? err_set(err, ERR_LIMIT, "the text is too long") : 0;
}
