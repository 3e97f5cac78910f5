/*
 * Address lists of header fields (RFC 5322 sections 3.4 and 4.4). Each item is first
 * skimmed up to the byte that tells what it is: "<" makes everything before it a
 * display name, ":" makes it the name of a group, a separator makes it a bare address.
 * So display names may hold anything that occurs ("Joe Q. Public", a@b, [list]), while
 * an address is read strictly and written anew in canonical form.
 *
 * Deviations, because they occur: ";" separates outside of groups too, a group may end
 * with the list, and words after ">" are passed over.
 */

#include "mail/addr.h"

#include "base/term.h"
#include "mail/chars.h"

#define WORK_MAX 1024 /* a local part before it is known to be too long */

struct walk {
	struct span in;
	struct buf local;   /* unquoted */
	struct buf address; /* canonical */
	struct span raw;    /* the address as it stands there */
	addr_list_fn *fn; /* one of the two */
	addr_list_raw_fn *raw_fn;
	void *ctx;
	struct err *err;
};

static int refuse(const struct walk *w, struct span at, const char *why) {
	AUTO_BUF struct buf shown = BUF_INIT(512);
	term_safe(&shown, span_head(span_trim(at), 60));
	return err_set(w->err, ERR_SYNTAX, "%s at \"%s\"", why, buf_str(&shown));
}

/* Takes what stands between two delimiters, quoted pairs skipped; comments nest. */
static bool skip_enclosed(struct span *in, char open, char close) {
	size_t depth = 0;
	for (size_t i = 0; i < in->len; i++) {
		char c = in->p[i];
		if (c == '\\') {
			i++;
		} else if (c == close && (depth == 1 || open == close) && i > 0) {
			*in = span_from(*in, i + 1);
			return true;
		} else if (c == close && i > 0) {
			depth--;
		} else if (c == open) {
			depth++;
		}
	}
	return false;
}

static bool skip_cfws(struct span *in) {
	while (in->len > 0) {
		char c = in->p[0];
		if (chars_blank(c) || c == '\r' || c == '\n')
			*in = span_from(*in, 1);
		else if (c != '(')
			return true;
		else if (!skip_enclosed(in, '(', ')'))
			return false;
	}
	return true;
}

/* Appends the content of a quoted string; folds vanish, their blank stays. */
static void add_quoted(struct buf *out, struct span quoted) {
	for (size_t i = 1; i + 1 < quoted.len; i++) {
		if (quoted.p[i] == '\\')
			i++;
		else if (quoted.p[i] == '\r' || quoted.p[i] == '\n')
			continue;
		buf_addc(out, quoted.p[i]);
	}
}

/* word = atom / quoted-string */
static bool take_word(struct span *in, struct buf *out) {
	struct span s = *in;
	if (s.len > 0 && s.p[0] == '"') {
		if (!skip_enclosed(&s, '"', '"'))
			return false;
		add_quoted(out, span_head(*in, in->len - s.len));
	} else {
		size_t n = chars_run(s, CHARS_ATEXT);
		if (n == 0)
			return false;
		buf_add(out, span_head(s, n));
		s = span_from(s, n);
	}
	*in = s;
	return true;
}

/* obs-local-part = word *("." word); "a".b and a.b are the same mailbox */
static bool take_local(struct span *in, struct buf *out) {
	struct span s = *in;
	do {
		if (!skip_cfws(&s) || !take_word(&s, out) || !skip_cfws(&s))
			return false;
	} while (span_take_char(&s, '.') && buf_addc(out, '.') == 0);
	*in = s;
	return true;
}

/* domain-literal = "[" *([FWS] dtext) "]", without the blanks */
static bool take_literal(struct span *in, struct buf *out) {
	struct span s = *in, inside;
	if (!span_take_until(&s, ']', &inside))
		return false;
	for (size_t i = 0; i < inside.len; i++)
		if (!chars_blank(inside.p[i]) && inside.p[i] != '\r' &&
		    inside.p[i] != '\n')
			buf_addc(out, inside.p[i]);
	buf_addc(out, ']');
	*in = s;
	return true;
}

/* obs-domain = atom *("." atom), comments and blanks around the dots */
static bool take_domain(struct span *in, struct buf *out) {
	struct span s = *in;
	if (!skip_cfws(&s))
		return false;
	if (s.len > 0 && s.p[0] == '[') {
		if (!take_literal(&s, out) || !skip_cfws(&s))
			return false;
	} else {
		do {
			size_t n = skip_cfws(&s) ? chars_run(s, CHARS_ATEXT) : 0;
			if (n == 0)
				return false;
			buf_add(out, span_head(s, n));
			s = span_from(s, n);
			if (!skip_cfws(&s))
				return false;
		} while (span_take_char(&s, '.') && buf_addc(out, '.') == 0);
	}
	*in = s;
	return true;
}

static bool is_dot_atom(struct span s) {
	struct span part;
	while (span_take_until(&s, '.', &part))
		if (part.len == 0 || chars_run(part, CHARS_ATEXT) != part.len)
			return false;
	return s.len > 0 && chars_run(s, CHARS_ATEXT) == s.len;
}

static void add_local(struct buf *out, struct span local) {
	if (is_dot_atom(local)) {
		buf_add(out, local);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, local.p[i]);
	}
	buf_addc(out, '"');
}

/* What was taken from the front of `whole`, without blanks and comments at both ends. */
static struct span core_of(struct span whole, struct span left) {
	struct span s = span_head(whole, whole.len - left.len), literal;
	skip_cfws(&s);
	struct span core = span_of(s.p, 0);
	while (s.len > 0) {
		if (s.p[0] != '"' || !skip_enclosed(&s, '"', '"'))
			if (s.p[0] != '[' || !span_take_until(&s, ']', &literal))
				s = span_from(s, 1);
		core.len = (size_t)(s.p - core.p);
		skip_cfws(&s);
	}
	return core;
}

static int tell(struct walk *w, struct span display) {
	if (w->raw_fn)
		return w->raw_fn(w->ctx, buf_span(&w->address), w->raw);
	return w->fn(w->ctx, buf_span(&w->address), display);
}

/* Takes addr-spec or a local name alone into w->address. */
static int take_address(struct walk *w, struct span *in) {
	struct span whole = *in;
	struct addr parts;
	buf_reset(&w->local);
	buf_reset(&w->address);
	if (!take_local(in, &w->local))
		return refuse(w, whole, "no address can be read");
	add_local(&w->address, buf_span(&w->local));
	if (span_take_char(in, '@')) {
		buf_addc(&w->address, '@');
		if (!take_domain(in, &w->address))
			return refuse(w, whole, "no domain can be read");
	}
	if (buf_failed(&w->local) || buf_failed(&w->address))
		return refuse(w, whole, "too long an address");
	if (w->raw_fn)
		w->raw = core_of(whole, *in);
	return addr_parse(buf_span(&w->address), ADDR_SUBMITTED, &parts, w->err);
}

/* obs-route = "@a,@b:"; everything up to the colon is dropped */
static void drop_route(struct span *in) {
	struct span s = *in, route;
	if (!skip_cfws(&s) || s.len == 0 || s.p[0] != '@')
		return;
	if (span_take_until(&s, ':', &route) && span_find(route, '>') == route.len)
		*in = s;
}

/* angle-addr, from behind the "<"; then what may follow until the separator */
static int take_angle(struct walk *w, struct span display) {
	struct span whole = w->in, *in = &w->in;
	drop_route(in);
	if (take_address(w, in) != 0)
		return -1;
	if (!span_take_char(in, '>'))
		return refuse(w, whole, "\">\" is missing");
	struct span before;
	do {
		before = *in;
		buf_reset(&w->local);
		if (!skip_cfws(in))
			return refuse(w, before, "a comment does not end");
	} while (take_word(in, &w->local) || span_take_char(in, '.'));
	if (in->len > 0 && in->p[0] != ',' && in->p[0] != ';')
		return refuse(w, *in, "no comma before the next address");
	return tell(w, display);
}

/* Takes an item up to, not including, the byte that tells its kind; 0 at the end. */
static bool skim(struct span *in, struct span *ret_item, char *ret_stop) {
	struct span s = *in, literal;
	char stop = 0;
	bool try_literal = true; /* once no "]" is left there is none later either */
	while (s.len > 0 && !stop) {
		char c = s.p[0];
		bool done = true;
		if (c == '"')
			done = skip_enclosed(&s, '"', '"');
		else if (c == '(')
			done = skip_enclosed(&s, '(', ')');
		else if (c == '<' || c == ',' || c == ';' || c == ':')
			stop = c;
		else if (c != '[' || !try_literal ||
			 !(try_literal = span_take_until(&s, ']', &literal)))
			s = span_from(s, 1);
		if (!done)
			return false;
	}
	*ret_item = span_head(*in, in->len - s.len);
	*ret_stop = stop;
	*in = s;
	return true;
}

/* A bare address, or nothing between two separators. */
static int take_bare(struct walk *w, struct span item) {
	if (!skip_cfws(&item) || item.len == 0)
		return 0;
	struct span whole = item;
	if (take_address(w, &item) != 0)
		return -1;
	if (item.len > 0)
		return refuse(w, whole, "no address can be read");
	return tell(w, span_of(item.p, 0));
}

static int walk_items(struct walk *w) {
	struct span item;
	char stop;
	while (w->in.len > 0) {
		struct span whole = w->in;
		if (!skim(&w->in, &item, &stop))
			return refuse(w, whole,
				      "a quoted string or comment does not end");
		w->in = span_from(w->in, 1);
		if (stop == ':')
			continue; /* the name of a group: its members follow */
		int rc = stop == '<' ? take_angle(w, span_trim(item))
				     : take_bare(w, item);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int run(struct walk *w) {
	buf_init(&w->local, WORK_MAX);
	buf_init(&w->address, WORK_MAX * 2);
	int rc = walk_items(w);
	buf_release(&w->local);
	buf_release(&w->address);
	return rc;
}

int addr_list(struct span value, addr_list_fn *fn, void *ctx, struct err *err) {
	struct walk w = { .in = value, .fn = fn, .ctx = ctx, .err = err };
	return run(&w);
}

int addr_list_raw(struct span value, addr_list_raw_fn *fn, void *ctx, struct err *err) {
	struct walk w = { .in = value, .raw_fn = fn, .ctx = ctx, .err = err };
	return run(&w);
}
