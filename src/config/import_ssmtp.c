/* ssmtp: "Key=value" lines. It takes a server's port from mailhub, and TLS from two switches. */

#include "config/import_peer.h"

enum {
	ROOT,
	MAILHUB,
	USE_TLS,
	USE_STARTTLS,
	AUTH_USER,
	AUTH_PASS,
	AUTH_METHOD,
	CA_FILE,
};

static const struct import_setting table[] = {
	[ROOT] = { "root", NULL, NULL },
	[MAILHUB] = { "mailhub", NULL, NULL },
	[USE_TLS] = { "UseTLS", NULL, NULL },
	[USE_STARTTLS] = { "UseSTARTTLS", NULL, NULL },
	[AUTH_USER] = { "AuthUser", "login", NULL },
	[AUTH_PASS] = { "AuthPass", NULL, NULL },
	[AUTH_METHOD] = { "AuthMethod", "auth", NULL },
	[CA_FILE] = { "TLS_CA_File", NULL, NULL },
	{ "hostname", "helo", NULL },
	{ "rewriteDomain", "domain",
	  "carried over for addresses without a domain; masquerade = changes others" },
	{ "FromLineOverride", NULL, "" },
	{ "MinUserId", NULL, "not carried over: only mail to root has another address" },
	{ "TLS_CA_Dir", NULL,
	  "not carried over: the system's authorities, or one file by ca = FILE" },
	{ "UseTLSCert", NULL, "not carried over: client certificates" },
	{ "TLSCert", NULL, "not carried over: client certificates" },
	{ "TLSKey", NULL, "not carried over: client certificates" },
	{ "UseOldAUTH", NULL, "not carried over: an AUTH from before the standard" },
	{ "Debug", NULL, "" },
};
#define SETTINGS (sizeof(table) / sizeof(table[0]))

static void take_hub(struct import *in, struct span hub) {
	struct span host = hub, port;
	size_t colon = span_find(hub, ':');
	if (colon < hub.len && hub.p[0] != '[') {
		port = span_from(hub, colon + 1);
		host = span_head(hub, colon);
		import_port(in, port);
	}
	import_host(in, host);
}

void import_ssmtp(struct import *in, struct span text) {
	struct import_found found[SETTINGS] = { { { NULL, 0 }, 0 } };
	struct span line, name;
	while (import_line(in, &text, &line)) {
		struct span rest = line;
		if (!span_take_until(&rest, '=', &name)) {
			import_note(in, "not understood: a line without =");
			continue;
		}
		int i = import_find(in, table, SETTINGS, span_trim(name), true);
		if (i >= 0)
			found[i] = (struct import_found){ import_unquote(rest),
							  in->line };
	}
	import_settings(in, table, SETTINGS, found);
	bool starttls = import_is_yes(found[USE_STARTTLS].value);
	bool tls = import_is_yes(found[USE_TLS].value);
	in->tls = starttls ? IMPORT_TLS_STARTTLS
		  : tls    ? IMPORT_TLS_IMPLICIT
			   : IMPORT_TLS_NONE;
	in->line = found[MAILHUB].line;
	if (found[MAILHUB].value.len)
		take_hub(in, found[MAILHUB].value);
	in->line = found[AUTH_PASS].line;
	import_secret(in, found[AUTH_PASS].value);
	in->line = found[CA_FILE].line;
	if (found[CA_FILE].value.len)
		import_ca(in, found[CA_FILE].value);
	in->line = found[ROOT].line;
	if (span_find(found[ROOT].value, '@') < found[ROOT].value.len)
		import_set(in, "root", found[ROOT].value);
	else if (found[ROOT].value.len)
		import_note(in, "not carried over: a local name for root's mail");
}

/* local:outgoing address[:server[:port]] */
void import_revaliases(struct import *in, struct span text) {
	struct span line, user, address;
	while (import_line(in, &text, &line)) {
		if (!span_take_until(&line, ':', &user))
			continue;
		address = span_head(line, span_find(line, ':'));
		import_note(in,
			    "not carried over: mail of %.*s comes from %.*s; set that "
			    "person's from",
			    (int)user.len, user.p, (int)address.len, address.p);
	}
}
