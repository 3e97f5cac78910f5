/* smtp-probe: connects to an SMTP server as a sender would. This file knows the command line;
 * cli/smtp_probe*.c know the rest. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "cli/explain_finding.h"
#include "cli/smtp_probe.h"
#include "net/dns_server.h"

const char smtp_probe_program[] = "smtp-probe";

static const char help[] =
	"usage: smtp-probe HOST[:PORT] [@RESOLVER] [OPTION...]   (HOST: also /PATH)\n"
	"       smtp-probe --mx DOMAIN | --as-relay NAME | --explain ID\n"
	"  -s, --server HOST  -p, --port PORT  -4  -6  --connect ADDR:PORT\n"
	"  --timeout SECONDS  --first  -f, --from FROM  -t, --to TO\n"
	"  --helo, --ehlo NAME  --send FILE (only this sends content)\n"
	"  -q, --quit-after CONNECT|BANNER|FIRST-EHLO|TLS|EHLO|AUTH|MAIL|RCPT\n"
	"  --tls, --starttls  STARTTLS is a must  --tlso  where offered (default)\n"
	"  --tlsc  TLS from the first byte       --no-tls\n"
	"  --ca-file, --tls-ca-path FILE  --verify-name NAME  --tls-cert FILE\n"
	"  --tls-key FILE  --tls-verify  an untrusted certificate is a failure anywhere\n"
	"  --dane  TLSA records; --mx asks for them and for MTA-STS by itself\n"
	"  -a, --auth[=MECHANISMS]  --au USER  --ap [@FILE]  (asks for the password)\n"
	"  --lmtp  --catchall  --open-relay  --injection   more questions, on request\n"
	"  --days WARN,FAIL  --slow WARN,FAIL   days of the certificate, seconds in all\n"
	"  --config FILE  --resolver S  --trust-anchor FILE  --sandbox\n"
	"  -v, --verbose  --json  --plain  --nagios  --color WHEN  --help  --version\n"
	"exit 0: good, 1: warning, 2: failure, 3: not known, 64: usage\n";

enum {
	OPT_FIRST_OF_ALL = 256,
	OPT_HELO,
	OPT_TIMEOUT,
	OPT_AUTH_USER,
	OPT_AUTH_PASSWORD,
	OPT_TLS,
	OPT_TLS_OPTIONAL,
	OPT_TLS_CONNECT,
	OPT_NO_TLS,
	OPT_CA_FILE,
	OPT_VERIFY_NAME,
	OPT_TLS_VERIFY,
	OPT_TLS_CERT,
	OPT_TLS_KEY,
	OPT_DANE,
	OPT_MX,
	OPT_AS_RELAY,
	OPT_CONFIG,
	OPT_CONNECT,
	OPT_FIRST,
	OPT_SEND,
	OPT_LMTP,
	OPT_CATCHALL,
	OPT_OPEN_RELAY,
	OPT_INJECTION,
	OPT_DAYS,
	OPT_SLOW,
	OPT_RESOLVER,
	OPT_TRUST_ANCHOR,
	OPT_EXPLAIN,
	OPT_SANDBOX,
	OPT_JSON,
	OPT_PLAIN,
	OPT_NAGIOS,
	OPT_COLOR,
	OPT_HELP,
	OPT_VERSION
};

static const struct option longs[] = {
	{ "server", required_argument, NULL, 's' },
	{ "port", required_argument, NULL, 'p' },
	{ "to", required_argument, NULL, 't' },
	{ "from", required_argument, NULL, 'f' },
	{ "quit-after", required_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "auth", optional_argument, NULL, 'a' },
	{ "helo", required_argument, NULL, OPT_HELO },
	{ "ehlo", required_argument, NULL, OPT_HELO },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "au", required_argument, NULL, OPT_AUTH_USER },
	{ "ap", no_argument, NULL, OPT_AUTH_PASSWORD },
	{ "tls", no_argument, NULL, OPT_TLS },
	{ "starttls", no_argument, NULL, OPT_TLS },
	{ "tlso", no_argument, NULL, OPT_TLS_OPTIONAL },
	{ "tlsc", no_argument, NULL, OPT_TLS_CONNECT },
	{ "no-tls", no_argument, NULL, OPT_NO_TLS },
	{ "ca-file", required_argument, NULL, OPT_CA_FILE },
	{ "tls-ca-path", required_argument, NULL, OPT_CA_FILE },
	{ "tls-verify", no_argument, NULL, OPT_TLS_VERIFY },
	{ "verify-name", required_argument, NULL, OPT_VERIFY_NAME },
	{ "tls-cert", required_argument, NULL, OPT_TLS_CERT },
	{ "tls-key", required_argument, NULL, OPT_TLS_KEY },
	{ "dane", no_argument, NULL, OPT_DANE },
	{ "mx", required_argument, NULL, OPT_MX },
	{ "as-relay", required_argument, NULL, OPT_AS_RELAY },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "connect", required_argument, NULL, OPT_CONNECT },
	{ "first", no_argument, NULL, OPT_FIRST },
	{ "send", required_argument, NULL, OPT_SEND },
	{ "lmtp", no_argument, NULL, OPT_LMTP },
	{ "catchall", no_argument, NULL, OPT_CATCHALL },
	{ "open-relay", no_argument, NULL, OPT_OPEN_RELAY },
	{ "injection", no_argument, NULL, OPT_INJECTION },
	{ "days", required_argument, NULL, OPT_DAYS },
	{ "slow", required_argument, NULL, OPT_SLOW },
	{ "resolver", required_argument, NULL, OPT_RESOLVER },
	{ "trust-anchor", required_argument, NULL, OPT_TRUST_ANCHOR },
	{ "explain", required_argument, NULL, OPT_EXPLAIN },
	{ "sandbox", no_argument, NULL, OPT_SANDBOX },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "plain", no_argument, NULL, OPT_PLAIN },
	{ "nagios", no_argument, NULL, OPT_NAGIOS },
	{ "color", required_argument, NULL, OPT_COLOR },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int set_port(struct smtp_probe *p, struct span text) {
	uint64_t port;
	if (!span_uint(text, 65535, &port) || port == 0)
		return cli_usage(smtp_probe_program, "%.*s: not a port", (int)text.len, text.p);
	p->port = (unsigned)port;
	return 0;
}

/* HOST, HOST:PORT, [ADDRESS]:PORT, ADDRESS, /PATH. The argument is cut in place. */
static int set_server(struct smtp_probe *p, char *arg) {
	char *colon = strrchr(arg, ':'), *bracket = strchr(arg, ']');
	if (p->host)
		return cli_usage(smtp_probe_program,
				 "one server is enough: %s and then %s (a password is never "
				 "taken from the command line: -ap asks for it, -ap @FILE reads it)",
				 p->host, arg);
	p->host = arg;
	if (arg[0] == '/')
		return 0;
	if (arg[0] == '[') {
		if (!bracket)
			return cli_usage(smtp_probe_program, "%s: the ] is missing", arg);
		p->host = arg + 1;
		*bracket = '\0';
		return bracket[1] == ':' ? set_port(p, span_str(bracket + 2)) : 0;
	}
	if (!colon || strchr(arg, ':') != colon) /* an IPv6 address has many */
		return 0;
	*colon = '\0';
	return set_port(p, span_str(colon + 1));
}

static int set_stop(struct smtp_probe *p, const char *arg) {
	static const struct {
		const char *name;
		enum probe_stop stop;
	} stops[] = {
		{ "CONNECT", PROBE_STOP_CONNECT },
		{ "BANNER", PROBE_STOP_BANNER },
		{ "FIRST-EHLO", PROBE_STOP_FIRST_EHLO },
		{ "TLS", PROBE_STOP_TLS },
		{ "EHLO", PROBE_STOP_EHLO },
		{ "AUTH", PROBE_STOP_AUTH },
		{ "MAIL", PROBE_STOP_MAIL },
		{ "RCPT", PROBE_STOP_RCPT },
		/* as swaks calls some of them */
		{ "FIRST-HELO", PROBE_STOP_FIRST_EHLO },
		{ "HELO", PROBE_STOP_EHLO },
		{ "FROM", PROBE_STOP_MAIL },
		{ "TO", PROBE_STOP_RCPT },
	};
	for (size_t i = 0; i < COUNT(stops); i++) {
		if (!span_eq_nocase(span_str(arg), span_str(stops[i].name)))
			continue;
		p->stop = stops[i].stop;
		p->stop_given = true;
		return 0;
	}
	return cli_usage(smtp_probe_program,
			 "-q %s: there are CONNECT BANNER FIRST-EHLO TLS EHLO AUTH MAIL RCPT", arg);
}

static int set_pair(const char *name, const char *arg, uint64_t *ret_warn, uint64_t *ret_fail) {
	struct span rest = span_str(arg), first;
	if (span_take_until(&rest, ',', &first) && span_uint(first, 100000, ret_warn) &&
	    span_uint(rest, 100000, ret_fail))
		return 0;
	return cli_usage(smtp_probe_program, "--%s %s: two numbers are needed, as in 14,3", name,
			 arg);
}

static int set_days(struct smtp_probe *p, const char *arg) {
	uint64_t warn = 0, fail = 0;
	int r = set_pair("days", arg, &warn, &fail);
	p->days_warn = (unsigned)warn;
	p->days_fail = (unsigned)fail;
	return r;
}

static int set_slow(struct smtp_probe *p, const char *arg) {
	uint64_t warn = 0, fail = 0;
	int r = set_pair("slow", arg, &warn, &fail);
	p->slow_warn_ms = (int64_t)warn * 1000;
	p->slow_fail_ms = (int64_t)fail * 1000;
	return r;
}

static int set_timeout(struct smtp_probe *p, const char *arg) {
	uint64_t seconds;
	if (!span_uint(span_str(arg), 600, &seconds) || seconds == 0)
		return cli_usage(smtp_probe_program, "--timeout %s: not 1 to 600 seconds", arg);
	p->timeout_ms = (int64_t)seconds * 1000;
	return 0;
}

static int add_to(struct smtp_probe *p, const char *arg) {
	if (p->to_count == PROBE_RECIPIENTS_MAX)
		return cli_usage(smtp_probe_program, "more than %d recipients",
				 PROBE_RECIPIENTS_MAX);
	p->to[p->to_count++] = arg;
	return 0;
}

static int set_tls(struct smtp_probe *p, enum probe_tls tls) {
	p->tls = tls;
	p->tls_given = true;
	return 0;
}

/* Options that only set something. False: it is none of them. */
static bool take_simple(struct smtp_probe *p, int opt, const char *arg) {
	const struct {
		int opt;
		const char **at;
	} words[] = {
		{ 'f', &p->from },
		{ OPT_HELO, &p->helo },
		{ OPT_AUTH_USER, &p->user },
		{ OPT_CA_FILE, &p->ca_file },
		{ OPT_VERIFY_NAME, &p->verify_name },
		{ OPT_TLS_CERT, &p->cert },
		{ OPT_TLS_KEY, &p->key },
		{ OPT_MX, &p->mx },
		{ OPT_AS_RELAY, &p->relay },
		{ OPT_CONFIG, &p->config },
		{ OPT_CONNECT, &p->connect },
		{ OPT_SEND, &p->send },
		{ OPT_RESOLVER, &p->server },
		{ OPT_TRUST_ANCHOR, &p->trust_anchor },
		{ OPT_EXPLAIN, &p->explain },
	};
	const struct {
		int opt;
		bool *at;
	} flags[] = {
		{ 'v', &p->verbose },          { OPT_DANE, &p->dane },
		{ OPT_FIRST, &p->first },      { OPT_LMTP, &p->lmtp },
		{ OPT_CATCHALL, &p->catchall }, { OPT_OPEN_RELAY, &p->open_relay },
		{ OPT_INJECTION, &p->injection }, { OPT_JSON, &p->json },
		{ OPT_SANDBOX, &p->sandbox },
		{ OPT_PLAIN, &p->plain },      { OPT_NAGIOS, &p->nagios },
		{ OPT_TLS_VERIFY, &p->tls_verify },
	};
	for (size_t i = 0; i < COUNT(words); i++)
		if (words[i].opt == opt)
			*words[i].at = arg;
	for (size_t i = 0; i < COUNT(flags); i++)
		if (flags[i].opt == opt)
			*flags[i].at = true;
	for (size_t i = 0; i < COUNT(words); i++)
		if (words[i].opt == opt)
			return true;
	for (size_t i = 0; i < COUNT(flags); i++)
		if (flags[i].opt == opt)
			return true;
	return false;
}

/* -ap takes a file that is marked as one; a password itself would be seen by everybody. */
static void take_password_file(struct smtp_probe *p, int argc, char **argv) {
	p->log_in = true;
	if (optind < argc && argv[optind][0] == '@' && argv[optind][1])
		p->secret_file = argv[optind++] + 1;
}

static int take_option(struct smtp_probe *p, int opt, int argc, char **argv) {
	if (take_simple(p, opt, optarg))
		return 0;
	switch (opt) {
	case 's':
		return set_server(p, optarg);
	case 'p':
		return set_port(p, span_str(optarg));
	case 't':
		return add_to(p, optarg);
	case 'q':
		return set_stop(p, optarg);
	case '4':
	case '6':
		p->family = opt - '0';
		return 0;
	case 'a':
		p->log_in = true;
		p->mechanisms = optarg;
		return 0;
	case OPT_AUTH_PASSWORD:
		take_password_file(p, argc, argv);
		return 0;
	case OPT_TIMEOUT:
		return set_timeout(p, optarg);
	case OPT_TLS:
		return set_tls(p, PROBE_TLS_STARTTLS);
	case OPT_TLS_OPTIONAL:
		return set_tls(p, PROBE_TLS_OPTIONAL);
	case OPT_TLS_CONNECT:
		return set_tls(p, PROBE_TLS_IMPLICIT);
	case OPT_NO_TLS:
		return set_tls(p, PROBE_TLS_NONE);
	case OPT_DAYS:
		return set_days(p, optarg);
	case OPT_SLOW:
		return set_slow(p, optarg);
	case OPT_COLOR:
		return term_color_parse(span_str(optarg), &p->color)
			       ? 0
			       : cli_usage(smtp_probe_program, "--color %s: always, auto or never",
					   optarg);
	case 'h':
	case OPT_HELP:
		fputs(help, stdout);
		return -1;
	case OPT_VERSION:
		cli_version(smtp_probe_program);
		return -1;
	default:
		return cli_bad_option(smtp_probe_program, opt, argv, longs);
	}
}

/* 0: go on; -1: all is said; else an exit code. Long options may have one dash, as in swaks. */
static int take_options(struct smtp_probe *p, int argc, char **argv) {
	int opt, status = 0;
	opterr = 0;
	while (status == 0 && (opt = getopt_long_only(argc, argv, ":s:p:t:f:q:va46h", longs,
						      NULL)) != -1)
		status = take_option(p, opt, argc, argv);
	for (; status == 0 && optind < argc; optind++) {
		if (argv[optind][0] == '@')
			p->server = argv[optind] + 1;
		else
			status = set_server(p, argv[optind]);
	}
	return status;
}

static int check(const struct smtp_probe *p) {
	if (!!p->host + !!p->mx + !!p->relay + !!p->explain != 1)
		return cli_usage(smtp_probe_program,
				 p->host || p->mx || p->relay
					 ? "one of HOST, --mx and --as-relay is enough"
					 : "which server? HOST, --mx DOMAIN or --as-relay NAME");
	if (p->server && !dns_server_ok(span_str(p->server)))
		return cli_usage(smtp_probe_program,
				 "%s: not the address of a resolver, like 192.0.2.1 or "
				 "127.0.0.1:5353",
				 p->server);
	if (p->send && (p->to_count == 0 || !p->from))
		return cli_usage(smtp_probe_program, "--send needs -f FROM and -t TO");
	if (p->send && p->stop_given)
		return cli_usage(smtp_probe_program, "--send and -q contradict each other");
	if (p->injection && p->tls_given && (p->tls == PROBE_TLS_NONE || p->tls == PROBE_TLS_IMPLICIT))
		return cli_usage(smtp_probe_program,
				 "--injection tries STARTTLS: it contradicts %s",
				 p->tls == PROBE_TLS_NONE ? "--no-tls" : "--tlsc");
	if (p->mechanisms && smtp_auth_check_only(p->mechanisms, NULL) != 0)
		return cli_usage(smtp_probe_program, "--auth=%s: not a mechanism", p->mechanisms);
	if (p->cert && !p->key)
		return cli_usage(smtp_probe_program, "--tls-cert needs --tls-key");
	return 0;
}

static int run(struct smtp_probe *p) {
	struct smtp_probe_run *run = calloc(1, sizeof(*run));
	if (!run)
		return cli_fail(smtp_probe_program, EX_OSERR, "out of memory");
	run->p = p;
	int status = smtp_probe_prepare(run);
	if (status == 0) {
		smtp_probe_find_targets(run);
		smtp_probe_ask(run);
		smtp_probe_judge(run);
		status = smtp_probe_show(run);
	}
	smtp_probe_release(run);
	free(run);
	return status;
}

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	log_set_level(LOG_LEVEL_WARN);
	struct smtp_probe p = { .color = TERM_COLOR_AUTO,
				.timeout_ms = 30000,
				.days_warn = 14,
				.days_fail = 3,
				.slow_warn_ms = 30000,
				.slow_fail_ms = 0,
				.stop = PROBE_STOP_EHLO };
	int status = take_options(&p, argc, argv);
	if (status == 0)
		status = check(&p);
	if (status == 0 && p.sandbox)
		status = cli_confine(smtp_probe_program, NULL);
	if (status == 0)
		status = p.explain ? explain_finding(smtp_probe_program, p.explain) : run(&p);
	return cli_close_output(smtp_probe_program, status < 0 ? EX_OK : status);
}
