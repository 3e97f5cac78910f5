/*
 * How a relay is trusted and trusts us: TLS modes and limits, pinned keys, login mechanisms. Words
 * of a fixed vocabulary, with the nearest one for a typing error.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/suggest.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/values.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const tls_modes[] = {
	[CONFIG_TLS_STARTTLS] = "starttls",
	[CONFIG_TLS_IMPLICIT] = "implicit",
	[CONFIG_TLS_OPPORTUNISTIC] = "opportunistic",
	[CONFIG_TLS_NONE] = "none",
	[CONFIG_TLS_DANE] = "dane",
};

static int parse_tls(struct config_value *v, const struct config_key *key, void *base,
		     struct err *err) {
	enum config_tls *tls = (void *)((char *)base + key->offset);
	struct suggest near = { .word = v->text, .best = NULL };
	for (size_t i = 0; i < COUNT(tls_modes); i++) {
		if (span_eq(v->text, span_str(tls_modes[i]))) {
			*tls = (enum config_tls)i;
			return 0;
		}
		suggest_try(&near, tls_modes[i]);
	}
	if (near.best)
		return err_set(err, ERR_SYNTAX, "%s is no TLS mode; did you mean \"%s\"?",
			       term_quote(v->text).s, near.best);
	return err_set(err, ERR_SYNTAX,
		       "%s is no TLS mode; there are starttls, implicit, dane, "
		       "opportunistic and none",
		       term_quote(v->text).s);
}

static void show_tls(const struct config_key *key, const void *base, struct buf *out) {
	const enum config_tls *tls = (const void *)((const char *)base + key->offset);
	buf_adds(out, tls_modes[*tls]);
}

const struct config_type config_type_tls = { parse_tls, show_tls, NULL };

/* Replaces a text member. */
static int keep(const struct config_key *key, void *base, struct buf *b, struct err *err) {
	char *text = buf_take(b);
	if (!text)
		return err_set(err, ERR_MEMORY, "out of memory");
	config_type_login.clear(key, base);
	*(char **)(void *)((char *)base + key->offset) = text;
	return 0;
}

static void show_text(const struct config_key *key, const void *base, struct buf *out) {
	config_type_login.show(key, base, out);
}

static void clear_text(const struct config_key *key, void *base) {
	config_type_login.clear(key, base);
}

static const char *const mechanisms[] = {
	"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1",
	"CRAM-MD5",           "PLAIN",            "LOGIN",         "OAUTHBEARER",
	"XOAUTH2",            "EXTERNAL",         "GSSAPI"
};

static int find_mechanism(struct span word, size_t *ret, struct err *err) {
	AUTO_BUF struct buf all = BUF_INIT(512);
	struct suggest near = { .word = word, .best = NULL };
	for (*ret = 0; *ret < COUNT(mechanisms); ++*ret) {
		if (span_eq_nocase(word, span_str(mechanisms[*ret])))
			return 0;
		suggest_try(&near, mechanisms[*ret]);
		buf_addf(&all, " %s", mechanisms[*ret]);
	}
	if (near.best)
		return err_set(err, ERR_SYNTAX,
			       "%s is no login mechanism; did you mean \"%s\"?",
			       term_quote(word).s, near.best);
	return err_set(err, ERR_SYNTAX, "%s is no login mechanism; there are%s",
		       term_quote(word).s, buf_str(&all));
}

static int parse_auth(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	AUTO_BUF struct buf list = BUF_INIT(256);
	struct span rest = v->text, word;
	bool seen[COUNT(mechanisms)] = { false };
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
	return keep(key, base, &list, err);
}

const struct config_type config_type_auth = { parse_auth, show_text, clear_text };

bool config_needs_no_secret(const struct config_relay *r) {
	struct span list = span_str(r->auth ? r->auth : ""), word;
	while (span_take_word(&list, &word))
		if (span_eq(word, SPAN("EXTERNAL")) || span_eq(word, SPAN("GSSAPI")))
			return true;
	return false;
}

/* --- pins --- */

static bool parse_pin(struct span text, uint8_t ret[CONFIG_PIN_SIZE]) {
	AUTO_BUF struct buf bytes = BUF_INIT(CONFIG_PIN_SIZE);
	uint64_t octet;
	if (span_take_lit_nocase(&text, SPAN("sha256:")) ||
	    span_take_lit_nocase(&text, SPAN("sha256//"))) {
		if (codec_base64_decode(&bytes, text) != 0)
			return false;
	} else {
		while (span_take_hex(&text, 2, &octet)) {
			(void)span_take_char(&text, ':');
			if (buf_addc(&bytes, (char)octet) != 0)
				return false;
		}
		if (text.len > 0)
			return false;
	}
	if (bytes.len != CONFIG_PIN_SIZE)
		return false;
	memcpy(ret, bytes.data, CONFIG_PIN_SIZE);
	return true;
}

size_t config_pins(const struct config_relay *r,
		   uint8_t ret[CONFIG_PINS_MAX][CONFIG_PIN_SIZE]) {
	struct span list = span_str(r->pin ? r->pin : ""), word;
	size_t n = 0;
	while (n < CONFIG_PINS_MAX && span_take_word(&list, &word))
		n += parse_pin(word, ret[n]);
	return n;
}

static int parse_pins(struct config_value *v, const struct config_key *key, void *base,
		      struct err *err) {
	AUTO_BUF struct buf list = BUF_INIT(CONFIG_VALUE_MAX);
	struct span rest = v->text, word;
	uint8_t pin[CONFIG_PIN_SIZE];
	size_t n = 0;
	while (config_value_word(v, &rest, &word)) {
		if (!parse_pin(word, pin))
			return err_set(err, ERR_SYNTAX,
				       "%s is no pin; write sha256: and the SHA-256 of the "
				       "server's public key in base64, as smtp-probe prints it",
				       term_quote(word).s);
		if (n++ == CONFIG_PINS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d pins", CONFIG_PINS_MAX);
		buf_addf(&list, "%s%.*s", list.len ? " " : "", (int)word.len, word.p);
	}
	return keep(key, base, &list, err);
}

const struct config_type config_type_pins = { parse_pins, show_text, clear_text };

/* --- limits --- */

static const struct {
	const char *word;
	unsigned version;
} versions[] = { { "1.2", 12 }, { "1.3", 13 } };

static int parse_min_tls(struct config_value *v, const struct config_key *key, void *base,
			 struct err *err) {
	unsigned *min = (void *)((char *)base + key->offset);
	for (size_t i = 0; i < COUNT(versions); i++)
		if (span_eq(v->text, span_str(versions[i].word))) {
			*min = versions[i].version;
			return 0;
		}
	return err_set(err, ERR_SYNTAX, "%s is no version to ask for; there are 1.2 and 1.3",
		       term_quote(v->text).s);
}

static void show_min_tls(const struct config_key *key, const void *base, struct buf *out) {
	const unsigned *min = (const void *)((const char *)base + key->offset);
	for (size_t i = 0; i < COUNT(versions); i++)
		if (*min == versions[i].version)
			buf_adds(out, versions[i].word);
}

const struct config_type config_type_min_tls = { parse_min_tls, show_min_tls, NULL };

/* Only its letters are checked here: what they mean only GnuTLS knows, which the daemon is
 * without. */
static int parse_priority(struct config_value *v, const struct config_key *key, void *base,
			  struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(512);
	for (size_t i = 0; i < v->text.len; i++) {
		char c = v->text.p[i];
		if (span_is_alnum(c) || strchr("+-!%:._=", c))
			continue;
		v->wrong = i;
		return err_set(err, ERR_SYNTAX,
			       "a list of GnuTLS priorities is without blanks, as in "
			       "-VERS-TLS1.2:%%SAFE_RENEGOTIATION");
	}
	if (buf_add(&b, v->text) != 0)
		return err_set(err, ERR_LIMIT, "longer than 512 bytes");
	return keep(key, base, &b, err);
}

const struct config_type config_type_priority = { parse_priority, show_text, clear_text };
