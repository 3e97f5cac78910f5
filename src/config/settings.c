/*
 * Which files count, what they leave open, and what must be there. The mode decides the
 * files and the places: --config or NIGHTMAIL_CONFIG makes a private instance that touches
 * nothing but its own directory, a person's own file makes a user instance, everything
 * else is the system's.
 */

#include "config/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "config/provider.h"
#include "config/source.h"

#define RESERVE_INODES 1000
#define SYSTEM_ALIASES "/etc/aliases"
#define LONGEST_SOCKET "/control"

const void *config_base(const struct settings *s, enum config_section_id id,
			size_t i) {
	if (id == CONFIG_ROUTE)
		return &s->route[i];
	if (id == CONFIG_DKIM)
		return &s->dkim[i];
	return id == CONFIG_RELAY ? (const void *)&s->relay[i] : s;
}

const struct config_section *config_section(const struct settings *s,
					    enum config_section_id id, size_t i) {
	if (id == CONFIG_RELAY)
		return &s->source->relay[i];
	if (id == CONFIG_ROUTE)
		return &s->source->route[i];
	if (id == CONFIG_DKIM)
		return &s->source->dkim[i];
	if (id == CONFIG_TOP)
		return &s->source->top;
	if (id == CONFIG_LISTEN)
		return &s->source->listen;
	if (id == CONFIG_NOTIFY)
		return &s->source->notify;
	if (id == CONFIG_WATCH)
		return &s->source->watch;
	return id == CONFIG_IDENTITY ? &s->source->identity : &s->source->queue;
}

/* The origin of a key by name; the name stands in the table. */
static struct config_origin *origin_of(struct config_section *section, const char *name) {
	int k = config_key_find(section->id, span_str(name));
	return &section->key[k < 0 ? 0 : k];
}

static void set_text(struct config_load *l, char **member, char *text) {
	free(*member);
	*member = text;
	if (!text)
		config_complain(l, NULL, "out of memory");
}

static char *format(const char *a, const char *b) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_MAX - 1);
	buf_addf(&path, "%s%s", a, b);
	return buf_take(&path);
}

static char *absolute(const char *path) {
	AUTO_FREE char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
	if (path[0] == '/')
		return strdup(path);
	if (!cwd)
		return NULL;
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	AUTO_BUF struct buf full = BUF_INIT(PATH_MAX - 1);
	buf_addf(&full, "%s/%s", strcmp(cwd, "/") ? cwd : "", path);
	return buf_take(&full);
}

/* The file's folder is where its relative paths begin. */
static void read_private(struct config_load *l, const char *file) {
	AUTO_FREE char *path = file ? absolute(file) : NULL;
	if (!file)
		config_complain(l, NULL, "out of memory");
	else if (!path)
		config_complain(l, NULL, "%s: cannot tell the working directory: %s",
				file, strerror(errno));
	if (!path)
		return;
	AUTO_FREE char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	if (slash)
		slash[slash == folder] = '\0';
	l->folder = folder;
	config_read_file(l, path, file);
	l->folder = NULL;
}

static bool exists(const char *path) {
	struct stat st;
	return path && stat(path, &st) == 0;
}

/* *ret_file is the file of the private or user mode. */
static enum config_mode find_mode(const char *file, struct config_env *env,
				  char **ret_file) {
	if (!file)
		file = env->config;
	if (file) {
		*ret_file = strdup(file);
		return CONFIG_PRIVATE;
	}
	*ret_file = env->uid ? config_env_user_file(env) : NULL;
	if (exists(*ret_file))
		return CONFIG_USER;
	free(*ret_file);
	*ret_file = NULL;
	return CONFIG_SYSTEM;
}

static void read_files(struct config_load *l, const char *file) {
	AUTO_FREE char *main_file = NULL;
	AUTO_FREE char *snippets = NULL;
	switch (l->s->mode) {
	case CONFIG_PRIVATE:
		read_private(l, file);
		break;
	case CONFIG_USER:
		config_read_file(l, file, file);
		break;
	case CONFIG_SYSTEM:
		main_file = format(l->env->system_dir, "/nightmail.conf");
		snippets = format(l->env->system_dir, "/conf.d");
		if (main_file && snippets) {
			config_read_file(l, main_file, main_file);
			config_read_directory(l, snippets);
		}
		break;
	}
}

/* A directory that was refused is not replaced by the default: mail must not land where
 * nobody looks. */
static void fill_dir(struct config_load *l) {
	struct settings *s = l->s;
	const struct config_origin *dir = origin_of(&s->source->queue, "dir");
	if (dir->broken)
		return;
	if (!s->dir && s->mode == CONFIG_SYSTEM)
		set_text(l, &s->dir, strdup(l->env->system_state));
	if (!s->dir && s->mode == CONFIG_USER) {
		s->dir = config_env_user_dir(l->env);
		if (!s->dir)
			config_complain(
				l, NULL,
				"this user has no home directory; set dir in [queue]");
	}
	if (!s->dir && s->mode == CONFIG_PRIVATE && !l->incomplete)
		config_complain(
			l, NULL,
			"a configuration given with --config or NIGHTMAIL_CONFIG needs a "
			"directory of its own: add dir = PATH to [queue]");
	s->source->usable = s->dir != NULL;
}

static void fill_rundir(struct config_load *l) {
	struct settings *s = l->s;
	if (!s->dir)
		return;
	switch (s->mode) {
	case CONFIG_SYSTEM:
		s->rundir = strdup(l->env->system_run);
		break;
	case CONFIG_USER:
		s->rundir = config_env_user_rundir(l->env, s->dir);
		break;
	case CONFIG_PRIVATE:
		s->rundir = format(s->dir, "/run");
		break;
	}
	if (!s->rundir)
		set_text(l, &s->rundir, format(s->dir, "/run"));
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path);
	if (s->rundir && strlen(s->rundir) + sizeof(LONGEST_SOCKET) > most)
		config_complain(
			l, NULL,
			"the path of the socket %s%s is over %zu bytes; choose a shorter "
			"dir in [queue]",
			s->rundir, LONGEST_SOCKET, most);
}

/* Where the tokens of a relay are, which creds_fetch() has to know. */
static void fill_tokens(struct config_load *l, struct config_relay *r) {
	AUTO_BUF struct buf ref = BUF_INIT(PATH_MAX + 64);
	if (!r->password || strcmp(r->password, "oauth2:") != 0 || !l->s->dir)
		return;
	buf_addf(&ref, "oauth2:%s/oauth2/%s.json", l->s->dir, r->name ? r->name : "default");
	set_text(l, &r->password, buf_take(&ref));
}

/* Strangers' servers are asked on port 25, and take mail without TLS if need be. */
static void fill_relay(struct config_load *l, struct config_relay *r,
		       struct config_section *section) {
	const struct config_origin *tls = origin_of(section, "tls");
	bool chosen = tls->file && !tls->unset;
	if (config_provider_fill(r, chosen) != 0)
		config_complain(l, NULL, "out of memory");
	enum config_way way = config_way(r, NULL);
	fill_tokens(l, r);
	if (way == CONFIG_WAY_MX && !chosen)
		r->tls = CONFIG_TLS_OPPORTUNISTIC;
	if (way == CONFIG_WAY_LMTP && !chosen)
		r->tls = CONFIG_TLS_NONE;
	if (r->port == 0)
		r->port = way == CONFIG_WAY_MX                ? 25
			  : r->tls == CONFIG_TLS_IMPLICIT ? 465
							    : 587;
}

static void fill_notify(struct config_load *l) {
	struct settings *s = l->s;
	const struct config_origin *desktop = origin_of(&s->source->notify, "desktop");
	if (!desktop->file || desktop->unset)
		s->notify.desktop = s->mode == CONFIG_USER;
	if (!s->notify.mailbox && s->dir)
		set_text(l, &s->notify.mailbox, format(s->dir, "/last-resort"));
}

static void fill_rest(struct config_load *l) {
	struct settings *s = l->s;
	fill_dir(l);
	fill_rundir(l);
	if (!s->domain)
		set_text(l, &s->domain, strdup(s->hostname));
	if (!s->helo)
		set_text(l, &s->helo, strdup(s->hostname));
	if (!s->aliases && s->mode == CONFIG_SYSTEM &&
	    !origin_of(&s->source->identity, "aliases")->broken)
		set_text(l, &s->aliases, strdup(SYSTEM_ALIASES));
	s->reserve_inodes = RESERVE_INODES;
	fill_notify(l);
	for (size_t i = 0; i < s->relay_count; i++)
		fill_relay(l, &s->relay[i], &s->source->relay[i]);
}

/* A password is for the server it was chosen for, and for nobody who asks. */
static void check_way(struct config_load *l, size_t i) {
	const struct config_relay *relay = &l->s->relay[i];
	struct config_section *section = &l->s->source->relay[i];
	const char *target;
	enum config_way way = config_way(relay, &target);
	if (relay->login && way == CONFIG_WAY_MX)
		config_complain(l, origin_of(section, "login"),
				"[relay %s] delivers to the servers of other domains, and those "
				"get no login; take the login away, or name the server",
				relay->name);
	else if (relay->login && way > CONFIG_WAY_LMTP)
		config_complain(l, origin_of(section, "login"),
				"[relay %s] has no server to log in at", relay->name);
	if (way == CONFIG_WAY_LMTP && target[0] == '/' && relay->tls == CONFIG_TLS_IMPLICIT)
		config_complain(l, origin_of(section, "tls"),
				"[relay %s]: a socket of this machine has no TLS", relay->name);
}

static void check_oauth(struct config_load *l, const struct config_relay *relay,
			struct config_section *section) {
	const struct config_origin *at = origin_of(section, "password");
	const struct config_oauth *o = &relay->oauth;
	if (!at->file || at->unset)
		at = origin_of(section, "provider");
	if (o->client_secret && span_starts(span_str(o->client_secret), SPAN("oauth2:")))
		config_complain(l, origin_of(section, "client-secret"),
				"[relay %s]: the client's secret cannot be a token itself; write "
				"client-secret = file:PATH",
				relay->name);
	if (!relay->password || !span_starts(span_str(relay->password), SPAN("oauth2:")))
		return;
	if (!o->token_url && !origin_of(section, "token-url")->broken)
		config_complain(l, at,
				"[relay %s] has no server that gives tokens; add provider = google, "
				"microsoft or yahoo, or token-url = URL",
				relay->name);
	if (!o->client_id && !origin_of(section, "client-id")->broken)
		config_complain(l, at,
				"[relay %s] has no client-id; register a program at the provider "
				"and add client-id = ID",
				relay->name);
}

static void check_relay(struct config_load *l, size_t i) {
	const struct config_relay *relay = &l->s->relay[i];
	struct config_section *section = &l->s->source->relay[i];
	const struct config_origin *login = origin_of(section, "login");
	const struct config_origin *password = origin_of(section, "password");
	if (!relay->host_count && !origin_of(section, "host")->broken)
		config_complain(l, &section->opened,
				"[relay %s] has no host; add a line like host = "
				"smtp.example.org",
				relay->name);
	if (relay->login && !relay->password && !password->broken && !config_needs_no_secret(relay))
		config_complain(
			l, login,
			"[relay %s] has a login but no password; add password = file:PATH",
			relay->name);
	if (relay->password && !relay->login && !login->broken)
		config_complain(
			l, password,
			"[relay %s] has a password but no login; add login = NAME",
			relay->name);
	/* a pin that nobody compares would promise what is not so */
	if (relay->pin && relay->tls != CONFIG_TLS_STARTTLS && relay->tls != CONFIG_TLS_IMPLICIT)
		config_complain(l, origin_of(section, "pin"),
				"[relay %s]: a pin is compared with tls = starttls and "
				"tls = implicit only",
				relay->name);
	check_oauth(l, relay, section);
}

/* Where a listener sends with one person's password, others must not find it open by chance. */
static void check_listen(struct config_load *l) {
	const struct config_listen *listen = &l->s->listen;
	struct config_section *section = &l->s->source->listen;
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path);
	if (listen->users && !listen->tls.certificate && !origin_of(section, "tls")->broken)
		config_complain(l, origin_of(section, "users"),
				"users log in under TLS only; add tls = CERTIFICATE KEY to "
				"[listen]");
	if (listen->tcp_count > 0 && l->s->mode != CONFIG_SYSTEM && !listen->trust_local &&
	    !listen->users && listen->allow_count == 0 &&
	    !origin_of(section, "trust-local")->broken &&
	    !origin_of(section, "users")->broken && !origin_of(section, "allow")->broken)
		config_complain(
			l, origin_of(section, "tcp"),
			"everybody on this machine could send mail in your name through this "
			"port; add trust-local = yes to [listen] if they may, or users and tls");
	if (listen->unix_path && strlen(listen->unix_path) >= most)
		config_complain(l, origin_of(section, "unix"),
				"the path of a socket is over %zu bytes", most);
}

static void check_whole(struct config_load *l) {
	check_listen(l);
	for (size_t i = 0; i < l->s->relay_count; i++) {
		check_relay(l, i);
		check_way(l, i);
	}
	config_check_routes(l);
	config_check_dkim(l);
	config_check_watch(l);
	l->file = l->s->source->file_count ? 1 : 0;
	if (!config_relay(l->s, "default") && !l->incomplete)
		config_complain(
			l, NULL,
			"there is no [relay default], so mail is accepted but cannot "
			"leave; add the lines \"[relay default]\" and \"host = "
			"smtp.example.org\" with the name of your mail provider's server");
}

static bool begin(struct config_load *l) {
	struct settings *s = l->s;
	*s = (struct settings){ .mode = CONFIG_SYSTEM };
	s->source = calloc(1, sizeof(*s->source));
	s->hostname = config_env_hostname(l->env);
	if (!s->source || !s->hostname) {
		config_release(s);
		if (l->errors)
			buf_adds(l->errors, "out of memory\n");
		return false;
	}
	s->source->top.id = CONFIG_TOP;
	s->source->identity.id = CONFIG_IDENTITY;
	s->source->queue.id = CONFIG_QUEUE;
	s->source->listen.id = CONFIG_LISTEN;
	s->source->notify.id = CONFIG_NOTIFY;
	s->source->watch.id = CONFIG_WATCH;
	for (size_t k = 0; k < config_key_count; k++)
		if (config_keys[k].section != CONFIG_RELAY &&
		    config_keys[k].section != CONFIG_ROUTE &&
		    config_keys[k].section != CONFIG_DKIM)
			config_set_default(l, &config_keys[k], s);
	return true;
}

int config_load_env(const char *file, struct config_env *env, struct settings *ret,
		    struct buf *errors) {
	struct config_load l = { .s = ret, .env = env, .errors = errors };
	AUTO_FREE char *own = NULL;
	if (!begin(&l))
		return -1;
	ret->mode = find_mode(file, env, &own);
	read_files(&l, own);
	l.file = ret->source->file_count ? 1 : 0;
	fill_rest(&l);
	check_whole(&l);
	return l.error_count ? -1 : 0;
}

int config_load(const char *file, struct settings *ret, struct buf *errors) {
	struct config_env env;
	config_env_init(&env);
	int r = config_load_env(file, &env, ret, errors);
	config_env_release(&env);
	return r;
}

static bool is_of(const struct config_key *key, enum config_section_id id) {
	bool many = key->section == CONFIG_RELAY || key->section == CONFIG_ROUTE ||
		    key->section == CONFIG_DKIM;
	return id == CONFIG_TOP ? !many : key->section == id;
}

/* id: CONFIG_RELAY, CONFIG_ROUTE, or CONFIG_TOP for all that there is once. */
static void clear_keys(void *base, enum config_section_id id) {
	for (size_t k = 0; k < config_key_count; k++)
		if (is_of(&config_keys[k], id) && config_keys[k].type->clear)
			config_keys[k].type->clear(&config_keys[k], base);
}

void config_release(struct settings *s) {
	clear_keys(s, CONFIG_TOP);
	for (size_t i = 0; i < s->relay_count; i++) {
		clear_keys(&s->relay[i], CONFIG_RELAY);
		free(s->relay[i].name);
	}
	for (size_t i = 0; i < s->route_count; i++) {
		clear_keys(&s->route[i], CONFIG_ROUTE);
		free(s->route[i].name);
	}
	config_release_dkim(s);
	for (size_t i = 0; s->source && i < s->source->file_count; i++) {
		free(s->source->file[i]);
		free(s->source->label[i]);
	}
	if (s->source) {
		free(s->source->relay);
		free(s->source->route);
	}
	free(s->source);
	free(s->relay);
	free(s->route);
	free(s->hostname);
	free(s->rundir);
	*s = (struct settings){ .mode = CONFIG_SYSTEM };
}

bool config_usable(const struct settings *s) {
	return s->source && s->source->usable;
}

const struct config_relay *config_relay(const struct settings *s, const char *name) {
	for (size_t i = 0; i < s->relay_count; i++)
		if (strcmp(s->relay[i].name, name) == 0)
			return &s->relay[i];
	return NULL;
}

const char *const *config_files(const struct settings *s) {
	static const char *const none[] = { NULL };
	return s->source ? (const char *const *)s->source->file : none;
}
