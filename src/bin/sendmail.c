/*
 * sendmail: the contract that every other program calls. Options are those of the
 * original with their arity; what has no meaning here is accepted and ignored, what
 * would make it a daemon or something else is refused with EX_USAGE and never taken for
 * a message. By its name it is also mailq, newaliases and runq.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/user.h"
#include "cli/cli.h"
#include "cli/sendmail_smtp.h"
#include "cli/submission.h"
#include "queue/envelope.h"

#define ENVID_MAX 100

static const char program[] = "sendmail";

static const char help[] =
	"usage: sendmail [-i] [-t] [-f SENDER] [-F NAME] [--] [RECIPIENT...] < MESSAGE\n"
	"Queues a message for delivery; exit 0 means that it is on disk.\n"
	"  -t            take recipients from To, Cc and Bcc as well\n"
	"  -f, -r ADDR   envelope sender; '' or '<>' is the null sender\n"
	"  -F NAME       full name for a From field that is missing\n"
	"  -N LIST       delivery reports: never, or success,failure,delay\n"
	"  -R hdrs|full  how much of the message a report returns\n"
	"  -V ID         envelope ID, returned in reports\n"
	"  -B TYPE       7BIT or 8BITMIME (found by itself)\n"
	"  -v            print the queue ID\n"
	"  -bm           queue a message (the default)\n"
	"  -bs           speak SMTP on standard input and output\n"
	"  -bp           list the queue (mailq)\n"
	"  -bv           tell what would become of mail to the recipients\n"
	"  -bi           exit 0: there is no alias database to build (newaliases)\n"
	"  -q[f|15m]     try everything that is queued now; -qI ID: one message\n"
	"  -qR|-qS TEXT  try what goes to, or comes from, an address with TEXT in it\n"
	"  --config FILE, --help, --version\n"
	"-i is always on. Without effect: -o* -O -A -D -G -L -U -X -d -e -h -m -n -p.\n"
	"Options go before the recipients.\n";

/* What one call asks for. */
struct call {
	const char *config;
	bool verbose;
	bool flush;
	const char *flush_which; /* what follows -q: R, S or I and a text, as mailq has it */
	char mode;               /* of -b: m p i s */
	struct submission s;
};

static const struct {
	const char *name;
	unsigned bit;
} notify_words[] = {
	{ "never", NOTIFY_NEVER },
	{ "success", NOTIFY_SUCCESS },
	{ "failure", NOTIFY_FAILURE },
	{ "delay", NOTIFY_DELAY },
};

static int parse_notify(const char *text, unsigned *ret) {
	struct span rest = span_str(text), word;
	unsigned bits = 0;
	while (rest.len) {
		if (!span_take_until(&rest, ',', &word)) {
			word = rest;
			rest = SPAN("");
		}
		size_t i = 0, n = sizeof notify_words / sizeof *notify_words;
		while (i < n && !span_eq_nocase(word, span_str(notify_words[i].name)))
			i++;
		if (i == n)
			return -1;
		bits |= notify_words[i].bit;
	}
	if (!bits || (bits & NOTIFY_NEVER && bits != NOTIFY_NEVER))
		return -1;
	*ret = bits;
	return 0;
}

static int parse_ret(const char *text, struct span *ret) {
	if (span_eq_nocase(span_str(text), SPAN("full")))
		*ret = SPAN("FULL");
	else if (span_eq_nocase(span_str(text), SPAN("hdrs")))
		*ret = SPAN("HDRS");
	else
		return -1;
	return 0;
}

/* Printable US-ASCII, at most 100 octets: RFC 3461 section 4.4. */
static int parse_envid(const char *text, struct span *ret) {
	struct span s = span_str(text);
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return -1;
	if (s.len == 0 || s.len > ENVID_MAX)
		return -1;
	*ret = s;
	return 0;
}

static bool is_body_type(const char *text) {
	return span_eq_nocase(span_str(text), SPAN("7BIT")) ||
	       span_eq_nocase(span_str(text), SPAN("8BITMIME"));
}

/* What -b can ask for besides m, p, i and s. */
static const struct {
	char mode;
	const char *words;
} refused_modes[] = {
	{ 'd', "this is not a daemon; nightmaild is" },
	{ 'D', "this is not a daemon; nightmaild is" },
	{ 't', "there are no rewriting rules to test" },
	{ 'h', "there is no host status; see mailq" },
	{ 'H', "there is no host status; see mailq" },
	{ 'P', "not supported; 'mailq' ends with the number of messages" },
};

static int parse_mode(struct call *c, const char *arg) {
	const char *words = "unknown mode";
	if (arg[0] && !arg[1] && strchr("mpisv", arg[0])) {
		c->mode = arg[0];
		return 0;
	}
	for (size_t i = 0; i < sizeof(refused_modes) / sizeof(*refused_modes); i++)
		if (refused_modes[i].mode == arg[0] && !arg[1])
			words = refused_modes[i].words;
	return cli_usage(program, "-b%s: %s", arg, words);
}

/* 15m, 1h30m: how often a daemon would do it. */
static bool is_interval(const char *text) {
	struct span s = span_str(text);
	uint64_t n;
	do {
		if (!span_take_uint(&s, UINT32_MAX, &n))
			return false;
		if (s.len && strchr("smhdw", s.p[0]))
			s = span_from(s, 1);
	} while (s.len);
	return true;
}

static int parse_queue(struct call *c, const char *arg) {
	c->flush = true;
	if (!arg || strcmp(arg, "f") == 0 || is_interval(arg))
		return 0;
	if (strchr("RSI", arg[0]) && arg[0] && arg[1]) {
		c->flush_which = arg;
		return 0;
	}
	return cli_usage(program,
			 "-q%s is not supported; see mailq(1) for what can be flushed",
			 arg);
}

static int parse_sender(struct call *c, int opt, const char *arg) {
	struct err err = ERR_INIT;
	if (submission_from(&c->s, span_str(arg), &err) != 0)
		return cli_usage(program, "-%c: %s", opt, err.msg);
	return 0;
}

/* The options of RFC 3461 and 6152. */
static int parse_envelope(struct call *c, int opt, const char *arg) {
	if (opt == 'N' && parse_notify(arg, &c->s.notify) != 0)
		return cli_usage(
			program,
			"-N %s: neither never nor a list of success,failure,delay", arg);
	if (opt == 'R' && parse_ret(arg, &c->s.ret) != 0)
		return cli_usage(program, "-R %s: neither hdrs nor full", arg);
	if (opt == 'V' && parse_envid(arg, &c->s.envid) != 0)
		return cli_usage(program, "-V %s: not 1 to %d printable ASCII characters",
				 arg, ENVID_MAX);
	if (opt == 'B' && !is_body_type(arg))
		return cli_usage(program, "-B %s: neither 7BIT nor 8BITMIME", arg);
	return 0;
}

enum { OPT_CONFIG = 256, OPT_HELP, OPT_VERSION };

/* One option. Returns 0 to go on, -1 when all is done with success, or an exit code. */
static int take_option(struct call *c, int opt, const char *arg, char **argv) {
	switch (opt) {
	case 't':
		c->s.extract = true;
		return 0;
	case 'f':
	case 'r':
		return parse_sender(c, opt, arg);
	case 'F':
		c->s.full_name = span_str(arg);
		return 0;
	case 'N':
	case 'R':
	case 'V':
	case 'B':
		return parse_envelope(c, opt, arg);
	case 'v':
		c->verbose = true;
		return 0;
	case 'b':
		return parse_mode(c, arg);
	case 'q':
		return parse_queue(c, arg);
	case 'I':
		c->mode = 'i';
		return 0;
	case 'C':
	case OPT_CONFIG:
		c->config = arg;
		return 0;
	case OPT_HELP:
		fputs(help, stdout);
		return -1;
	case OPT_VERSION:
		cli_version(program);
		return -1;
	case '?':
	case ':':
		return cli_bad_option(program, opt, argv, NULL);
	default: /* known and without meaning here */
		return 0;
	}
}

/* Options end at the first recipient, as they always did for sendmail: programs hand over
 * addresses that others chose. */
static int take_options(struct call *c, int argc, char **argv) {
	static const struct option longs[] = {
		{ "config", required_argument, NULL, OPT_CONFIG },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	static const char shorts[] =
		"+:A:B:C:D:F:GIL:N:O:R:UV:X:b:d::e:f:h:imno:p:q::r:tv";
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		int r = take_option(c, opt, optarg, argv);
		if (r != 0)
			return r;
	}
	return 0;
}

static int take_recipients(struct call *c, int argc, char **argv) {
	bool marked = optind > 1 && strcmp(argv[optind - 1], "--") == 0;
	for (int i = optind; i < argc; i++) {
		struct err err = ERR_INIT;
		if (argv[i][0] == '-' && !marked)
			return cli_usage(
				program,
				"%s behind a recipient: options go before the "
				"recipients; with -- before them it would be one",
				argv[i]);
		if (submission_add(&c->s, span_str(argv[i]), &err) != 0)
			return cli_usage(program, "%s", err.msg);
	}
	if (c->s.to.count == 0 && !c->s.extract)
		return cli_usage(program, "no recipient, and no -t");
	return 0;
}

static int run_mailq(const struct call *c, bool flushes) {
	AUTO_BUF struct buf flush = BUF_INIT(SIZE_MAX / 4);
	const char *argv[8] = { "mailq" };
	size_t n = 1;
	buf_addf(&flush, "-q%s", c->flush_which ? c->flush_which : "");
	if (c->config) {
		argv[n++] = "--config";
		argv[n++] = c->config;
	}
	if (flushes)
		argv[n++] = buf_str(&flush);
	return cli_exec(program, "mailq", argv);
}

static int speak_smtp(const struct call *c) {
	struct settings settings;
	int status = cli_load(program, c->config, &settings);
	if (status == EX_OK)
		status = sendmail_smtp(&settings);
	config_release(&settings);
	return status;
}

/* -bv: what would become of mail to these, from the caller or the sender of -f. */
static int run_explain(const struct call *c, int argc, char **argv) {
	struct user user;
	const char *from = "";
	if (optind == argc)
		return cli_usage(program, "-bv: no address to verify");
	if (c->s.from_set)
		from = c->s.from.len ? c->s.from_text : "";
	else if (user_by_uid(getuid(), &user))
		from = user.name;
	return cli_exec_explain(program, c->config, CLI_EXPLAIN_WORDS, NULL, from,
				argv + optind, (size_t)(argc - optind));
}

static int queue_message(struct call *c) {
	struct settings settings;
	struct queue_id id;
	struct err err = ERR_INIT;
	int status = cli_load(program, c->config, &settings);
	if (status == EX_OK) {
		c->s.settings = &settings;
		status = submission_run(&c->s, STDIN_FILENO, &id, &err);
		if (status != EX_OK)
			cli_fail(program, status, "not queued: %s", err.msg);
		else if (c->verbose)
			printf("queued as %s\n", queue_id_text(&id).s);
	}
	config_release(&settings);
	return status;
}

static int act(struct call *c, int argc, char **argv) {
	int r = take_options(c, argc, argv);
	if (r != 0)
		return r < 0 ? EX_OK : r;
	if (c->mode == 'i')
		return EX_OK;
	if (c->mode == 's')
		return speak_smtp(c);
	if (c->mode == 'p')
		return run_mailq(c, false);
	if (c->flush)
		return run_mailq(c, true);
	if (c->mode == 'v')
		return run_explain(c, argc, argv);
	r = take_recipients(c, argc, argv);
	return r != 0 ? r : queue_message(c);
}

/* The name of the link that this program was called by. */
static struct span called_as(const char *argv0) {
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	return span_str(slash ? slash + 1 : argv0);
}

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	struct call c = { .mode = 'm' };
	struct span name = called_as(argc ? argv[0] : NULL);
	if (span_eq(name, SPAN("mailq")))
		return cli_exec(program, "mailq", (const char *const *)argv);
	if (span_eq(name, SPAN("newaliases")))
		c.mode = 'i';
	c.flush = span_eq(name, SPAN("runq"));
	int status = act(&c, argc, argv);
	submission_release(&c.s);
	return status;
}
