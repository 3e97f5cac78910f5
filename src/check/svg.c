/*
 * A reader of XML as far as a logo needs it: elements with their attributes, in balance. What the
 * profile has is in tables; everything else is not in the profile.
 */

#include "check/svg.h"

#include "base/auto.h"
#include "base/term.h"

#define DEPTH_MAX 64
#define SHOWN_MAX 60u
#define TITLE_MAX 64u
#define COMPLAINTS_MAX 20u

static const char *const elements[] = {
	"circle",         "defs",       "desc",  "ellipse", "g",        "line",
	"linearGradient", "metadata",   "path",  "polygon", "polyline", "radialGradient",
	"rect",           "solidColor", "stop",  "svg",     "tbreak",   "text",
	"textArea",       "title",      "tspan", "use",
};

/* Elements that are named, because programs for drawing write them. */
static const struct {
	const char *name, *why;
} forbidden[] = {
	{ "script", "scripts are not allowed" },
	{ "style", "style sheets are not allowed; use attributes" },
	{ "image", "pictures made of dots are not allowed" },
	{ "foreignObject", "foreign content is not allowed" },
	{ "animate", "nothing may move" },
	{ "animateColor", "nothing may move" },
	{ "animateMotion", "nothing may move" },
	{ "animateTransform", "nothing may move" },
	{ "set", "nothing may move" },
	{ "a", "links are not allowed" },
	{ "audio", "sound and video are not allowed" },
	{ "video", "sound and video are not allowed" },
	{ "handler", "scripts are not allowed" },
	{ "listener", "scripts are not allowed" },
};

struct reader {
	struct span rest;
	struct buf *errors, *notes;
	unsigned complaints;
	struct span open[DEPTH_MAX];
	size_t depth;
	bool seen_root, has_title;
};

static void complain(struct reader *r, struct span what, const char *why) {
	if (r->complaints++ >= COMPLAINTS_MAX)
		return;
	term_safe(r->errors, span_head(what, SHOWN_MAX));
	buf_addf(r->errors, "%s%s\n", what.len > 0 ? ": " : "", why);
}

/* Without the namespace's prefix. */
static struct span local(struct span name) {
	size_t colon = span_find(name, ':');
	return colon < name.len ? span_from(name, colon + 1) : name;
}

static bool is_space(char c) {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct span *s) {
	while (s->len > 0 && is_space(s->p[0]))
		*s = span_from(*s, 1);
}

/* Up to `end`, which is taken off too; false: it is not there. */
static bool take_to(struct span *s, struct span end, struct span *ret) {
	for (size_t i = 0; i + end.len <= s->len; i++)
		if (memcmp(s->p + i, end.p, end.len) == 0) {
			*ret = span_head(*s, i);
			*s = span_from(*s, i + end.len);
			return true;
		}
	return false;
}

static bool take_name(struct span *s, struct span *ret) {
	size_t i = 0;
	while (i < s->len && !is_space(s->p[i]) && !strchr("=/><\"'", s->p[i]))
		i++;
	*ret = span_head(*s, i);
	*s = span_from(*s, i);
	return i > 0;
}

/* NAME="VALUE"; 1, 0 at the end, -1: no attribute. */
static int take_attribute(struct span *s, struct span *name, struct span *value) {
	skip_space(s);
	if (s->len == 0)
		return 0;
	if (!take_name(s, name))
		return -1;
	skip_space(s);
	if (s->len == 0 || s->p[0] != '=')
		return -1;
	*s = span_from(*s, 1);
	skip_space(s);
	if (s->len == 0 || (s->p[0] != '"' && s->p[0] != '\''))
		return -1;
	struct span quote = span_head(*s, 1);
	*s = span_from(*s, 1);
	return take_to(s, quote, value) ? 1 : -1;
}

/* --- what may stand there --- */

static void check_element(struct reader *r, struct span name) {
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (span_eq(local(name), span_str(forbidden[i].name))) {
			complain(r, name, forbidden[i].why);
			return;
		}
	for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++)
		if (span_eq(name, span_str(elements[i])))
			return;
	complain(r, name, "is no element of SVG Tiny PS");
}

static bool is_inside(struct span reference) {
	reference = span_trim(reference);
	return reference.len == 0 || reference.p[0] == '#';
}

static void check_attribute(struct reader *r, struct span name, struct span value) {
	struct span rest = value, url;
	if (span_eq(local(name), SPAN("href")) && !is_inside(value))
		complain(r, value, "a reference to something outside");
	while (take_to(&rest, SPAN("url("), &url)) {
		struct span target = rest;
		if (target.len > 0 && (target.p[0] == '"' || target.p[0] == '\''))
			target = span_from(target, 1);
		if (!is_inside(span_head(target, 1)))
			complain(r, target, "a reference to something outside");
	}
	if (name.len > 2 && span_starts_nocase(name, SPAN("on")))
		complain(r, name, "scripts are not allowed");
}

/* --- the root --- */

static bool take_number(struct span *s, double *ret) {
	double value = 0, part = 0.1;
	bool any = false, minus = false;
	while (s->len > 0 && (is_space(s->p[0]) || s->p[0] == ','))
		*s = span_from(*s, 1);
	if (s->len > 0 && s->p[0] == '-') {
		minus = true;
		*s = span_from(*s, 1);
	}
	for (; s->len > 0 && s->p[0] >= '0' && s->p[0] <= '9'; *s = span_from(*s, 1)) {
		value = value * 10 + (s->p[0] - '0');
		any = true;
	}
	if (s->len > 0 && s->p[0] == '.')
		for (*s = span_from(*s, 1);
		     s->len > 0 && s->p[0] >= '0' && s->p[0] <= '9';
		     *s = span_from(*s, 1), part /= 10) {
			value += part * (s->p[0] - '0');
			any = true;
		}
	*ret = minus ? -value : value;
	return any;
}

static bool is_square(struct span box) {
	double n[4];
	for (size_t i = 0; i < 4; i++)
		if (!take_number(&box, &n[i]))
			return false;
	return n[2] > 0 && n[2] - n[3] < 0.01 && n[3] - n[2] < 0.01;
}

static const struct {
	const char *name, *value, *why;
} wanted[] = {
	{ "xmlns", "http://www.w3.org/2000/svg",
	  "xmlns is not http://www.w3.org/2000/svg" },
	{ "version", "1.2", "version is not 1.2" },
	{ "baseProfile", "tiny-ps", "baseProfile is not tiny-ps" },
};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static void check_root(struct reader *r, struct span name, struct span attributes) {
	struct span key, value;
	bool good[WANTED] = { false }, square = false, box = false;
	r->seen_root = true;
	if (!span_eq(name, SPAN("svg")))
		complain(r, name, "the outermost element is not svg");
	while (take_attribute(&attributes, &key, &value) > 0) {
		for (size_t i = 0; i < WANTED; i++)
			if (span_eq(key, span_str(wanted[i].name)))
				good[i] = span_eq(value, span_str(wanted[i].value));
		if (span_eq(key, SPAN("x")) || span_eq(key, SPAN("y")))
			complain(r, key, "the outermost element may not have it");
		if (span_eq(key, SPAN("viewBox"))) {
			box = true;
			square = is_square(value);
		}
	}
	for (size_t i = 0; i < WANTED; i++)
		if (!good[i])
			complain(r, SPAN(""), wanted[i].why);
	if (!box)
		buf_adds(r->notes, "there is no viewBox\n");
	else if (!square)
		buf_adds(r->notes, "the viewBox is not square\n");
}

/* --- reading --- */

/* The title's text begins at r->rest. */
static void check_title(struct reader *r) {
	struct span text = span_trim(span_head(r->rest, span_find(r->rest, '<')));
	r->has_title = text.len > 0;
	if (text.len > TITLE_MAX)
		buf_adds(r->notes, "the title is longer than 64 characters\n");
}

/* A tag without its brackets. False: reading ends. */
static bool take_element(struct reader *r, struct span tag) {
	struct span name, key, value, rest;
	bool closes = tag.len > 0 && tag.p[0] == '/';
	bool empty = tag.len > 0 && tag.p[tag.len - 1] == '/';
	rest = closes ? span_from(tag, 1) : empty ? span_head(tag, tag.len - 1) : tag;
	if (!take_name(&rest, &name)) {
		complain(r, tag, "is no element");
		return false;
	}
	if (closes) {
		if (r->depth == 0 || !span_eq(r->open[r->depth - 1], name)) {
			complain(r, name, "it ends without having begun");
			return false;
		}
		r->depth--;
		return true;
	}
	if (r->depth == 0 && r->seen_root) {
		complain(r, name, "it stands behind the end");
		return false;
	}
	check_element(r, name);
	if (!r->seen_root)
		check_root(r, name, rest);
	int got;
	while ((got = take_attribute(&rest, &key, &value)) > 0)
		check_attribute(r, key, value);
	if (got < 0)
		complain(r, tag, "an attribute that cannot be read");
	if (empty)
		return true;
	if (r->depth == DEPTH_MAX) {
		complain(r, name, "elements are nested too deeply");
		return false;
	}
	r->open[r->depth++] = name;
	if (span_eq(name, SPAN("title")) && r->depth == 2)
		check_title(r);
	return true;
}

/* The end of a tag: '>' outside of quotes. */
static bool take_tag(struct span *s, struct span *ret) {
	char quote = 0;
	for (size_t i = 0; i < s->len; i++) {
		char c = s->p[i];
		if (quote) {
			quote = c == quote ? 0 : quote;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (c == '>') {
			*ret = span_head(*s, i);
			*s = span_from(*s, i + 1);
			return true;
		}
	}
	return false;
}

/* One thing between '<' and '>'. False: reading ends. */
static bool take_markup(struct reader *r) {
	struct span part, *s = &r->rest;
	bool whole;
	if (span_take_lit_nocase(s, SPAN("!--")))
		return take_to(s, SPAN("-->"), &part);
	if (span_take_lit_nocase(s, SPAN("![CDATA[")))
		return take_to(s, SPAN("]]>"), &part);
	if (s->len > 0 && s->p[0] == '?') {
		whole = take_to(s, SPAN("?>"), &part);
		if (whole && !span_starts_nocase(part, SPAN("?xml ")))
			complain(r, part, "an instruction to some program");
		return whole;
	}
	whole = take_tag(s, &part);
	if (whole && part.len > 0 && part.p[0] == '!') {
		if (memchr(part.p, '[', part.len))
			complain(r, part, "definitions of its own are not allowed");
		return true;
	}
	return whole && take_element(r, part);
}

bool svg_is_packed(struct span bytes) {
	return bytes.len > 2 && (uint8_t)bytes.p[0] == 0x1f &&
	       (uint8_t)bytes.p[1] == 0x8b;
}

bool svg_check(struct span text, struct buf *errors, struct buf *notes) {
	struct reader r = { .rest = text, .errors = errors, .notes = notes };
	struct span between;
	bool good = true;
	if (text.len > SVG_SIZE_MAX) {
		r.complaints++;
		buf_addf(errors, "%zu bytes; at most %u are shown\n", text.len,
			 SVG_SIZE_MAX);
	}
	span_take_lit_nocase(&r.rest, SPAN("\xef\xbb\xbf"));
	while (good && take_to(&r.rest, SPAN("<"), &between))
		good = take_markup(&r);
	if (!r.seen_root)
		complain(&r, SPAN(""), "it is no SVG file");
	else if (!good && r.complaints == 0)
		complain(&r, SPAN(""), "it is cut");
	else if (good && r.depth > 0)
		complain(&r, r.open[r.depth - 1], "it does not end");
	if (r.seen_root && !r.has_title)
		complain(&r, SPAN(""), "there is no title element with a text");
	return r.complaints == 0;
}
