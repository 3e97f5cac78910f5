/*
 * nullmailer: a folder of files with one value each, and `remotes`, one server a line:
 * "host [protocol] [--option=value...]". Servers are tried in turn, as here; but only as
 * long as they differ in nothing but their names.
 */

#include "config/import_peer.h"

enum { PORT, USER, PASS, STARTTLS, SSL, CAFILE, SOURCE };

static const struct import_setting table[] = {
	[PORT] = { "port", NULL, NULL },
	[USER] = { "user", "login", NULL },
	[PASS] = { "pass", NULL, NULL },
	[STARTTLS] = { "starttls", NULL, NULL },
	[SSL] = { "ssl", NULL, NULL },
	[CAFILE] = { "x509cafile", NULL, NULL },
	{ "source", "source", NULL },
	{ "insecure", NULL, "not carried over: certificates are verified" },
	{ "auth-login", NULL, "" },
	{ "x509certfile", NULL, "not carried over: client certificates" },
	{ "x509keyfile", NULL, "not carried over: client certificates" },
	{ "x509crlfile", NULL, "not carried over: revocation lists" },
	{ "x509fmtder", NULL, "not carried over: a file in DER; convert it to PEM" },
	{ "tls-anon-auth", NULL, "not carried over: TLS without a certificate" },
	{ "daemon", NULL, "" },
	{ "syslog", NULL, "" },
};
#define SETTINGS (sizeof(table) / sizeof(table[0]))

/* A word, of which quotes may group parts; the word still has them. */
static bool take_quoted_word(struct span *in, struct span *ret) {
	struct span s = *in;
	char quote = '\0';
	size_t n = 0;
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_from(s, 1);
	for (; n < s.len && (quote || (s.p[n] != ' ' && s.p[n] != '\t')); n++) {
		if (quote ? s.p[n] == quote : s.p[n] == '\'' || s.p[n] == '"')
			quote = quote ? '\0' : s.p[n];
	}
	*ret = span_head(s, n);
	*in = span_from(s, n);
	return n > 0;
}

static void read_option(struct import *in, struct import_found *found, struct span word) {
	struct span name = word, value = SPAN("");
	if (span_take_lit(&name, SPAN("--"))) {
		size_t eq = span_find(name, '=');
		value = import_unquote(span_from(name, eq < name.len ? eq + 1 : eq));
		name = span_head(name, eq);
	} else if (span_take_lit(&name, SPAN("-p"))) {
		value = name;
		name = SPAN("port");
	} else {
		name = SPAN("an option of one letter");
	}
	int i = import_find(in, table, SETTINGS, name, false);
	if (i >= 0)
		found[i] = (struct import_found){ value, in->line };
}

/* host [protocol] [options]; a value alone in quotes is given without the name's quotes. */
static struct span read_remote(struct import *in, struct span line,
			       struct import_found *found) {
	struct span host, word;
	if (!take_quoted_word(&line, &host))
		return span_of(NULL, 0);
	while (take_quoted_word(&line, &word)) {
		word = import_unquote(word);
		if (word.len && word.p[0] == '-')
			read_option(in, found, word);
		else if (!span_eq(word, SPAN("smtp")))
			/* Not repeated: it may be part of a password without quotes. */
			import_note(in, "not carried over: a protocol other than smtp");
	}
	return host;
}

static bool is_same(const struct import_found *a, const struct import_found *b) {
	for (size_t i = 0; i < SETTINGS; i++)
		if (!span_eq(a[i].value, b[i].value) || !a[i].value.p != !b[i].value.p)
			return false;
	return true;
}

static void take_remote(struct import *in, const struct import_found *found) {
	import_settings(in, table, SETTINGS, found);
	in->tls = found[STARTTLS].value.p ? IMPORT_TLS_STARTTLS
		  : found[SSL].value.p    ? IMPORT_TLS_IMPLICIT
					  : IMPORT_TLS_NONE;
	in->line = found[PORT].line;
	if (found[PORT].value.len)
		import_port(in, found[PORT].value);
	in->line = found[PASS].line;
	import_secret(in, found[PASS].value);
	in->line = found[CAFILE].line;
	if (found[CAFILE].value.len)
		import_ca(in, found[CAFILE].value);
}

void import_nullmailer(struct import *in, struct span text) {
	struct import_found first[SETTINGS] = { { { NULL, 0 }, 0 } };
	bool any = false;
	struct span line;
	while (import_line(in, &text, &line)) {
		struct import_found found[SETTINGS] = { { { NULL, 0 }, 0 } };
		struct span host = read_remote(in, line, found);
		if (any && !is_same(first, found)) {
			import_note(
				in,
				"not carried over: %.*s; several servers have the same "
				"settings here",
				(int)host.len, host.p);
			continue;
		}
		import_host(in, import_unquote(host));
		memcpy(first, found, sizeof(first));
		any = true;
	}
	take_remote(in, first);
	in->line = 0;
}

static bool only_line(struct import *in, struct span text, struct span *ret) {
	return import_line(in, &text, ret);
}

void import_nullmailer_me(struct import *in, struct span text) {
	struct span name;
	if (only_line(in, text, &name))
		import_set(in, "helo", name);
}

void import_nullmailer_domain(struct import *in, struct span text) {
	struct span name;
	if (only_line(in, text, &name))
		import_set(in, "domain", name);
}

void import_nullmailer_helo(struct import *in, struct span text) {
	import_nullmailer_me(in, text);
}

void import_nullmailer_admin(struct import *in, struct span text) {
	struct span address;
	if (!only_line(in, text, &address))
		return;
	import_set(in, "root", address);
}

void import_nullmailer_from(struct import *in, struct span text) {
	struct span address;
	if (!only_line(in, text, &address))
		return;
	import_set(in, "envelope-from", address);
	import_note(in, "allmailfrom: carried over for mail of this machine's own "
			"accounts; other senders stay as they are");
}

void import_nullmailer_lifetime(struct import *in, struct span text) {
	struct span seconds;
	if (only_line(in, text, &seconds))
		import_seconds(in, "lifetime", seconds);
}

/* Files whose content has no place here. */
void import_nullmailer_other(struct import *in, struct span text) {
	struct span value;
	if (only_line(in, text, &value))
		import_note(in, "not carried over: %.*s", (int)value.len, value.p);
}
