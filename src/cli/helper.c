/* Programs that nightmaild starts; see helper.h. */

#include "cli/helper.h"

#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "cli/cli.h"

static int help(const char *program, const char *does) {
	printf("usage: %s [--syslog] [-v]\n"
	       "       %s --help | --version\n"
	       "\n"
	       "%s\n"
	       "it does nothing when started by hand.\n"
	       "\n"
	       "  --syslog   log to syslog instead of standard error\n"
	       "  -v         log more\n",
	       program, program, does);
	return EX_OK;
}

int helper_start(const char *program, const char *does, int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	log_open(program);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return help(program, does);
		if (strcmp(argv[i], "--version") == 0)
			return cli_version(program);
		if (strcmp(argv[i], "--syslog") == 0)
			log_to_syslog();
		else if (strcmp(argv[i], "-v") == 0)
			log_set_level(LOG_LEVEL_DEBUG);
		else
			return cli_usage(program, "unknown argument \"%s\"", argv[i]);
	}
	return -1;
}

int helper_refuse(const char *program) {
	return cli_usage(program,
			 "nightmaild starts this program; it is not run by hand");
}

bool helper_has_socket(int fd, int type) {
	int got = 0;
	socklen_t len = sizeof(got);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &len) == 0 && got == type;
}
