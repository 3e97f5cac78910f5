/*
 * send: the friendly way to queue a message from the shell. Recipients, subject and
 * header fields come from the command line, the text from standard input; the message is
 * built as MIME and goes the same way as one given to sendmail.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "cli/submission.h"
#include "mail/compose.h"

#define READ_SIZE 65536
#define HEADER_MAX (16u << 20)

static const char program[] = "send";

static const char help[] =
	"usage: send RECIPIENT... [-s SUBJECT] [OPTIONS] < TEXT\n"
	"       send -t [RECIPIENT...] [OPTIONS] < MESSAGE\n"
	"Queues a message; exit 0 means that it is on disk and will be delivered.\n"
	"  -s, --subject TEXT      subject\n"
	"  --to, --cc, --bcc LIST  more recipients: addresses, or \"Name <address>\"\n"
	"  --from ADDR             From field and envelope sender\n"
	"  --reply-to ADDR         where answers go\n"
	"  --header 'NAME: VALUE'  one more header field\n"
	"  -t                      read a whole message; recipients from To, Cc and Bcc\n"
	"  -f, -r ADDR             envelope sender; '' or '<>' is the null sender\n"
	"  -F NAME                 full name for the From field\n"
	"  -v, --verbose           print the queue ID even when not on a terminal\n"
	"  --json                  print {\"id\":..., \"recipients\":N}\n"
	"  --config FILE, --help, --version\n"
	"-i is accepted and always on.\n";

struct call {
	const char *config;
	bool verbose, json;
	const char *from; /* --from */
	struct submission s;
	struct compose mail;
};

enum {
	OPT_TO = 256,
	OPT_CC,
	OPT_BCC,
	OPT_FROM,
	OPT_REPLY_TO,
	OPT_HEADER,
	OPT_VERBOSE,
	OPT_JSON,
	OPT_CONFIG,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option longs[] = {
	{ "subject", required_argument, NULL, 's' },
	{ "to", required_argument, NULL, OPT_TO },
	{ "cc", required_argument, NULL, OPT_CC },
	{ "bcc", required_argument, NULL, OPT_BCC },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "reply-to", required_argument, NULL, OPT_REPLY_TO },
	{ "header", required_argument, NULL, OPT_HEADER },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int add_recipient(struct call *c, enum compose_list list, const char *text) {
	struct err err = ERR_INIT;
	if (submission_add(&c->s, span_str(text), &err) != 0 ||
	    compose_address(&c->mail, list, span_str(text), &err) != 0)
		return cli_usage(program, "%s", err.msg);
	return 0;
}

static int set_sender(struct call *c, const char *text) {
	struct err err = ERR_INIT;
	if (submission_from(&c->s, span_str(text), &err) != 0)
		return cli_usage(program, "%s", err.msg);
	return 0;
}

static int add_field(struct call *c, const char *text) {
	struct err err = ERR_INIT;
	if (compose_field(&c->mail, span_str(text), &err) != 0)
		return cli_usage(program, "--header: %s", err.msg);
	return 0;
}

/* Options of sendmail that would mean something else here. */
static int refuse_sendmail_option(int opt) {
	return cli_usage(program, "-%c is an option of sendmail: use sendmail", opt);
}

static int set_subject(struct call *c, const char *text) {
	if (compose_subject(&c->mail, span_str(text)) != 0)
		return cli_usage(
			program,
			"-s: the subject has a control character or is too long");
	return 0;
}

static int set_reply_to(struct call *c, const char *text) {
	struct err err = ERR_INIT;
	if (compose_address(&c->mail, COMPOSE_REPLY_TO, span_str(text), &err) != 0)
		return cli_usage(program, "--reply-to: %s", err.msg);
	return 0;
}

/* One option. Returns 0 to go on, -1 when all is done with success, or an exit code. */
static int take_option(struct call *c, int opt, const char *arg, char **argv) {
	switch (opt) {
	case 's':
		return set_subject(c, arg);
	case OPT_TO:
		return add_recipient(c, COMPOSE_TO, arg);
	case OPT_CC:
		return add_recipient(c, COMPOSE_CC, arg);
	case OPT_BCC:
		return add_recipient(c, COMPOSE_BCC, arg);
	case OPT_FROM:
		c->from = arg;
		return 0;
	case OPT_REPLY_TO:
		return set_reply_to(c, arg);
	case OPT_HEADER:
		return add_field(c, arg);
	case 't':
		c->s.extract = true;
		return 0;
	case 'f':
	case 'r':
		return set_sender(c, arg);
	case 'F':
		c->s.full_name = span_str(arg);
		return 0;
	case 'i':
		return 0;
	case 'v':
	case OPT_VERBOSE:
		c->verbose = true;
		return 0;
	case OPT_JSON:
		c->json = true;
		return 0;
	case OPT_CONFIG:
		c->config = arg;
		return 0;
	case 'b':
	case 'o':
	case 'q':
		return refuse_sendmail_option(opt);
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

/* Reads the text of the message, at most the size limit. */
static int read_text(uint64_t limit, struct buf *text, struct err *err) {
	ssize_t n = 1;
	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
		fputs("type the text and end it with Ctrl-D on a line of its own\n",
		      stderr);
	while (n != 0) {
		char *room = buf_room(text, READ_SIZE);
		if (!room)
			return err_set(err, ERR_MEMORY, "out of memory");
		if (text->len > limit)
			return err_set(err, ERR_LIMIT,
				       "the text is bigger than the limit of %llu bytes",
				       (unsigned long long)limit);
		n = read(STDIN_FILENO, room, READ_SIZE);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "cannot read the text");
		buf_grew(text, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

static void report(const struct call *c, const struct queue_id *id) {
	if (c->json) {
		AUTO_BUF struct buf out = BUF_INIT(1024);
		struct json j = json_into(&out);
		json_object(&j, NULL);
		json_str(&j, "id", span_str(queue_id_text(id).s));
		json_int(&j, "recipients", (int64_t)c->s.to.count);
		json_end(&j);
		puts(buf_str(&out));
	} else if (c->verbose || isatty(STDOUT_FILENO)) {
		printf("queued as %s\n", queue_id_text(id).s);
	}
}

/* Builds header and body of a message that was described by options. */
static int build(struct call *c, struct buf *header, struct buf *text,
		 struct buf *encoded, struct err *err) {
	if (read_text(c->s.settings->size_limit, text, err) != 0)
		return err->kind == ERR_LIMIT    ? EX_DATAERR
		       : err->kind == ERR_SYSTEM ? EX_NOINPUT
						 : EX_TEMPFAIL;
	if (compose_finish(&c->mail, span_of(buf_str(text), text->len), header, encoded,
			   &c->s.body, err) != 0)
		return err->kind == ERR_MEMORY ? EX_TEMPFAIL : EX_DATAERR;
	c->s.header = buf_span(header);
	return EX_OK;
}

static int queue_message(struct call *c) {
	AUTO_BUF struct buf header = BUF_INIT(HEADER_MAX);
	AUTO_BUF struct buf text = BUF_INIT(SIZE_MAX / 8);
	AUTO_BUF struct buf encoded = BUF_INIT(SIZE_MAX / 2);
	struct settings settings;
	struct queue_id id;
	struct err err = ERR_INIT;
	int status = cli_load(program, c->config, &settings);
	if (status == EX_OK) {
		c->s.settings = &settings;
		if (!c->s.extract)
			status = build(c, &header, &text, &encoded, &err);
		if (status == EX_OK)
			status = submission_run(&c->s, STDIN_FILENO, &id, &err);
		if (status != EX_OK)
			cli_fail(program, status, "not queued: %s", err.msg);
		else
			report(c, &id);
	}
	config_release(&settings);
	return status;
}

/* --from is the From field, and the envelope's sender where -f does not say otherwise. */
static int apply_from(struct call *c) {
	struct err err = ERR_INIT;
	if (compose_address(&c->mail, COMPOSE_FROM, span_str(c->from), &err) != 0)
		return cli_usage(program, "--from: %s", err.msg);
	return c->s.from_set ? 0 : set_sender(c, c->from);
}

static int check_call(struct call *c) {
	if (c->s.extract && (compose_used(&c->mail) || c->from))
		return cli_usage(
			program,
			"-t reads a whole message, so -s, --to, --cc, --bcc, --from, "
			"--reply-to and --header cannot go with it; either: "
			"send RECIPIENT -s SUBJECT < TEXT, or: send -t < MESSAGE");
	if (!c->s.extract && c->s.to.count == 0)
		return cli_usage(program,
				 "no recipient: send RECIPIENT -s SUBJECT < TEXT");
	return c->from ? apply_from(c) : 0;
}

static int take_operand(struct call *c, const char *text) {
	struct err err = ERR_INIT;
	if (!c->s.extract)
		return add_recipient(c, COMPOSE_TO, text);
	if (submission_add(&c->s, span_str(text), &err) != 0)
		return cli_usage(program, "%s", err.msg);
	return 0;
}

static int act(struct call *c, int argc, char **argv) {
	int opt, r;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":s:tf:r:F:ivb::o::q::", longs, NULL)) !=
	       -1) {
		r = take_option(c, opt, optarg, argv);
		if (r != 0)
			return r < 0 ? EX_OK : r;
	}
	for (int i = optind; i < argc; i++) {
		r = take_operand(c, argv[i]);
		if (r != 0)
			return r;
	}
	r = check_call(c);
	return r != 0 ? r : queue_message(c);
}

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	struct call c = { .verbose = false };
	compose_init(&c.mail);
	int status = act(&c, argc, argv);
	submission_release(&c.s);
	compose_release(&c.mail);
	return status;
}
