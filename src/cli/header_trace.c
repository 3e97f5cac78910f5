/*
 * header-trace: the command line, and which of the views is shown. Each view is a file of its
 * own: signatures (trace_verify.c), the parts (trace_parts.c), the way (trace_report.c).
 */

#include "cli/header_trace.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/explain_finding.h"
#include "cli/trace_input.h"
#include "cli/trace_parts.h"
#include "cli/trace_report.h"
#include "cli/trace_verify.h"
#include "net/dns_unbound.h"

#define OUTPUT_MAX (64u << 20)

static const char program[] = "header-trace";

static const char help[] =
	"usage: header-trace [OPTION...] [FILE | FILE#N | ID | -]\n"
	"Shows the way of a message: hops, oldest first, with their delays; what servers\n"
	"found about it; what looks wrong. Takes a file, the N-th message of an mbox, a\n"
	"message of the queue, or standard input.\n"
	"  --verify          check SPF, DKIM, ARC and DMARC again, now\n"
	"  --dkim-verify     only the DKIM signatures; exit 0 one passes, 1 none does,\n"
	"                    2 one fails, 3 DNS does not answer\n"
	"  --arc-verify      only the ARC chain; exit 0 pass, 1 none, 2 fail\n"
	"  --resolver ADDR   ask this server: 127.0.0.1@5300, [2001:db8::1]:53\n"
	"  --trust HOST      a server of ours, or a domain: what is older is hearsay;\n"
	"                    may be repeated\n"
	"  --structure       the parts of the message\n"
	"  --headers         its header, unfolded and decoded\n"
	"  --original        the message inside a bounce\n"
	"  --config FILE     where the queue is\n"
	"  --json            one JSON object\n"
	"  --plain           lines of fields with tabs between them, nothing cut\n"
	"  -v, --verbose     what is no more than worth knowing, too, with its evidence\n"
	"  --color WHEN      always, never, auto\n"
	"  --explain ID      what a finding means; --help, --version\n"
	"exit 0: nothing is wrong, 1: warnings, 2: something failed\n";

struct call {
	const char *what, *resolver, *config, *explain;
	struct trace_options report;
	unsigned want; /* --dkim-verify, --arc-verify: enum trace_want */
	bool verify, structure, headers, original, json;
};

static void print(const struct buf *out) {
	fwrite(buf_str(out), 1, out->len, stdout);
}

static struct dns *open_dns(const struct call *c, struct err *err) {
	struct dns_unbound_options o = { .server = c->resolver };
	return dns_unbound_open(&o, err);
}

static int run_verify(const struct call *c, struct span message) {
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct trace_signatures s;
	struct err err = ERR_INIT;
	struct dns *dns = open_dns(c, &err);
	if (!dns || trace_verify(message, c->want, dns, &s, &err) != 0) {
		dns_close(dns);
		return cli_fail(program, dns ? EX_DATAERR : EX_UNAVAILABLE, "%s",
				err.msg);
	}
	if (c->json) {
		struct json j = json_into(&out);
		json_object(&j, NULL);
		trace_verify_json(&j, &s);
		json_end(&j);
		buf_addc(&out, '\n');
		print(&out);
	} else {
		trace_verify_print(stdout, &s);
	}
	int status = (int)trace_verify_status(&s);
	trace_signatures_release(&s);
	dns_close(dns);
	return status;
}

static int run_parts(const struct call *c, struct span message) {
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	if (c->structure)
		trace_parts(message, c->json, &out);
	else
		trace_headers(message, c->json, &out);
	print(&out);
	return buf_failed(&out) ? cli_fail(program, EX_DATAERR, "too much to show") : 0;
}

static int run_report(const struct call *c, struct span message) {
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct err err = ERR_INIT;
	struct dns *dns = c->verify ? open_dns(c, &err) : NULL;
	if (c->verify && !dns)
		return cli_fail(program, EX_UNAVAILABLE, "%s", err.msg);
	int status = trace_report(message, &c->report, dns, c->json, &out, &err);
	dns_close(dns);
	if (status < 0)
		return cli_fail(program, EX_DATAERR, "%s", err.msg);
	print(&out);
	return status;
}

static int run(const struct call *c) {
	AUTO_BUF struct buf message = BUF_INIT(TRACE_MESSAGE_MAX);
	struct err err = ERR_INIT;
	if (trace_input_read(c->what, c->config, &message, &err) != 0)
		return cli_fail(program, EX_NOINPUT, "%s", err.msg);
	if (c->original && trace_input_original(&message, &err) != 0)
		return cli_fail(program, EX_DATAERR, "%s: %s", c->what, err.msg);
	if (c->want)
		return run_verify(c, buf_span(&message));
	if (c->structure || c->headers)
		return run_parts(c, buf_span(&message));
	return run_report(c, buf_span(&message));
}

static int add_trust(struct call *c, const char *host) {
	if (c->report.trusted == TRACE_TRUST_MAX)
		return cli_usage(program, "more than %u times --trust", TRACE_TRUST_MAX);
	c->report.trust[c->report.trusted++] = span_str(host);
	return 0;
}

static int set_color(struct call *c, const char *when) {
	enum term_color color;
	if (!term_color_parse(span_str(when), &color))
		return cli_usage(program, "--color %s: not always, never or auto", when);
	c->report.color = term_use_color(color, stdout);
	return 0;
}

/* 0, or the exit code. */
static int take_option(struct call *c, int opt, char *value) {
	switch (opt) {
	case 'v':
		c->report.verbose = true;
		return 0;
	case 'y':
		c->verify = true;
		return 0;
	case 'd':
		c->want |= TRACE_DKIM;
		return 0;
	case 'a':
		c->want |= TRACE_ARC;
		return 0;
	case 'r':
		c->resolver = value;
		if (dns_server_ok(span_str(value)))
			return 0;
		return cli_usage(
			program,
			"--resolver %s: an address is needed, as in 127.0.0.1@53", value);
	case 't':
		return add_trust(c, value);
	case 's':
		c->structure = true;
		return 0;
	case 'H':
		c->headers = true;
		return 0;
	case 'o':
		c->original = true;
		return 0;
	case 'c':
		c->config = value;
		return 0;
	case 'e':
		c->explain = value;
		return 0;
	case 'j':
		c->json = true;
		return 0;
	case 'C':
		return set_color(c, value);
	default: /* 'p' */
		c->report.plain = true;
		return 0;
	}
}

int header_trace(int argc, char **argv) {
	static const struct option options[] = {
		{ "verify", no_argument, NULL, 'y' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "dkim-verify", no_argument, NULL, 'd' },
		{ "arc-verify", no_argument, NULL, 'a' },
		{ "resolver", required_argument, NULL, 'r' },
		{ "trust", required_argument, NULL, 't' },
		{ "structure", no_argument, NULL, 's' },
		{ "headers", no_argument, NULL, 'H' },
		{ "original", no_argument, NULL, 'o' },
		{ "config", required_argument, NULL, 'c' },
		{ "color", required_argument, NULL, 'C' },
		{ "explain", required_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ "plain", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct call c = { .what = "-",
			  .report.color = term_use_color(TERM_COLOR_AUTO, stdout) };
	int opt;
	while ((opt = getopt_long(argc, argv, ":v", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (opt == 'V')
			return cli_version(program);
		if (opt == '?' || opt == ':')
			return cli_bad_option(program, opt, argv, options);
		int r = take_option(&c, opt, optarg);
		if (r != 0)
			return r;
	}
	if (c.explain)
		return explain_finding(program, c.explain);
	if (optind + 1 < argc)
		return cli_usage(program, "one message at a time, not also %s",
				 argv[optind + 1]);
	if (optind < argc)
		c.what = argv[optind];
	if ((c.structure && c.headers) ||
	    (c.want && (c.structure || c.headers || c.verify)))
		return cli_usage(program,
				 "--structure, --headers and those that verify are "
				 "different views: one at a time");
	return run(&c);
}
