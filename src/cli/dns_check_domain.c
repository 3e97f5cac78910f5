/*
 * dns-check DOMAIN: everything about one domain. Questions first, in rounds; then the one file
 * that is not in DNS, the MTA-STS policy; then the report.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "check/dnscheck.h"
#include "check/expect.h"
#include "cli/cli.h"
#include "cli/dns_check.h"
#include "cli/dns_check_bimi.h"
#include "cli/dns_check_connect.h"
#include "cli/dns_check_memory.h"
#include "cli/dns_check_report.h"
#include "config/settings.h"
#include "mail/addr.h"
#include "tlspolicy/sts_fetch.h"

#define FILE_MAX (4u << 20)
#define KEY_MAX 65536
#define FETCH_MS 10000
#define DIRECT_MS 2000
#define HTTPS_PORT 443
#define WAIT_FIRST_MS 2000
#define WAIT_MOST_MS 60000

struct call {
	const struct dns_check *c;
	struct dnscheck check;
	struct settings settings;
	bool configured;
	struct crypto_private *keys[DNSCHECK_SELECTORS_MAX];
	size_t key_count;
	struct buf policy;
	struct err fetch_err;
	struct dns_check_bimi bimi;
	struct findings findings;
	struct dns *dns;
	int64_t begun_ms;
};

/* --- what is asked about --- */

static int set_domain(struct call *k, const char *text) {
	AUTO_BUF struct buf ascii = BUF_INIT(1024);
	struct err err = ERR_INIT;
	if (addr_domain_ascii(span_str(text), &ascii, &err) != 0 ||
	    !dns_name_parse(buf_span(&ascii), k->check.domain))
		return cli_usage(dns_check_program, "%s: not the name of a domain", text);
	return 0;
}

static int add_ips(struct call *k) {
	for (size_t i = 0; i < k->c->ip.count && i < DNSCHECK_IPS_MAX; i++)
		if (!inet_addr_parse(span_str(k->c->ip.at[i]),
				     &k->check.ip[k->check.ip_count++]))
			return cli_usage(dns_check_program, "--ip %s: not an IP address",
					 k->c->ip.at[i]);
	return 0;
}

static void load_key(struct call *k, struct dnscheck_selector *s, const char *file) {
	AUTO_BUF struct buf pem = BUF_INIT(KEY_MAX);
	struct err err = ERR_INIT;
	s->file = file;
	if (file_read(AT_FDCWD, file, &pem, &err) == 0 &&
	    k->key_count < DNSCHECK_SELECTORS_MAX) {
		struct crypto_private *key = crypto_private_read(buf_span(&pem), &err);
		s->key = key;
		if (key)
			k->keys[k->key_count++] = key;
	}
	if (!s->key)
		snprintf(s->why, sizeof(s->why), "%.*s", (int)sizeof(s->why) - 1,
			 err.msg);
	buf_wipe(&pem);
}

static void add_selector(struct call *k, const char *name, const char *file) {
	if (k->check.selector_count == DNSCHECK_SELECTORS_MAX)
		return;
	struct dnscheck_selector *s = &k->check.selector[k->check.selector_count++];
	s->name = name;
	if (file)
		load_key(k, s, file);
}

/* --key belongs to the --selector of the same place. */
static int add_selectors(struct call *k) {
	const struct dns_check *c = k->c;
	if (c->key.count > c->selector.count)
		return cli_usage(dns_check_program,
				 "--key needs the --selector it is published under");
	for (size_t i = 0; i < c->selector.count; i++) {
		char name[256];
		if (!dns_name_parse(span_str(c->selector.at[i]), name))
			return cli_usage(dns_check_program, "--selector %s: not a name",
					 c->selector.at[i]);
		add_selector(k, c->selector.at[i],
			     i < c->key.count ? c->key.at[i] : NULL);
	}
	return 0;
}

/* --- the configuration --- */

static int load_config(struct call *k) {
	AUTO_BUF struct buf complaints = BUF_INIT(FILE_MAX);
	k->configured = true;
	if (config_load(k->c->config, &k->settings, &complaints) != 0)
		cli_complaints(dns_check_program, &complaints);
	const struct settings *s = &k->settings;
	const struct config_relay *relay = config_relay(s, "default");
	k->check.helo = s->helo;
	k->check.smarthost = relay && !config_is_per_domain(relay);
	return 0;
}

static void add_configured_keys(struct call *k) {
	const struct settings *s = &k->settings;
	for (size_t i = 0; i < s->dkim_count; i++) {
		const struct config_dkim *d = &s->dkim[i];
		if (strcmp(d->domain, k->check.domain) != 0)
			continue;
		for (size_t n = 0; n < d->selector.count && n < d->key.count; n++)
			add_selector(k, d->selector.word[n], d->key.word[n]);
	}
}

static int prepare(struct call *k) {
	const struct dns_check *c = k->c;
	const char *domain = c->domain;
	k->check.parked = c->parked;
	if (c->ca_file && access(c->ca_file, R_OK) != 0)
		return cli_fail(dns_check_program, EX_NOINPUT, "--ca-file %s: %s", c->ca_file,
				strerror(errno));
	if (c->from_config)
		load_config(k);
	if (c->helo)
		k->check.helo = c->helo;
	if (!domain && c->from_config)
		domain = k->settings.domain;
	if (!domain)
		return cli_usage(dns_check_program, "which domain?");
	int r = set_domain(k, domain);
	if (r == 0)
		r = add_ips(k);
	if (r == 0)
		r = add_selectors(k);
	if (r == 0 && c->from_config)
		add_configured_keys(k);
	return r;
}

/* --- the MTA-STS policy --- */

static void add_addresses(struct dns *dns, const char *host, enum dns_type type,
			  struct net_addrs *ret) {
	const struct dns_answer *a = dns_ask(dns, span_str(host), type);
	struct inet_port p = { .port = HTTPS_PORT };
	for (size_t i = 0; i < a->count && ret->count < NET_ADDRS_MAX; i++)
		if (dns_addr(a, i, &p.addr)) {
			struct net_addr *at = &ret->at[ret->count++];
			at->len = inet_to_sockaddr(&p, &at->sa);
		}
}

static int find_server(struct call *k, struct net_addrs *ret, struct err *err) {
	char host[300];
	ret->count = 0;
	if (k->c->sts_connect) {
		ret->count = 1;
		return net_addr_parse(span_str(k->c->sts_connect), &ret->at[0], err);
	}
	snprintf(host, sizeof(host), "mta-sts.%s", k->check.domain);
	dns_get(k->dns, span_str(host), DNS_AAAA);
	add_addresses(k->dns, host, DNS_A, ret);
	add_addresses(k->dns, host, DNS_AAAA, ret);
	const struct dns_answer *a = dns_ask(k->dns, span_str(host), DNS_A);
	if (ret->count == 0)
		return err_set(err, dns_is_temporary(a) ? ERR_TIMEOUT : ERR_MISSING,
			       "%s has no address (%s)", host, a->why);
	return 0;
}

/* Fetches the policy when a record promises one; true: the check must see it. */
static bool fetch_policy(struct call *k) {
	struct net_addrs addrs;
	int64_t not_after_s = 0;
	struct dnscheck_cert *cert = &k->check.cert[0];
	if (!k->check.facts.sts_record)
		return false;
	snprintf(cert->name, sizeof(cert->name), "mta-sts.%.*s", 247, k->check.domain);
	struct sts_fetch f = {
		.domain = k->check.domain,
		.addrs = &addrs,
		.ca_file = k->c->ca_file,
		.timeout_ms = k->c->deadline_ms > 0 ? k->c->deadline_ms : FETCH_MS,
		.ret_not_after_s = &not_after_s,
		.ret_cert = &cert->cert,
	};
	k->check.sts_fetch = DNSCHECK_FETCHED;
	if (k->c->replay && !k->c->sts_connect)
		err_set(&k->fetch_err, ERR_TIMEOUT,
			"the policy is not in a file of DNS answers");
	if (k->fetch_err.kind != ERR_NONE || find_server(k, &addrs, &k->fetch_err) != 0 ||
	    sts_fetch(&f, &k->policy, &k->fetch_err) != 0) {
		k->check.sts_fetch = DNSCHECK_FETCH_FAILED;
		k->check.sts_why = k->fetch_err.msg;
		k->check.sts_silent = k->fetch_err.kind == ERR_TIMEOUT;
	}
	k->check.sts_policy = buf_span(&k->policy);
	k->check.cert_count = cert->cert.not_after_s > 0;
	k->check.sts_left_s = not_after_s > 0 ? not_after_s - clock_wall_ms() / 1000 : -1;
	return true;
}

/* --- expected records --- */

static void pause_ms(int64_t ms) {
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000 };
	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

static void check_expected(struct call *k, const struct expect *e) {
	finding_clear(&k->findings);
	while (!expect_check(e, k->dns, &k->findings) && dns_run(k->dns) > 0)
		finding_clear(&k->findings);
	if (k->check.direct_ms == 0)
		return;
	/* One of them answered that; what each lacks says more. */
	struct findings each = { .at = NULL };
	expect_check_servers(e, k->dns, k->check.domain, k->check.direct_ms, &each);
	if (each.count > 0)
		finding_clear(&k->findings);
	finding_move(&k->findings, &each);
}

/* Asks again, less and less often, until all is there or the time is over. */
static void wait_expected(struct call *k, const struct expect *e) {
	int64_t until_ms = k->begun_ms + k->c->wait_ms, delay_ms = WAIT_FIRST_MS;
	for (;;) {
		check_expected(k, e);
		int64_t left_ms = until_ms - clock_boot_ms();
		if (finding_exit(&k->findings) == 0 || left_ms <= 0)
			return;
		pause_ms(delay_ms < left_ms ? delay_ms : left_ms);
		delay_ms = delay_ms * 2 < WAIT_MOST_MS ? delay_ms * 2 : WAIT_MOST_MS;
		dns_forget(k->dns);
	}
}

static int run_expect(struct call *k) {
	AUTO_BUF struct buf text = BUF_INIT(FILE_MAX);
	struct err err = ERR_INIT;
	struct expect *e = NULL;
	if (file_read(AT_FDCWD, k->c->expect, &text, &err) != 0)
		return cli_fail(dns_check_program, EX_USAGE, "--expect: %s", err.msg);
	e = expect_open(buf_span(&text), k->check.domain, &err);
	if (!e)
		return cli_fail(dns_check_program, EX_USAGE, "--expect %s: %s",
				k->c->expect, err.msg);
	if (k->c->wait)
		wait_expected(k, e);
	else
		check_expected(k, e);
	expect_close(e);
	return 0;
}

/* --- the whole --- */

static void report(struct call *k) {
	struct dns_check_result r = {
		.c = k->c,
		.check = &k->check,
		.findings = &k->findings,
		.took_ms = clock_boot_ms() - k->begun_ms,
	};
	dns_check_print(&r);
}

static int sts_status(const struct call *k) {
	const char *status = k->check.facts.sts_status;
	if (!status || k->check.sts_silent)
		return FINDING_EXIT_UNKNOWN;
	return strcmp(status, "valid") == 0  ? FINDING_EXIT_OK
	       : strcmp(status, "none") == 0 ? FINDING_EXIT_WARN
					     : FINDING_EXIT_FAIL;
}

static void run_checks(struct call *k) {
	bool sts_only = k->c->mode == DNS_CHECK_MTA_STS;
	void (*run)(struct dnscheck *, struct findings *) = sts_only ? dnscheck_run_sts
								     : dnscheck_run;
	run(&k->check, &k->findings);
	bool bimi = !sts_only && dns_check_bimi_begin(&k->bimi, k->c, &k->check);
	bool sts = fetch_policy(k);
	if (bimi)
		dns_check_bimi_finish(&k->bimi);
	if (k->c->connect && !sts_only)
		dns_check_connect(k->c, &k->check);
	if (!sts && !bimi && !k->c->connect)
		return;
	finding_clear(&k->findings);
	run(&k->check, &k->findings);
}

/* The checks, with what --state remembers. */
static int run_with_memory(struct call *k) {
	const char *file = k->c->state;
	struct err err = ERR_INIT;
	if (file && dns_check_memory_read(file, &k->check, &err) != 0)
		return cli_fail(dns_check_program, EX_NOINPUT, "--state %s: %s", file, err.msg);
	run_checks(k);
	if (file && dns_check_memory_write(file, &k->check, &err) != 0)
		return cli_fail(dns_check_program, EX_CANTCREAT, "--state %s: %s", file, err.msg);
	return 0;
}

static int run(struct call *k) {
	struct dns_check opened = *k->c;
	if (k->c->wait && !opened.server)
		opened.authoritative = true;
	if (k->configured && !opened.server && !opened.authoritative)
		opened.server = k->settings.resolver;
	if (k->configured && !opened.trust_anchor)
		opened.trust_anchor = k->settings.trust_anchor;
	if (!opened.replay && (!opened.server || opened.authoritative))
		k->check.direct_ms = k->c->deadline_ms > 0 ? k->c->deadline_ms : DIRECT_MS;
	k->dns = k->check.dns = dns_check_open(&opened);
	if (!k->dns)
		return EX_UNAVAILABLE;
	k->begun_ms = clock_boot_ms();
	int status = k->c->expect ? run_expect(k) : run_with_memory(k);
	if (status == 0) {
		report(k);
		status = k->c->mode == DNS_CHECK_MTA_STS ? sts_status(k)
							 : finding_exit(&k->findings);
	}
	dnscheck_release(&k->check);
	dns_check_close(&opened, k->dns);
	return status;
}

int dns_check_domain(const struct dns_check *c) {
	struct call *k = calloc(1, sizeof(*k));
	if (!k)
		return cli_fail(dns_check_program, EX_OSERR, "out of memory");
	k->c = c;
	buf_init(&k->policy, STS_POLICY_MAX);
	int status = prepare(k);
	if (status == 0)
		status = run(k);
	for (size_t i = 0; i < k->key_count; i++)
		crypto_private_free(k->keys[i]);
	if (k->configured)
		config_release(&k->settings);
	finding_clear(&k->findings);
	dns_check_bimi_release(&k->bimi);
	buf_release(&k->policy);
	free(k);
	return status;
}
