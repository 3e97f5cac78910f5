/*
 * nightmail tlsrpt: the spool is read, the daemon is not asked. Of a day that is not over the
 * report is made here as the daemon will make it; of others the file is shown. In both cases
 * the text is what stands in its JSON.
 */

#include "cli/nightmail_tlsrpt.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/term.h"
#include "base/utcday.h"
#include "cli/cli.h"
#include "config/settings.h"
#include "deliver/tls_report.h"
#include "queue/tlsrptlog.h"

#define REPORT_MAX (64u << 20)

static const char program[] = "nightmail tlsrpt";

static const char help[] =
	"usage: nightmail tlsrpt [--config FILE] [--json] [DAY]\n"
	"Shows how the TLS of our connections went on DAY (2026-11-22, UTC), or today\n"
	"so far: for each policy of a destination (MTA-STS, DANE, or none found) how\n"
	"many sessions succeeded, how many failed, and why. When a day is over the\n"
	"daemon writes this as a report of RFC 8460, which is kept for 30 days.\n"
	"  --config FILE  read FILE instead of the person's or the system's files\n"
	"  --json         the report itself, one JSON object\n";

static void auto_json(json_t **j) {
	json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(auto_json)))

struct call {
	const char *config;
	bool json, done;
	int64_t today, day;
};

static struct span text_of(const json_t *object, const char *key) {
	const json_t *v = json_object_get(object, key);
	return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v))
				 : SPAN("");
}

static int64_t number_of(const json_t *object, const char *key) {
	return json_integer_value(json_object_get(object, key));
}

/* --- in words --- */

static void print_failure(const json_t *f) {
	struct span mx = text_of(f, "receiving-mx-hostname"),
		    ip = text_of(f, "receiving-ip");
	struct span why = text_of(f, "failure-reason-code");
	printf("  %8lld  ", (long long)number_of(f, "failed-session-count"));
	term_print(stdout, text_of(f, "result-type"));
	if (mx.len > 0) {
		fputs(" at ", stdout);
		term_print(stdout, mx);
	}
	if (ip.len > 0) {
		putchar('[');
		term_print(stdout, ip);
		putchar(']');
	}
	if (why.len > 0) {
		fputs(": ", stdout);
		term_print(stdout, why);
	}
	putchar('\n');
}

static int64_t good_of(const json_t *policy) {
	return number_of(json_object_get(policy, "summary"),
			 "total-successful-session-count");
}

static int64_t bad_of(const json_t *policy) {
	return number_of(json_object_get(policy, "summary"),
			 "total-failure-session-count");
}

static void print_policy(const json_t *p) {
	const json_t *policy = json_object_get(p, "policy");
	size_t i;
	json_t *failure;
	term_print(stdout, text_of(policy, "policy-domain"));
	fputs(" (", stdout);
	term_print(stdout, text_of(policy, "policy-type"));
	printf("): %lld good, %lld failed\n", (long long)good_of(p),
	       (long long)bad_of(p));
	json_array_foreach(json_object_get(p, "failure-details"), i, failure)
		print_failure(failure);
}

static void print_sums(const struct call *c, const json_t *policies) {
	int64_t good = 0, bad = 0;
	size_t i;
	json_t *p;
	json_array_foreach(policies, i, p) {
		good += good_of(p);
		bad += bad_of(p);
	}
	printf("%s%s: ", utcday_name(c->day).s, c->day == c->today ? ", so far" : "");
	if (json_array_size(policies) == 0)
		puts("nothing was counted");
	else
		printf("%lld good, %lld failed\n", (long long)good, (long long)bad);
}

static int print_words(const struct call *c, struct queue *q, struct span report,
		       bool made) {
	AUTO_JSON json_t *all = json_loadb(report.p, report.len, 0, NULL);
	AUTO_BUF struct buf path = BUF_INIT(8192);
	const json_t *policies = json_object_get(all, "policies");
	size_t i;
	json_t *p;
	if (!all)
		return cli_fail(program, EX_DATAERR, "the report of %s is damaged",
				utcday_name(c->day).s);
	print_sums(c, policies);
	json_array_foreach(policies, i, p) print_policy(p);
	tlsrptlog_report_path(q, c->day, &path);
	if (made || c->day == c->today) {
		fputs(made ? "report: " : "report, when the day (UTC) is over: ", stdout);
		term_print(stdout, buf_span(&path));
		putchar('\n');
	}
	return EX_OK;
}

/* --- the command --- */

/* Takes the report that was written, or makes one of what was counted so far. */
static int get_report(const struct call *c, struct queue *q, const struct settings *s,
		      struct buf *out, bool *ret_made, struct err *err) {
	struct bag counts = { .max = TLSRPTLOG_LINES_MAX };
	*ret_made = c->day < c->today && tlsrptlog_read_report(q, c->day, out, NULL) == 0;
	if (*ret_made)
		return 0;
	int r = tlsrptlog_read(q, c->day, &counts, err);
	if (r == 0)
		r = tls_report_add(out, &counts, s, c->day, err);
	bag_release(&counts);
	return r;
}

static int show(const struct call *c, struct queue *q, const struct settings *s) {
	AUTO_BUF struct buf report = BUF_INIT(REPORT_MAX);
	struct err err = ERR_INIT;
	bool made;
	if (get_report(c, q, s, &report, &made, &err) != 0)
		return cli_fail(program, EX_NOINPUT, "%s", err.msg);
	if (!c->json)
		return print_words(c, q, buf_span(&report), made);
	fputs(buf_str(&report), stdout);
	return EX_OK;
}

static int run(const struct call *c) {
	AUTO_BUF struct buf complaints = BUF_INIT(1u << 20);
	struct settings s;
	struct err err = ERR_INIT;
	int status = EX_CONFIG;
	if (config_load(c->config, &s, &complaints) != 0 && !config_usable(&s)) {
		cli_complaints(program, &complaints);
	} else {
		struct queue *q = queue_open(s.dir, &err);
		status = q ? show(c, q, &s)
			   : cli_fail(program, EX_NOINPUT, "%s", err.msg);
		queue_free(q);
	}
	config_release(&s);
	return cli_close_output(program, status);
}

static int take_options(struct call *c, int argc, char **argv) {
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
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
			return cli_bad_option(program, opt, argv, options);
		}
	}
	if (optind + 1 < argc)
		return cli_usage(program, "one day, please");
	struct span day = span_str(optind < argc ? argv[optind] : "");
	if (optind < argc && (!utcday_take(&day, &c->day) || day.len > 0))
		return cli_usage(program, "'%s' is no day like 2026-11-22", argv[optind]);
	return EX_OK;
}

int nightmail_tlsrpt(int argc, char **argv) {
	struct call c = { .today = utcday_of(clock_wall_ms()) };
	c.day = c.today;
	int status = take_options(&c, argc, argv);
	return status != EX_OK || c.done ? status : run(&c);
}
