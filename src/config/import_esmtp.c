/*
 * esmtp: "key = value" lines, values perhaps in quotes. What stands before the first
 * "identity" line belongs to the identity that all mail uses.
 */

#include "config/import_peer.h"

enum { HOSTNAME, USERNAME, PASSWORD, STARTTLS };

static const struct import_setting table[] = {
	[HOSTNAME] = { "hostname", NULL, NULL },
	[USERNAME] = { "username", "login", NULL },
	[PASSWORD] = { "password", NULL, NULL },
	[STARTTLS] = { "starttls", NULL, NULL },
	{ "helo", "helo", NULL },
	{ "qualifydomain", "domain", NULL },
	{ "certificate_passphrase", NULL, "not carried over: client certificates" },
	{ "preconnect", NULL, "not carried over: a command before each connection" },
	{ "postconnect", NULL, "not carried over: a command after each connection" },
	{ "mda", NULL, "not carried over: local mail also goes to the relay" },
	{ "force_mda", NULL, "not carried over: local mail also goes to the relay" },
	{ "force_sender", NULL, "not carried over: senders stay as they are" },
	{ "force_reverse_path", NULL, "not carried over: senders stay as they are" },
	{ "default", NULL, "" },
};
#define SETTINGS (sizeof(table) / sizeof(table[0]))

/* key = value, or key value */
static struct span take_value(struct span rest) {
	rest = span_trim(rest);
	span_take_char(&rest, '=');
	return import_unquote(rest);
}

/* Returns false at the first further identity. */
static bool read_line(struct import *in, struct import_found *found, struct span line) {
	size_t n = 0;
	while (n < line.len && line.p[n] != '=' && line.p[n] != ' ' && line.p[n] != '\t')
		n++;
	struct span name = span_head(line, n);
	if (span_eq_nocase(name, SPAN("identity")))
		return false;
	int i = import_find(in, table, SETTINGS, name, true);
	if (i >= 0)
		found[i] = (struct import_found){ take_value(span_from(line, n)),
						  in->line };
	return true;
}

static void take_host(struct import *in, struct span value) {
	size_t colon = span_find(value, ':');
	if (colon < value.len)
		import_port(in, span_from(value, colon + 1));
	import_host(in, span_head(value, colon));
}

void import_esmtp(struct import *in, struct span text) {
	struct import_found found[SETTINGS] = { { { NULL, 0 }, 0 } };
	struct span line;
	bool more = true;
	while (more && import_line(in, &text, &line))
		more = read_line(in, found, line);
	if (!more)
		import_note(in, "not carried over: further identities; all mail goes "
				"through one relay");
	import_settings(in, table, SETTINGS, found);
	struct span tls = found[STARTTLS].value;
	in->tls = span_eq_nocase(tls, SPAN("required"))  ? IMPORT_TLS_STARTTLS
		  : span_eq_nocase(tls, SPAN("enabled")) ? IMPORT_TLS_OPPORTUNISTIC
							 : IMPORT_TLS_NONE;
	in->line = found[HOSTNAME].line;
	if (found[HOSTNAME].value.len)
		take_host(in, found[HOSTNAME].value);
	in->line = found[PASSWORD].line;
	import_secret(in, found[PASSWORD].value);
	in->line = 0;
}
