/*
 * mailq: what is queued, why it still is, and when it goes; and the verbs that change it.
 * This file knows the command line, mailq_commands.c what the commands do.
 */

#include "cli/mailq.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/proc.h"
#include "cli/cli.h"

#define COMPLAINTS_MAX (1u << 20)

static const char program[] = "mailq";

static const char help[] =
	"usage: mailq [list] [ID...] [--all] [--json]   what waits, why, and until when\n"
	"       mailq show ID [--body] [--json]         envelope, replies, header\n"
	"       mailq flush|hold|release|delete|bounce ID...|--all [--json]\n"
	"       mailq check [--repair] [--json]         verify every file of the queue\n"
	"  flush    try now             hold     keep until released\n"
	"  release  end a hold          delete   no delivery, no bounce; kept for a day\n"
	"  bounce   give up now and tell the sender\n"
	"An ID may be shortened to a unique ending of 4 characters or more.\n"
	"  -a, --all      every message (list: those in dead/ too)\n"
	"  -j, --json     one JSON object a line\n"
	"  --body         show the whole message\n"
	"  --repair       put aside what is damaged\n"
	"  --color WHEN   always, never, auto\n"
	"  --config FILE, --help, --version\n";

enum {
	OPT_ALL = 256,
	OPT_JSON,
	OPT_COLOR,
	OPT_CONFIG,
	OPT_BODY,
	OPT_REPAIR,
	OPT_HELP,
	OPT_VERSION
};

/* Options that not every command has. */
enum { ALL = 1, BODY = 2, REPAIR = 4 };

struct command {
	const char *name;
	int (*run)(struct mailq *m); /* NULL: a verb */
	unsigned options;
	size_t min, max; /* operands; min counts without --all */
};

static const struct command commands[] = {
	{ "list", mailq_list, ALL, 0, SIZE_MAX }, { "show", mailq_show, BODY, 1, 1 },
	{ "check", mailq_check, REPAIR, 0, 0 },   { "flush", NULL, ALL, 1, SIZE_MAX },
	{ "hold", NULL, ALL, 1, SIZE_MAX },       { "release", NULL, ALL, 1, SIZE_MAX },
	{ "delete", NULL, ALL, 1, SIZE_MAX },     { "bounce", NULL, ALL, 1, SIZE_MAX },
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static int set_color(struct mailq *m, const char *when) {
	if (!term_color_parse(span_str(when), &m->color))
		return cli_usage(program, "--color %s: not always, never or auto", when);
	return 0;
}

/* One option. Returns 0 to go on, -1 when all is done with success, or an exit code. */
static int take_option(struct mailq *m, int opt, const char *arg, char **argv) {
	switch (opt) {
	case 'a':
	case OPT_ALL:
		m->all = true;
		return 0;
	case 'j':
	case OPT_JSON:
		m->json = true;
		return 0;
	case OPT_BODY:
		m->body = true;
		return 0;
	case OPT_REPAIR:
		m->repair = true;
		return 0;
	case OPT_COLOR:
		return set_color(m, arg);
	case OPT_CONFIG:
		m->config = arg;
		return 0;
	case OPT_HELP:
		fputs(help, stdout);
		return -1;
	case OPT_VERSION:
		cli_version(program);
		return -1;
	default:
		return cli_bad_option(program, opt, argv);
	}
}

static int take_options(struct mailq *m, int argc, char **argv) {
	static const struct option longs[] = {
		{ "all", no_argument, NULL, OPT_ALL },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "body", no_argument, NULL, OPT_BODY },
		{ "repair", no_argument, NULL, OPT_REPAIR },
		{ "color", required_argument, NULL, OPT_COLOR },
		{ "config", required_argument, NULL, OPT_CONFIG },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":aj", longs, NULL)) != -1) {
		int r = take_option(m, opt, optarg, argv);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The first word names the command; any other word is an ID to list. */
static const struct command *take_command(struct mailq *m, int argc, char **argv) {
	m->ids = (const char *const *)(argv + optind);
	m->count = (size_t)(argc - optind);
	for (size_t i = 0; m->count > 0 && i < COMMANDS; i++) {
		if (strcmp(m->ids[0], commands[i].name) != 0)
			continue;
		m->ids++;
		m->count--;
		return &commands[i];
	}
	return &commands[0];
}

static int check_call(const struct mailq *m, const struct command *c) {
	if (m->all && !(c->options & ALL))
		return cli_usage(program, "%s has no --all", c->name);
	if (m->body && !(c->options & BODY))
		return cli_usage(program, "--body goes with show only");
	if (m->body && m->json)
		return cli_usage(program,
				 "--json describes a message and does not hold its body");
	if (m->repair && !(c->options & REPAIR))
		return cli_usage(program, "--repair goes with check only");
	if (m->count > c->max)
		return cli_usage(program, "%s takes %s", c->name,
				 c->max ? "one ID" : "no ID");
	if (m->all && m->count > 0)
		return cli_usage(program, "either IDs or --all");
	if (m->count < c->min && !m->all)
		return cli_usage(program, "%s needs an ID%s", c->name,
				 c->options & ALL ? ", or --all" : "");
	return 0;
}

static int run(struct mailq *m, const struct command *c) {
	AUTO_BUF struct buf complaints = BUF_INIT(COMPLAINTS_MAX);
	m->deliverable = config_load(m->config, &m->settings, &complaints) == 0;
	if (!m->deliverable)
		cli_complaints(program, &complaints);
	int status = EX_CONFIG;
	if (!config_usable(&m->settings))
		cli_fail(program, status, "the configuration names no queue");
	else
		status = c->run ? c->run(m) : mailq_apply(m, c->name);
	config_release(&m->settings);
	return status;
}

/* Nobody who reads on is no failure worth words: that is how 'mailq | head' ends. */
static int close_output(int status) {
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		cli_fail(program, EX_IOERR, "cannot write the output: %s",
			 strerror(errno));
	return status != EX_OK ? status : EX_IOERR;
}

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	struct mailq m = { .color = TERM_COLOR_AUTO };
	int status = take_options(&m, argc, argv);
	if (status == 0) {
		const struct command *c = take_command(&m, argc, argv);
		status = check_call(&m, c);
		if (status == 0)
			status = run(&m, c);
	}
	return close_output(status < 0 ? EX_OK : status);
}
