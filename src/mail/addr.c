/*
 * The address grammar of SMTP (RFC 5321 section 4.1.2, with UTF-8 by RFC 6531). First the
 * shape is parsed from the front, then the limits are looked at, so that a name that is
 * merely too long is told apart from one that is no address. No comments, no blanks
 * around dots, no obsolete forms: those belong to header fields and are in addr_list.c.
 */

#include "mail/addr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/term.h"
#include "base/utf8.h"
#include "mail/chars.h"

#define LABEL_MAX 63 /* RFC 1035 section 2.3.4 */
#define LITERAL_MAX 64

/* Dot-string = Atom *("." Atom) */
static bool take_dot_string(struct span *in) {
	struct span s = *in;
	do {
		size_t n = chars_run(s, CHARS_ATEXT);
		if (n == 0)
			return false;
		s = span_from(s, n);
	} while (span_take_char(&s, '.'));
	*in = s;
	return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; a quoted pair is "\" %d32-126 */
static bool take_quoted(struct span *in) {
	struct span s = *in;
	if (!span_take_char(&s, '"'))
		return false;
	while (s.len > 0 && s.p[0] != '"') {
		bool pair = s.p[0] == '\\' && s.len > 1 && s.p[1] >= 32 && s.p[1] <= 126;
		if (!pair && !chars_is(s.p[0], CHARS_QTEXT))
			return false;
		s = span_from(s, pair ? 2 : 1);
	}
	if (!span_take_char(&s, '"'))
		return false;
	*in = s;
	return true;
}

static bool take_local(struct span *in, struct span *ret) {
	struct span s = *in;
	if (!take_dot_string(&s) && !take_quoted(&s))
		return false;
	*ret = span_head(*in, in->len - s.len);
	*in = s;
	return true;
}

/* sub-domain = Let-dig [Ldh-str] / U-label. Deviation: "_" counts as a letter, because
 * hosts and containers are named so and send mail. */
static bool take_label(struct span *in) {
	size_t n = 0;
	while (n < in->len &&
	       (chars_is(in->p[n], CHARS_LDH) || (unsigned char)in->p[n] >= 0x80))
		n++;
	if (n == 0 || in->p[0] == '-' || in->p[n - 1] == '-')
		return false;
	*in = span_from(*in, n);
	return true;
}

static bool is_ip(int family, struct span s) {
	char text[LITERAL_MAX];
	unsigned char bits[16];
	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return inet_pton(family, text, bits) == 1;
}

/* Section 4.1.3: an IPv4 address, "IPv6:" and an address, or Standardized-tag ":" and
 * anything. Deviation: "::" may stand for a single group (RFC 4291 section 2.2), and
 * numbers of IPv4 have no leading zeros, which some read as octal. */
static bool is_literal(struct span s) {
	struct span v6 = s;
	if (span_take_lit_nocase(&v6, SPAN("IPv6:")))
		return is_ip(AF_INET6, v6);
	size_t tag = chars_run(s, CHARS_LDH);
	if (tag > 0 && tag + 1 < s.len && s.p[tag] == ':' && s.p[tag - 1] != '-')
		return chars_run(span_from(s, tag + 1), CHARS_DTEXT) == s.len - tag - 1;
	return is_ip(AF_INET, s);
}

static bool take_domain(struct span *in, struct span *ret) {
	struct span s = *in, literal;
	if (span_take_char(&s, '[')) {
		if (!span_take_until(&s, ']', &literal) || !is_literal(literal))
			return false;
	} else {
		do {
			if (!take_label(&s))
				return false;
		} while (span_take_char(&s, '.'));
	}
	*ret = span_head(*in, in->len - s.len);
	*in = s;
	return true;
}

/* Well-formed UTF-8 without C0, DEL and C1. */
static bool is_clean_text(struct span s) {
	uint32_t cp;
	while (s.len > 0)
		if (!span_take_utf8(&s, &cp) || cp < 0x20 || (cp >= 0x7f && cp <= 0x9f))
			return false;
	return true;
}

static const char *over_limit(const struct addr *a, size_t total) {
	static const char label_words[] = "a label of its domain has more than 63 octets";
	if (a->local.len > ADDR_LOCAL_MAX)
		return "the part before the @ has more than 64 octets";
	if (a->domain.len > ADDR_DOMAIN_MAX)
		return "its domain has more than 255 octets";
	if (total > ADDR_PATH_MAX - 2)
		return "it has more than 254 octets";
	if (a->domain.len == 0 || a->domain.p[0] == '[')
		return NULL;
	struct span rest = a->domain, label;
	while (span_take_until(&rest, '.', &label))
		if (utf8_length(label) > LABEL_MAX)
			return label_words;
	return utf8_length(rest) > LABEL_MAX ? label_words : NULL;
}

static const char *parse(struct span s, enum addr_kind kind, struct addr *ret) {
	struct addr a = { .local = span_of(s.p, 0), .domain = span_of(NULL, 0) };
	if (s.len == 0)
		return "it is empty";
	if (!is_clean_text(s))
		return "it has a control character or invalid UTF-8";
	if (!take_local(&s, &a.local))
		return s.p[0] == '@' ? "nothing stands before the @"
				     : "the part before the @ is not valid";
	bool alone = s.len == 0;
	if (alone && kind == ADDR_SMTP)
		return "it has no @ and domain";
	if (!alone && !span_take_char(&s, '@'))
		return "the part before the @ has a character that is not allowed";
	if (!alone && (!take_domain(&s, &a.domain) || s.len > 0))
		return "its domain is not valid";
	*ret = a;
	return NULL;
}

int addr_parse(struct span s, enum addr_kind kind, struct addr *ret, struct err *err) {
	struct addr a;
	enum err_kind failure = ERR_SYNTAX;
	const char *why = parse(s, kind, &a);
	if (!why) {
		why = over_limit(&a, s.len);
		failure = ERR_LIMIT;
	}
	if (!why) {
		*ret = a;
		return 0;
	}
	AUTO_BUF struct buf shown = BUF_INIT(512);
	term_safe(&shown, span_head(s, 100));
	return err_set(err, failure, "\"%s\" is not a mail address: %s", buf_str(&shown),
		       why);
}

/* A-d-l = "@" Domain *( "," "@" Domain ), with the ":" that ends it (appendix C). */
static void drop_route(struct span *in) {
	struct span s = *in, domain;
	do {
		if (!span_take_char(&s, '@') || !take_domain(&s, &domain))
			return;
	} while (span_take_char(&s, ','));
	if (span_take_char(&s, ':'))
		*in = s;
}

bool addr_take_path(struct span *in, struct span *ret) {
	struct span s = *in, local, domain;
	struct addr a;
	if (!span_take_char(&s, '<'))
		return false;
	drop_route(&s);
	struct span path = span_of(s.p, 0);
	if (!span_take_char(&s, '>')) {
		if (!take_local(&s, &local))
			return false;
		bool alone = span_eq_nocase(local, SPAN("postmaster"));
		if (!(span_take_char(&s, '@') && take_domain(&s, &domain)) && !alone)
			return false;
		path.len = (size_t)(s.p - path.p);
		if (!span_take_char(&s, '>') ||
		    addr_parse(path, alone ? ADDR_SUBMITTED : ADDR_SMTP, &a, NULL) != 0)
			return false;
	} else if (path.p != in->p + 1) {
		return false; /* a route to nowhere */
	}
	*ret = path;
	*in = s;
	return true;
}

bool addr_is_utf8(struct span s) {
	return !utf8_is_ascii(s);
}

int addr_local_unquoted(struct span local, struct buf *out) {
	if (local.len < 2 || local.p[0] != '"')
		return buf_add(out, local);
	local = span_head(span_from(local, 1), local.len - 2);
	for (size_t i = 0; i < local.len; i++) {
		if (local.p[i] == '\\' && i + 1 < local.len)
			i++;
		buf_addc(out, local.p[i]);
	}
	return buf_failed(out) ? -1 : 0;
}
