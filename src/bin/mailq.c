/*
 * mailq: what is queued, why it still is, and when it goes; and the verbs that change it.
 * This file knows the command line, mailq_commands.c what the commands do.
 */

#include "cli/mailq.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "mail/addr.h"
#include "mail/attime.h"
#include "mail/wishes.h"

#define COMPLAINTS_MAX (1u << 20)

static const char program[] = "mailq";

static const char help[] =
	"usage: mailq [list] [ID|FILTER...] [--all] [--json]   what waits, and why\n"
	"       mailq show ID [--body] [--json]    envelope, what happened, header\n"
	"       mailq flush|hold|release|delete|bounce ID|FILTER...|--all [--json]\n"
	"       mailq edit ID [--to OLD=NEW] [--remove ADDR] [--from ADDR]\n"
	"                     [--relay NAME] [--at TIME] [--priority WORD] [--json]\n"
	"       mailq check [--repair] [--json]    verify every file of the queue\n"
	"  flush    try now             hold     keep until released\n"
	"  release  end a hold          delete   no delivery, no bounce; kept for a day\n"
	"  bounce   give up now and tell the sender\n"
	"  edit     another address, sender, relay or time; it gets a new ID\n"
	"An ID may be shortened to a unique ending of 4 characters or more. A FILTER is\n"
	"KEY and value: state=deferred to~example 'age>1h' (see the manual).\n"
	"  -a, --all      every message (list: those in dead/ too)\n"
	"  -j, --json     one JSON object a line\n"
	"  --body         show the whole message\n"
	"  --repair       put aside what is damaged\n"
	"  -q[R|S TEXT]   flush all, or those to, or from, TEXT; -qI ID: one\n"
	"  --color WHEN   always, never, auto\n"
	"  --config FILE, --help, --version\n";

enum {
	OPT_ALL = 256,
	OPT_JSON,
	OPT_COLOR,
	OPT_CONFIG,
	OPT_BODY,
	OPT_REPAIR,
	OPT_TO,
	OPT_REMOVE,
	OPT_FROM,
	OPT_RELAY,
	OPT_AT,
	OPT_PRIORITY,
	OPT_HELP,
	OPT_VERSION
};

/* Options that not every command has. */
enum { ALL = 1, BODY = 2, REPAIR = 4, CHANGES = 8 };

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
	{ "edit", mailq_edit, CHANGES, 1, 1 },
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static int set_color(struct mailq *m, const char *when) {
	if (!term_color_parse(span_str(when), &m->color))
		return cli_usage(program, "--color %s: not always, never or auto", when);
	return 0;
}

static bool is_address(struct span s) {
	struct addr parts;
	return addr_parse(s, ADDR_SUBMITTED, &parts, NULL) == 0;
}

/* OLD=NEW; an address may have a '=' as well, so the first that leaves two addresses counts. */
static int add_recipient_change(struct mailq *m, const char *text) {
	struct span all = span_str(text);
	for (size_t i = 0; i < all.len; i++) {
		struct span old = span_head(all, i), new = span_from(all, i + 1);
		if (all.p[i] != '=' || !is_address(old) || !is_address(new))
			continue;
		codec_word_add(&m->changes, "to", old);
		codec_word_add(&m->changes, "new", new);
		return 0;
	}
	return cli_usage(program, "--to %s: not OLD=NEW, two addresses", text);
}

/* "": by the routes. */
static int add_relay(struct mailq *m, const char *name) {
	if (name[0] && !wishes_is_relay(span_str(name)))
		return cli_usage(program, "--relay %s: this is no name of a relay", name);
	codec_word_add(&m->changes, "relay", span_str(name));
	return 0;
}

static int add_time(struct mailq *m, const char *text) {
	struct err err = ERR_INIT;
	int64_t at = 0, now = clock_wall_ms();
	if (strcmp(text, "now") != 0 && attime_parse(span_str(text), now, &at, &err) != 0)
		return cli_usage(program, "--at %s: %s", text, err.msg);
	codec_word_add_int(&m->changes, "at", at > now ? at : 0);
	return 0;
}

static int add_priority(struct mailq *m, const char *word) {
	enum mail_priority p;
	if (!priority_parse(span_str(word), &p))
		return cli_usage(program, "--priority %s: it is high, normal or low", word);
	codec_word_add(&m->changes, "priority", span_str(priority_name(p)));
	return 0;
}

static int add_address(struct mailq *m, const char *key, const char *text) {
	struct span a = span_str(text);
	if (span_eq(a, SPAN("<>")))
		a = SPAN("");
	if (!is_address(a) && (a.len > 0 || strcmp(key, "from") != 0))
		return cli_usage(program, "--%s %s: no address", key, text);
	codec_word_add(&m->changes, key, a);
	return 0;
}

/* -q of sendmail: flushes, and whom. */
static int set_flush(struct mailq *m, char *arg) {
	static const struct {
		char letter;
		const char *key;
	} kinds[] = { { 'R', "to" }, { 'S', "from" } };
	struct err err = ERR_INIT;
	m->flush = true;
	if (arg && arg[0] == 'I' && arg[1]) {
		m->flush_id = arg + 1;
		return 0;
	}
	for (size_t i = 0; arg && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		AUTO_BUF struct buf term = BUF_INIT(SIZE_MAX / 4);
		if (arg[0] != kinds[i].letter || !arg[1])
			continue;
		buf_addf(&term, "%s~%s", kinds[i].key, arg + 1);
		return filter_add(&m->filter, buf_span(&term), &err) == 0
			       ? 0
			       : cli_usage(program, "-q%.100s: %s", arg, err.msg);
	}
	return !arg ? 0 : cli_usage(program, "-q%s: not -q, -qRTEXT, -qSTEXT or -qIID", arg);
}

static const struct option longs[] = {
	{ "all", no_argument, NULL, OPT_ALL },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "body", no_argument, NULL, OPT_BODY },
	{ "repair", no_argument, NULL, OPT_REPAIR },
	{ "to", required_argument, NULL, OPT_TO },
	{ "remove", required_argument, NULL, OPT_REMOVE },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "relay", required_argument, NULL, OPT_RELAY },
	{ "at", required_argument, NULL, OPT_AT },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ "color", required_argument, NULL, OPT_COLOR },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* One option. Returns 0 to go on, -1 when all is done with success, or an exit code. */
static int take_option(struct mailq *m, int opt, char *arg, char **argv) {
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
	case OPT_TO:
		return add_recipient_change(m, arg);
	case OPT_REMOVE:
		return add_address(m, "remove", arg);
	case OPT_FROM:
		return add_address(m, "from", arg);
	case OPT_RELAY:
		return add_relay(m, arg);
	case OPT_AT:
		return add_time(m, arg);
	case OPT_PRIORITY:
		return add_priority(m, arg);
	case 'q':
		return set_flush(m, arg);
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
		return cli_bad_option(program, opt, argv, longs);
	}
}

static int take_options(struct mailq *m, int argc, char **argv) {
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":ajq::", longs, NULL)) != -1) {
		int r = take_option(m, opt, optarg, argv);
		if (r != 0)
			return r;
	}
	return 0;
}

static const struct command *find_command(const char *name) {
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

/* The first word names the command; any other word is an ID, or a filter. */
static const struct command *take_command(struct mailq *m, int argc, char **argv) {
	char **word = argv + optind;
	const struct command *found = optind < argc ? find_command(word[0]) : NULL;
	m->ids = word + (found ? 1 : 0);
	m->count = (size_t)(argc - optind) - (found ? 1 : 0);
	return found ? found : find_command(m->flush ? "flush" : "list");
}

/* Operands that are filters are taken out from among the IDs. */
static int take_filters(struct mailq *m) {
	struct err err = ERR_INIT;
	size_t kept = 0;
	for (size_t i = 0; i < m->count; i++) {
		if (!filter_is_term(span_str(m->ids[i])))
			m->ids[kept++] = m->ids[i];
		else if (filter_add(&m->filter, span_str(m->ids[i]), &err) != 0)
			return cli_usage(program, "%s", err.msg);
	}
	m->count = kept;
	if (m->flush_id && kept > 0)
		return cli_usage(program, "-qI names the one message already");
	if (m->flush_id) {
		m->ids = &m->flush_id;
		m->count = 1;
	}
	return 0;
}

/* Options that this command does not have, or lacks. */
static int check_options(const struct mailq *m, const struct command *c) {
	if (m->all && !(c->options & ALL))
		return cli_usage(program, "%s has no --all", c->name);
	if (m->body && !(c->options & BODY))
		return cli_usage(program, "--body goes with show only");
	if (m->body && m->json)
		return cli_usage(program,
				 "--json describes a message and does not hold its body");
	if (m->repair && !(c->options & REPAIR))
		return cli_usage(program, "--repair goes with check only");
	if (m->changes.len > 0 && !(c->options & CHANGES))
		return cli_usage(program, "--to, --remove, --from, --relay, --at and --priority go with edit "
				 "only");
	if (m->changes.len == 0 && (c->options & CHANGES))
		return cli_usage(program, "edit needs --to OLD=NEW, --remove ADDR, --from ADDR, --relay "
				 "NAME, --at TIME or --priority WORD");
	if (m->flush && strcmp(c->name, "flush") != 0)
		return cli_usage(program, "-q goes with flush only");
	return 0;
}

static int check_operands(struct mailq *m, const struct command *c) {
	if (m->filter.count > 0 && !(c->options & ALL))
		return cli_usage(program, "%s takes no filter", c->name);
	if (m->count > c->max)
		return cli_usage(program, "%s takes %s", c->name,
				 c->max ? "one ID" : "no ID");
	if (m->all && m->count > 0)
		return cli_usage(program, "either IDs or --all");
	if (m->flush && m->count == 0 && m->filter.count == 0)
		m->all = true;
	if (m->count < c->min && !m->all && m->filter.count == 0)
		return cli_usage(program, "%s needs an ID%s", c->name,
				 c->options & ALL ? ", a filter, or --all" : "");
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

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	struct mailq m = { .color = TERM_COLOR_AUTO };
	buf_init(&m.changes, CONTROL_REQUEST_MAX / 2);
	log_set_level(LOG_LEVEL_WARN); /* what is done is told on standard output */
	int status = take_options(&m, argc, argv);
	if (status == 0) {
		const struct command *c = take_command(&m, argc, argv);
		status = take_filters(&m);
		if (status == 0)
			status = check_options(&m, c);
		if (status == 0)
			status = check_operands(&m, c);
		if (status == 0)
			status = run(&m, c);
	}
	buf_release(&m.changes);
	return cli_close_output(program, status < 0 ? EX_OK : status);
}
