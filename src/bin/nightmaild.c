/*
 * nightmaild: the relay daemon. This file is its start: options, configuration, directories,
 * the unprivileged user, the background. The work is the manager's (deliver/manager.h).
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/user.h"
#include "cli/cli.h"
#include "deliver/manager.h"
#include "queue/drop.h"
#include "queue/queue.h"

#define SYSTEM_USER "nightmail"
#define DROP_GROUP "nightmail-drop"

static const char program[] = "nightmaild";

static const char help[] =
	"usage: nightmaild [--config FILE] [--daemon] [-v]\n"
	"Delivers the queued mail. Stays in the foreground and logs to stderr.\n"
	"  --config FILE  use this configuration alone; it must name its [queue] dir\n"
	"  --daemon       go to the background once ready, log to syslog\n"
	"  -v, --verbose  log more\n"
	"  --help, --version\n"
	"SIGHUP reads the configuration again, SIGTERM ends the daemon.\n";

struct options {
	const char *config;
	bool background;
	bool done; /* --help and --version: nothing more to do */
};

static int take_options(struct options *o, int argc, char **argv) {
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "daemon", no_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":v", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case 'd':
			o->background = true;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'h':
			o->done = true;
			fputs(help, stdout);
			return EX_OK;
		case 'V':
			o->done = true;
			return cli_version(program);
		default:
			return cli_bad_option(program, opt, argv, longs);
		}
	}
	return optind < argc ? cli_usage(program, "unexpected argument '%s'", argv[optind]) : EX_OK;
}

/* In the background the working directory is another: the file is found by its full name. */
static char *absolute_config(const char *option) {
	const char *file = option ? option : secure_getenv("NIGHTMAIL_CONFIG");
	if (!file || !*file)
		return NULL;
	char *full = realpath(file, NULL);
	return full ? full : span_dup(span_str(file));
}

/* Makes a directory and those above it that are missing, those with mode `above`. */
static int make_dirs(const char *path, mode_t above, struct err *err) {
	AUTO_BUF struct buf part = BUF_INIT(PATH_MAX);
	struct span rest = span_str(path);
	do {
		size_t n = span_find(span_from(rest, 1), '/') + 1;
		buf_add(&part, span_head(rest, n));
		rest = span_from(rest, n);
		bool made = file_mkdir(AT_FDCWD, buf_str(&part), 0700) == 0;
		if ((!made && errno != EEXIST) ||
		    (made && rest.len > 0 && chmod(buf_str(&part), above) != 0)) /* no umask */
			return err_sys(err, "%s: cannot make the directory", buf_str(&part));
	} while (rest.len > 0);
	return 0;
}

/* Where users leave mail while no daemon runs; without the group they cannot. */
static bool make_drop(const struct settings *s, gid_t *ret) {
	struct err err = ERR_INIT;
	gid_t gid;
	if (!user_group_by_name(DROP_GROUP, &gid)) {
		log_info("there is no group " DROP_GROUP ": while this daemon is stopped, users "
			 "cannot queue mail");
		return false;
	}
	*ret = gid;
	/* Users must get at drop/, and at nothing else in there. */
	if (chmod(s->dir, 0711) == 0 && drop_create(s->dir, gid, &err) == 0)
		return true;
	log_warn("while this daemon is stopped, users cannot queue mail: %s",
		err.msg[0] ? err.msg : strerror(errno));
	return false;
}

/* Makes what the system user needs and becomes that user. */
static int become_system_user(const struct settings *s, struct err *err) {
	struct user user;
	if (!user_by_name(SYSTEM_USER, &user))
		return err_set(err, ERR_MISSING, "there is no user " SYSTEM_USER ": make it with "
			"'useradd --system --user-group --no-create-home " SYSTEM_USER "'");
	const char *const dirs[] = { s->dir, s->rundir };
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (make_dirs(dirs[i], 0755, err) != 0) /* it must get there */
			return -1;
		if (chown(dirs[i], user.uid, user.gid) != 0)
			return err_sys(err, "%s: cannot give it to user " SYSTEM_USER, dirs[i]);
	}
	if (chmod(s->rundir, 0755) != 0)
		return err_sys(err, "%s: cannot open it to others", s->rundir);
	gid_t drop = 0;
	size_t groups = make_drop(s, &drop) ? 1 : 0;
	if (setgroups(groups, &drop) != 0 || setgid(user.gid) != 0 || setuid(user.uid) != 0)
		return err_sys(err, "cannot become user " SYSTEM_USER);
	return 0;
}

static int prepare(const struct settings *s, struct err *err) {
	uid_t started_as = geteuid();
	if (geteuid() == 0 && s->mode == CONFIG_SYSTEM) {
		if (become_system_user(s, err) != 0)
			return -1;
	} else if (geteuid() == 0) {
		log_warn("running as root, because this configuration is private");
	}
	if (make_dirs(s->dir, 0700, err) != 0 || make_dirs(s->rundir, 0700, err) != 0)
		return -1;
	if (queue_create(s->dir, err) != 0)
		return -1;
	gid_t drop;
	if (s->mode == CONFIG_SYSTEM && started_as != 0)
		make_drop(s, &drop);
	return 0;
}

/* The first process waits until the second is ready or has failed, and exits with its code. */
static int go_to_background(int *ret_ready_fd) {
	int ends[2];
	unsigned char status = EX_SOFTWARE;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		close(ends[0]);
		*ret_ready_fd = ends[1];
		return setsid() < 0 || chdir("/") != 0 ? -1 : 0;
	}
	close(ends[1]);
	while (read(ends[0], &status, 1) < 0 && errno == EINTR)
		;
	_exit(status);
}

static void detach(int ready_fd) {
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	log_to_syslog();
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null >= 0)
		close(null);
	unsigned char status = EX_OK;
	if (write(ready_fd, &status, 1) != 1)
		log_warn("the process that started the daemon is gone");
	close(ready_fd);
}

static int failed(int ready_fd, int status, const struct err *err) {
	unsigned char byte = (unsigned char)status;
	log_error("%s", err->msg);
	if (ready_fd >= 0 && write(ready_fd, &byte, 1) != 1)
		return status;
	return status;
}

static int serve(const char *config, int ready_fd) {
	struct settings settings;
	AUTO_BUF struct buf complaints = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	if (config_load(config, &settings, &complaints) != 0 && !config_usable(&settings)) {
		cli_complaints(program, &complaints);
		config_release(&settings);
		err_set(&err, ERR_SYNTAX, "the configuration names no queue to serve");
		return failed(ready_fd, EX_CONFIG, &err);
	}
	if (prepare(&settings, &err) != 0) {
		config_release(&settings);
		return failed(ready_fd, EX_OSERR, &err);
	}
	proc_harden();
	struct manager *m = manager_new(config, &settings, &complaints, &err);
	if (!m)
		return failed(ready_fd, err.kind == ERR_DENIED ? EX_TEMPFAIL : EX_OSERR, &err);
	if (ready_fd >= 0)
		detach(ready_fd);
	int status = manager_run(m);
	manager_free(m);
	return status;
}

int main(int argc, char **argv) {
	struct options o = { .config = NULL };
	int ready_fd = -1;
	proc_start();
	file_fault_from_env();
	log_open(program);
	int status = take_options(&o, argc, argv);
	if (status != EX_OK || o.done)
		return status;
	AUTO_FREE char *config = absolute_config(o.config);
	if (o.background && go_to_background(&ready_fd) != 0)
		return cli_fail(program, EX_OSERR, "cannot go to the background");
	return serve(config, ready_fd);
}
