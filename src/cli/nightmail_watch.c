/*
 * nightmail watch: the last results, or new ones: then the daemon is asked until it has them. It
 * checks, nobody else: what is told and what is shown is the same.
 */

#include "cli/nightmail_watch.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/term.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/nightmail_status.h"

#define POLL_NS 200000000L
#define DOMAIN_MS (400 * 1000LL) /* the two programs of a check have an end before that */
#define ANSWER_MAX (64u << 20)

static const char program[] = "nightmail watch";

static const char help[] =
	"usage: nightmail watch [--config FILE] [--json] [--now] [DOMAIN]\n"
	"What the daemon last found out about the domains of [watch]; of one all of it.\n"
	"  --now          check them now, and wait for that\n"
	"  --config FILE  the configuration that the daemon was started with\n"
	"  --json         the daemon's answer, one JSON object a domain\n"
	"exit 0: all is well, 1: a warning, 2: a failure, 3: not known\n";

struct call {
	const char *config, *domain;
	bool json, now, done;
};

static int take_options(struct call *c, int argc, char **argv) {
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "now", no_argument, NULL, 'n' },
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
		case 'n':
			c->now = true;
			break;
		case 'h':
			fputs(help, stdout);
			c->done = true;
			return EX_OK;
		default:
			return cli_bad_option(program, opt, argv, longs);
		}
	}
	if (optind < argc)
		c->domain = argv[optind++];
	return optind < argc
		       ? cli_usage(program, "unexpected argument '%s'", argv[optind])
		       : EX_OK;
}

/* --- asking --- */

static int add_line(void *ctx, struct span line) {
	struct buf *answer = ctx;
	buf_add(answer, line);
	return buf_addc(answer, '\n');
}

static int ask(const struct call *c, bool now, struct buf *answer) {
	AUTO_BUF struct buf request = BUF_INIT(1024);
	buf_reset(answer);
	buf_adds(&request, "watch");
	if (c->domain)
		codec_word_add(&request, "domain", span_str(c->domain));
	if (now)
		buf_adds(&request, " now=1");
	if (buf_failed(&request))
		return cli_usage(program, "that is no domain");
	return nightmail_ask(program, c->config, buf_span(&request), add_line, answer);
}

/* Counts the domains, and those among them that are being checked. */
static size_t count(const struct buf *answer, size_t *ret_running) {
	struct span rest = buf_span(answer), line;
	size_t n = 0;
	*ret_running = 0;
	for (; span_take_line(&rest, &line); n++) {
		AUTO_JSON json_t *d = json_loadb(line.p, line.len, 0, NULL);
		*ret_running += json_is_true(json_object_get(d, "running"));
	}
	return n;
}

static int wait_for_results(const struct call *c, struct buf *answer) {
	const struct timespec pause = { .tv_nsec = POLL_NS };
	int64_t begun_ms = clock_boot_ms();
	size_t running;
	int64_t most_ms = DOMAIN_MS * (int64_t)count(answer, &running);
	while (running > 0) {
		if (clock_boot_ms() - begun_ms > most_ms)
			return cli_fail(program, EX_TEMPFAIL,
					"the daemon takes too long");
		nanosleep(&pause, NULL);
		int status = ask(c, false, answer);
		if (status != EX_OK)
			return status;
		count(answer, &running);
	}
	return EX_OK;
}

/* --- showing --- */

static void print_part(const char *before, struct span text) {
	fputs(before, stdout);
	/* made safe by whoever wrote it down */
	AUTO_BUF struct buf safe = BUF_INIT(1u << 20);
	term_safe_again(&safe, text);
	fputs(buf_str(&safe), stdout);
}

static void print_time(const char *before, int64_t seconds, const char *after) {
	AUTO_BUF struct buf text = BUF_INIT(64);
	term_duration(&text, seconds > 0 ? seconds * 1000 : 0);
	printf("%s%s%s", before, buf_str(&text), after);
}

static void print_findings(const json_t *d, bool all) {
	size_t i;
	json_t *f;
	json_array_foreach(json_object_get(d, "findings"), i, f) {
		struct span severity = answer_text(f, "severity");
		if (!all && span_eq(severity, SPAN("unknown")))
			continue;
		printf("  %-7.*s %.*s", (int)severity.len, severity.p,
		       (int)answer_text(f, "id").len, answer_text(f, "id").p);
		if (!span_eq(answer_text(f, "subject"), answer_text(d, "domain")))
			print_part(" ", answer_text(f, "subject"));
		print_part(": ", answer_text(f, "text"));
		putchar('\n');
	}
}

static void print_records(const json_t *d) {
	size_t i;
	json_t *r;
	json_array_foreach(json_object_get(d, "records"), i, r) {
		if (answer_text(r, "value").len == 0)
			continue;
		print_part("  ", answer_text(r, "name"));
		print_part(". ", answer_text(r, "type"));
		print_part(" ", answer_text(r, "value"));
		putchar('\n');
	}
}

void nightmail_watch_line(const json_t *d, int64_t now_s) {
	int64_t checked = answer_number(d, "checked"), next = answer_number(d, "next");
	print_part("", answer_text(d, "domain"));
	if (checked == 0)
		fputs(": not checked yet", stdout);
	else
		print_part(": ", answer_text(d, "verdict"));
	if (checked > 0)
		print_time(", checked ", now_s - checked, " ago");
	if (json_is_true(json_object_get(d, "running")))
		fputs(", being checked now", stdout);
	else
		print_time(", next check in ", next - now_s, "");
	putchar('\n');
}

static void print_domain(const struct call *c, const json_t *d) {
	int64_t now_s = clock_wall_ms() / 1000, changed = answer_number(d, "changed");
	nightmail_watch_line(d, now_s);
	if (answer_number(d, "silent") > 0) {
		print_part("  not all was told: ", answer_text(d, "why"));
		putchar('\n');
	}
	print_findings(d, c->domain != NULL);
	if (changed > 0) {
		print_time("  changed ", now_s - changed, " ago: ");
		print_part("", answer_text(d, "change"));
		putchar('\n');
	}
	if (c->domain)
		print_records(d);
}

static int code_of(const json_t *d) {
	static const char *const verdicts[] = { "ok", "warn", "fail" };
	for (int i = 0; i < 3; i++)
		if (span_eq(answer_text(d, "verdict"), span_str(verdicts[i])))
			return i;
	return 3;
}

/* A failure is worse than what is not known, and that than a warning. */
static int worse(int a, int b) {
	static const int rank[] = { 0, 1, 3, 2 };
	return rank[b] > rank[a] ? b : a;
}

static int show(const struct call *c, const struct buf *answer) {
	struct span rest = buf_span(answer), line;
	int code = 0;
	while (span_take_line(&rest, &line)) {
		AUTO_JSON json_t *d = json_loadb(line.p, line.len, 0, NULL);
		code = worse(code, code_of(d));
		if (c->json)
			printf("%.*s\n", (int)line.len, line.p);
		else
			print_domain(c, d);
	}
	return code;
}

int nightmail_watch(int argc, char **argv) {
	AUTO_BUF struct buf answer = BUF_INIT(ANSWER_MAX);
	struct call c = { .config = NULL };
	int status = take_options(&c, argc, argv);
	if (status != EX_OK || c.done)
		return status;
	status = ask(&c, c.now, &answer);
	if (status == EX_OK && c.now)
		status = wait_for_results(&c, &answer);
	return status == EX_OK ? show(&c, &answer) : status;
}
