/*
 * dma: "NAME value" lines, some names alone being switches, and a file of logins,
 * "user|server:password". Without OPPORTUNISTIC_TLS, STARTTLS is a must; nothing is verified.
 */

#include "config/import_peer.h"

enum {
	SMARTHOST,
	PORT,
	ALIASES,
	AUTHPATH,
	SECURETRANSFER,
	STARTTLS,
	OPPORTUNISTIC,
	MAILNAME,
	MASQUERADE,
};

static const struct import_setting table[] = {
	[SMARTHOST] = { "SMARTHOST", NULL, NULL },
	[PORT] = { "PORT", NULL, NULL },
	[ALIASES] = { "ALIASES", NULL, NULL },
	[AUTHPATH] = { "AUTHPATH", NULL, NULL },
	[SECURETRANSFER] = { "SECURETRANSFER", NULL, NULL },
	[STARTTLS] = { "STARTTLS", NULL, NULL },
	[OPPORTUNISTIC] = { "OPPORTUNISTIC_TLS", NULL, NULL },
	[MAILNAME] = { "MAILNAME", NULL, NULL },
	[MASQUERADE] = { "MASQUERADE", NULL, NULL },
	{ "NULLCLIENT", NULL, "" },
	{ "CERTFILE", NULL, "not carried over: client certificates" },
	{ "FINGERPRINT", NULL,
	  "not carried over: certificates are verified by authority and name" },
	{ "VERIFY", NULL, "" },
	{ "SECURE", NULL, "" },
	{ "INSECURE", NULL, "not carried over: no login in clear text" },
	{ "SPOOLDIR", NULL, "" },
	{ "FULLBOUNCE", NULL, "not carried over: failures return the header" },
	{ "DEFER", NULL, "not carried over: the daemon sends at once" },
};
#define SETTINGS (sizeof(table) / sizeof(table[0]))

static void read_lines(struct import *in, struct span text, struct import_found *found) {
	struct span line, name;
	while (import_line(in, &text, &line)) {
		if (!span_take_word(&line, &name))
			continue;
		int i = import_find(in, table, SETTINGS, name, false);
		struct span value = span_trim(span_head(line, span_find(line, '#')));
		if (i >= 0)
			found[i] = (struct import_found){
				span_of(value.p ? value.p : "", value.len), in->line
			};
	}
}

static void take_names(struct import *in, const struct import_found *found) {
	struct span mailname = found[MAILNAME].value,
		    masquerade = found[MASQUERADE].value;
	in->line = found[MAILNAME].line;
	if (mailname.len && mailname.p[0] == '/')
		import_named(in, 2, mailname);
	else if (mailname.len)
		import_set(in, "domain", mailname);
	in->line = found[MASQUERADE].line;
	if (masquerade.len == 0)
		return;
	size_t at = span_find(masquerade, '@');
	struct span domain = span_from(masquerade, at < masquerade.len ? at + 1 : 0);
	import_note(in, "MASQUERADE: carried over for this machine's own accounts; other "
			"addresses stay as they are");
	if (domain.len)
		import_set(in, "domain", domain);
	if (at > 0 && at < masquerade.len && domain.len)
		import_set(in, "from", masquerade);
}

void import_dma(struct import *in, struct span text) {
	struct import_found found[SETTINGS] = { { { NULL, 0 }, 0 } };
	read_lines(in, text, found);
	import_settings(in, table, SETTINGS, found);
	bool tls = found[SECURETRANSFER].value.p, start = found[STARTTLS].value.p;
	in->tls = !tls                           ? IMPORT_TLS_NONE
		  : !start                       ? IMPORT_TLS_IMPLICIT
		  : found[OPPORTUNISTIC].value.p ? IMPORT_TLS_OPPORTUNISTIC
						 : IMPORT_TLS_STARTTLS;
	in->line = found[SMARTHOST].line;
	if (found[SMARTHOST].value.len) {
		import_host(in, found[SMARTHOST].value);
		buf_add(&in->host, found[SMARTHOST].value);
	}
	in->line = found[PORT].line;
	if (found[PORT].value.len)
		import_port(in, found[PORT].value);
	in->line = 0;
	if (in->tls == IMPORT_TLS_IMPLICIT && !found[PORT].value.len)
		in->port = 25; /* what dma does; a server of today wants 465 */
	import_named(in, 1, found[AUTHPATH].value);
	in->line = found[ALIASES].line;
	if (found[ALIASES].value.len)
		import_aliases(in, found[ALIASES].value);
	take_names(in, found);
	in->line = 0;
}

/* user|server:password; the password may have colons. */
void import_dma_auth(struct import *in, struct span text) {
	struct span line, user, server;
	while (import_line(in, &text, &line)) {
		if (!span_take_until(&line, '|', &user) ||
		    !span_take_until(&line, ':', &server)) {
			import_note(in, "not understood: expected user|server:password");
			continue;
		}
		if (!span_eq_nocase(server, buf_span(&in->host)))
			continue;
		import_set(in, "login", user);
		import_secret(in, line);
		return;
	}
}
