/* Tag lists of RFC 6376; see tags.h. */

#include "authres/tags.h"

#include "base/codec.h"
#include "base/term.h"

#define BASE64_MAX (64u << 10)

/* ALPHA *ALNUMPUNC */
static bool is_name(struct span s) {
	if (s.len == 0 || !span_is_alnum(s.p[0]) || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!span_is_alnum(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

/* VALCHAR and folding white space; UTF-8 where addresses have it (RFC 8616). */
static bool is_value(struct span s) {
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
			return false;
	}
	return true;
}

static int refuse(struct span at, const char *why, struct err *err) {
	AUTO_BUF struct buf shown = BUF_INIT(256);
	term_safe(&shown, span_head(span_trim(at), 40));
	return err_set(err, ERR_SYNTAX, "%s: \"%s\"", why, buf_str(&shown));
}

static int take_tag(struct span spec, struct tags *ret, struct err *err) {
	struct span rest = spec, name;
	if (!span_take_until(&rest, '=', &name) || !is_name(span_trim(name)))
		return refuse(spec, "not a tag", err);
	if (!is_value(rest))
		return refuse(name, "control characters in the tag", err);
	struct tag t = { span_trim(name), span_trim(rest), rest };
	for (size_t i = 0; i < ret->count; i++)
		if (span_eq(ret->item[i].name, t.name))
			return refuse(t.name, "the tag stands twice", err);
	if (ret->count == TAGS_MAX)
		return err_set(err, ERR_LIMIT, "more than %u tags", TAGS_MAX);
	ret->item[ret->count++] = t;
	return 0;
}

int tags_parse(struct span text, struct tags *ret, struct err *err) {
	ret->count = 0;
	while (text.len > 0) {
		struct span spec;
		if (!span_take_until(&text, ';', &spec)) {
			spec = text;
			text.len = 0;
			if (span_trim(spec).len == 0)
				break; /* behind the last ";" */
		}
		if (take_tag(spec, ret, err) != 0)
			return -1;
	}
	return ret->count ? 0 : err_set(err, ERR_SYNTAX, "no tags");
}

const struct tag *tags_find(const struct tags *t, const char *name) {
	struct span want = span_str(name);
	for (size_t i = 0; i < t->count; i++)
		if (span_eq(t->item[i].name, want))
			return &t->item[i];
	return NULL;
}

struct span tags_value(const struct tags *t, const char *name) {
	const struct tag *tag = tags_find(t, name);
	return tag ? tag->value : span_of(NULL, 0);
}

bool tags_take_item(struct span *list, struct span *ret) {
	if (list->p == NULL || list->len == 0)
		return false;
	if (!span_take_until(list, ':', ret)) {
		*ret = *list;
		list->len = 0;
	}
	*ret = span_trim(*ret);
	return true;
}

bool tags_has_item(struct span list, struct span word) {
	struct span item;
	while (tags_take_item(&list, &item))
		if (span_eq_nocase(item, word))
			return true;
	return false;
}

int tags_base64(struct span value, struct buf *out) {
	AUTO_BUF struct buf plain = BUF_INIT(BASE64_MAX);
	for (size_t i = 0; i < value.len; i++)
		if (!strchr(" \t\r\n", value.p[i]))
			buf_addc(&plain, value.p[i]);
	if (buf_failed(&plain))
		return -1;
	return codec_base64_decode(out, buf_span(&plain));
}
