/*
 * What all peers have in common: the table of their files, notes, and the conclusions that
 * need everything. A peer that logged in without TLS, or without looking whom it talked to,
 * becomes one that verifies: a password is never shown to a stranger here.
 */

#include "config/import.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/term.h"
#include "config/import_peer.h"

#define WORDS_MAX 1024
#define NAMES_MAX 4096

const struct import_peer import_peers[] = {
	{ .name = "msmtp",
	  .home = ".msmtprc",
	  .home_other = ".config/msmtp/config",
	  .file = { { "/etc/msmtprc", import_msmtp } } },
	{ .name = "nullmailer",
	  .file = { { "/etc/nullmailer/remotes", import_nullmailer },
		    { "/etc/nullmailer/me", import_nullmailer_me },
		    { "/etc/mailname", import_mailname },
		    { "/etc/nullmailer/defaulthost", import_nullmailer_domain },
		    { "/etc/nullmailer/adminaddr", import_nullmailer_admin },
		    { "/etc/nullmailer/allmailfrom", import_nullmailer_from },
		    { "/etc/nullmailer/helohost", import_nullmailer_helo },
		    { "/etc/nullmailer/queuelifetime", import_nullmailer_lifetime },
		    { "/etc/nullmailer/pausetime", import_nullmailer_other },
		    { "/etc/nullmailer/defaultdomain", import_nullmailer_other } } },
	{ .name = "dma",
	  .file = { { "/etc/dma/dma.conf", import_dma },
		    { "/etc/dma/auth.conf", import_dma_auth },
		    { "/etc/mailname", import_mailname } } },
	{ .name = "ssmtp",
	  .file = { { "/etc/ssmtp/ssmtp.conf", import_ssmtp },
		    { "/etc/ssmtp/revaliases", import_revaliases } } },
	{ .name = "esmtp",
	  .home = ".esmtprc",
	  .file = { { "/etc/esmtprc", import_esmtp } } },
	{ .name = "exim4",
	  .file = { { "/etc/exim4/update-exim4.conf.conf", import_exim },
		    { "/etc/exim4/passwd.client", import_exim_auth },
		    { "/etc/mailname", import_mailname } } },
	{ .name = "postfix",
	  .file = { { "/etc/postfix/main.cf", import_postfix },
		    { "/etc/postfix/sasl_passwd", import_postfix_auth },
		    { "/etc/mailname", import_mailname } } },
	{ .name = NULL },
};

const struct import_peer *import_peer_find(const char *name) {
	for (const struct import_peer *p = import_peers; p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

void import_init(struct import *in, const struct import_peer *peer) {
	static struct config_env nobody = { .asked = true };
	*in = (struct import){
		.peer = peer,
		.draft = { .env = &nobody, .hostname = "localhost" },
		.file = peer->name,
		.usual_port = 25,
	};
	buf_init(&in->secret, IMPORT_SECRET_MAX);
	buf_init(&in->secret_place, CONFIG_VALUE_MAX);
	buf_init(&in->login_place, CONFIG_VALUE_MAX);
	buf_init(&in->notes, IMPORT_NOTES_MAX);
	buf_init(&in->unneeded, NAMES_MAX);
	buf_init(&in->host, WORDS_MAX);
}

void import_release(struct import *in) {
	config_draft_release(&in->draft);
	for (size_t i = 0; i < IMPORT_FILES_MAX; i++)
		free(in->named[i]);
	if (in->secret.data)
		explicit_bzero(in->secret.data, in->secret.cap);
	buf_release(&in->secret);
	buf_release(&in->secret_place);
	buf_release(&in->login_place);
	buf_release(&in->notes);
	buf_release(&in->unneeded);
	buf_release(&in->host);
}

void import_note(struct import *in, const char *fmt, ...) {
	AUTO_BUF struct buf words = BUF_INIT(WORDS_MAX);
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&words, fmt, ap);
	va_end(ap);
	term_safe(&in->notes, span_str(in->file));
	if (in->line)
		buf_addf(&in->notes, ":%u", in->line);
	buf_adds(&in->notes, ": ");
	term_safe(&in->notes, buf_span(&words));
	buf_addc(&in->notes, '\n');
}

void import_lose_login(struct import *in, const char *why) {
	term_safe(&in->notes, buf_span(&in->login_place));
	buf_adds(&in->notes, ": not carried over: the login: ");
	term_safe(&in->notes, span_str(why));
	buf_addc(&in->notes, '\n');
	in->login_lost = true;
}

void import_set(struct import *in, const char *key, struct span value) {
	struct err err = ERR_INIT;
	if (config_draft_set_raw(&in->draft, key, value, &err) != 0)
		import_note(in, "not carried over: %s", err.msg);
}

void import_host(struct import *in, struct span host) {
	AUTO_BUF struct buf all = BUF_INIT(CONFIG_VALUE_MAX);
	const char *before = config_draft_get(&in->draft, "host");
	struct err err = ERR_INIT;
	buf_addf(&all, "%s%s", before ? before : "", before ? " " : "");
	buf_add(&all, host);
	if (span_find(host, '%') < host.len || span_find(host, ' ') < host.len)
		import_note(in, "not carried over: %.*s is no host name", (int)host.len,
			    host.p);
	else if (config_draft_set(&in->draft, "host", buf_span(&all), &err) != 0)
		import_note(in, "not carried over: %s", err.msg);
}

void import_port(struct import *in, struct span value) {
	uint64_t port;
	if (span_eq_nocase(value, SPAN("smtp")))
		in->port = 25;
	else if (span_eq_nocase(value, SPAN("submission")))
		in->port = 587;
	else if (span_eq_nocase(value, SPAN("smtps")) ||
		 span_eq_nocase(value, SPAN("submissions")))
		in->port = 465;
	else if (span_uint(value, 65535, &port) && port > 0)
		in->port = (unsigned)port;
	else
		import_note(in, "not carried over: %.*s is no port number",
			    (int)value.len, value.p ? value.p : "");
}

void import_secret(struct import *in, struct span value) {
	if (value.len == 0)
		return;
	in->has_secret = true;
	buf_reset(&in->secret_place);
	buf_addf(&in->secret_place, "%s:%u", in->file, in->line);
	buf_reset(&in->secret);
	/* All room at once, so that growing leaves no copy behind. */
	if (!buf_room(&in->secret, IMPORT_SECRET_MAX) ||
	    buf_add(&in->secret, value) != 0) {
		buf_reset(&in->secret);
		import_note(in, "not carried over: the password is too long");
	}
}

/* The system's own file is used anyway. */
void import_aliases(struct import *in, struct span path) {
	if (!span_eq(path, SPAN("/etc/aliases")))
		import_set(in, "aliases", path);
}

void import_ca(struct import *in, struct span path) {
	static const char *const usual[] = {
		"system",
		"/etc/ssl/certs",
		"/etc/ssl/certs/",
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem",
	};
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (span_eq(path, span_str(usual[i])))
			return;
	import_set(in, "ca", path);
}

void import_seconds(struct import *in, const char *key, struct span value) {
	AUTO_BUF struct buf text = BUF_INIT(64);
	buf_add(&text, span_head(value, 60));
	buf_addc(&text, 's');
	import_set(in, key, buf_span(&text));
}

void import_named(struct import *in, size_t file, struct span path) {
	free(in->named[file]);
	in->named[file] = path.len && path.p[0] == '/' ? span_dup(path) : NULL;
}

void import_parse(struct import *in, size_t file, const char *label, struct span text) {
	in->file = label;
	in->line = 0;
	span_take_lit(&text, SPAN("\xef\xbb\xbf"));
	in->peer->file[file].parse(in, text);
	in->line = 0;
}

static void conclude_tls(struct import *in) {
	static const char *const words[] = {
		[IMPORT_TLS_UNKNOWN] = "none",
		[IMPORT_TLS_NONE] = "none",
		[IMPORT_TLS_OPPORTUNISTIC] = "opportunistic",
		[IMPORT_TLS_STARTTLS] = "starttls",
		[IMPORT_TLS_IMPLICIT] = "implicit",
	};
	bool weak = in->tls < IMPORT_TLS_STARTTLS;
	if (weak && (in->login_lost || config_draft_get(&in->draft, "login"))) {
		import_note(in,
			    "tls = starttls is set, because a login needs TLS with a "
			    "verified certificate here; %s would also log in without",
			    in->peer->name);
		in->tls = IMPORT_TLS_STARTTLS;
	}
	if (in->tls != IMPORT_TLS_STARTTLS)
		import_set(in, "tls", span_str(words[in->tls]));
}

static void conclude_port(struct import *in) {
	AUTO_BUF struct buf text = BUF_INIT(16);
	bool implicit = in->tls == IMPORT_TLS_IMPLICIT;
	unsigned port = in->port ? in->port : implicit ? 465 : in->usual_port;
	buf_addf(&text, "%u", port);
	if (port != (implicit ? 465u : 587u))
		import_set(in, "port", buf_span(&text));
}

static void conclude_login(struct import *in) {
	const char *login = config_draft_get(&in->draft, "login");
	bool command = config_draft_get(&in->draft, "password") != NULL;
	if (login && !in->has_secret && !command) {
		import_note(in,
			    "there is a login but no password in these files; write the "
			    "password to the file that password = names");
	} else if (!login && (in->has_secret || command)) {
		import_note(in, "not carried over: there is a password but no user name");
		config_draft_drop(&in->draft, "password");
		buf_reset(&in->secret);
		in->has_secret = false;
	}
}

void import_finish(struct import *in) {
	in->file = in->peer->name;
	in->line = 0;
	if (in->peer->finish)
		in->peer->finish(in);
	if (!config_draft_get(&in->draft, "host")) {
		import_note(in, "these files name no server that takes the mail");
		return;
	}
	conclude_login(in);
	conclude_tls(in);
	conclude_port(in);
}
