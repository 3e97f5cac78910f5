/*
 * Values that stay text: names, addresses, paths, references to secrets. All of them are
 * kept as malloc'ed strings after %H %h %u were replaced.
 */

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/inet.h"
#include "base/suggest.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/values.h"

static char **text_of(const struct config_key *key, void *base) {
	return (char **)(void *)((char *)base + key->offset);
}

static void show_text(const struct config_key *key, const void *base, struct buf *out) {
	const char *const *text = (const void *)((const char *)base + key->offset);
	buf_adds(out, *text ? *text : "");
}

static void clear_text(const struct config_key *key, void *base) {
	char **text = text_of(key, base);
	free(*text);
	*text = NULL;
}

static int keep(const struct config_key *key, void *base, struct buf *b,
		struct err *err) {
	if (buf_failed(b))
		return err_set(err, ERR_LIMIT, "the value is too long");
	char *text = buf_take(b);
	if (!text)
		return err_set(err, ERR_MEMORY, "out of memory");
	clear_text(key, base);
	*text_of(key, base) = text;
	return 0;
}

static int expand_one(struct config_value *v, char what, struct buf *out,
		      struct err *err) {
	const char *user;
	switch (what) {
	case 'H':
		return buf_adds(out, v->hostname);
	case 'h':
		return buf_add(out, span_head(span_str(v->hostname),
					      span_find(span_str(v->hostname), '.')));
	case '%':
		return buf_addc(out, '%');
	case 'u':
		user = config_env_user(v->env);
		if (user)
			return buf_adds(out, user);
		return err_set(err, ERR_MISSING, "%%u: user id %u has no name in passwd",
			       (unsigned)v->env->uid);
	default:
		return err_set(err, ERR_SYNTAX,
			       "after %% only H, h, u and %% may stand; "
			       "a percent sign is written %%%%");
	}
}

int config_expand(struct config_value *v, struct span text, struct buf *out,
		  struct err *err) {
	while (text.len) {
		size_t at = span_find(text, '%');
		buf_add(out, span_head(text, at));
		if (at == text.len)
			break;
		v->wrong = (size_t)(text.p + at - v->text.p);
		char what = at + 1 < text.len ? text.p[at + 1] : '\0';
		if (expand_one(v, what, out, err) != 0 && !buf_failed(out))
			return -1;
		text = span_from(text, at + 2);
	}
	if (buf_failed(out))
		return err_set(err, ERR_LIMIT, "the value is too long");
	v->wrong = 0;
	return 0;
}

static int parse_login(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(CONFIG_VALUE_MAX);
	if (config_expand(v, v->text, &b, err) != 0)
		return -1;
	return keep(key, base, &b, err);
}

const struct config_type config_type_login = { parse_login, show_text, clear_text };

static int parse_command(struct config_value *v, const struct config_key *key, void *base,
			 struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(CONFIG_VALUE_MAX);
	buf_add(&text, v->text);
	return keep(key, base, &text, err);
}

const struct config_type config_type_command = { parse_command, show_text, clear_text };

/* In clear only to this machine. */
static int parse_webhook(struct config_value *v, const struct config_key *key, void *base,
			 struct err *err) {
	struct span rest = v->text;
	bool clear = span_take_lit_nocase(&rest, SPAN("http://"));
	if (!clear && !span_take_lit_nocase(&rest, SPAN("https://")))
		return err_set(err, ERR_SYNTAX, "%s is no URL; it begins with https://",
			       term_quote(v->text).s);
	if (clear && !span_starts(rest, SPAN("127.0.0.1:")) &&
	    !span_starts(rest, SPAN("127.0.0.1/")) && !span_starts(rest, SPAN("localhost:")) &&
	    !span_starts(rest, SPAN("localhost/")))
		return err_set(err, ERR_SYNTAX,
			       "http:// is for 127.0.0.1 and localhost; write https://");
	for (size_t i = 0; i < rest.len; i++)
		if (rest.p[i] <= ' ' || rest.p[i] >= 127)
			return err_set(err, ERR_SYNTAX, "a URL has no spaces, and ASCII only");
	return parse_command(v, key, base, err);
}

const struct config_type config_type_webhook = { parse_webhook, show_text, clear_text };

/* Appends the path, made absolute when relative ones are allowed here. */
static int add_path(const struct config_value *v, struct span path, struct buf *out,
		    struct err *err) {
	if (path.len == 0)
		return err_set(err, ERR_SYNTAX, "there is no path");
	if (path.p[0] != '/') {
		if (!v->folder)
			return err_set(err, ERR_SYNTAX, "%s: the path must begin with /",
				       term_quote(path).s);
		while (span_take_lit(&path, SPAN("./")))
			;
		buf_adds(out, v->folder);
		if (path.len && !span_eq(path, SPAN(".")) &&
		    !span_eq(span_str(v->folder), SPAN("/")))
			buf_addc(out, '/');
		if (span_eq(path, SPAN(".")))
			path.len = 0;
	}
	while (path.len > 1 && path.p[path.len - 1] == '/')
		path.len--;
	buf_add(out, path);
	return buf_failed(out) ? err_set(err, ERR_LIMIT, "the path is too long") : 0;
}

static int parse_path(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(PATH_MAX - 1);
	AUTO_BUF struct buf path = BUF_INIT(PATH_MAX - 1);
	if (config_expand(v, v->text, &text, err) != 0 ||
	    add_path(v, buf_span(&text), &path, err) != 0)
		return -1;
	return keep(key, base, &path, err);
}

const struct config_type config_type_path = { parse_path, show_text, clear_text };

/* No message here may repeat the value: it may be the password itself. */
static int literal_password(struct err *err) {
	return err_set(err, ERR_DENIED,
		       "a password may not stand in this file, which everybody may "
		       "read; put it into a file of its own and write file:PATH, or "
		       "command:COMMAND, credential:NAME, keyring or oauth2");
}

/* keyring, keyring:ENTRY: the entry is called as the relay is. oauth2: which file its tokens
 * are in is known when all was read (settings.c). */
static int parse_kept(const struct config_key *key, void *base, struct span scheme,
		      struct span rest, struct err *err) {
	AUTO_BUF struct buf ref = BUF_INIT(CONFIG_VALUE_MAX);
	const struct config_relay *relay = base;
	bool keyring = span_eq(scheme, SPAN("keyring"));
	if (!keyring && rest.len > 0)
		return err_set(err, ERR_SYNTAX, "oauth2 stands alone; nightmail login gets the "
						"tokens");
	buf_addf(&ref, "%.*s:", (int)scheme.len, scheme.p);
	if (rest.len > 0)
		buf_add(&ref, rest);
	else if (keyring)
		buf_adds(&ref, relay->name ? relay->name : "default");
	return keep(key, base, &ref, err);
}

static int parse_password(struct config_value *v, const struct config_key *key,
			  void *base, struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(CONFIG_VALUE_MAX);
	AUTO_BUF struct buf ref = BUF_INIT(CONFIG_VALUE_MAX);
	struct span rest, scheme;
	bool kept = span_eq(v->text, SPAN("keyring")) || span_eq(v->text, SPAN("oauth2")) ||
		    span_starts(v->text, SPAN("keyring:")) ||
		    span_starts(v->text, SPAN("oauth2:"));
	if (!kept && !span_starts(v->text, SPAN("file:")) &&
	    !span_starts(v->text, SPAN("command:")) &&
	    !span_starts(v->text, SPAN("credential:")))
		return literal_password(err);
	if (config_expand(v, v->text, &text, err) != 0)
		return -1;
	rest = buf_span(&text);
	if (!span_take_until(&rest, ':', &scheme)) {
		scheme = rest;
		rest = SPAN("");
	}
	while (span_take_char(&rest, ' ') || span_take_char(&rest, '\t'))
		;
	v->wrong = scheme.len + 1;
	if (kept)
		return parse_kept(key, base, scheme, rest, err);
	buf_addf(&ref, "%.*s:", (int)scheme.len, scheme.p);
	if (span_eq(scheme, SPAN("file")) && add_path(v, rest, &ref, err) != 0)
		return -1;
	if (!span_eq(scheme, SPAN("file")))
		buf_add(&ref, rest);
	if (rest.len == 0)
		return err_set(err, ERR_SYNTAX, "there is no %.*s after the colon",
			       (int)scheme.len, scheme.p);
	if (span_eq(scheme, SPAN("credential")) &&
	    (span_find(rest, '/') < rest.len || rest.p[0] == '.'))
		return err_set(err, ERR_SYNTAX,
			       "the name of a credential has no / and no dot in front");
	return keep(key, base, &ref, err);
}

/* As it was written: where the tokens are is no part of that. */
static void show_password(const struct config_key *key, const void *base, struct buf *out) {
	const char *const *text = (const void *)((const char *)base + key->offset);
	if (*text && span_starts(span_str(*text), SPAN("oauth2:")))
		buf_adds(out, "oauth2");
	else
		show_text(key, base, out);
}

const struct config_type config_type_password = { parse_password, show_password, clear_text };

static int parse_domain(struct config_value *v, const struct config_key *key, void *base,
			struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(256);
	if (config_expand(v, v->text, &b, err) != 0)
		return -1;
	if (!config_is_hostname(buf_span(&b)))
		return err_set(err, ERR_SYNTAX,
			       "%s is not a domain; write it like mail.example.org, "
			       "international ones in their xn-- form",
			       term_quote(buf_span(&b)).s);
	return keep(key, base, &b, err);
}

const struct config_type config_type_domain = { parse_domain, show_text, clear_text };

static bool is_address(struct span s) {
	char text[64];
	unsigned char addr[16];
	if (s.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)s.len, s.p ? s.p : "");
	return inet_pton(AF_INET, text, addr) == 1 ||
	       inet_pton(AF_INET6, text, addr) == 1;
}

/* address-literal (RFC 5321 section 4.1.3): [192.0.2.1] or [IPv6:2001:db8::1]. */
static bool is_address_literal(struct span s) {
	if (s.len < 2 || !span_take_char(&s, '[') || s.p[s.len - 1] != ']')
		return false;
	s.len--;
	bool v6 = span_take_lit_nocase(&s, SPAN("IPv6:"));
	return is_address(s) && v6 == (span_find(s, ':') < s.len);
}

static int parse_helo(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	if (!is_address_literal(v->text))
		return parse_domain(v, key, base, err);
	AUTO_BUF struct buf b = BUF_INIT(256);
	buf_add(&b, v->text);
	return keep(key, base, &b, err);
}

const struct config_type config_type_helo = { parse_helo, show_text, clear_text };

/* Not a whole RFC 5321 parser: what is wrong beyond this is found where mail is accepted. */
static bool is_mailbox(struct span s) {
	size_t at = s.len;
	while (at > 0 && s.p[at - 1] != '@')
		at--;
	struct span domain = span_from(s, at);
	if (at < 2 || !(config_is_hostname(domain) || is_address_literal(domain)))
		return false;
	for (size_t i = 0; i + 1 < at; i++)
		if (strchr(" \t<>(),;:@", s.p[i]) && s.p[0] != '"')
			return false;
	return true;
}

static int parse_address(struct config_value *v, const struct config_key *key, void *base,
			 struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(512);
	if (config_expand(v, v->text, &b, err) != 0)
		return -1;
	if (!is_mailbox(buf_span(&b)))
		return err_set(err, ERR_SYNTAX, "%s is not an address; write it like %s",
			       term_quote(buf_span(&b)).s, "alice@example.org");
	return keep(key, base, &b, err);
}

const struct config_type config_type_address = { parse_address, show_text, clear_text };

/* domain, *.domain, or * alone */
static bool is_domain_pattern(struct span s) {
	if (span_eq(s, SPAN("*")))
		return true;
	span_take_lit(&s, SPAN("*."));
	return config_is_hostname(s);
}

static int parse_masquerade(struct config_value *v, const struct config_key *key, void *base,
			    struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(CONFIG_VALUE_MAX);
	struct span rest = v->text, word;
	while (config_value_word(v, &rest, &word)) {
		AUTO_BUF struct buf one = BUF_INIT(256);
		size_t place = v->wrong;
		if (config_expand(v, word, &one, err) != 0)
			return -1;
		v->wrong = place;
		if (!is_domain_pattern(buf_span(&one)))
			return err_set(err, ERR_SYNTAX,
				       "%s is no domain; write them like host.example.org or "
				       "*.lan.example.org, with blanks between them",
				       term_quote(buf_span(&one)).s);
		buf_addf(&b, "%s%s", b.len ? " " : "", buf_str(&one));
	}
	return keep(key, base, &b, err);
}

const struct config_type config_type_masquerade = { parse_masquerade, show_text, clear_text };

static int parse_source(struct config_value *v, const struct config_key *key, void *base,
			struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(256);
	struct span rest = v->text, word;
	bool has[2] = { false, false };
	while (config_value_word(v, &rest, &word)) {
		bool v6 = span_find(word, ':') < word.len;
		if (!is_address(word))
			return err_set(err, ERR_SYNTAX, "%s is not an IP address",
				       term_quote(word).s);
		if (has[v6])
			return err_set(err, ERR_SYNTAX,
				       "one IPv4 address and one IPv6 address, not more");
		has[v6] = true;
		buf_addf(&b, "%s%.*s", b.len ? " " : "", (int)word.len, word.p);
	}
	return keep(key, base, &b, err);
}

const struct config_type config_type_source = { parse_source, show_text, clear_text };

static int parse_resolver(struct config_value *v, const struct config_key *key, void *base,
			  struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(64);
	struct inet_port at;
	if (!inet_server_parse(v->text, 53, &at))
		return err_set(err, ERR_SYNTAX,
			       "%s is not the address of a name server; write it like "
			       "127.0.0.1 or 192.0.2.1:53",
			       term_quote(v->text).s);
	inet_port_add(&b, &at);
	return keep(key, base, &b, err);
}

const struct config_type config_type_resolver = { parse_resolver, show_text, clear_text };

static int parse_anchor(struct config_value *v, const struct config_key *key, void *base,
			struct err *err) {
	AUTO_BUF struct buf none = BUF_INIT(8);
	if (!span_eq(v->text, SPAN("none")))
		return parse_path(v, key, base, err);
	buf_adds(&none, "none");
	return keep(key, base, &none, err);
}

const struct config_type config_type_anchor = { parse_anchor, show_text, clear_text };
