/*
 * send: the friendly way to queue a message from the shell. Recipients, subject and
 * header fields come from the command line, the text from standard input or an editor; the
 * message is built as MIME and goes the same way as one given to sendmail. This file reads
 * the command line; cli/send.h says who does the rest.
 */

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
#include "cli/send.h"
#include "cli/send_wait.h"
#include "queue/envelope.h"

const char send_program[] = "send";

static const char help[] =
	"usage: send RECIPIENT... [-s SUBJECT] [OPTIONS] < TEXT\n"
	"       send -t [RECIPIENT...] [OPTIONS] < MESSAGE\n"
	"       send --template FILE --data FILE.csv|.json [OPTIONS]\n"
	"Queues a message; exit 0 means that it is on disk and will be delivered.\n"
	"  -s, --subject TEXT      subject\n"
	"  --to, --cc, --bcc LIST  more recipients: addresses, or \"Name <address>\"\n"
	"  --from, --reply-to ADDR From field and envelope sender; where answers go\n"
	"  --header 'NAME: VALUE'  one more header field\n"
	"  -a, --attach FILE       attach a file\n"
	"  --html FILE             HTML beside the text; -: HTML alone, on stdin\n"
	"  --inline FILE           a picture in it: <img src=\"cid:FILE\">\n"
	"  --unsubscribe URL       a list's way out: https://... or mailto:...\n"
	"  --receipt               ask for a delivery receipt\n"
	"  -t                      read a whole message; recipients from To, Cc and Bcc\n"
	"  -f, -r ADDR; -F NAME    envelope sender ('' is the null one); full name\n"
	"  --template FILE, --data FILE   a message for each row; {{field}} is filled in\n"
	"  --yes                   do not ask before the messages of --data are queued\n"
	"  --at TIME               not before 18:30, 'tomorrow 08:00', 2h (from now), ...\n"
	"  --priority WORD; --relay NAME   high, normal, low; by this relay\n"
	"  --require-tls           over verified TLS all the way, or not at all\n"
	"  --wait, --timeout TIME  follow the delivery, at most 5m or TIME\n"
	"  --dry-run               show what would go out and where, queue nothing\n"
	"  -v, --verbose; --json   print the queue ID; print a JSON object\n"
	"  --config FILE, --help, --version (-i is accepted and always on)\n";

enum {
	OPT_TO = 256,
	OPT_CC,
	OPT_BCC,
	OPT_FROM,
	OPT_REPLY_TO,
	OPT_HEADER,
	OPT_HTML,
	OPT_INLINE,
	OPT_UNSUBSCRIBE,
	OPT_RECEIPT,
	OPT_TEMPLATE,
	OPT_DATA,
	OPT_YES,
	OPT_AT,
	OPT_PRIORITY,
	OPT_RELAY,
	OPT_REQUIRE_TLS,
	OPT_WAIT,
	OPT_TIMEOUT,
	OPT_DRY_RUN,
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
	{ "attach", required_argument, NULL, 'a' },
	{ "html", required_argument, NULL, OPT_HTML },
	{ "inline", required_argument, NULL, OPT_INLINE },
	{ "unsubscribe", required_argument, NULL, OPT_UNSUBSCRIBE },
	{ "receipt", no_argument, NULL, OPT_RECEIPT },
	{ "template", required_argument, NULL, OPT_TEMPLATE },
	{ "data", required_argument, NULL, OPT_DATA },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "at", required_argument, NULL, OPT_AT },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ "relay", required_argument, NULL, OPT_RELAY },
	{ "require-tls", no_argument, NULL, OPT_REQUIRE_TLS },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int add_recipient(struct send_call *c, enum compose_list list, const char *text) {
	struct err err = ERR_INIT;
	if (submission_add(&c->s, span_str(text), &err) != 0 ||
	    compose_address(&c->mail, list, span_str(text), &err) != 0)
		return cli_usage(send_program, "%s", err.msg);
	return 0;
}

static int set_sender(struct send_call *c, const char *text) {
	struct err err = ERR_INIT;
	if (submission_from(&c->s, span_str(text), &err) != 0)
		return cli_usage(send_program, "%s", err.msg);
	return 0;
}

/* Options of sendmail that would mean something else here. */
static int refuse_sendmail_option(int opt) {
	return cli_usage(send_program, "-%c is an option of sendmail: use sendmail", opt);
}

static int set_subject(struct send_call *c, const char *text) {
	if (compose_subject(&c->mail, span_str(text)) != 0)
		return cli_usage(
			send_program,
			"-s: the subject has a control character or is too long");
	return 0;
}

static int add_file(struct send_call *c, enum send_file_use use, const char *path) {
	struct err err = ERR_INIT;
	if (send_content_add(&c->content, use, path, &err) == 0)
		return 0;
	if (err.kind == ERR_SYNTAX)
		return cli_usage(send_program, "%s", err.msg);
	return cli_fail(send_program, EX_NOINPUT, "not queued: %s", err.msg);
}

/* What is kept until it is known whether a row fills it in. */
static int keep(const char ***list, size_t *count, const char *text) {
	const char **more = realloc(*list, (*count + 1) * sizeof(*more));
	if (!more)
		return cli_fail(send_program, EX_OSERR, "out of memory");
	more[(*count)++] = text;
	*list = more;
	return 0;
}

/* Options of a message's content. */
static int take_content(struct send_call *c, int opt, const char *arg) {
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
		c->reply_to = arg;
		return 0;
	case OPT_HEADER:
		return keep(&c->fields, &c->field_count, arg);
	case OPT_UNSUBSCRIBE:
		return keep(&c->unsubscribe, &c->unsubscribe_count, arg);
	case OPT_HTML:
		c->html = arg;
		return 0;
	case 'a':
		return add_file(c, SEND_ATTACH, arg);
	default:
		return add_file(c, SEND_INLINE, arg);
	}
}

/* One option. Returns 0 to go on, -1 when all is done with success, or an exit code. */
static int take_option(struct send_call *c, int opt, const char *arg, char **argv) {
	switch (opt) {
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
	case OPT_RECEIPT:
		c->s.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
		return 0;
	case OPT_TEMPLATE:
		c->template = arg;
		return 0;
	case OPT_DATA:
		c->data = arg;
		return 0;
	case OPT_YES:
		c->yes = true;
		return 0;
	case OPT_AT:
		return send_take_at(c, arg);
	case OPT_PRIORITY:
		return send_take_priority(c, arg);
	case OPT_RELAY:
		return send_take_relay(c, arg);
	case OPT_REQUIRE_TLS:
		c->s.wishes.require_tls = true;
		return 0;
	case OPT_WAIT:
		c->wait = true;
		return 0;
	case OPT_TIMEOUT:
		c->wait = true;
		if (send_wait_parse(arg, &c->wait_ms))
			return 0;
		return cli_usage(send_program,
				 "--timeout %s: not a time like 30s, 5m or 2h", arg);
	case OPT_DRY_RUN:
		c->dry_run = true;
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
		cli_version(send_program);
		return -1;
	case '?':
	case ':':
		return cli_bad_option(send_program, opt, argv, longs);
	default:
		return take_content(c, opt, arg);
	}
}

static void report(const struct send_call *c, const struct queue_id *id) {
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

/* Queues what c->s describes, or shows it; text is the message's where it is known. */
static int finish(struct send_call *c, struct span text) {
	struct err err = ERR_INIT;
	if (c->dry_run)
		return send_dry_run(c, text);
	int status = submission_run(&c->s, STDIN_FILENO, &c->id, &err);
	if (status != EX_OK)
		return cli_fail(send_program, status, "not queued: %s", err.msg);
	c->queued = true;
	report(c, &c->id);
	return EX_OK;
}

/* A message that was described by options. */
static int compose_message(struct send_call *c) {
	struct send_text t;
	struct send_built built;
	struct err err = ERR_INIT;
	send_text_init(&t);
	int status = send_text_read(c, c->s.settings->size_limit, &t);
	if (status == EX_OK) {
		/* Memory of our own even when there is not a byte. */
		struct span text = span_of(buf_str(&t.text), t.text.len);
		struct span html = t.has_html ? span_of(buf_str(&t.html), t.html.len)
					      : span_of(NULL, 0);
		status = send_build(c, &c->mail, text, html, &built, &err);
		status = status == EX_OK ? finish(c, text)
					 : cli_fail(send_program, status,
						    "not queued: %s", err.msg);
		send_built_release(&built);
	}
	send_text_release(&t, status == EX_OK && !c->dry_run);
	return status;
}

static int queue_message(struct send_call *c) {
	struct settings settings;
	int status = cli_load(send_program, c->config, &settings);
	if (status == EX_OK)
		status = send_check_relay(c, &settings);
	if (status == EX_OK) {
		c->s.settings = &settings;
		if (c->template)
			status = send_merge(c);
		else
			status = c->s.extract ? finish(c, span_of(NULL, 0))
					      : compose_message(c);
		if (status == EX_OK && c->wait && c->queued)
			status = send_wait(&settings, &c->id, c->wait_ms, c->json);
	}
	config_release(&settings);
	return status;
}

static int take_operand(struct send_call *c, const char *text) {
	struct err err = ERR_INIT;
	if (!c->s.extract)
		return add_recipient(c, COMPOSE_TO, text);
	if (submission_add(&c->s, span_str(text), &err) != 0)
		return cli_usage(send_program, "%s", err.msg);
	return 0;
}

static int act(struct send_call *c, int argc, char **argv) {
	int opt, r;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":s:a:tf:r:F:ivb::o::q::", longs, NULL)) !=
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
	r = send_check(c);
	return r != 0 ? r : queue_message(c);
}

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	struct send_call c = { .wait_ms = SEND_WAIT_DEFAULT_MS };
	compose_init(&c.mail);
	send_content_init(&c.content);
	int status = act(&c, argc, argv);
	submission_release(&c.s);
	compose_release(&c.mail);
	send_content_release(&c.content);
	free(c.fields);
	free(c.unsubscribe);
	return status;
}
