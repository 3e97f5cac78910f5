/* Authentication-Results: reading and writing. */

#include "authres/authres.h"

#include "mail/chars.h"

/* --- reading --- */

/* Skips blanks, line ends and comments, which nest. *ret_note gets the first comment, if it is
 * empty yet. */
static void skip_cfws(struct span *in, struct span *ret_note) {
	unsigned depth = 0;
	size_t n = 0, begin = 0;
	for (; n < in->len; n++) {
		char c = in->p[n];
		if (c == '(' && depth++ == 0) {
			begin = n + 1;
		} else if (c == ')' && depth && --depth == 0) {
			if (ret_note && ret_note->len == 0)
				*ret_note = span_trim(span_of(in->p + begin, n - begin));
		} else if (c == '\\' && depth && n + 1 < in->len) {
			n++;
		} else if (!depth && c != ')' && !chars_space(c)) {
			break;
		}
	}
	*in = span_from(*in, n);
}

/* A quoted string, without its quotes, or a run up to a blank or one of these. */
static struct span take_value(struct span *in, const char *ends) {
	size_t n = 0;
	struct span s;
	if (in->len && in->p[0] == '"') {
		for (n = 1; n < in->len && in->p[n] != '"';)
			n += in->p[n] == '\\' ? 2 : 1;
		s = span_from(span_head(*in, n), 1);
		*in = span_from(*in, n + 1);
		return s;
	}
	while (n < in->len && !chars_space(in->p[n]) &&
	       (in->p[n] == '\0' || !strchr(ends, in->p[n])))
		n++;
	s = span_head(*in, n);
	*in = span_from(*in, n);
	return s;
}

/* "name = value"; the name has no blank. */
static bool take_pair(struct span *in, struct span *ret_name, struct span *ret_value,
		      struct span *ret_note) {
	struct span s = *in;
	*ret_name = take_value(&s, "=;(\"");
	skip_cfws(&s, ret_note);
	if (ret_name->len == 0 || !span_take_char(&s, '='))
		return false;
	skip_cfws(&s, ret_note);
	*ret_value = take_value(&s, ";(");
	*in = s;
	return true;
}

static void add_prop(struct authres_method *m, struct span name, struct span value) {
	struct span type = name;
	if (span_eq_nocase(name, SPAN("reason"))) {
		m->reason = value;
		return;
	}
	if (!span_take_until(&name, '.', &type) || m->props == AUTHRES_PROPS_MAX)
		return;
	m->prop[m->props++] = (struct authres_prop){ type, name, value };
}

/* One resinfo, up to the ";" that is not in quotes or a comment. */
static void take_method(struct span *in, struct authres *a) {
	struct authres_method m = { .props = 0 };
	struct span name, value;
	skip_cfws(in, NULL);
	if (take_pair(in, &m.method, &m.result, &m.note)) {
		m.method = span_head(m.method, span_find(m.method, '/'));
		for (skip_cfws(in, &m.note); take_pair(in, &name, &value, &m.note);
		     skip_cfws(in, &m.note))
			add_prop(&m, name, value);
		if (a->count < AUTHRES_METHODS_MAX)
			a->method[a->count++] = m;
		else
			a->cut = true;
	} else if (span_eq_nocase(span_trim(span_head(*in, span_find(*in, ';'))),
				  SPAN("none"))) {
		a->none = true;
	}
	while (in->len && in->p[0] != ';') {
		if (in->p[0] == '"')
			take_value(in, "");
		else if (in->p[0] == '(')
			skip_cfws(in, NULL);
		else
			*in = span_from(*in, 1);
	}
}

bool authres_parse(struct span value, struct authres *ret) {
	*ret = (struct authres){ .count = 0 };
	skip_cfws(&value, NULL);
	struct span rest = value;
	struct span first = take_value(&rest, ";(=");
	skip_cfws(&rest, NULL);
	if (rest.len == 0 || rest.p[0] != '=') { /* else there is no authserv-id */
		ret->server = first;
		value = rest;
		take_value(&value, ";("); /* the version */
		skip_cfws(&value, NULL);
		span_take_char(&value, ';');
	}
	while (value.len) {
		take_method(&value, ret);
		span_take_char(&value, ';');
	}
	return ret->server.len > 0 || ret->count > 0;
}

struct span authres_prop(const struct authres_method *m, const char *type,
			 const char *name) {
	for (size_t i = 0; i < m->props; i++)
		if (span_eq_nocase(m->prop[i].type, span_str(type)) &&
		    span_eq_nocase(m->prop[i].name, span_str(name)))
			return m->prop[i].value;
	return span_of(NULL, 0);
}

/* --- writing --- */

static bool is_plain(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if (!chars_is(s.p[i], CHARS_ATEXT) && s.p[i] != '.' && s.p[i] != '@')
			return false;
	return s.len > 0;
}

/* A token, or a quoted string. */
static void add_value(struct buf *out, struct span s) {
	bool plain = is_plain(s);
	if (!plain)
		buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(out, '\\');
		if ((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f)
			buf_addc(out, s.p[i]);
	}
	if (!plain)
		buf_addc(out, '"');
}

static void add_method(struct buf *out, const struct authres_method *m) {
	buf_add(out, m->method);
	buf_addc(out, '=');
	buf_add(out, m->result);
	if (m->reason.len) {
		buf_adds(out, " reason=");
		add_value(out, m->reason);
	}
	for (size_t i = 0; i < m->props; i++) {
		buf_addf(out, " %.*s.%.*s=", (int)m->prop[i].type.len, m->prop[i].type.p,
			 (int)m->prop[i].name.len, m->prop[i].name.p);
		add_value(out, m->prop[i].value);
	}
}

int authres_write(const struct authres *a, const char *line_end, struct buf *out) {
	buf_adds(out, "Authentication-Results: ");
	add_value(out, a->server);
	if (a->count == 0)
		buf_adds(out, "; none");
	for (size_t i = 0; i < a->count; i++) {
		buf_addf(out, ";%s\t", line_end);
		add_method(out, &a->method[i]);
	}
	return buf_adds(out, line_end);
}
