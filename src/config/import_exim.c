/*
 * exim4 as Debian sets it up: shell assignments in update-exim4.conf.conf, and logins as
 * "server:user:password" in passwd.client. Exim itself is not read: a configuration that
 * somebody wrote by hand says too much.
 */

#include "config/import_peer.h"

enum { CONFIGTYPE, SMARTHOST, READHOST, HIDE_MAILNAME };

static const struct import_setting table[] = {
	[CONFIGTYPE] = { "dc_eximconfig_configtype", NULL, NULL },
	[SMARTHOST] = { "dc_smarthost", NULL, NULL },
	[READHOST] = { "dc_readhost", NULL, NULL },
	[HIDE_MAILNAME] = { "dc_hide_mailname", NULL, NULL },
	{ "dc_other_hostnames", NULL,
	  "not carried over: mail to these names goes to the relay too" },
	{ "dc_local_interfaces", NULL, "" },
	{ "dc_relay_domains", NULL, "not carried over: no mail is taken for others" },
	{ "dc_relay_nets", NULL, "not carried over: no mail is taken from others" },
	{ "dc_minimaldns", NULL, "" },
	{ "dc_use_split_config", NULL, "" },
	{ "dc_mailname_in_oh", NULL, "" },
	{ "dc_localdelivery", NULL, "" },
	{ "CFILEMODE", NULL, "" },
};
#define SETTINGS (sizeof(table) / sizeof(table[0]))

static void take_type(struct import *in, struct span type) {
	if (span_eq(type, SPAN("smarthost")))
		import_note(
			in,
			"exim4 kept mail for this machine in mailboxes; here it goes to "
			"the relay too");
	else if (!span_eq(type, SPAN("satellite")))
		import_note(in,
			    "exim4 is set up as \"%.*s\", which is not to send by a "
			    "smarthost",
			    (int)type.len, type.p ? type.p : "");
}

/* host, host::port; an IPv6 address has its colons doubled, and is left out. */
static void take_one(struct import *in, struct span text) {
	struct span host = text;
	size_t colon = span_find(text, ':');
	if (colon < text.len) {
		struct span port = span_from(text, colon);
		host = span_head(text, colon);
		while (span_take_char(&port, ':'))
			;
		if (span_find(port, ':') == port.len)
			import_port(in, port);
	}
	import_host(in, host);
	if (in->host.len == 0)
		buf_add(&in->host, host);
}

static void take_hosts(struct import *in, struct span list) {
	while (list.len) {
		struct span one;
		if (!span_take_until(&list, ';', &one)) {
			one = list;
			list.len = 0;
		}
		one = span_trim(one);
		if (one.len)
			take_one(in, one);
	}
}

void import_exim(struct import *in, struct span text) {
	struct import_found found[SETTINGS] = { { { NULL, 0 }, 0 } };
	struct span line, name;
	while (import_line(in, &text, &line)) {
		if (!span_take_until(&line, '=', &name))
			continue;
		int i = import_find(in, table, SETTINGS, span_trim(name), false);
		struct span value = import_unquote(line);
		/* What is empty says nothing. */
		if (i >= 0 && value.len)
			found[i] = (struct import_found){ value, in->line };
	}
	import_settings(in, table, SETTINGS, found);
	in->line = found[CONFIGTYPE].line;
	take_type(in, found[CONFIGTYPE].value);
	in->line = found[SMARTHOST].line;
	take_hosts(in, found[SMARTHOST].value);
	in->line = found[READHOST].line;
	if (found[READHOST].value.len && import_is_yes(found[HIDE_MAILNAME].value)) {
		import_set(in, "domain", found[READHOST].value);
		import_note(in, "dc_readhost: carried over for addresses without a "
				"domain; others stay as they are");
	}
	in->line = 0;
	in->tls = IMPORT_TLS_OPPORTUNISTIC;
}

/* Exim looks for the server's own name, which may be another than the one it was told. */
static unsigned fitness(struct span pattern, struct span host) {
	if (span_eq_nocase(pattern, host))
		return 3;
	if (pattern.len > 1 && pattern.p[0] == '*' &&
	    span_ends_nocase(host, span_from(pattern, 1)))
		return 2;
	return 1;
}

void import_exim_auth(struct import *in, struct span text) {
	struct span line, server, user, best_user = { NULL, 0 },
					best_secret = { NULL, 0 };
	unsigned best = 0, best_line = 0;
	while (import_line(in, &text, &line)) {
		if (!span_take_until(&line, ':', &server) ||
		    !span_take_until(&line, ':', &user)) {
			import_note(in, "not understood: expected server:user:password");
			continue;
		}
		unsigned fit = fitness(server, buf_span(&in->host));
		if (fit <= best)
			continue;
		best = fit;
		best_line = in->line;
		best_user = user;
		best_secret = line;
	}
	if (best == 0)
		return;
	in->line = best_line;
	if (best == 1)
		import_note(in, "taken although it names another server: exim4 looks for "
				"the name that the server's address has");
	import_set(in, "login", best_user);
	import_secret(in, best_secret);
}
