/*
 * nightmail config: what is wrong with the configuration, what is in force, and what can be
 * set at all. Complaints go to stderr in the form file:line:column, which editors read.
 */

#include "cli/nightmail_config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/term.h"
#include "base/user.h"
#include "cli/cli.h"
#include "cli/nightmail_dkim.h"
#include "cli/nightmail_import.h"
#include "config/keys.h"
#include "config/settings.h"
#include "creds/creds.h"
#include "creds/grant.h"
#include "creds/keyring.h"
#include "creds/oauth2.h"
#include "deliver/aliases_file.h"
#include "net/tls.h"
#include "smtp/auth_users.h"

#define OUTPUT_MAX (4 << 20)

static const char program[] = "nightmail config";

static const char help[] =
	"usage: nightmail config check [--config FILE]\n"
	"       nightmail config show [--config FILE] [--json]\n"
	"       nightmail config keys\n"
	"       nightmail config import PEER [FILE...] [--password-file FILE]\n"
	"  check  tell every error and warning of all files; exit 78 on an error\n"
	"  show   print the values in force, and which file and line set them\n"
	"  keys   list every key that can be set, with its default and what it means\n"
	"  import print another relay's settings as ours; see 'config import --help'\n"
	"  --config FILE  read FILE instead of the person's or the system's files\n"
	"  --json         one JSON object a line: section, name, key, value, default,\n"
	"                 file, line\n";

struct call {
	const char *config;
	bool json;
};

/* Complaints were made safe where they were made. */
static void print(FILE *f, const struct buf *text) {
	fwrite(buf_str(text), 1, text->len, f);
}

static void print_files(const struct settings *s) {
	static const char *const modes[] = {
		[CONFIG_SYSTEM] = "system",
		[CONFIG_USER] = "user",
		[CONFIG_PRIVATE] = "private",
	};
	printf("# %s mode:", modes[s->mode]);
	for (const char *const *file = config_files(s); *file; file++) {
		putchar(' ');
		term_print(stdout, span_str(*file));
	}
	putchar('\n');
}

/* The aliases are part of what decides where mail goes. */
static void check_aliases(const struct settings *s, struct buf *warnings) {
	struct aliases aliases;
	struct err err = ERR_INIT;
	if (!s->aliases)
		return;
	if (aliases_file_read(s->aliases, &aliases, warnings, &err) == 0)
		aliases_release(&aliases);
	else
		buf_addf(warnings, "%s\n", err.msg);
}

/* The daemon's user: the system's own, or whoever starts a daemon of theirs. False where there is
 * none, as before the installation. */
static bool who_delivers(const struct settings *s, struct user *ret) {
	return s->mode == CONFIG_SYSTEM ? user_by_name("nightmail", ret)
					: user_by_uid(geteuid(), ret);
}

/* That a file is missing has been told, with its line. */
static void check_passwords(const struct settings *s, struct buf *warnings) {
	struct user reader;
	if (!who_delivers(s, &reader))
		return;
	for (size_t i = 0; i < s->relay_count; i++) {
		const struct config_relay *relay = &s->relay[i];
		struct err err = ERR_INIT;
		if (relay->login && relay->password &&
		    creds_check(span_str(relay->password), &reader, &err) != 0 &&
		    err.kind != ERR_MISSING)
			buf_addf(warnings, "warning: password of [relay %s]: %s\n",
				 relay->name, err.msg);
	}
}

static void warn_kept(const struct config_relay *relay, const struct err *err,
		      struct buf *warnings) {
	if (err->kind == ERR_MISSING || err->kind == ERR_DENIED)
		buf_addf(warnings, "warning: password of [relay %s]: %s\n", relay->name, err->msg);
}

/* Of somebody else's tokens we see at most that there are none. */
static void check_tokens(const struct config_relay *relay, bool own, struct buf *warnings) {
	const char *tokens = grant_tokens(relay->password);
	AUTO_BUF struct buf where = BUF_INIT(8192);
	struct err err = ERR_INIT;
	if (!tokens || (!own && (access(tokens, F_OK) == 0 || errno != ENOENT)))
		return;
	if (oauth2_find(tokens, &where, &err) != 0)
		warn_kept(relay, &err, warnings);
}

static void check_entry(const struct config_relay *relay, struct buf *warnings) {
	struct err err = ERR_INIT;
	struct span entry;
	enum creds_kind kind;
	if (creds_parse(span_str(relay->password), &kind, &entry, &err) != 0 ||
	    kind != CREDS_KEYRING)
		return;
	if (keyring_ask(KEYRING_TEST, entry, SPAN(""), NULL, &err) != 0)
		warn_kept(relay, &err, warnings);
}

/* What nightmail secret and nightmail login have put somewhere. The keyring is asked where the
 * daemon is our own; that there is none in this session says nothing about the daemon's. */
static void check_kept(const struct settings *s, struct buf *warnings) {
	bool own = s->mode != CONFIG_SYSTEM && geteuid() == getuid();
	for (size_t i = 0; i < s->relay_count; i++) {
		if (!s->relay[i].login || !s->relay[i].password)
			continue;
		check_tokens(&s->relay[i], own, warnings);
		if (own)
			check_entry(&s->relay[i], warnings);
	}
}

static void warn_listen(const struct settings *s, const char *key, const struct err *err,
			struct buf *warnings) {
	config_listen_place(s, key, warnings);
	buf_addf(warnings, "%s: %s\n", key, err->msg);
}

/* True when the file is there and the daemon may use it; what we cannot read ourselves, we
 * say nothing about. */
static bool check_rights(const struct settings *s, const char *key, const char *path,
			 struct buf *warnings) {
	AUTO_BUF struct buf ref = BUF_INIT(8192);
	struct err err = ERR_INIT;
	struct user reader;
	buf_addf(&ref, "file:%s", path);
	if (who_delivers(s, &reader) && creds_check(buf_span(&ref), &reader, &err) != 0) {
		if (err.kind != ERR_MISSING)
			warn_listen(s, key, &err, warnings);
		return false;
	}
	return access(path, R_OK) == 0;
}

/* Certificate and key must fit, and the users' file have its syntax: told here, for the daemon
 * reads them only when a client comes. */
static void check_listen(const struct settings *s, struct buf *warnings) {
	const struct config_listen *l = &s->listen;
	AUTO_BUF struct buf text = BUF_INIT(SMTP_AUTH_USERS_BYTES);
	struct smtp_auth_users users;
	struct err err = ERR_INIT;
	if (l->tls.key && check_rights(s, "tls", l->tls.key, warnings) &&
	    access(l->tls.certificate, R_OK) == 0) {
		struct tls_server *tls = tls_server_new(l->tls.certificate, l->tls.key, &err);
		if (!tls)
			warn_listen(s, "tls", &err, warnings);
		tls_server_free(tls);
	}
	if (l->users && check_rights(s, "users", l->users, warnings)) {
		if (file_read(AT_FDCWD, l->users, &text, &err) != 0 ||
		    smtp_auth_users_parse(buf_span(&text), &users, &err) != 0)
			warn_listen(s, "users", &err, warnings);
		else
			smtp_auth_users_release(&users);
		buf_wipe(&text);
	}
}

static void warn_relay(const struct settings *s, size_t i, const char *key,
		       const struct err *err, struct buf *warnings) {
	config_relay_place(s, i, key, warnings);
	buf_addf(warnings, "%s: %s: mail waits\n", key, err->msg);
}

/* The files of a relay's TLS, and what only GnuTLS understands: the daemon itself finds out when it
 * connects. That a file is missing has been told, with its line. */
static void check_relay_tls(const struct settings *s, size_t i, struct buf *warnings) {
	const struct config_relay *r = &s->relay[i];
	const struct config_tls_files *own = &r->cert;
	AUTO_BUF struct buf ref = BUF_INIT(8192);
	struct tls_client *tls = NULL;
	struct err err = ERR_INIT;
	struct user reader;
	if (r->priority && tls_priority_check(r->priority, &err) != 0)
		warn_relay(s, i, "priority-string", &err, warnings);
	if (r->ca && access(r->ca, R_OK) == 0 && !(tls = tls_client_new(r->ca, &err)))
		warn_relay(s, i, "ca", &err, warnings);
	if (!own->certificate || access(own->certificate, R_OK) != 0 ||
	    access(own->key, F_OK) != 0)
		goto done;
	buf_addf(&ref, "file:%s", own->key);
	if (who_delivers(s, &reader) && creds_check(buf_span(&ref), &reader, &err) != 0)
		warn_relay(s, i, "cert", &err, warnings);
	else if (access(own->key, R_OK) == 0 && (tls || (tls = tls_client_new(NULL, &err))) &&
		 tls_client_use(tls, own->certificate, own->key, &err) != 0)
		warn_relay(s, i, "cert", &err, warnings);
done:
	tls_client_free(tls);
}

/* Whether each key can be read by the daemon, and is one. */
static void check_dkim(const struct settings *s, struct buf *warnings) {
	struct user reader;
	bool known = who_delivers(s, &reader);
	for (size_t i = 0; i < s->dkim_count; i++) {
		for (size_t k = 0; k < s->dkim[i].key.count; k++) {
			AUTO_BUF struct buf ref = BUF_INIT(8192);
			const char *path = s->dkim[i].key.word[k];
			struct crypto_private *key = NULL;
			struct err err = ERR_INIT;
			buf_addf(&ref, "file:%s", path);
			bool fine = !known || creds_check(buf_span(&ref), &reader, &err) == 0;
			if (fine && access(path, R_OK) == 0)
				fine = (key = nightmail_dkim_key(path, &err)) != NULL;
			crypto_private_free(key);
			if (fine || err.kind == ERR_MISSING)
				continue; /* that it is missing has been told, with its line */
			config_dkim_place(s, i, "key", warnings);
			buf_addf(warnings, "key: %s: mail from %s waits\n", err.msg,
				 s->dkim[i].domain);
		}
	}
}

static int check(const struct call *call) {
	struct settings s;
	AUTO_BUF struct buf errors = BUF_INIT(OUTPUT_MAX);
	AUTO_BUF struct buf warnings = BUF_INIT(OUTPUT_MAX);
	int r = config_load(call->config, &s, &errors);
	config_warnings(&s, &warnings);
	check_aliases(&s, &warnings);
	check_passwords(&s, &warnings);
	check_kept(&s, &warnings);
	for (size_t i = 0; i < s.relay_count; i++)
		check_relay_tls(&s, i, &warnings);
	check_listen(&s, &warnings);
	check_dkim(&s, &warnings);
	print(stderr, &errors);
	print(stderr, &warnings);
	if (r == 0) {
		print_files(&s);
		puts(warnings.len ? "no errors, but see the warnings" : "no errors");
	}
	config_release(&s);
	return r == 0 ? 0 : EX_CONFIG;
}

static void show_json(void *ctx, const struct config_shown *v) {
	struct buf *out = ctx;
	struct json j = json_into(out);
	bool has_value = v->value.len > 0;
	json_object(&j, NULL);
	json_str_or_null(&j, "section", span_str(v->section[0] ? v->section : NULL));
	json_str_or_null(&j, "name", span_str(v->name));
	json_str(&j, "key", span_str(v->key));
	json_str_or_null(&j, "value", has_value ? v->value : span_of(NULL, 0));
	json_bool(&j, "default", v->is_default);
	json_str_or_null(&j, "file", span_str(v->file));
	if (v->file)
		json_int(&j, "line", v->line);
	else
		json_null(&j, "line");
	json_end(&j);
	buf_addc(out, '\n');
}

static int show(const struct call *call) {
	struct settings s;
	AUTO_BUF struct buf errors = BUF_INIT(OUTPUT_MAX);
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	int r = config_load(call->config, &s, &errors);
	print(stderr, &errors);
	if (call->json) {
		config_each(&s, show_json, &out);
	} else {
		print_files(&s);
		config_show(&s, &out);
	}
	print(stdout, &out);
	config_release(&s);
	return r == 0 ? 0 : EX_CONFIG;
}

static int keys(const struct call *call) {
	(void)call;
	for (size_t k = 0; k < config_key_count; k++) {
		const struct config_key *key = &config_keys[k];
		const struct config_section_name *section =
			&config_sections[key->section];
		if (section->word[0] && config_keys[k - 1].section != key->section)
			printf("[%s%s]\n", section->word, section->named ? " NAME" : "");
		printf("  %-16s %s%s%s%s\n", key->name, key->help,
		       key->fallback ? " (" : "", key->fallback ? key->fallback : "",
		       key->fallback ? ")" : "");
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const struct call *call);
	bool takes_json, takes_config;
} actions[] = {
	{ "check", check, false, true },
	{ "show", show, true, true },
	{ "keys", keys, false, false },
};

static int run_action(const char *name, const struct call *call) {
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(name, actions[i].name) != 0)
			continue;
		if (call->json && !actions[i].takes_json)
			return cli_usage(program, "%s does not take --json", name);
		if (call->config && !actions[i].takes_config)
			return cli_usage(program, "%s does not take --config", name);
		return actions[i].run(call);
	}
	return cli_usage(program, "unknown action %s; there are check, show, keys and import",
			 name);
}

int nightmail_config(int argc, char **argv) {
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct call call = { .config = NULL };
	int opt;
	if (argc > 1 && strcmp(argv[1], "import") == 0)
		return nightmail_import(argc - 1, argv + 1);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			call.config = optarg;
			break;
		case 'j':
			call.json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return cli_bad_option(program, opt, argv, options);
		}
	}
	if (optind == argc)
		return cli_usage(program, "check, show, keys or import?");
	if (optind + 1 < argc)
		return cli_usage(program, "one action at a time, not also %s",
				 argv[optind + 1]);
	return run_action(argv[optind], &call);
}
