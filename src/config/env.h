#ifndef NIGHTMAIL_CONFIG_ENV_H
#define NIGHTMAIL_CONFIG_ENV_H

/*
 * What the configuration depends on besides its files: the person, the machine and the
 * places. config_env_init() asks the system; tests fill the struct themselves.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct config_env {
	const char *config;       /* NIGHTMAIL_CONFIG, or NULL */
	const char *system_dir;   /* holds nightmail.conf and conf.d */
	const char *system_state; /* spool of the system mode */
	const char *system_run;
	const char *xdg_config, *xdg_state, *xdg_runtime; /* absolute, or NULL */
	const char *run_user; /* directory of the per-user runtime directories */
	const char *hosts;    /* file with full host names */
	const char *hostname; /* as the kernel has it, or NULL: ask */
	uid_t uid;
	char *home, *user; /* from passwd, once asked; NULL: none */
	bool asked;        /* for home and user */
};

/* Fills in this process: its environment is ignored when the program is set-id. */
void config_env_init(struct config_env *env);
void config_env_release(struct config_env *env);

/* Name of the person (passwd); NULL when there is none. The first call reads passwd, so call only
 * when it matters. */
const char *config_env_user(struct config_env *env);

/* Returns the full host name (malloc): the kernel's name when it has a dot, else the full
 * name that the hosts file gives for it, else the bare name; "localhost" when the machine's
 * name is no host name. NULL: out of memory. */
char *config_env_hostname(const struct config_env *env);

/* Returns the path of this person's configuration, whether it exists or not, or NULL. */
char *config_env_user_file(struct config_env *env);
/* Returns this person's spool directory, or NULL. */
char *config_env_user_dir(struct config_env *env);
/* Returns this person's directory for sockets: $XDG_RUNTIME_DIR or /run/user/UID, where it
 * is theirs, else DIR/run. */
char *config_env_user_rundir(const struct config_env *env, const char *dir);

/* True when the text is a host name: labels of letters, digits, - and _ joined by dots. */
bool config_is_hostname(struct span s);

#endif
