/*
 * Postfix as a null client: main.cf, where a line that begins with a blank continues the one
 * before and the last setting of a name counts, and the source of the password map,
 * "[server]:port user:password".
 */

#include "config/import_peer.h"

enum {
	RELAYHOST,
	SASL_ENABLE,
	SASL_MAPS,
	USE_TLS,
	ENFORCE_TLS,
	TLS_LEVEL,
	WRAPPERMODE,
	CAFILE,
	MYHOSTNAME,
	MYDOMAIN,
	MYORIGIN,
	SIZE_LIMIT,
	LIFETIME,
	BOUNCE_LIFETIME,
	DELAY_WARNING,
	SMTPD,
	ALIAS_MAPS,
};

static const char for_others[] = "not carried over: no mail is taken from others";
static const char no_maps[] = "not carried over: this version rewrites no addresses";
static const char no_routes[] = "not carried over: all mail goes to one relay";
static const char no_filter[] = "not carried over: nothing filters mail";

static const struct import_setting table[] = {
	[RELAYHOST] = { "relayhost", NULL, NULL },
	[SASL_ENABLE] = { "smtp_sasl_auth_enable", NULL, NULL },
	[SASL_MAPS] = { "smtp_sasl_password_maps", NULL, NULL },
	[USE_TLS] = { "smtp_use_tls", NULL, NULL },
	[ENFORCE_TLS] = { "smtp_enforce_tls", NULL, NULL },
	[TLS_LEVEL] = { "smtp_tls_security_level", NULL, NULL },
	[WRAPPERMODE] = { "smtp_tls_wrappermode", NULL, NULL },
	[CAFILE] = { "smtp_tls_CAfile", NULL, NULL },
	[MYHOSTNAME] = { "myhostname", NULL, NULL },
	[MYDOMAIN] = { "mydomain", NULL, NULL },
	[MYORIGIN] = { "myorigin", NULL, NULL },
	[SIZE_LIMIT] = { "message_size_limit", NULL, NULL },
	[LIFETIME] = { "maximal_queue_lifetime", NULL, NULL },
	[BOUNCE_LIFETIME] = { "bounce_queue_lifetime", NULL, NULL },
	[DELAY_WARNING] = { "delay_warning_time", NULL, NULL },
	[SMTPD] = { "smtpd_...", NULL, "" },
	[ALIAS_MAPS] = { "alias_maps", NULL, NULL },
	{ "smtp_bind_address", "source", NULL },
	{ "smtp_helo_name", "helo", NULL },
	{ "smtp_sasl_security_options", NULL, "" },
	{ "smtp_sasl_tls_security_options", NULL, "" },
	{ "smtp_sasl_mechanism_filter", NULL,
	  "not carried over; auth = MECHANISM sets it" },
	{ "smtp_tls_CApath", NULL, "" },
	{ "smtp_tls_session_cache_database", NULL, "" },
	{ "smtp_tls_note_starttls_offer", NULL, "" },
	{ "smtp_tls_loglevel", NULL, "" },
	{ "smtp_tls_cert_file", NULL, "not carried over: client certificates" },
	{ "smtp_tls_key_file", NULL, "not carried over: client certificates" },
	{ "smtp_tls_policy_maps", NULL, "not carried over: there is one relay" },
	{ "smtp_header_checks", NULL, no_filter },
	{ "smtp_generic_maps", NULL, no_maps },
	{ "canonical_maps", NULL, no_maps },
	{ "sender_canonical_maps", NULL, no_maps },
	{ "recipient_canonical_maps", NULL, no_maps },
	{ "masquerade_domains", NULL,
	  "not carried over; masquerade = *.DOMAIN does it where domain = DOMAIN" },
	{ "virtual_alias_maps", NULL, no_maps },
	{ "virtual_alias_domains", NULL, no_maps },
	{ "transport_maps", NULL, no_routes },
	{ "default_transport", NULL, no_routes },
	{ "relay_transport", NULL, no_routes },
	{ "sender_dependent_relayhost_maps", NULL, no_routes },
	{ "smtp_fallback_relay", NULL, no_routes },
	{ "smtp_sender_dependent_authentication", NULL, no_routes },
	{ "content_filter", NULL, no_filter },
	{ "header_checks", NULL, no_filter },
	{ "body_checks", NULL, no_filter },
	{ "smtpd_milters", NULL, no_filter },
	{ "non_smtpd_milters", NULL, no_filter },
	{ "always_bcc", NULL, "not carried over" },
	{ "relay_domains", NULL, for_others },
	{ "mynetworks", NULL, "" },
	{ "mynetworks_style", NULL, "" },
	{ "mydestination", NULL, "" },
	{ "local_transport", NULL, "" },
	{ "alias_database", NULL, "" },
	{ "inet_interfaces", NULL, "" },
	{ "inet_protocols", NULL, "" },
	{ "mailbox_size_limit", NULL, "" },
	{ "recipient_delimiter", NULL, "" },
	{ "compatibility_level", NULL, "" },
	{ "append_dot_mydomain", NULL, "" },
	{ "readme_directory", NULL, "" },
	{ "html_directory", NULL, "" },
	{ "biff", NULL, "" },
};
#define SETTINGS (sizeof(table) / sizeof(table[0]))
_Static_assert(SETTINGS <= IMPORT_SETTINGS_MAX, "raise the bound");

/*
 * Makes one line of each logical one, its number before it: "12 relayhost = [a.example]".
 * Comments and empty lines go, also from within.
 */
static int join_lines(struct span text, struct buf *out) {
	struct span line;
	for (unsigned n = 1; span_take_line(&text, &line); n++) {
		bool continues = line.len && (line.p[0] == ' ' || line.p[0] == '\t');
		line = span_trim(line);
		if (line.len == 0 || line.p[0] == '#')
			continue;
		if (continues && out->len)
			buf_addc(out, ' ');
		else
			buf_addf(out, "%s%u ", out->len ? "\n" : "", n);
		buf_add(out, line);
	}
	return buf_failed(out) ? -1 : 0;
}

static void read_lines(struct import *in, struct span text, struct import_found *found) {
	struct span line, name;
	uint64_t number;
	while (span_take_line(&text, &line) &&
	       span_take_uint(&line, UINT32_MAX, &number)) {
		in->line = (unsigned)number;
		if (!span_take_until(&line, '=', &name)) {
			import_note(in, "not understood: a line without =");
			continue;
		}
		name = span_trim(name);
		if (span_starts(name, SPAN("smtpd_"))) { /* how mail comes in */
			found[SMTPD] = (struct import_found){ SPAN(""), in->line };
			continue;
		}
		int i = import_find(in, table, SETTINGS, name, false);
		struct span value = span_trim(line);
		if (i >= 0)
			found[i] = (struct import_found){
				span_of(value.p ? value.p : "", value.len), in->line
			};
	}
}

static bool is_name_char(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Other parameters in a value, $name or ${name}: one level, of the table. */
static bool expand(const struct import_found *found, struct span value, struct buf *out) {
	while (value.len) {
		size_t at = span_find(value, '$');
		buf_add(out, span_head(value, at));
		value = span_from(value, at + 1);
		if (value.len == 0)
			break;
		bool brace = span_take_char(&value, '{');
		size_t n = 0;
		while (n < value.len && is_name_char(value.p[n]))
			n++;
		size_t i = 0;
		while (i < SETTINGS &&
		       !span_eq(span_head(value, n), span_str(table[i].name)))
			i++;
		if (i == SETTINGS || !found[i].value.len)
			return false;
		buf_add(out, found[i].value);
		value = span_from(value, n);
		if (brace && !span_take_char(&value, '}'))
			return false;
	}
	return !buf_failed(out);
}

/* [server]:port; without brackets Postfix asks for MX records. */
static void take_relay(struct import *in, struct span relay) {
	struct span host = relay, rest = relay;
	if (span_take_char(&rest, '[') && span_take_until(&rest, ']', &host)) {
		span_take_char(&rest, ':');
	} else {
		size_t colon = span_find(relay, ':');
		host = span_head(relay, colon);
		rest = span_from(relay, colon + 1);
		import_note(
			in,
			"%.*s has no brackets, so Postfix asks DNS for the servers of that "
			"domain; here it is the name of the server itself",
			(int)host.len, host.p);
	}
	if (rest.len)
		import_port(in, rest);
	import_host(in, host);
}

static enum import_tls tls_of(const struct import_found *found) {
	static const struct {
		const char *level;
		enum import_tls tls;
	} levels[] = {
		{ "none", IMPORT_TLS_NONE },
		{ "may", IMPORT_TLS_OPPORTUNISTIC },
		{ "dane", IMPORT_TLS_OPPORTUNISTIC },
	};
	struct span level = found[TLS_LEVEL].value;
	if (import_is_yes(found[WRAPPERMODE].value))
		return IMPORT_TLS_IMPLICIT;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (span_eq(level, span_str(levels[i].level)))
			return levels[i].tls;
	if (level.len || import_is_yes(found[ENFORCE_TLS].value))
		return IMPORT_TLS_STARTTLS;
	return import_is_yes(found[USE_TLS].value) ? IMPORT_TLS_OPPORTUNISTIC
						   : IMPORT_TLS_NONE;
}

/* A number of seconds, minutes, hours, days or weeks; the usual unit differs. */
static void take_time(struct import *in, const struct import_found *f, const char *key,
		      char usual) {
	AUTO_BUF struct buf text = BUF_INIT(64);
	struct span rest = f->value;
	uint64_t n;
	in->line = f->line;
	if (!rest.p || !span_take_uint(&rest, 1000000, &n))
		return;
	char unit = rest.len ? rest.p[0] : usual;
	if (n == 0 && strcmp(key, "warning") == 0)
		buf_adds(&text, "never");
	else if (unit == 'w')
		buf_addf(&text, "%llud", (unsigned long long)n * 7);
	else
		buf_addf(&text, "%llu%c", (unsigned long long)n, unit);
	import_set(in, key, buf_span(&text));
}

/* Where programs' bare names get their domain from: myorigin, else the host's name. */
static void take_names(struct import *in, const struct import_found *found) {
	AUTO_BUF struct buf name = BUF_INIT(512);
	struct span origin = found[MYORIGIN].value;
	in->line = found[MYORIGIN].line;
	if (origin.len && origin.p[0] == '/') {
		import_named(in, 2, origin);
	} else if (origin.len) {
		if (expand(found, origin, &name))
			import_set(in, "domain", buf_span(&name));
		else
			import_note(in, "not carried over: myorigin");
	} else if (found[MYHOSTNAME].value.len) {
		in->line = found[MYHOSTNAME].line;
		import_set(in, "domain", found[MYHOSTNAME].value);
	}
	in->line = found[MYHOSTNAME].line;
	if (found[MYHOSTNAME].value.len && !config_draft_get(&in->draft, "helo"))
		import_set(in, "helo", found[MYHOSTNAME].value);
}

/* The kinds of maps that are made of a file with a line for each server. */
static bool is_file_map(struct span type) {
	static const char *const kinds[] = { "hash", "btree", "lmdb", "cdb", "dbm", "sdbm",
					     "texthash" };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_eq(type, span_str(kinds[i])))
			return true;
	return false;
}

/* The file that the password map is made of; its name may begin with Postfix's folder. */
static void take_password_file(struct import *in, struct span path) {
	AUTO_BUF struct buf whole = BUF_INIT(CONFIG_VALUE_MAX);
	if (span_take_lit(&path, SPAN("$config_directory/")) ||
	    span_take_lit(&path, SPAN("${config_directory}/")))
		buf_adds(&whole, "/etc/postfix/");
	buf_add(&whole, path);
	import_named(in, 1, buf_span(&whole));
	if (span_find(path, ' ') < path.len || span_find(path, ',') < path.len)
		import_lose_login(in, "there are several password maps");
	else if (span_find(path, '$') < path.len || !in->named[1])
		import_lose_login(in, "the name of its file is not understood");
}

/* hash:/etc/postfix/sasl_passwd, or the type left out. */
static void take_password_map(struct import *in, const struct import_found *found) {
	struct span map = found[SASL_MAPS].value, type;
	in->line = found[SASL_MAPS].line;
	if (!import_is_yes(found[SASL_ENABLE].value)) {
		buf_reset(&in->host);
		return;
	}
	if (map.len == 0)
		return;
	buf_addf(&in->login_place, "%s:%u", in->file, in->line);
	span_take_lit(&map, SPAN("proxy:"));
	if (map.p[0] == '/' || map.p[0] == '$') {
		take_password_file(in, map);
	} else if (!span_take_until(&map, ':', &type)) {
		import_lose_login(in, "the password map is not understood");
	} else if (span_eq(type, SPAN("static")) && span_take_until(&map, ':', &type)) {
		import_set(in, "login", type);
		import_secret(in, map);
		buf_reset(&in->login_place);
		buf_reset(&in->host);
	} else if (is_file_map(type)) {
		take_password_file(in, map);
	} else {
		import_lose_login(in, "the password map is of a kind that is not read here");
	}
}

static void take_aliases(struct import *in, const struct import_found *f) {
	struct span map = f->value, type;
	in->line = f->line;
	if (span_take_until(&map, ':', &type))
		import_aliases(in, map);
}

static void take_all(struct import *in, const struct import_found *found) {
	AUTO_BUF struct buf relay = BUF_INIT(512);
	import_settings(in, table, SETTINGS, found);
	in->line = found[RELAYHOST].line;
	if (found[RELAYHOST].value.len && expand(found, found[RELAYHOST].value, &relay)) {
		take_relay(in, buf_span(&relay));
		buf_add(&in->host, buf_span(&relay));
	}
	in->tls = tls_of(found);
	in->line = found[CAFILE].line;
	if (found[CAFILE].value.len)
		import_ca(in, found[CAFILE].value);
	in->line = found[SIZE_LIMIT].line;
	if (found[SIZE_LIMIT].value.len && !span_eq(found[SIZE_LIMIT].value, SPAN("0")))
		import_set(in, "size-limit", found[SIZE_LIMIT].value);
	take_time(in, &found[LIFETIME], "lifetime", 'd');
	take_time(in, &found[BOUNCE_LIFETIME], "bounce-lifetime", 'd');
	take_time(in, &found[DELAY_WARNING], "warning", 'h');
	take_names(in, found);
	take_aliases(in, &found[ALIAS_MAPS]);
	take_password_map(in, found);
	in->line = 0;
}

/* The joined text may hold a password: one piece of memory, wiped. */
void import_postfix(struct import *in, struct span text) {
	struct import_found found[SETTINGS] = { { { NULL, 0 }, 0 } };
	size_t most = 8 * text.len + 64; /* each line grows by its number */
	struct buf joined = BUF_INIT(most);
	if (buf_room(&joined, most) && join_lines(text, &joined) == 0) {
		read_lines(in, buf_span(&joined), found);
		take_all(in, found);
	} else {
		import_note(in, "not carried over: out of memory");
	}
	if (joined.data)
		explicit_bzero(joined.data, joined.cap);
	buf_release(&joined);
}

/* [server]:port user:password; the key is relayhost to the letter, or the name alone. */
void import_postfix_auth(struct import *in, struct span text) {
	struct span line, key, user;
	struct span relay = buf_span(&in->host);
	struct span name = relay;
	span_take_char(&name, '[');
	name = span_head(name, span_find(name, ']'));
	name = span_head(name, span_find(name, ':'));
	while (relay.len && import_line(in, &text, &line)) {
		if (!span_take_word(&line, &key))
			continue;
		if (!span_eq_nocase(key, relay) && !span_eq_nocase(key, name))
			continue;
		line = span_trim(line);
		if (!span_take_until(&line, ':', &user)) {
			import_note(in, "not understood: expected user:password");
			continue;
		}
		import_set(in, "login", user);
		import_secret(in, line);
		return;
	}
	in->line = 0;
	if (relay.len)
		import_note(in, "no login for %.*s stands here", (int)relay.len, relay.p);
}
