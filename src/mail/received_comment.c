/*
 * What the comments of Received say. Its words are told by their looks: an address, a name with
 * a dot, user@, "HELO x", "helo=x", a version of TLS.
 */

#include "mail/received_state.h"

#include "mail/chars.h"

#define NAME_MAX_LEN 255u

/* --- values --- */

struct span received_bare(struct span s) {
	while (s.len > 0 && (s.p[0] == '<' || s.p[0] == '[' || s.p[0] == '"')) {
		char close = s.p[0] == '<' ? '>' : s.p[0] == '[' ? ']' : '"';
		s = span_from(s, 1);
		s = span_head(s, span_find(s, close));
	}
	return s;
}

bool received_is_ip(struct span s, struct span *ret) {
	struct inet_addr a;
	while (s.len > 0 && strchr("([<{", s.p[0]))
		s = span_from(s, 1);
	s = span_head(s, span_find(s, ']'));
	s = span_head(s, span_find(s, ')'));
	s = span_head(s, span_find(s, '>'));
	span_take_lit_nocase(&s, SPAN("IPv6:"));
	s = span_head(s, span_find(s, '%'));
	*ret = s;
	if (s.len == 0 || s.len > 45)
		return false;
	if (inet_addr_parse(s, &a))
		return true;
	size_t colon = span_find(s, ':'); /* 192.0.2.1:25 */
	*ret = span_head(s, colon);
	return colon < s.len && inet_addr_parse(*ret, &a) && a.bits == 32;
}

static bool is_host(struct span s) {
	size_t dots = 0, letters = 0;
	if (s.len == 0 || s.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		dots += s.p[i] == '.' && i > 0 && i + 1 < s.len;
		letters += span_is_alnum(s.p[i]) && (s.p[i] < '0' || s.p[i] > '9');
		if (!chars_is(s.p[i], CHARS_LDH) && s.p[i] != '.' &&
		    (unsigned char)s.p[i] < 0x80)
			return false;
	}
	return dots > 0 && letters > 0;
}

/* --- comments --- */

struct span received_word(struct span *in) {
	size_t n = 0;
	while (in->len && strchr(" \t,;()", in->p[0]))
		*in = span_from(*in, 1);
	while (n < in->len && !strchr(" \t,;()", in->p[n]))
		n++;
	struct span word = span_head(*in, n);
	*in = span_from(*in, n);
	return word;
}

void received_set(struct span *member, struct span value) {
	if (member->len == 0)
		*member = value;
}

static void take_tls(struct received *r, struct span version, struct span cipher) {
	if (version.len)
		received_set(&r->tls, version);
	if (cipher.len)
		received_set(&r->cipher, cipher);
}

static bool is_version(struct span s) {
	return span_starts_nocase(s, SPAN("TLS")) && s.len > 3 && s.len < 16 &&
	       (s.p[3] == 'v' || s.p[3] == 'V' || (s.p[3] >= '0' && s.p[3] <= '9') ||
		s.p[3] == '-') &&
	       memchr(s.p, '_', s.len > 5 ? 5 : s.len) == NULL;
}

/* "TLSv1:DES-CBC3-SHA:168" */
static void tls_triple(struct received *r, struct span s) {
	struct span version;
	if (!span_take_until(&s, ':', &version))
		version = s, s.len = 0;
	take_tls(r, version, span_head(s, span_find(s, ':')));
}

void received_tls(struct received *r, struct span comment) {
	bool begun = false;
	struct span word;
	while ((word = received_word(&comment)).len > 0) {
		struct span value = word;
		if (span_take_lit_nocase(&value, SPAN("version="))) {
			if (is_version(value) || span_starts_nocase(value, SPAN("TLS")))
				received_set(&r->tls,
					     span_head(value, span_find(value, '/')));
		} else if (span_take_lit_nocase(&value, SPAN("cipher="))) {
			if (r->tls.len && !span_eq_nocase(value, SPAN("OTHER")))
				received_set(&r->cipher, value);
		} else if (span_eq_nocase(word, SPAN("cipher")) ||
			   span_eq_nocase(word, SPAN("tls_cipher"))) {
			value = received_word(&comment);
			if (is_version(span_head(value, span_find(value, ':'))))
				tls_triple(r, value);
			else if (begun)
				received_set(&r->cipher, value);
		} else if (is_version(word) && r->tls.len == 0) {
			if (span_find(word, ':') < word.len)
				tls_triple(r, word);
			else
				r->tls = word;
			begun = true;
		} else if (begun && (span_starts(word, SPAN("TLS_")) ||
				     span_starts(word, SPAN("ECDHE")) ||
				     span_starts(word, SPAN("DHE_")))) {
			received_set(&r->cipher, word);
		}
	}
}

/* "user@host", "user@[ip]", "IDENT:user@host" */
static bool take_ident(struct received *r, struct span word) {
	struct span ip, value = word;
	size_t at = span_find(word, '@');
	if (at == word.len)
		return false;
	span_take_lit_nocase(&value, SPAN("IDENT:"));
	if (received_is_ip(span_from(word, at + 1), &ip) && word.p[at + 1] == '[') {
		received_set(&r->ip, ip);
		value = span_head(value, value.len - (word.len - at));
	}
	received_set(&r->ident, received_bare(value));
	return true;
}

/* A word of a comment that stands in the clause of "from". `helo`: the word before it said
 * that this one is the name. True: the next one is. */
static bool from_word(struct received *r, struct span word, bool helo) {
	struct span value = word, ip;
	if (helo) {
		received_set(&r->helo, received_bare(word));
		return false;
	}
	if (span_eq_nocase(word, SPAN("HELO")) || span_eq_nocase(word, SPAN("EHLO")))
		return true;
	if (span_take_lit_nocase(&value, SPAN("helo=")))
		received_set(&r->helo, received_bare(value));
	else if (span_take_lit_nocase(&value, SPAN("ident=")))
		received_set(&r->ident, received_bare(value));
	else if (received_is_ip(word, &ip))
		received_set(&r->ip, ip);
	else if (take_ident(r, word))
		;
	else if (span_find(word, '[') < word.len) { /* name[192.0.2.1] */
		size_t at = span_find(word, '[');
		from_word(r, span_head(word, at), false);
		if (received_is_ip(span_from(word, at), &ip))
			received_set(&r->ip, ip);
	} else if (is_host(received_bare(word))) {
		received_set(&r->rdns, received_bare(word));
	}
	return false;
}

void received_from(struct received *r, struct span comment) {
	struct span word, first = comment;
	bool helo = false, user = false;
	word = received_word(&first);
	if (span_starts_nocase(word, SPAN("AUTH")) ||
	    span_eq_nocase(word, SPAN("SquirrelMail")) ||
	    span_eq_nocase(word, SPAN("using"))) {
		/* "AUTH: CRAM-MD5 user", "authenticated bits=0", "Authenticated sender: x" */
		while ((word = received_word(&comment)).len > 0) {
			if (span_find(word, '@') < word.len)
				received_set(&r->ident, received_bare(word));
			else if (user)
				received_set(&r->ident, word);
			user = span_eq_nocase(word, SPAN("user")) ||
			       span_eq_nocase(word, SPAN("sender:"));
		}
		return;
	}
	while ((word = received_word(&comment)).len > 0)
		helo = from_word(r, word, helo);
}
