/* See setup_secret.h. */

#include "cli/setup_secret.h"

#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/user.h"
#include "config/env.h"

#define DAEMON_USER "nightmail"
#define PASSWORD_MAX 4096u

int setup_secret_path(struct buf *out, struct err *err) {
	struct config_env env;
	if (geteuid() == 0) {
		buf_adds(out, SYSCONFDIR "/smarthost.pw");
		return 0;
	}
	config_env_init(&env);
	AUTO_FREE char *file = config_env_user_file(&env);
	config_env_release(&env);
	if (!file)
		return err_set(err, ERR_MISSING, "this user has no home directory");
	*strrchr(file, '/') = '\0';
	buf_addf(out, "%s/smarthost.pw", file);
	return 0;
}

int setup_secret_write(const char *path, struct span password, bool for_daemon,
		       struct err *err) {
	struct buf line = BUF_INIT(PASSWORD_MAX);
	struct user daemon;
	buf_room(&line, PASSWORD_MAX);
	buf_add(&line, password);
	buf_addc(&line, '\n');
	int r = buf_failed(&line)
			? err_set(err, ERR_LIMIT, "the password is too long")
			: file_replace(AT_FDCWD, path, 0600, buf_span(&line), err);
	if (line.data)
		explicit_bzero(line.data, line.cap);
	buf_release(&line);
	if (r == 0 && for_daemon && geteuid() == 0 &&
	    user_by_name(DAEMON_USER, &daemon) &&
	    chown(path, daemon.uid, daemon.gid) != 0)
		return err_sys(err, "%s: cannot give it to the user %s", path,
			       DAEMON_USER);
	return r;
}
