/*
 * nightmail-deliver: started by nightmaild with one end of a channel as descriptor 3; see
 * deliver/parent.h. Not for people, who get a sentence that says so.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "deliver/parent.h"

#define PROGRAM "nightmail-deliver"
#define CHANNEL_FD 3

static bool is_channel(int fd) {
	int type = 0;
	socklen_t len = sizeof(type);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

static int help(void) {
	puts("usage: nightmail-deliver [--syslog] [-v]\n"
	     "       nightmail-deliver --help | --version\n"
	     "\n"
	     "Delivers queued mail. nightmaild(8) starts it when there is mail to deliver;\n"
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
	if (!is_channel(CHANNEL_FD))
		return cli_usage(PROGRAM,
				 "nightmaild starts this program; it is not run by hand");
	fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC);
	proc_harden();
	return deliver_parent(CHANNEL_FD);
}
