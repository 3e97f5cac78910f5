/*
 * Making foreign text visible. Well-formed UTF-8 passes unless a terminal would act on it
 * or show it in another order; everything else becomes \xNN (one byte) or \u{NNNN} (one
 * character).
 */

#include "base/term.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/utf8.h"

/* Characters that move the cursor, end a line or turn the direction of reading. */
static const struct {
	uint32_t first, last;
} unsafe[] = {
	{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },
	{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
};

bool term_unsafe(uint32_t cp) {
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
		if (cp >= unsafe[i].first && cp <= unsafe[i].last)
			return true;
	return false;
}

/* The length of the run from the start that can be shown as it is. Most text is ASCII, so
 * that goes without decoding. */
static size_t plain_run(struct span s, bool keep_backslash) {
	struct span rest = s;
	uint32_t cp;
	for (;;) {
		size_t n = 0;
		while (n < rest.len && rest.p[n] >= ' ' && rest.p[n] < 0x7f &&
		       rest.p[n] != '\\')
			n++;
		rest = span_from(rest, n);
		struct span before = rest;
		if (!span_take_utf8(&rest, &cp) || term_unsafe(cp) ||
		    (cp == '\\' && !keep_backslash))
			return s.len - before.len;
	}
}

static void add_escape(struct buf *out, struct span *s) {
	unsigned char byte = (unsigned char)s->p[0];
	uint32_t cp;
	if (!span_take_utf8(s, &cp)) {
		*s = span_from(*s, 1);
		buf_addf(out, "\\x%02x", byte);
	} else if (cp == '\t') {
		buf_addc(out, ' ');
	} else if (cp == '\\') {
		buf_adds(out, "\\\\");
	} else if (cp < 0x80) {
		buf_addf(out, "\\x%02x", byte);
	} else {
		buf_addf(out, "\\u{%04x}", (unsigned)cp);
	}
}

static int escape(struct buf *out, struct span s, bool keep_backslash) {
	while (s.len > 0) {
		size_t run = plain_run(s, keep_backslash);
		buf_add(out, span_head(s, run));
		s = span_from(s, run);
		if (s.len > 0)
			add_escape(out, &s);
	}
	return buf_failed(out) ? -1 : 0;
}

int term_safe(struct buf *out, struct span s) {
	return escape(out, s, false);
}

int term_safe_again(struct buf *out, struct span s) {
	return escape(out, s, true);
}

struct term_quoted term_quote(struct span s) {
	struct term_quoted q;
	struct span head = utf8_head(s, TERM_QUOTED_MAX);
	AUTO_BUF struct buf b = BUF_INIT(sizeof(q.s) - 1);
	buf_addc(&b, '"');
	term_safe(&b, head);
	buf_adds(&b, s.len > head.len ? "...\"" : "\"");
	snprintf(q.s, sizeof(q.s), "%s", buf_str(&b));
	return q;
}

void term_print(FILE *f, struct span s) {
	while (s.len > 0) {
		size_t run = plain_run(s, false);
		fwrite(s.p, 1, run, f);
		s = span_from(s, run);
		if (s.len == 0)
			break;
		AUTO_BUF struct buf one = BUF_INIT(16);
		add_escape(&one, &s);
		fwrite(buf_str(&one), 1, one.len, f);
	}
}

bool term_use_color(enum term_color want, FILE *f) {
	if (want != TERM_COLOR_AUTO)
		return want == TERM_COLOR_ALWAYS;
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	return (!no_color || !*no_color) && term &&
	       !span_eq(span_str(term), SPAN("dumb")) && isatty(fileno(f));
}

bool term_color_parse(struct span s, enum term_color *ret) {
	static const struct {
		const char *word;
		enum term_color color;
	} words[] = {
		{ "auto", TERM_COLOR_AUTO },
		{ "always", TERM_COLOR_ALWAYS },
		{ "never", TERM_COLOR_NEVER },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (span_eq(s, span_str(words[i].word))) {
			*ret = words[i].color;
			return true;
		}
	}
	return false;
}

int term_duration(struct buf *out, int64_t ms) {
	long long s = ms > 0 ? ms / 1000 : 0;
	long long min = s / 60, h = min / 60, d = h / 24;
	if (s < 60)
		return buf_addf(out, "%lld s", s);
	if (min < 60)
		return buf_addf(out, "%lld min", min);
	if (h < 24)
		return min % 60 ? buf_addf(out, "%lld h %lld min", h, min % 60)
				: buf_addf(out, "%lld h", h);
	return h % 24 ? buf_addf(out, "%lld d %lld h", d, h % 24)
		      : buf_addf(out, "%lld d", d);
}
