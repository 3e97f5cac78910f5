/*
 * The person and the machine. Nothing here asks the network: a program that submits one
 * mail must start in microseconds, so the full host name comes from the kernel or from
 * /etc/hosts, and passwd is asked only where a home directory or %u is really needed.
 */

#include "config/env.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/user.h"

#define HOSTS_SIZE_MAX 65536

/* The XDG specification: a relative path is to be ignored. */
static const char *absolute_from_env(const char *name) {
	const char *value = secure_getenv(name);
	return value && value[0] == '/' ? value : NULL;
}

void config_env_init(struct config_env *env) {
	const char *config = secure_getenv("NIGHTMAIL_CONFIG");
	*env = (struct config_env){
		.config = config && config[0] ? config : NULL,
		.system_dir = SYSCONFDIR,
		.system_state = STATEDIR,
		.system_run = RUNDIR,
		.xdg_config = absolute_from_env("XDG_CONFIG_HOME"),
		.xdg_state = absolute_from_env("XDG_STATE_HOME"),
		.xdg_runtime = absolute_from_env("XDG_RUNTIME_DIR"),
		.run_user = "/run/user",
		.hosts = "/etc/hosts",
		.uid = geteuid(),
	};
}

void config_env_release(struct config_env *env) {
	free(env->home);
	free(env->user);
	env->home = env->user = NULL;
	env->asked = false;
}

static void ask_passwd(struct config_env *env) {
	if (env->asked)
		return;
	env->asked = true;
	struct user user;
	if (!user_by_uid(env->uid, &user))
		return;
	if (user.home[0] == '/')
		env->home = strdup(user.home);
	if (user.name[0])
		env->user = strdup(user.name);
}

static const char *home_of(struct config_env *env) {
	ask_passwd(env);
	return env->home;
}

const char *config_env_user(struct config_env *env) {
	ask_passwd(env);
	return env->user;
}

/* label *("." label), label = 1*63(letter / digit / "-" / "_"), no "-" at its ends. The
 * underscore is no part of RFC 1123, but names with it are in use. */
bool config_is_hostname(struct span s) {
	struct span label;
	if (s.len == 0 || s.len > 253)
		return false;
	for (bool last = false; !last;) {
		if (!span_take_until(&s, '.', &label)) {
			label = s;
			last = true;
		}
		if (label.len == 0 || label.len > 63 || label.p[0] == '-' ||
		    label.p[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			char c = label.p[i];
			if (!span_is_alnum(c) && c != '-' && c != '_')
				return false;
		}
	}
	return true;
}

/* A line of the hosts file: address, full name, other names. Gives the first name with a
 * dot when the line speaks of `name`. */
static bool full_name_in_line(struct span line, struct span name, struct span *ret) {
	struct span word, full = { NULL, 0 };
	bool ours = false;
	line = span_head(line, span_find(line, '#'));
	if (!span_take_word(&line, &word))
		return false;
	while (span_take_word(&line, &word)) {
		ours = ours || span_eq_nocase(word, name);
		if (!full.p && span_starts_nocase(word, name) && word.len > name.len &&
		    word.p[name.len] == '.')
			full = word;
	}
	if (!ours || !full.p || !config_is_hostname(full))
		return false;
	*ret = full;
	return true;
}

static char *full_name(const char *hosts, struct span name) {
	AUTO_BUF struct buf text = BUF_INIT(HOSTS_SIZE_MAX);
	struct span rest, line, full;
	if (file_read(AT_FDCWD, hosts, &text, NULL) == 0) {
		rest = buf_span(&text);
		while (span_take_line(&rest, &line))
			if (full_name_in_line(line, name, &full))
				return span_dup(full);
	}
	return span_dup(name);
}

char *config_env_hostname(const struct config_env *env) {
	char own[HOST_NAME_MAX + 1] = "";
	const char *name = env->hostname;
	if (!name) {
		if (gethostname(own, sizeof(own) - 1) != 0)
			own[0] = '\0';
		name = own;
	}
	struct span s = span_str(name);
	if (!config_is_hostname(s))
		return strdup("localhost");
	return span_find(s, '.') < s.len ? span_dup(s) : full_name(env->hosts, s);
}

static char *join(const char *base, const char *below) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
	buf_addf(&path, "%s%s", base, below);
	return buf_take(&path);
}

char *config_env_user_file(struct config_env *env) {
	if (env->xdg_config)
		return join(env->xdg_config, "/nightmail/nightmail.conf");
	const char *home = home_of(env);
	return home ? join(home, "/.config/nightmail/nightmail.conf") : NULL;
}

char *config_env_user_dir(struct config_env *env) {
	if (env->xdg_state)
		return join(env->xdg_state, "/nightmail");
	const char *home = home_of(env);
	return home ? join(home, "/.local/state/nightmail") : NULL;
}

static bool is_directory_of(const char *path, uid_t uid) {
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == uid;
}

/* Cron jobs lack XDG_RUNTIME_DIR, su leaves somebody else's: submitter and daemon must meet
 * in one place all the same. */
char *config_env_user_rundir(const struct config_env *env, const char *dir) {
	if (env->xdg_runtime && is_directory_of(env->xdg_runtime, env->uid))
		return join(env->xdg_runtime, "/nightmail");
	AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
	buf_addf(&path, "%s/%u", env->run_user, (unsigned)env->uid);
	if (!buf_failed(&path) && is_directory_of(buf_str(&path), env->uid))
		return join(buf_str(&path), "/nightmail");
	return join(dir, "/run");
}
