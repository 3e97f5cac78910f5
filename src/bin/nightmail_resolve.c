/*
 * nightmail-resolve: started by nightmail-deliver with one end of a channel as descriptor 3; see
 * net/resolve.h. Not for people, who get a sentence that says so.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/sandbox.h"
#include "cli/cli.h"
#include "net/resolve.h"

#define PROGRAM "nightmail-resolve"
#define CONTROL_FD 3

struct wish {
	struct dns_unbound_options dns;
	bool sandbox;
};

static bool is_channel(int fd) {
	int type = 0;
	socklen_t len = sizeof(type);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

static int help(void) {
	puts("usage: nightmail-resolve [--syslog] [-v] [--server=ADDRESS]\n"
	     "                         [--trust-anchor=FILE] [--no-sandbox]\n"
	     "       nightmail-resolve --help | --version\n"
	     "\n"
	     "Answers what deliveries ask of DNS. nightmail-deliver(8) starts it when one of\n"
	     "them does; it does nothing when started by hand.\n"
	     "\n"
	     "  --server=ADDRESS     name server, instead of those of /etc/resolv.conf\n"
	     "  --trust-anchor=FILE  keys that DNSSEC begins with, or none\n"
	     "  --no-sandbox         give nothing up\n"
	     "  --syslog             log to syslog instead of standard error\n"
	     "  -v                   log more\n");
	return EX_OK;
}

static bool take_value(const char *arg, const char *name, const char **ret) {
	size_t len = strlen(name);
	if (strncmp(arg, name, len) != 0)
		return false;
	*ret = arg + len;
	return true;
}

/* It meets answers of strangers: nothing of the disk is to be changed, no program started. */
static int confine(const struct wish *w) {
	struct err err = ERR_INIT;
	proc_harden();
	if (!w->sandbox)
		return 0;
	struct sandbox *box = sandbox_new(NULL, 0, SANDBOX_CONNECT, NULL, &err);
	int r = box ? sandbox_enter(box, &err) : -1;
	if (r != 0)
		log_error("sandbox ('sandbox = off' does without): %s", err.msg);
	sandbox_free(box);
	return r;
}

int main(int argc, char **argv) {
	struct wish w = { .sandbox = true };
	proc_start();
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
		else if (strcmp(argv[i], "--no-sandbox") == 0)
			w.sandbox = false;
		else if (!take_value(argv[i], "--server=", &w.dns.server) &&
			 !take_value(argv[i], "--trust-anchor=", &w.dns.trust_anchor))
			return cli_usage(PROGRAM, "unknown argument \"%s\"", argv[i]);
	}
	if (!is_channel(CONTROL_FD))
		return cli_usage(
			PROGRAM,
			"nightmail-deliver starts this program; it is not run by hand");
	fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
	if (confine(&w) != 0)
		return EX_OSERR;
	return resolve_serve(CONTROL_FD, &w.dns);
}
