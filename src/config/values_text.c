/*
 * Values that stay text: names, addresses, paths, references to secrets. All of them are
 * kept as malloc'ed strings after %H %h %u were replaced.
 */

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

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

/* Appends the path, made absolute when relative ones are allowed here. */
static int add_path(const struct config_value *v, struct span path, struct buf *out,
		    struct err *err) {
	if (path.len == 0)
		return err_set(err, ERR_SYNTAX, "there is no path");
	if (path.p[0] != '/') {
		if (!v->folder)
			return err_set(err, ERR_SYNTAX, "%s: the path must begin with /",
				       config_quote(path).s);
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
		       "command:COMMAND, or credential:NAME");
}

static int parse_password(struct config_value *v, const struct config_key *key,
			  void *base, struct err *err) {
	static const char *const later[] = { "keyring", "oauth2" };
	AUTO_BUF struct buf text = BUF_INIT(CONFIG_VALUE_MAX);
	AUTO_BUF struct buf ref = BUF_INIT(CONFIG_VALUE_MAX);
	struct span rest, scheme;
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (span_eq(v->text, span_str(later[i])))
			return err_set(
				err, ERR_SYNTAX,
				"this version of nightmail cannot take a "
				"password from \"%s\"; use file:PATH, command:COMMAND or "
				"credential:NAME",
				later[i]);
	if (span_starts(v->text, SPAN("file:")) + span_starts(v->text, SPAN("command:")) +
		    span_starts(v->text, SPAN("credential:")) ==
	    0)
		return literal_password(err);
	if (config_expand(v, v->text, &text, err) != 0)
		return -1;
	rest = buf_span(&text);
	if (!span_take_until(&rest, ':', &scheme))
		return literal_password(err);
	while (span_take_char(&rest, ' ') || span_take_char(&rest, '\t'))
		;
	v->wrong = scheme.len + 1;
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

const struct config_type config_type_password = { parse_password, show_text, clear_text };

static int parse_domain(struct config_value *v, const struct config_key *key, void *base,
			struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(256);
	if (config_expand(v, v->text, &b, err) != 0)
		return -1;
	if (!config_is_hostname(buf_span(&b)))
		return err_set(err, ERR_SYNTAX,
			       "%s is not a domain; write it like mail.example.org, "
			       "international ones in their xn-- form",
			       config_quote(buf_span(&b)).s);
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
			       config_quote(buf_span(&b)).s, "alice@example.org");
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
				       config_quote(buf_span(&one)).s);
		buf_addf(&b, "%s%s", b.len ? " " : "", buf_str(&one));
	}
	return keep(key, base, &b, err);
}

const struct config_type config_type_masquerade = { parse_masquerade, show_text, clear_text };

static int parse_source(struct config_value *v, const struct config_key *key, void *base,
			struct err *err) {
	if (!is_address(v->text))
		return err_set(err, ERR_SYNTAX, "%s is not an IP address",
			       config_quote(v->text).s);
	AUTO_BUF struct buf b = BUF_INIT(64);
	buf_add(&b, v->text);
	return keep(key, base, &b, err);
}

const struct config_type config_type_source = { parse_source, show_text, clear_text };
