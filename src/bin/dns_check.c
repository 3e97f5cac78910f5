/* dns-check: what receivers will conclude from a domain's DNS. This file knows the command
 * line; cli/dns_check*.c know the rest. */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "cli/dns_check.h"
#include "cli/explain_finding.h"
#include "net/dns_server.h"

#define SECONDS_MAX 600
#define WAIT_SECONDS_MAX 604800
#define WAIT_DEFAULT_MS 3600000

static const char help[] =
	"usage: dns-check DOMAIN [@SERVER] [OPTION...]   what receivers will conclude\n"
	"       dns-check --spf-eval --ip IP --mail-from ADDR --helo NAME\n"
	"       dns-check --dmarc-eval --header-from DOM [--dkim-pass D] [--spf-pass D]\n"
	"       dns-check --org-domain DOM [--tree-walk] | --mta-sts DOM\n"
	"       dns-check --lint KIND <RECORD | --explain ID\n"
	"  --ip IP, --selector S, --key FILE   who sends; DKIM, and its private key\n"
	"  --from-config, --config FILE        both from nightmail.conf\n"
	"  --parked              the domain is to have no mail\n"
	"  --expect FILE         are these zone lines in DNS? 2: no\n"
	"  --wait[=SECONDS]      ask until they are, at most an hour\n"
	"  --authoritative       ask the servers of the domain, no resolver\n"
	"  --connect             try the MX hosts, too\n"
	"  --state FILE          what changed since the last time, and should not have\n"
	"  --resolver S, --timeout SECONDS, --trust-anchor FILE\n"
	"  --mta-sts-connect ADDR:PORT, --ca-file FILE   where the policy is, who signs\n"
	"  --replay FILE, --record FILE        answers from a file, into a file\n"
	"  --zone                the records that were found, too\n"
	"  --sandbox             give up all rights that this does not need\n"
	"  --verbose, --json, --plain, --nagios, --color WHEN\n"
	"  --domain DOMAIN, --help, --version\n"
	"KIND: dmarc spf mta-sts-record mta-sts-policy tlsrpt dkim-key bimi\n"
	"exit 0: good, 1: warning, 2: failure, 3: not known, 64: usage\n";

enum {
	OPT_FIRST = 256,
	OPT_SPF_EVAL,
	OPT_DMARC_EVAL,
	OPT_ORG_DOMAIN,
	OPT_LINT,
	OPT_IP,
	OPT_MAIL_FROM,
	OPT_HELO,
	OPT_HEADER_FROM,
	OPT_DKIM_PASS,
	OPT_SPF_PASS,
	OPT_TREE_WALK,
	OPT_RESOLVER,
	OPT_TIMEOUT,
	OPT_TRUST_ANCHOR,
	OPT_REPLAY,
	OPT_RECORD,
	OPT_DOMAIN,
	OPT_MTA_STS,
	OPT_STS_CONNECT,
	OPT_CA_FILE,
	OPT_EXPLAIN,
	OPT_SELECTOR,
	OPT_KEY,
	OPT_FROM_CONFIG,
	OPT_CONFIG,
	OPT_PARKED,
	OPT_EXPECT,
	OPT_WAIT,
	OPT_AUTHORITATIVE,
	OPT_CONNECT,
	OPT_STATE,
	OPT_ZONE,
	OPT_SANDBOX,
	OPT_VERBOSE,
	OPT_PLAIN,
	OPT_NAGIOS,
	OPT_JSON,
	OPT_COLOR,
	OPT_HELP,
	OPT_VERSION
};

static const struct option longs[] = {
	{ "spf-eval", no_argument, NULL, OPT_SPF_EVAL },
	{ "dmarc-eval", no_argument, NULL, OPT_DMARC_EVAL },
	{ "org-domain", required_argument, NULL, OPT_ORG_DOMAIN },
	{ "lint", required_argument, NULL, OPT_LINT },
	{ "ip", required_argument, NULL, OPT_IP },
	{ "mail-from", required_argument, NULL, OPT_MAIL_FROM },
	{ "helo", required_argument, NULL, OPT_HELO },
	{ "header-from", required_argument, NULL, OPT_HEADER_FROM },
	{ "dkim-pass", required_argument, NULL, OPT_DKIM_PASS },
	{ "spf-pass", required_argument, NULL, OPT_SPF_PASS },
	{ "tree-walk", no_argument, NULL, OPT_TREE_WALK },
	{ "resolver", required_argument, NULL, OPT_RESOLVER },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "trust-anchor", required_argument, NULL, OPT_TRUST_ANCHOR },
	{ "replay", required_argument, NULL, OPT_REPLAY },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "mta-sts", required_argument, NULL, OPT_MTA_STS },
	{ "mta-sts-connect", required_argument, NULL, OPT_STS_CONNECT },
	{ "ca-file", required_argument, NULL, OPT_CA_FILE },
	{ "explain", required_argument, NULL, OPT_EXPLAIN },
	{ "selector", required_argument, NULL, OPT_SELECTOR },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "from-config", no_argument, NULL, OPT_FROM_CONFIG },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "parked", no_argument, NULL, OPT_PARKED },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "wait", optional_argument, NULL, OPT_WAIT },
	{ "authoritative", no_argument, NULL, OPT_AUTHORITATIVE },
	{ "connect", no_argument, NULL, OPT_CONNECT },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "zone", no_argument, NULL, OPT_ZONE },
	{ "sandbox", no_argument, NULL, OPT_SANDBOX },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "plain", no_argument, NULL, OPT_PLAIN },
	{ "nagios", no_argument, NULL, OPT_NAGIOS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "color", required_argument, NULL, OPT_COLOR },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int add(struct dns_check_list *list, const char *name, const char *value) {
	if (list->count == DNS_CHECK_LIST_MAX)
		return cli_usage(dns_check_program, "--%s: more than %d of them", name,
				 DNS_CHECK_LIST_MAX);
	list->at[list->count++] = value;
	return 0;
}

static int set_seconds(const char *name, const char *arg, unsigned max, int64_t *ret_ms) {
	uint64_t seconds;
	if (!span_uint(span_str(arg), max, &seconds) || seconds == 0)
		return cli_usage(dns_check_program, "--%s %s: not 1 to %u seconds", name,
				 arg, max);
	*ret_ms = (int64_t)seconds * 1000;
	return 0;
}

static int set_wait(struct dns_check *c, const char *arg) {
	c->wait = true;
	c->wait_ms = WAIT_DEFAULT_MS;
	return arg ? set_seconds("wait", arg, WAIT_SECONDS_MAX, &c->wait_ms) : 0;
}

static int set_domain(struct dns_check *c, enum dns_check_mode mode, const char *arg) {
	c->mode = mode;
	c->domain = arg;
	return 0;
}

/* Options that only set something. False: it is none of them. */
static bool take_plain(struct dns_check *c, int opt, const char *arg, int *ret) {
	const struct {
		int opt;
		const char **at;
	} words[] = {
		{ OPT_MAIL_FROM, &c->mail_from },
		{ OPT_HELO, &c->helo },
		{ OPT_RESOLVER, &c->server },
		{ OPT_TRUST_ANCHOR, &c->trust_anchor },
		{ OPT_REPLAY, &c->replay },
		{ OPT_RECORD, &c->record },
		{ OPT_STS_CONNECT, &c->sts_connect },
		{ OPT_CA_FILE, &c->ca_file },
		{ OPT_CONFIG, &c->config },
		{ OPT_EXPECT, &c->expect },
		{ OPT_STATE, &c->state },
	};
	const struct {
		int opt;
		const char *name;
		struct dns_check_list *at;
	} lists[] = {
		{ OPT_IP, "ip", &c->ip },
		{ OPT_HEADER_FROM, "header-from", &c->header_from },
		{ OPT_DKIM_PASS, "dkim-pass", &c->dkim_pass },
		{ OPT_SPF_PASS, "spf-pass", &c->spf_pass },
		{ OPT_SELECTOR, "selector", &c->selector },
		{ OPT_KEY, "key", &c->key },
	};
	*ret = 0;
	const struct {
		int opt;
		bool *at;
	} flags[] = {
		{ OPT_TREE_WALK, &c->tree_walk },
		{ OPT_FROM_CONFIG, &c->from_config },
		{ OPT_PARKED, &c->parked },
		{ OPT_AUTHORITATIVE, &c->authoritative },
		{ OPT_CONNECT, &c->connect },
		{ OPT_ZONE, &c->zone },
		{ OPT_SANDBOX, &c->sandbox },
		{ OPT_VERBOSE, &c->verbose },
		{ OPT_PLAIN, &c->plain },
		{ OPT_NAGIOS, &c->nagios },
		{ OPT_JSON, &c->json },
	};
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].opt == opt) {
			*flags[i].at = true;
			return true;
		}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].opt == opt) {
			*words[i].at = arg;
			return true;
		}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (lists[i].opt == opt) {
			*ret = add(lists[i].at, lists[i].name, arg);
			return true;
		}
	return false;
}

/* One option. Returns 0 to go on, -1 when all is done with success, or an exit code. */
static int take_option(struct dns_check *c, int opt, char *arg, char **argv) {
	int r;
	if (take_plain(c, opt, arg, &r))
		return r;
	switch (opt) {
	case OPT_SPF_EVAL:
		c->mode = DNS_CHECK_SPF;
		return 0;
	case OPT_DMARC_EVAL:
		c->mode = DNS_CHECK_DMARC;
		return 0;
	case OPT_ORG_DOMAIN:
		return set_domain(c, DNS_CHECK_ORG, arg);
	case OPT_LINT:
		c->mode = DNS_CHECK_LINT;
		c->lint = arg;
		return 0;
	case OPT_DOMAIN:
		return set_domain(c, DNS_CHECK_DOMAIN, arg);
	case OPT_MTA_STS:
		return set_domain(c, DNS_CHECK_MTA_STS, arg);
	case OPT_EXPLAIN:
		c->mode = DNS_CHECK_EXPLAIN;
		c->explain = arg;
		return 0;
	case OPT_WAIT:
		return set_wait(c, arg);
	case OPT_TIMEOUT:
		return set_seconds("timeout", arg, SECONDS_MAX, &c->deadline_ms);
	case OPT_COLOR:
		return term_color_parse(span_str(arg), &c->color)
			       ? 0
			       : cli_usage(dns_check_program,
					   "--color %s: not always, never or auto", arg);
	case OPT_HELP:
		fputs(help, stdout);
		return -1;
	case OPT_VERSION:
		cli_version(dns_check_program);
		return -1;
	default:
		return cli_bad_option(dns_check_program, opt, argv, longs);
	}
}

static int take_options(struct dns_check *c, int argc, char **argv) {
	int opt, r = 0;
	opterr = 0;
	while (r == 0 && (opt = getopt_long(argc, argv, ":", longs, NULL)) != -1)
		r = take_option(c, opt, optarg, argv);
	return r;
}

/* DOMAIN and @SERVER, in any order. */
static int take_operands(struct dns_check *c, int argc, char **argv) {
	for (int i = optind; i < argc; i++) {
		if (argv[i][0] == '@')
			c->server = argv[i];
		else if (c->mode == DNS_CHECK_DOMAIN && !c->domain)
			c->domain = argv[i];
		else
			return cli_usage(dns_check_program, "%s: not expected here",
					 argv[i]);
	}
	if (c->mode == DNS_CHECK_DOMAIN && !c->domain && !c->from_config)
		return cli_usage(dns_check_program, "which domain?");
	if (c->wait && !c->expect)
		return cli_usage(dns_check_program,
				 "--wait needs --expect FILE: what to wait for");
	if (c->expect && c->mode != DNS_CHECK_DOMAIN)
		return cli_usage(dns_check_program, "--expect goes with DOMAIN only");
	if (c->server && c->authoritative)
		return cli_usage(dns_check_program,
				 "--authoritative asks no resolver: it contradicts %s", c->server);
	if (c->server && !dns_server_ok(span_str(c->server)))
		return cli_usage(dns_check_program,
				 "%s: not the address of a resolver, like 192.0.2.1 or "
				 "127.0.0.1:5353",
				 c->server);
	return 0;
}

static int run(const struct dns_check *c) {
	switch (c->mode) {
	case DNS_CHECK_SPF:
		return dns_check_spf(c);
	case DNS_CHECK_DMARC:
		return dns_check_dmarc(c);
	case DNS_CHECK_ORG:
		return dns_check_org(c);
	case DNS_CHECK_LINT:
		return dns_check_lint(c);
	case DNS_CHECK_DOMAIN:
	case DNS_CHECK_MTA_STS:
		return dns_check_domain(c);
	case DNS_CHECK_EXPLAIN:
		return explain_finding(dns_check_program, c->explain);
	}
	return EX_USAGE;
}

int main(int argc, char **argv) {
	proc_start();
	file_fault_from_env();
	log_set_level(LOG_LEVEL_WARN);
	struct dns_check c = { .color = TERM_COLOR_AUTO };
	int status = take_options(&c, argc, argv);
	if (status == 0)
		status = take_operands(&c, argc, argv);
	if (status == 0 && c.sandbox)
		status = cli_confine(dns_check_program, "nightmail-fetch");
	if (status == 0)
		status = run(&c);
	return cli_close_output(dns_check_program, status < 0 ? EX_OK : status);
}
