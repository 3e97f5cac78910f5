/*
 * nightmail status, reload, relay: one request each to the daemon's control socket. The
 * answers are JSON lines (control/control.h); --json passes them on as they are.
 */

#include "cli/nightmail_status.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/term.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/nightmail_watch.h"
#include "control/control.h"

#define ANSWER_TIMEOUT_MS 60000
#define EXIT_WARNING 1 /* of the codes that monitoring reads */
#define EXIT_FAILURE_STATE 2

static const char help[] =
	"usage: nightmail status [--config FILE] [--json]\n"
	"       nightmail reload [--config FILE] [--json]\n"
	"  status  the daemon, its relays, and how much mail waits;\n"
	"          exit 0: all is well, 1: a relay is held, or there is a warning,\n"
	"          2: nothing can be delivered\n"
	"  reload  the daemon reads its configuration again;\n"
	"          one with errors changes nothing\n"
	"  --config FILE  the configuration that the daemon was started with\n"
	"  --json         the daemon's answer, one JSON object a line\n";

struct call {
	const char *program;
	const char *config;
	bool json;
	bool done;
	int status; /* what the answer means */
};

static int take_options(struct call *c, int argc, char **argv) {
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			c->config = optarg;
			break;
		case 'j':
			c->json = true;
			break;
		case 'h':
			fputs(help, stdout);
			c->done = true;
			return EX_OK;
		default:
			return cli_bad_option(c->program, opt, argv, longs);
		}
	}
	return optind < argc
		       ? cli_usage(c->program, "unexpected argument '%s'", argv[optind])
		       : EX_OK;
}

int nightmail_ask(const char *program, const char *config, struct span request,
		  control_line_fn *fn, void *ctx) {
	struct settings s;
	struct err err = ERR_INIT;
	AUTO_BUF struct buf complaints = BUF_INIT(1u << 20), path = BUF_INIT(4096);
	if (config_load(config, &s, &complaints) != 0 && !config_usable(&s)) {
		cli_complaints(program, &complaints);
		config_release(&s);
		return EX_CONFIG;
	}
	buf_addf(&path, "%s/control", s.rundir);
	config_release(&s);
	if (control_ask(buf_str(&path), request, ANSWER_TIMEOUT_MS, fn, ctx, &err) == 0)
		return EX_OK;
	cli_fail(program, 0, "%s", err.msg);
	if (err.kind == ERR_DENIED)
		return EX_NOPERM;
	return err.kind == ERR_REMOTE ? EX_CONFIG : EX_UNAVAILABLE;
}

static void print_span_of_time(const char *words, int64_t seconds) {
	AUTO_BUF struct buf text = BUF_INIT(64);
	term_duration(&text, seconds > 0 ? seconds * 1000 : 0);
	printf("%s%s", words, buf_str(&text));
}

static void print_next(int64_t seconds) {
	if (seconds > 0)
		print_span_of_time(", next try in ", seconds);
	else
		fputs(", next try now", stdout);
}

static bool is_held(const json_t *relay) {
	return span_eq(answer_text(relay, "state"), SPAN("held"));
}

static void print_waiting(const json_t *r) {
	if (json_object_get(r, "messages"))
		printf("; waiting: %lld", (long long)answer_number(r, "messages"));
}

static void print_slow(const json_t *r, int64_t now) {
	if (answer_text(r, "slow").len == 0)
		return;
	fputs("         ", stdout);
	term_print(stdout, answer_text(r, "slow"));
	print_span_of_time("; again in ", answer_number(r, "slow_until") - now);
	putchar('\n');
}

static void print_relay(const json_t *r, int64_t now) {
	fputs("relay    ", stdout);
	term_print(stdout, answer_text(r, "name"));
	fputs(": ", stdout);
	if (!is_held(r)) {
		if (span_eq(answer_text(r, "state"), SPAN("unknown")))
			fputs("not tried yet", stdout);
		else
			term_print(stdout, answer_text(r, "state"));
		printf("; connections: %lld", (long long)answer_number(r, "connections"));
		print_waiting(r);
		putchar('\n');
		if (answer_text(r, "waits").len > 0) {
			fputs("         ", stdout);
			term_print(stdout, answer_text(r, "waits"));
			putchar('\n');
		}
		print_slow(r, now);
		return;
	}
	print_span_of_time("held for ", now - answer_number(r, "since"));
	print_next(answer_number(r, "next") - now);
	print_waiting(r);
	fputs("\n         ", stdout);
	term_print(stdout, answer_text(r, json_object_get(r, "reason") ? "reason" : "words"));
	fputc('\n', stdout);
}

static void print_destination(const json_t *d, int64_t now) {
	fputs("trouble  ", stdout);
	term_print(stdout, answer_text(d, "domain"));
	printf(": waiting: %lld", (long long)answer_number(d, "waiting"));
	if (json_is_integer(json_object_get(d, "next")))
		print_next(answer_number(d, "next") - now);
	fputs("\n         ", stdout);
	term_print(stdout, answer_text(d, "reply"));
	fputc('\n', stdout);
}

static void print_done(const json_t *n) {
	if (n)
		printf("since    the start: %lld queued, %lld delivered, %lld deferred, %lld "
		       "bounced\n",
		       (long long)answer_number(n, "queued"), (long long)answer_number(n, "delivered"),
		       (long long)answer_number(n, "deferred"), (long long)answer_number(n, "bounced"));
}

static void print_queue(const json_t *m) {
	if (json_object_get(m, "queue")) {
		fputs("queue    ", stdout);
		term_print(stdout, answer_text(m, "queue"));
	} else {
		fputs("queue    your mail", stdout);
	}
	printf(": %lld waiting, %lld being delivered, %lld held\n",
	       (long long)answer_number(m, "waiting"), (long long)answer_number(m, "active"),
	       (long long)answer_number(m, "held"));
}

static void print_complaint(const char *before, struct span words) {
	if (words.len == 0)
		return;
	fputs(before, stdout);
	term_print(stdout, words);
	fputc('\n', stdout);
}

static void print_watch(const json_t *d, int64_t now) {
	fputs("watch    ", stdout);
	nightmail_watch_line(d, now);
	print_complaint("         ", answer_text(d, "why"));
}

static void print_status(const json_t *m) {
	int64_t now = clock_wall_ms() / 1000;
	size_t i;
	json_t *one;
	printf("daemon   running as process %lld", (long long)answer_number(m, "pid"));
	print_span_of_time(" for ", now - answer_number(m, "since"));
	putchar('\n');
	print_queue(m);
	json_array_foreach(json_object_get(m, "relays"), i, one) print_relay(one, now);
	json_array_foreach(json_object_get(m, "destinations"), i, one)
		print_destination(one, now);
	json_array_foreach(json_object_get(m, "warnings"), i, one)
		print_complaint("warning  ",
				span_of(json_string_value(one), json_string_length(one)));
	json_array_foreach(json_object_get(m, "watch"), i, one) print_watch(one, now);
	print_done(json_object_get(m, "since_start"));
	print_complaint("nothing can be delivered: ", answer_text(m, "complaint"));
	print_complaint("reload refused, the old configuration is in force: ",
			answer_text(m, "rejected"));
}

static int verdict(const json_t *m) {
	size_t i;
	json_t *r;
	if (answer_text(m, "complaint").len)
		return EXIT_FAILURE_STATE;
	json_array_foreach(json_object_get(m, "relays"), i, r) if (is_held(r)) return EXIT_WARNING;
	bool warned = json_array_size(json_object_get(m, "warnings")) > 0;
	return warned || answer_text(m, "rejected").len ? EXIT_WARNING : EX_OK;
}

static int status_line(void *ctx, struct span line) {
	struct call *c = ctx;
	AUTO_JSON json_t *m = json_loadb(line.p, line.len, 0, NULL);
	c->status = verdict(m);
	if (c->json)
		printf("%.*s\n", (int)line.len, line.p);
	else
		print_status(m);
	return 0;
}

int nightmail_status(int argc, char **argv) {
	struct call c = { .program = "nightmail status" };
	int status = take_options(&c, argc, argv);
	if (status == EX_OK && !c.done)
		status = nightmail_ask(c.program, c.config, SPAN("status"), status_line, &c);
	return status == EX_OK ? c.status : status;
}

static int reload_line(void *ctx, struct span line) {
	const struct call *c = ctx;
	AUTO_JSON json_t *m = json_loadb(line.p, line.len, 0, NULL);
	struct span words = answer_text(m, "complaint");
	if (c->json)
		printf("%.*s\n", (int)line.len, line.p);
	else
		cli_fail(c->program, 0, "%.*s", (int)words.len, words.p);
	return 0;
}

int nightmail_reload(int argc, char **argv) {
	struct call c = { .program = "nightmail reload" };
	int status = take_options(&c, argc, argv);
	if (status == EX_OK && !c.done)
		status = nightmail_ask(c.program, c.config, SPAN("reload"), reload_line, &c);
	return status;
}

static const char relay_help[] =
	"usage: nightmail relay [--config FILE] trust NAME\n"
	"  trust NAME     which login mechanisms the servers of [relay NAME] have offered\n"
	"                 is forgotten: those they offer now will do (auth-downgrade)\n"
	"  --config FILE  the configuration that the daemon was started with\n";

int nightmail_relay(int argc, char **argv) {
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct call c = { .program = "nightmail relay" };
	AUTO_BUF struct buf request = BUF_INIT(1024);
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (opt == 'h') {
			fputs(relay_help, stdout);
			return EX_OK;
		}
		if (opt != 'c')
			return cli_bad_option(c.program, opt, argv, longs);
		c.config = optarg;
	}
	if (optind + 2 != argc || strcmp(argv[optind], "trust") != 0)
		return cli_usage(c.program, "trust and the name of a relay are needed");
	buf_adds(&request, "trust");
	codec_word_add(&request, "relay", span_str(argv[optind + 1]));
	if (buf_failed(&request))
		return cli_usage(c.program, "that is no relay's name");
	int status = nightmail_ask(c.program, c.config, buf_span(&request), reload_line, &c);
	if (status == EX_OK)
		printf("relay %s is trusted with what it offers now\n", argv[optind + 1]);
	return status;
}
