/*
 * msmtp: lines of "command value", grouped by "defaults" and "account NAME [: NAME...]". An
 * account begins with the defaults as they are then, or with copies of other accounts;
 * "account default : NAME" chooses the one that mail goes through.
 */

#include "config/import_peer.h"

#define ACCOUNTS_MAX 32

enum {
	HOST,
	PORT,
	TLS,
	TLS_STARTTLS,
	TLS_CERTCHECK,
	TLS_TRUST_FILE,
	AUTH,
	USER,
	PASSWORD,
	PASSWORDEVAL,
	FROM,
	ALIASES,
	/* The table alone says what becomes of the others. */
};

static const struct import_setting table[] = {
	[HOST] = { "host", NULL, NULL },
	[PORT] = { "port", NULL, NULL },
	[TLS] = { "tls", NULL, NULL },
	[TLS_STARTTLS] = { "tls_starttls", NULL, NULL },
	[TLS_CERTCHECK] = { "tls_certcheck", NULL, NULL },
	[TLS_TRUST_FILE] = { "tls_trust_file", NULL, NULL },
	[AUTH] = { "auth", NULL, NULL },
	[USER] = { "user", "login", NULL },
	[PASSWORD] = { "password", NULL, NULL },
	[PASSWORDEVAL] = { "passwordeval", NULL, NULL },
	[FROM] = { "from", NULL, NULL },
	[ALIASES] = { "aliases", NULL, NULL },
	{ "domain", "helo", NULL },
	{ "source_ip", "source", NULL },
	{ "maildomain", "domain", NULL },
	{ "tls_fingerprint", NULL,
	  "not carried over: certificates are verified by authority and name" },
	{ "tls_key_file", NULL, "not carried over: client certificates" },
	{ "tls_cert_file", NULL, "not carried over: client certificates" },
	{ "tls_crl_file", NULL, "not carried over: revocation lists" },
	{ "tls_priorities", NULL, "not carried over: TLS 1.2 and newer are used" },
	{ "tls_min_dh_prime_bits", NULL, "not carried over: TLS 1.2 and newer are used" },
	{ "tls_force_sslv3", NULL, "not carried over: TLS 1.2 and newer are used" },
	{ "tls_host_override", NULL,
	  "not carried over: the certificate must be for the name in host" },
	{ "proxy_host", NULL, "not carried over: there is no proxy" },
	{ "proxy_port", NULL, "not carried over: there is no proxy" },
	{ "socket", NULL, "not carried over: the relay is reached by TCP" },
	{ "dsn_notify", NULL, "not carried over: the sender gets failures and delays" },
	{ "dsn_return", NULL, "not carried over: failures return the header" },
	{ "keepbcc", NULL, "not carried over: Bcc never leaves" },
	{ "remove_bcc_headers", NULL, "" },
	{ "undisclosed_recipients", NULL, "not carried over" },
	{ "set_from_header", NULL, "not carried over: a missing From is added" },
	{ "set_date_header", NULL, "" },
	{ "set_msgid_header", NULL, "" },
	{ "add_missing_from_header", NULL, "" },
	{ "add_missing_date_header", NULL, "" },
	{ "allow_from_override", NULL, "" },
	{ "auto_from", NULL, "" },
	{ "from_full_name", NULL, "not carried over: the name of the person is used" },
	{ "ntlmdomain", NULL, "not carried over: NTLM" },
	{ "timeout", NULL, "not carried over: the usual times are waited" },
	{ "protocol", NULL, "not carried over: mail leaves by SMTP" },
	{ "syslog", NULL, "" },
	{ "logfile", NULL, "" },
	{ "logfile_time_format", NULL, "" },
	{ "eval", NULL, "not carried over: a command that makes settings" },
	{ "include", NULL, "not carried over: another file; import that one instead" },
};
#define SETTINGS (sizeof(table) / sizeof(table[0]))
_Static_assert(SETTINGS <= IMPORT_SETTINGS_MAX, "raise the bound");

struct account {
	struct span name;
	unsigned line;
	struct import_found found[SETTINGS];
};

struct accounts {
	struct account defaults;
	struct account at[ACCOUNTS_MAX];
	size_t count;
	struct account *now;
};

static struct account *find(struct accounts *a, struct span name) {
	for (size_t i = 0; i < a->count; i++)
		if (span_eq(a->at[i].name, name))
			return &a->at[i];
	return NULL;
}

/* What the account that is copied has goes before what is there. */
static void copy_from(struct import *in, struct accounts *a, struct account *to,
		      struct span name) {
	const struct account *from = find(a, name);
	if (!from) {
		import_note(in, "there is no account %.*s", (int)name.len, name.p);
		return;
	}
	for (size_t i = 0; i < SETTINGS; i++)
		if (from->found[i].value.p)
			to->found[i] = from->found[i];
}

/* NAME [: NAME [, NAME]...] */
static void begin_account(struct import *in, struct accounts *a, struct span text) {
	struct span others = text, name;
	bool copies = span_take_until(&others, ':', &name);
	name = span_trim(copies ? name : text);
	if (a->count == ACCOUNTS_MAX) {
		import_note(in, "not carried over: more than %d accounts", ACCOUNTS_MAX);
		a->now = NULL;
		return;
	}
	struct account *to = &a->at[a->count];
	*to = a->defaults;
	while (copies && others.len) {
		struct span other;
		if (!span_take_until(&others, ',', &other)) {
			other = others;
			others.len = 0;
		}
		copy_from(in, a, to, span_trim(other));
	}
	to->name = name;
	to->line = in->line;
	a->count++;
	a->now = to;
}

static void read_line(struct import *in, struct accounts *a, struct span line) {
	struct span name, rest = line;
	if (!span_take_word(&rest, &name))
		return;
	if (span_eq_nocase(name, SPAN("defaults"))) {
		a->now = &a->defaults;
		return;
	}
	if (span_eq_nocase(name, SPAN("account"))) {
		begin_account(in, a, span_trim(rest));
		return;
	}
	int i = a->now ? import_find(in, table, SETTINGS, name, true) : -1;
	if (i >= 0)
		a->now->found[i] = (struct import_found){ import_unquote(rest),
							  in->line };
}

/* A command alone means "on". */
static bool is_on(const struct import_found *f, bool otherwise) {
	if (!f->value.p)
		return otherwise;
	return f->value.len == 0 || import_is_yes(f->value);
}

/* A command with signs that a shell would act on is given to one. */
static void take_command(struct import *in, struct span command) {
	AUTO_BUF struct buf ref = BUF_INIT(CONFIG_VALUE_MAX);
	bool shell = false, quote = false;
	for (size_t i = 0; i < command.len; i++) {
		shell = shell || strchr("|&;<>()$`\\*?[~", command.p[i]) != NULL;
		quote = quote || command.p[i] == '\'';
	}
	if (shell && quote) {
		import_note(
			in,
			"not carried over: passwordeval; put the command into a script "
			"and write password = command:SCRIPT");
		return;
	}
	buf_addf(&ref, shell ? "command:sh -c '%.*s'" : "command:%.*s", (int)command.len,
		 command.p);
	import_set(in, "password", buf_span(&ref));
}

static void take_auth(struct import *in, const struct import_found *found) {
	const struct import_found *auth = &found[AUTH];
	in->line = auth->line;
	if (!auth->value.p || span_eq_nocase(auth->value, SPAN("off"))) {
		config_draft_drop(&in->draft, "login");
		if (found[USER].value.p)
			import_note(in, "there is a user but no \"auth on\": msmtp does "
					"not log in");
		return;
	}
	if (!is_on(auth, false))
		import_set(in, "auth", auth->value);
	in->line = found[PASSWORD].line;
	if (found[PASSWORD].value.p)
		import_secret(in, found[PASSWORD].value);
	in->line = found[PASSWORDEVAL].line;
	if (found[PASSWORDEVAL].value.len && !in->has_secret)
		take_command(in, found[PASSWORDEVAL].value);
	in->line = found[USER].line;
	if (found[USER].value.p && !found[PASSWORD].value.p &&
	    !found[PASSWORDEVAL].value.p)
		import_note(in,
			    "the password is in a keyring or in netrc; write it to the "
			    "file that password = names");
}

static void take_tls(struct import *in, const struct import_found *found) {
	in->tls = !is_on(&found[TLS], false)          ? IMPORT_TLS_NONE
		  : is_on(&found[TLS_STARTTLS], true) ? IMPORT_TLS_STARTTLS
						      : IMPORT_TLS_IMPLICIT;
	in->line = found[TLS_CERTCHECK].line;
	if (in->tls != IMPORT_TLS_NONE && !is_on(&found[TLS_CERTCHECK], true))
		import_note(
			in,
			"tls_certcheck off: not carried over; the certificate will be "
			"verified. If its authority is your own, add ca = FILE");
	in->line = found[TLS_TRUST_FILE].line;
	if (found[TLS_TRUST_FILE].value.len)
		import_ca(in, found[TLS_TRUST_FILE].value);
}

static void take_account(struct import *in, const struct account *a) {
	const struct import_found *found = a->found;
	import_settings(in, table, SETTINGS, found);
	in->line = found[HOST].line;
	if (found[HOST].value.len)
		import_host(in, found[HOST].value);
	in->line = found[PORT].line;
	if (found[PORT].value.p)
		import_port(in, found[PORT].value);
	in->line = found[FROM].line;
	if (span_find(found[FROM].value, '%') < found[FROM].value.len)
		import_note(in, "not carried over: from with %% patterns");
	else if (found[FROM].value.len)
		import_set(in, "from", found[FROM].value);
	in->line = found[ALIASES].line;
	if (found[ALIASES].value.len)
		import_aliases(in, found[ALIASES].value);
	take_auth(in, found);
	take_tls(in, found);
}

void import_msmtp(struct import *in, struct span text) {
	static struct accounts a; /* too large for the stack */
	struct account *chosen;
	struct span line;
	a = (struct accounts){ .count = 0 };
	a.now = &a.defaults;
	while (import_line(in, &text, &line))
		read_line(in, &a, line);
	in->line = 0;
	chosen = find(&a, SPAN("default"));
	if (!chosen && a.count)
		chosen = &a.at[0];
	if (!chosen)
		chosen = &a.defaults;
	take_account(in, chosen);
	for (size_t i = 0; i < a.count; i++) {
		const struct account *other = &a.at[i];
		struct span host = other->found[HOST].value;
		in->line = other->line;
		if (!span_eq(host, chosen->found[HOST].value) ||
		    !span_eq(other->found[USER].value, chosen->found[USER].value))
			import_note(
				in,
				"not carried over: account %.*s; all mail goes through "
				"one relay",
				(int)other->name.len, other->name.p);
	}
	explicit_bzero(&a, sizeof(a));
}
