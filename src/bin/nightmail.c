/* nightmail: the administrator's tool. Its first argument names what it does. */

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/header_trace.h"
#include "cli/nightmail_config.h"
#include "cli/nightmail_dashboard.h"
#include "cli/nightmail_dkim.h"
#include "cli/nightmail_explain.h"
#include "cli/nightmail_login.h"
#include "cli/nightmail_setup.h"
#include "cli/nightmail_sink.h"
#include "cli/nightmail_status.h"
#include "cli/nightmail_tlsrpt.h"
#include "cli/nightmail_watch.h"

static int queue(int argc, char **argv) {
	static char name[] = "mailq";
	(void)argc;
	argv[0] = name;
	return cli_exec("nightmail", "mailq", (const char *const *)argv);
}

static int dns(int argc, char **argv) {
	static char name[] = "dns-check";
	(void)argc;
	argv[0] = name;
	return cli_exec("nightmail", name, (const char *const *)argv);
}

static int probe(int argc, char **argv) {
	static char name[] = "smtp-probe";
	(void)argc;
	argv[0] = name;
	return cli_exec("nightmail", name, (const char *const *)argv);
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "setup", nightmail_setup,
	  "ask which server takes the mail, try it, and write the configuration" },
	{ "config", nightmail_config,
	  "check, show, import: the configuration, or that of another relay" },
	{ "explain", nightmail_explain,
	  "what would become of mail from one address to others" },
	{ "status", nightmail_status,
	  "how the daemon and its relays are, and how much mail waits" },
	{ "watch", nightmail_watch,
	  "what changed in the DNS of watched domains, and what is bad there" },
	{ "queue", queue,
	  "what waits and why: mailq, under a name that no other MTA has" },
	{ "dns", dns,
	  "what receivers will conclude from a domain's DNS: dns-check" },
	{ "probe", probe,
	  "what a sender meets at a server: smtp-probe" },
	{ "reload", nightmail_reload,
	  "the daemon reads its configuration again" },
	{ "login", nightmail_login,
	  "get the tokens of a relay with password = oauth2" },
	{ "secret", nightmail_secret,
	  "set, test, delete the password of a relay in the keyring" },
	{ "relay", nightmail_relay,
	  "trust: forget which login mechanisms a relay has offered" },
	{ "dkim", nightmail_dkim,
	  "sign, verify; make keys, and compare them with what is published" },
	{ "trace", header_trace,
	  "the way of a message: header-trace, under another name" },
	{ "tlsrpt", nightmail_tlsrpt,
	  "how the TLS of connections went: today, or a day's report" },
	{ "sink", nightmail_sink,
	  "an SMTP server that takes every message and delivers none" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *f) {
	fputs("usage: nightmail [--config FILE] [--read-only] [--theme dark|light|mono]\n"
	      "                 [--mouse] [--plain]   the dashboard, or its overview as text\n"
	      "       nightmail COMMAND [ARGUMENT...]\n"
	      "       nightmail COMMAND --help | --help | --version\n",
	      f);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("Other programs: send, sendmail, mailq, dns-check, header-trace, smtp-probe,\n"
	      "                nightmaild\n", f);
}

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	if (argc < 2 && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
		print_help(stderr);
		return EX_USAGE;
	}
	if (argc < 2)
		return nightmail_dashboard(argc, argv);
	if (strcmp(argv[1], "--help") == 0) {
		print_help(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cli_version("nightmail");
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argv[1][0] == '-')
		return nightmail_dashboard(argc, argv);
	struct suggest near = { .word = span_str(argv[1]), .best = NULL };
	for (size_t i = 0; i < COMMANDS; i++)
		suggest_try(&near, commands[i].name);
	if (near.best)
		return cli_usage("nightmail", "unknown command %s; did you mean %s?", argv[1],
				 near.best);
	return cli_usage("nightmail", "unknown command %s", argv[1]);
}
