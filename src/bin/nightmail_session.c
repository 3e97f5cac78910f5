/*
 * nightmail-session: takes the place of a session of nightmaild whose client asks for TLS; see
 * deliver/handover.h. Not for people, who get a sentence that says so.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "deliver/handover.h"

#define PROGRAM "nightmail-session"

static bool is_session(void) {
	int type = 0;
	socklen_t len = sizeof(type);
	return getsockopt(HANDOVER_CLIENT_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM && fcntl(HANDOVER_PLAN_FD, F_GETFD) >= 0;
}

static int help(void) {
	puts("usage: nightmail-session [--syslog] [-v]\n"
	     "       nightmail-session --help | --version\n"
	     "\n"
	     "Serves a client that asked for TLS. nightmaild(8) starts it for such a client;\n"
	     "it does nothing when started by hand.\n"
	     "\n"
	     "  --syslog   log to syslog instead of standard error\n"
	     "  -v         log more\n");
	return EX_OK;
}

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	log_open(PROGRAM);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return help();
		if (strcmp(argv[i], "--version") == 0)
			return cli_version(PROGRAM);
		if (strcmp(argv[i], "--syslog") == 0)
			log_to_syslog();
		else if (strcmp(argv[i], "-v") == 0)
			log_set_level(LOG_LEVEL_DEBUG);
		else
			return cli_usage(PROGRAM, "unknown argument \"%s\"", argv[i]);
	}
	if (!is_session())
		return cli_usage(PROGRAM, "nightmaild starts this program; it is not run by hand");
	for (int fd = HANDOVER_CLIENT_FD; fd <= HANDOVER_PLAN_FD; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	proc_harden();
	return handover_take();
}
