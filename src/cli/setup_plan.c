/*
 * What the configuration is to say: first what it says now, over that an import, over that
 * the options, and then the answers of the person at the terminal.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/import_files.h"
#include "cli/setup.h"
#include "cli/setup_ask.h"
#include "cli/setup_file.h"
#include "cli/setup_secret.h"
#include "cli/setup_share.h"

#define PATH_CEILING 4096u

/* --config or NIGHTMAIL_CONFIG, else the person's file, else the system's. */
static char *find_path(struct setup *s) {
	AUTO_BUF struct buf b = BUF_INIT(PATH_CEILING);
	const char *file = s->o.config ? s->o.config : s->env.config;
	s->own = file != NULL;
	if (!file && s->env.uid != 0)
		return config_env_user_file(&s->env);
	if (!file)
		buf_addf(&b, "%s/nightmail.conf", s->env.system_dir);
	else if (file[0] == '/')
		buf_adds(&b, file);
	else {
		AUTO_FREE char *cwd = getcwd(NULL, 0);
		buf_addf(&b, "%s/%s", cwd ? cwd : ".", file);
	}
	return buf_take(&b);
}

int setup_begin(struct setup *s) {
	struct err err = ERR_INIT;
	buf_init(&s->old, SETUP_TEXT_MAX);
	buf_init(&s->fresh, SETUP_TEXT_MAX);
	buf_init(&s->secret, IMPORT_SECRET_MAX);
	config_env_init(&s->env);
	s->hostname = config_env_hostname(&s->env);
	s->path = find_path(s);
	s->folder = s->path ? strdup(s->path) : NULL;
	if (!s->folder || !s->hostname)
		return cli_fail(setup_program, EX_OSERR,
				"no place for the configuration: this user has no home "
				"directory");
	*strrchr(s->folder, '/') = '\0';
	s->draft = (struct config_draft){
		.env = &s->env,
		.hostname = s->hostname,
		.folder = s->own ? s->folder : NULL,
	};
	if (setup_file_read(s->path, &s->old, &err) != 0)
		return cli_fail(setup_program, EX_NOINPUT, "%s", err.msg);
	config_draft_read(&s->draft, buf_span(&s->old));
	return EX_OK;
}

void setup_release(struct setup *s) {
	config_draft_release(&s->draft);
	if (s->secret.data)
		explicit_bzero(s->secret.data, s->secret.cap);
	buf_release(&s->secret);
	buf_release(&s->old);
	buf_release(&s->fresh);
	config_env_release(&s->env);
	free(s->hostname);
	free(s->path);
	free(s->folder);
}

const char *setup_password_path(const struct setup *s) {
	const char *ref = config_draft_get(&s->draft, "password");
	return ref && strncmp(ref, "file:", 5) == 0 ? ref + 5 : NULL;
}

static void keep_secret(struct setup *s, struct span password) {
	buf_reset(&s->secret);
	if (buf_room(&s->secret, IMPORT_SECRET_MAX))
		buf_add(&s->secret, password);
}

/* The other relay's values in place of ours; what it does not set stays. */
static void take_over(struct setup *s, const struct import *in) {
	static const char *const of_a_relay[] = { "port", "tls",  "login", "password",
						  "ca",   "auth", "source" };
	for (size_t i = 0; i < sizeof(of_a_relay) / sizeof(of_a_relay[0]); i++)
		config_draft_drop(&s->draft, of_a_relay[i]);
	for (size_t k = 0; k < config_key_count; k++)
		if (in->draft.value[k])
			config_draft_set(&s->draft, config_keys[k].name,
					 span_str(in->draft.value[k]), NULL);
	if (in->secret.len)
		keep_secret(s, buf_span(&in->secret));
}

static int import(struct setup *s, const struct import_peer *peer) {
	struct import in;
	struct err err = ERR_INIT;
	int status = EX_OK;
	if (import_files_read(peer, NULL, 0, &in, &err) != 0)
		status = cli_fail(setup_program, EX_NOINPUT, "%s", err.msg);
	else if (!config_draft_get(&in.draft, "host"))
		status = cli_fail(setup_program, EX_DATAERR,
				  "the settings of %s name no server", peer->name);
	else
		take_over(s, &in);
	fwrite(buf_str(&in.notes), 1, in.notes.len, stderr); /* safe already */
	import_release(&in);
	return status;
}

static int offer_imports(struct setup *s) {
	for (const struct import_peer *p = import_peers; p->name; p++) {
		AUTO_FREE char *path = import_files_find(p);
		AUTO_BUF struct buf question = BUF_INIT(PATH_CEILING);
		if (!path)
			continue;
		buf_addf(&question, "take over the settings of %s (%s)?", p->name, path);
		if (setup_ask_yes(buf_str(&question), true) && import(s, p) == EX_OK)
			return EX_OK;
	}
	return EX_OK;
}

static int import_first(struct setup *s) {
	const struct import_peer *peer = s->o.import ? import_peer_find(s->o.import)
						     : NULL;
	if (peer)
		return import(s, peer);
	if (s->o.import)
		return cli_usage(setup_program, "--import: unknown relay %s",
				 s->o.import);
	if (s->asking && !s->o.relay && !config_draft_get(&s->draft, "host"))
		return offer_imports(s);
	return EX_OK;
}

/* A server of another name has another port and other authorities. */
static void forget_server(struct setup *s) {
	static const char *const keys[] = { "port", "tls", "ca", "auth" };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		config_draft_drop(&s->draft, keys[i]);
}

static int set_host(struct setup *s, const char *host, struct err *err) {
	const char *before = config_draft_get(&s->draft, "host");
	bool other = before && strcmp(before, host) != 0;
	if (config_draft_set(&s->draft, "host", span_str(host), err) != 0)
		return -1;
	if (other)
		forget_server(s);
	return 0;
}

static int set_login(struct setup *s, const char *login, struct err *err) {
	if (login[0] != '\0')
		return config_draft_set(&s->draft, "login", span_str(login), err);
	config_draft_drop(&s->draft, "login");
	config_draft_drop(&s->draft, "password");
	buf_reset(&s->secret);
	return 0;
}

/* A path as the person meant it, from where they are, behind the words that the key wants. */
static int set_path(struct setup *s, const char *key, const char *before, const char *path,
		    struct err *err) {
	AUTO_BUF struct buf ref = BUF_INIT(PATH_CEILING);
	AUTO_FREE char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
	buf_addf(&ref, "%s%s%s%s", before, cwd ? cwd : "", cwd ? "/" : "", path);
	return config_draft_set(&s->draft, key, buf_span(&ref), err);
}

static int set_password_file(struct setup *s, const char *path, struct err *err) {
	return set_path(s, "password", "file:", path, err);
}

static int set_option(struct setup *s, const char *key, const char *value,
		      struct err *err) {
	return value ? config_draft_set(&s->draft, key, span_str(value), err) : 0;
}

static int take_options(struct setup *s, struct err *err) {
	const struct setup_options *o = &s->o;
	if (o->relay && set_host(s, o->relay, err) != 0)
		return -1;
	if (o->login && set_login(s, o->login, err) != 0)
		return -1;
	if (o->password_file && set_password_file(s, o->password_file, err) != 0)
		return -1;
	if (o->ca && set_path(s, "ca", "", o->ca, err) != 0)
		return -1;
	if (set_option(s, "tls", o->tls, err) != 0)
		return -1;
	if (set_option(s, "port", o->port, err) != 0)
		return -1;
	return set_option(s, "root", o->root, err);
}

typedef int set_fn(struct setup *s, const char *answer, struct err *err);

/* Asks until the answer is one. */
static int ask_value(struct setup *s, const char *question, const char *fallback,
		     set_fn *set) {
	AUTO_BUF struct buf answer = BUF_INIT(PATH_CEILING);
	for (;;) {
		struct err err = ERR_INIT;
		if (setup_ask(question, fallback, &answer) != 0)
			return cli_fail(setup_program, EX_USAGE, "nothing was written");
		if (set(s, span_eq(buf_span(&answer), SPAN("-")) ? "" : buf_str(&answer),
			&err) == 0)
			return EX_OK;
		cli_fail(setup_program, 0, "%s", err.msg);
	}
}

static int set_root(struct setup *s, const char *root, struct err *err) {
	if (root[0])
		return config_draft_set(&s->draft, "root", span_str(root), err);
	config_draft_drop(&s->draft, "root");
	return 0;
}

static int ask_login(struct setup *s) {
	const char *login = config_draft_get(&s->draft, "login");
	return ask_value(s,
			 login ? "user name there (- for none)"
			       : "user name there (empty: no login)",
			 login, set_login);
}

/* Where the password is kept, when nobody has said so. */
static int default_password_file(struct setup *s, struct buf *path, struct err *err) {
	if (!s->own)
		return setup_secret_path(path, err);
	return buf_addf(path, "%s/smarthost.pw", s->folder);
}

static int place_password(struct setup *s) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	struct err err = ERR_INIT;
	const char *ref = config_draft_get(&s->draft, "password");
	if (!config_draft_get(&s->draft, "login")) {
		config_draft_drop(&s->draft, "password");
		return EX_OK;
	}
	if (ref && (s->o.password_file || !setup_password_path(s)))
		return EX_OK;
	if (ref)
		buf_adds(&path, setup_password_path(s));
	else if (default_password_file(s, &path, &err) != 0)
		return cli_fail(setup_program, EX_OSERR, "%s", err.msg);
	if (s->asking)
		return ask_value(s, "file that keeps the password", buf_str(&path),
				 set_password_file);
	if (!ref && set_password_file(s, buf_str(&path), &err) != 0)
		return cli_fail(setup_program, EX_USAGE, "%s", err.msg);
	return EX_OK;
}

static int ask_rest(struct setup *s) {
	int status = EX_OK;
	if (s->asking && !s->o.relay)
		status = ask_value(s, "server that takes this machine's mail",
				   config_draft_get(&s->draft, "host"), set_host);
	if (status == EX_OK && s->asking && !s->o.login)
		status = ask_login(s);
	if (status == EX_OK)
		status = place_password(s);
	if (status == EX_OK && s->asking && !s->o.root)
		status = ask_value(
			s, "who reads the mail for root (an address; - for nobody)",
			config_draft_get(&s->draft, "root"), set_root);
	return status;
}

/* Words for who has no terminal: what could have been taken over. */
static int no_relay(void) {
	AUTO_BUF struct buf found = BUF_INIT(512);
	for (const struct import_peer *p = import_peers; p->name; p++) {
		AUTO_FREE char *path = import_files_find(p);
		if (path)
			buf_addf(&found, ", or --import %s", p->name);
	}
	return cli_usage(setup_program,
			 "which server takes the mail? give --relay HOST%s",
			 buf_str(&found));
}

int setup_plan(struct setup *s) {
	AUTO_BUF struct buf other = BUF_INIT(PATH_CEILING);
	struct err err = ERR_INIT;
	int status = import_first(s);
	if (status != EX_OK)
		return status;
	if (take_options(s, &err) != 0)
		return cli_usage(setup_program, "%s", err.msg);
	status = ask_rest(s);
	if (status != EX_OK)
		return status;
	if (!config_draft_get(&s->draft, "host"))
		return no_relay();
	if (s->own && !config_draft_get(&s->draft, "dir"))
		config_draft_set(&s->draft, "dir", SPAN("spool"), NULL);
	if (setup_shares_queue(s, &other))
		return cli_fail(setup_program, EX_CONFIG,
				"the queue, %s, is that of %s too: give each its own, "
				"in [queue] of %s: dir = OTHER",
				config_draft_get(&s->draft, "dir"), buf_str(&other), s->path);
	if (config_draft_apply(&s->draft, buf_span(&s->old), &s->fresh) != 0)
		return cli_fail(setup_program, EX_OSERR, "the file would be too large");
	return EX_OK;
}
