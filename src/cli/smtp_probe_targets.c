/*
 * Where to connect: the servers of a domain by MX, of a name, of a relay, each address for itself,
 * with what DNS and MTA-STS say of how to meet them. What is wrong in DNS becomes findings.
 */

#include "cli/smtp_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "deliver/tls_wish.h"
#include "mail/addr.h"
#include "net/dns_unbound.h"
#include "route/target.h"
#include "tlspolicy/sts_find.h"

#define PORT_SMTP 25
#define STS_FETCH_MS 10000

bool smtp_probe_is_socket(const struct smtp_probe *p) {
	return p->host && p->host[0] == '/';
}

bool smtp_probe_is_mx(const struct smtp_probe_run *run) {
	return !run->relay && run->p->port == PORT_SMTP;
}

static struct smtp_probe_target *add_target(struct smtp_probe_run *run, const char *host,
					    unsigned preference) {
	if (run->count == SMTP_PROBE_TARGETS_MAX)
		return NULL;
	struct smtp_probe_target *t = &run->target[run->count++];
	*t = (struct smtp_probe_target){ .preference = preference, .injection = -1 };
	snprintf(t->host, sizeof(t->host), "%s", host);
	return t;
}

static void set_address(struct smtp_probe_target *t, const struct net_addr *a) {
	AUTO_BUF struct buf where = BUF_INIT(sizeof(t->where) - 1);
	t->addrs.at[0] = *a;
	t->addrs.count = 1;
	net_addr_add(&where, a);
	snprintf(t->where, sizeof(t->where), "%s", buf_str(&where));
}

static bool is_wanted(const struct smtp_probe *p, const struct net_addr *a) {
	return p->family == 0 || (p->family == 4) == (a->sa.ss_family == AF_INET);
}

/* One target for each address. */
static void add_addresses(struct smtp_probe_run *run, const char *host, unsigned preference,
			  const struct net_addrs *addrs, int64_t dns_ms) {
	size_t before = run->count;
	for (size_t i = 0; i < addrs->count; i++) {
		struct smtp_probe_target *t;
		if (!is_wanted(run->p, &addrs->at[i]) ||
		    (t = add_target(run, host, preference)) == NULL)
			continue;
		t->dns_ms = dns_ms;
		set_address(t, &addrs->at[i]);
	}
	if (run->count == before)
		finding_add(&run->findings, "conn.no_address", FINDING_FAIL, host,
			    "the server has no address%s",
			    run->p->family == 4	  ? " of IPv4"
			    : run->p->family == 6 ? " of IPv6"
						  : "");
}

static void take_answer(const struct dns_answer *a, uint16_t port, struct net_addrs *ret) {
	struct inet_port p = { .port = port };
	for (size_t i = 0; i < a->count && ret->count < NET_ADDRS_MAX; i++)
		if (dns_addr(a, i, &p.addr)) {
			struct net_addr *at = &ret->at[ret->count++];
			at->len = inet_to_sockaddr(&p, &at->sa);
		}
}

/* By our own resolver where one is named, else as all programs of this machine do. */
static bool look_up(struct smtp_probe_run *run, const char *host, struct net_addrs *ret,
		    struct err *err) {
	uint16_t port = (uint16_t)run->p->port;
	ret->count = 0;
	if (net_is_literal(host) || !run->dns)
		return net_lookup(host, port, ret, err) == 0;
	struct span name = span_str(host);
	dns_get(run->dns, name, DNS_AAAA);
	const struct dns_answer *a = dns_ask(run->dns, name, DNS_A);
	const struct dns_answer *aaaa = dns_ask(run->dns, name, DNS_AAAA);
	take_answer(aaaa, port, ret);
	take_answer(a, port, ret);
	if (ret->count > 0)
		return true;
	bool temporary = dns_is_temporary(a) || dns_is_temporary(aaaa);
	err_set(err, temporary ? ERR_TIMEOUT : ERR_MISSING, "%s: %s", host,
		temporary && !dns_is_temporary(a) ? aaaa->why : a->why);
	return false;
}

static void add_host(struct smtp_probe_run *run, const char *host, unsigned preference) {
	struct net_addrs addrs = { .count = 0 };
	struct err err = ERR_INIT;
	int64_t begun = clock_boot_ms();
	if (run->p->connect) {
		addrs.count = 1;
		if (net_addr_parse(span_str(run->p->connect), &addrs.at[0], &err) != 0)
			addrs.count = 0;
	} else if (!look_up(run, host, &addrs, &err)) {
		finding_add(&run->findings, "conn.dns",
			    err.kind == ERR_MISSING ? FINDING_FAIL : FINDING_UNKNOWN, host,
			    "its address cannot be looked up: %s", err.msg);
		return;
	}
	add_addresses(run, host, preference, &addrs, clock_boot_ms() - begun);
}

/* --- MX --- */

struct mx_list {
	struct dns_mx at[SMTP_PROBE_TARGETS_MAX];
	size_t count;
};

static int by_preference(const void *a, const void *b) {
	const struct dns_mx *x = a, *y = b;
	return (x->preference > y->preference) - (x->preference < y->preference);
}

static void add_mx_hosts(struct smtp_probe_run *run, const struct dns_answer *a,
			 const char *domain) {
	struct mx_list list = { .count = 0 };
	for (size_t i = 0; i < a->count && list.count < SMTP_PROBE_TARGETS_MAX; i++)
		list.count += dns_mx(a->record[i], &list.at[list.count]);
	qsort(list.at, list.count, sizeof(list.at[0]), by_preference);
	if (list.count == 1 && list.at[0].host[0] == '\0') {
		run->null_mx = true;
		finding_add(&run->findings, "conn.null_mx", FINDING_FAIL, domain,
			    "the domain takes no mail: null MX");
		return;
	}
	for (size_t i = 0; i < list.count; i++)
		add_host(run, list.at[i].host, list.at[i].preference);
}

static void find_sts(struct smtp_probe_run *run, const char *domain) {
	struct err err = ERR_INIT;
	char id[STS_ID_MAX + 1];
	if (!sts_find_id(run->dns, domain, id))
		return;
	struct tls_client *trust = tls_client_new(run->p->ca_file, &err);
	run->has_sts = trust && sts_find_policy(run->dns, domain, trust, STS_FETCH_MS,
						&run->sts_text, &run->sts, &err) == STS_FOUND;
	tls_client_free(trust);
	if (!run->has_sts)
		finding_add(&run->findings, "sts.policy_fetch", FINDING_WARN, run->p->mx,
			    "a record promises an MTA-STS policy, but it cannot be had: %s",
			    err.msg);
}

static void find_mx(struct smtp_probe_run *run) {
	AUTO_BUF struct buf ascii = BUF_INIT(1024);
	struct err err = ERR_INIT;
	const char *domain = run->p->mx;
	if (addr_domain_ascii(span_str(domain), &ascii, &err) != 0) {
		finding_add(&run->findings, "conn.dns", FINDING_FAIL, domain, "%s", err.msg);
		return;
	}
	const struct dns_answer *a = dns_ask(run->dns, buf_span(&ascii), DNS_MX);
	run->dns_secure = a->secure;
	if (a->status == DNS_FOUND)
		add_mx_hosts(run, a, domain);
	else if (a->status == DNS_NODATA)
		add_host(run, buf_str(&ascii), 0); /* RFC 5321 section 5.1 */
	else
		finding_add(&run->findings, "conn.dns",
			    dns_is_temporary(a) ? FINDING_UNKNOWN : FINDING_FAIL, domain,
			    "its MX records cannot be looked up: %s", a->why);
	if (run->count > 0)
		find_sts(run, buf_str(&ascii));
}

/* --- what the destination publishes of TLS --- */

/* All look-ups at once: each host depends on itself alone. */
static void find_dane(struct smtp_probe_run *run) {
	bool pending;
	do {
		pending = false;
		for (size_t i = 0; i < run->count; i++) {
			struct smtp_probe_target *t = &run->target[i];
			if (!t->host[0] || net_is_literal(t->host))
				continue;
			t->has_dane = true;
			pending |= dane_lookup(run->dns, span_str(t->host),
					       (uint16_t)run->p->port,
					       &t->dane) == DANE_PENDING;
		}
	} while (pending && dns_run(run->dns) > 0);
}

static enum tlspolicy_wish wish_of(const struct smtp_probe_run *run) {
	if (run->relay)
		return tls_wish(run->relay);
	return run->p->tls == PROBE_TLS_NONE ? TLSPOLICY_WISH_NONE : TLSPOLICY_WISH_OPPORTUNISTIC;
}

static void decide(struct smtp_probe_run *run) {
	for (size_t i = 0; i < run->count; i++) {
		struct smtp_probe_target *t = &run->target[i];
		const struct tlspolicy_query q = {
			.wish = wish_of(run),
			.host = span_str(t->host),
			.dane = t->has_dane ? &t->dane : NULL,
			.sts = run->has_sts ? &run->sts : NULL,
		};
		t->decision = tlspolicy_decide(&q);
		t->decided = t->host[0] && (run->p->mx || run->relay || t->has_dane);
	}
}

static void find_relay(struct smtp_probe_run *run) {
	const struct config_relay *r = run->relay;
	struct target list;
	target_list(r->host, r->host_count, 0, &list);
	for (size_t i = 0; i < list.count; i++)
		add_host(run, list.host[i].name, (unsigned)i);
}

void smtp_probe_find_targets(struct smtp_probe_run *run) {
	const struct smtp_probe *p = run->p;
	if (p->mx)
		find_mx(run);
	else if (run->relay)
		find_relay(run);
	else if (smtp_probe_is_socket(p))
		snprintf(add_target(run, "", 0)->where, sizeof(run->target[0].where), "%.70s",
			 p->host);
	else
		add_host(run, p->host, 0);
	bool dane = p->dane || (run->relay && run->relay->tls == CONFIG_TLS_DANE) ||
		    (p->mx && run->dns_secure);
	if (dane && run->dns)
		find_dane(run);
	decide(run);
}
