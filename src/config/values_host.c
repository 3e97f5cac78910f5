/*
 * Values of a relay that come from a fixed vocabulary: hosts (names, addresses, and the
 * schemes that are none), TLS modes, SASL mechanisms. What other versions know and this
 * one cannot do is refused with words that say so, never ignored.
 */

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/suggest.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/values.h"

static int not_yet(struct err *err, struct span what, const char *instead) {
	return err_set(err, ERR_SYNTAX, "this version of nightmail cannot do %s; %s",
		       config_quote(what).s, instead);
}

static bool is_v6(const char *host) {
	char address[64];
	unsigned char bytes[16];
	struct span s = span_str(host);
	s = span_head(s, span_find(s, '%')); /* fe80::1%eth0 */
	if (s.len >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)s.len, s.p);
	return inet_pton(AF_INET6, address, bytes) == 1;
}

/* The resolver would take 192.0.2 for 192.0.0.2. */
static bool is_half_address(const char *host) {
	unsigned char bytes[4];
	const char *last = strrchr(host, '.');
	last = last ? last + 1 : host;
	return strspn(last, "0123456789") == strlen(last) &&
	       inet_pton(AF_INET, host, bytes) != 1;
}

static int colon_words(struct span host, struct err *err) {
	static const char *const schemes[] = { "mx",      "srv",  "lmtp", "maildir",
					       "discard", "hold", "error" };
	struct span scheme = span_head(host, span_find(host, ':'));
	struct span rest = span_from(host, scheme.len + 1);
	uint64_t port;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (span_eq_nocase(scheme, span_str(schemes[i])))
			return not_yet(err, span_head(host, scheme.len + 1),
				       "name the servers");
	if (span_starts(rest, SPAN("//")))
		return err_set(err, ERR_SYNTAX,
			       "%s: write the name alone, without %.*s://",
			       config_quote(host).s, (int)scheme.len, scheme.p);
	if (host.p[0] == '[')
		return err_set(err, ERR_SYNTAX,
			       "%s: write an address without brackets, and the port "
			       "as port = NUMBER",
			       config_quote(host).s);
	if (span_uint(rest, 65535, &port))
		return err_set(err, ERR_SYNTAX,
			       "%s: write the port on a line of its own, port = %u",
			       config_quote(host).s, (unsigned)port);
	return err_set(err, ERR_SYNTAX, "%s is neither a host name nor an address",
		       config_quote(host).s);
}

static int check_host(const char *host, struct err *err) {
	struct span s = span_str(host);
	if (is_v6(host))
		return 0;
	if (span_find(s, ':') < s.len)
		return colon_words(s, err);
	if (s.p[s.len - 1] == ',')
		return err_set(err, ERR_SYNTAX,
			       "%s: hosts are separated by spaces, without commas",
			       config_quote(s).s);
	if (!config_is_hostname(s) || is_half_address(host))
		return err_set(err, ERR_SYNTAX,
			       "%s is neither a host name nor an address",
			       config_quote(s).s);
	return 0;
}

static void clear_hosts(const struct config_key *key, void *base) {
	struct config_relay *relay = base;
	(void)key;
	for (size_t i = 0; i < relay->host_count; i++)
		free(relay->host[i]);
	relay->host_count = 0;
}

static int add_host(struct config_value *v, struct config_relay *into, struct span word,
		    struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(300);
	size_t place = v->wrong;
	if (config_expand(v, word, &b, err) != 0)
		return -1;
	v->wrong = place;
	if (check_host(buf_str(&b), err) != 0)
		return -1;
	if (into->host_count == CONFIG_HOSTS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d hosts", CONFIG_HOSTS_MAX);
	char *host = buf_take(&b);
	if (!host)
		return err_set(err, ERR_MEMORY, "out of memory");
	into->host[into->host_count++] = host;
	return 0;
}

static int parse_hosts(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	struct config_relay *relay = base;
	struct config_relay fresh = { .host_count = 0 };
	struct span rest = v->text, word;
	while (config_value_word(v, &rest, &word)) {
		if (add_host(v, &fresh, word, err) != 0) {
			clear_hosts(key, &fresh);
			return -1;
		}
	}
	clear_hosts(key, relay);
	memcpy(relay->host, fresh.host, sizeof(fresh.host));
	relay->host_count = fresh.host_count;
	return 0;
}

static void show_hosts(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_relay *relay = base;
	(void)key;
	for (size_t i = 0; i < relay->host_count; i++)
		buf_addf(out, "%s%s", i ? " " : "", relay->host[i]);
}

const struct config_type config_type_hosts = { parse_hosts, show_hosts, clear_hosts };

static const char *const tls_modes[] = {
	[CONFIG_TLS_STARTTLS] = "starttls",
	[CONFIG_TLS_IMPLICIT] = "implicit",
	[CONFIG_TLS_OPPORTUNISTIC] = "opportunistic",
	[CONFIG_TLS_NONE] = "none",
};
#define TLS_MODES (sizeof(tls_modes) / sizeof(tls_modes[0]))

static int parse_tls(struct config_value *v, const struct config_key *key, void *base,
		     struct err *err) {
	enum config_tls *tls = (void *)((char *)base + key->offset);
	struct suggest near = { .word = v->text, .best = NULL };
	for (size_t i = 0; i < TLS_MODES; i++) {
		if (span_eq(v->text, span_str(tls_modes[i]))) {
			*tls = (enum config_tls)i;
			return 0;
		}
		suggest_try(&near, tls_modes[i]);
	}
	if (span_eq(v->text, SPAN("dane")))
		return not_yet(err, v->text, "use starttls or implicit");
	if (near.best)
		return err_set(err, ERR_SYNTAX, "%s is no TLS mode; did you mean \"%s\"?",
			       config_quote(v->text).s, near.best);
	return err_set(err, ERR_SYNTAX,
		       "%s is no TLS mode; there are starttls, implicit, "
		       "opportunistic and none",
		       config_quote(v->text).s);
}

static void show_tls(const struct config_key *key, const void *base, struct buf *out) {
	const enum config_tls *tls = (const void *)((const char *)base + key->offset);
	buf_adds(out, tls_modes[*tls]);
}

const struct config_type config_type_tls = { parse_tls, show_tls, NULL };

static const char *const mechanisms[] = { "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5",
					  "PLAIN", "LOGIN" };
#define MECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

static int find_mechanism(struct span word, size_t *ret, struct err *err) {
	static const char *const later[] = {
		"XOAUTH2", "OAUTHBEARER",        "EXTERNAL",
		"GSSAPI",  "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"
	};
	struct suggest near = { .word = word, .best = NULL };
	for (*ret = 0; *ret < MECHANISMS; ++*ret) {
		if (span_eq_nocase(word, span_str(mechanisms[*ret])))
			return 0;
		suggest_try(&near, mechanisms[*ret]);
	}
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (span_eq_nocase(word, span_str(later[i])))
			return not_yet(
				err, word,
				"it knows SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN");
	if (near.best)
		return err_set(err, ERR_SYNTAX,
			       "%s is no login mechanism; did you mean \"%s\"?",
			       config_quote(word).s, near.best);
	return err_set(err, ERR_SYNTAX,
		       "%s is no login mechanism; there are SCRAM-SHA-256 "
		       "SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN",
		       config_quote(word).s);
}

static int parse_auth(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	AUTO_BUF struct buf list = BUF_INIT(256);
	struct span rest = v->text, word;
	bool seen[MECHANISMS] = { false };
	size_t which;
	while (config_value_word(v, &rest, &word)) {
		if (find_mechanism(word, &which, err) != 0)
			return -1;
		if (seen[which])
			return err_set(err, ERR_SYNTAX, "%s stands here twice",
				       mechanisms[which]);
		seen[which] = true;
		buf_addf(&list, "%s%s", list.len ? " " : "", mechanisms[which]);
	}
	char *text = buf_take(&list);
	if (!text)
		return err_set(err, ERR_MEMORY, "out of memory");
	config_type_auth.clear(key, base);
	*(char **)(void *)((char *)base + key->offset) = text;
	return 0;
}

static void show_auth(const struct config_key *key, const void *base, struct buf *out) {
	config_type_login.show(key, base, out);
}

static void clear_auth(const struct config_key *key, void *base) {
	config_type_login.clear(key, base);
}

const struct config_type config_type_auth = { parse_auth, show_auth, clear_auth };
