/*
 * As a worker decides (deliver/worker_tls.c), but with the MTA-STS policy that is published
 * now: the one that the daemon keeps from before may be another.
 */

#include "cli/explain_tls.h"

#include <stdio.h>

#include "base/json.h"
#include "base/term.h"
#include "deliver/tls_wish.h"
#include "net/addr.h"
#include "tlspolicy/sts_find.h"

#define FETCH_MS 10000
#define PORT_SMTP 25

/* What the destination publishes. */
struct published {
	struct buf text;
	struct sts_policy sts;
	bool has_sts;
};

static void find_sts(struct explain_tls *t, const struct config_relay *relay,
		     const char *domain, struct dns *dns, struct published *ret) {
	char id[STS_ID_MAX + 1];
	struct err err = ERR_INIT;
	if (!sts_find_id(dns, domain, id))
		return;
	struct tls_client *trust = tls_client_new(relay->ca, &err);
	ret->has_sts = trust && sts_find_policy(dns, domain, trust, FETCH_MS, &ret->text,
						&ret->sts, &err) == STS_FOUND;
	tls_client_free(trust);
	if (!ret->has_sts)
		snprintf(t->trouble, sizeof(t->trouble), "%s", err.msg);
}

static bool find_dane(struct dns *dns, const struct target_host *h, uint16_t port,
		      struct dane_result *ret) {
	if (!dns || net_is_literal(h->name))
		return false;
	while (dane_lookup(dns, span_str(h->name), port, ret) == DANE_PENDING &&
	       dns_run(dns) > 0)
		;
	return true;
}

static void refuse(struct tlspolicy_decision *d, bool *usable) {
	if (*usable)
		snprintf(d->reason, sizeof(d->reason), "%s", TLSPOLICY_NOT_VOUCHED);
	*usable = false;
}

/* What is asked about all servers of a relay. */
struct question {
	const struct config_relay *relay;
	const struct target *servers;
	const struct explain_wishes *wishes;
	struct dns *dns;
	enum tlspolicy_wish wish;
	bool by_mx;    /* MX records led to the servers */
	bool open;     /* what they publish decides */
	bool optional; /* the message says that it does not */
};

static void decide(struct explain_tls *t, const struct question *a,
		   const struct published *p, size_t i) {
	const struct target_host *h = &a->servers->host[i];
	uint16_t port = h->port ? h->port : a->relay->port ? a->relay->port : PORT_SMTP;
	bool named = a->wish == TLSPOLICY_WISH_DANE && !a->servers->mx && !a->by_mx;
	bool ask = a->open && !a->optional && (h->secure || named);
	struct dane_result dane = { .status = DANE_NONE };
	const struct tlspolicy_query q = {
		.wish = a->wish,
		.requiretls = a->wishes->requiretls,
		.host = span_str(h->name),
		.dane = ask && find_dane(a->dns, h, port, &dane) ? &dane : NULL,
		.sts = p->has_sts ? &p->sts : NULL,
		.tls_optional = a->optional,
	};
	struct tlspolicy_decision *d = &t->host[i];
	*d = tlspolicy_decide(&q);
	t->usable[i] = d->level != TLSPOLICY_WAIT && d->level != TLSPOLICY_REFUSE;
	if (a->wishes->requiretls && !tlspolicy_is_trusted(d, a->by_mx, h->secure))
		refuse(d, &t->usable[i]);
}

void explain_tls_find(struct explain_tls *t, const struct config_relay *relay,
		      const struct target *servers, const char *domain, bool direct,
		      const struct explain_wishes *wishes, struct dns *dns) {
	struct published p = { .text = BUF_INIT(STS_POLICY_MAX + 1) };
	struct question a = { .relay = relay,
			      .servers = servers,
			      .wishes = wishes,
			      .dns = dns,
			      .wish = tls_wish(relay),
			      .by_mx = domain[0] != '\0' };
	bool dane = a.wish == TLSPOLICY_WISH_DANE,
	     may = a.wish == TLSPOLICY_WISH_OPPORTUNISTIC;
	a.open = dane || may;
	a.optional = may && direct && wishes->tls_optional;
	*t = (struct explain_tls){ .count = servers->count };
	t->told = wishes->requiretls || wishes->tls_optional || dane || (may && a.by_mx);
	if (dns && a.by_mx && may && !a.optional)
		find_sts(t, relay, domain, dns, &p);
	for (size_t i = 0; i < servers->count; i++)
		decide(t, &a, &p, i);
	buf_release(&p.text);
}

void explain_tls_print(const struct explain_tls *t, const struct target *servers) {
	for (size_t i = 0; t->told && i < t->count; i++) {
		fputs("         ", stdout);
		term_print(stdout, span_str(servers->host[i].name));
		printf(": %s: ", t->usable[i] ? tlspolicy_level_name(t->host[i].level)
					      : "not used now");
		term_print(stdout, span_str(t->host[i].reason));
		putchar('\n');
	}
	if (!t->trouble[0])
		return;
	fputs("         an MTA-STS policy is promised, and cannot be had: ", stdout);
	term_print(stdout, span_str(t->trouble));
	putchar('\n');
}

void explain_tls_json(struct json *j, const struct explain_tls *t, size_t i) {
	if (i >= t->count) {
		json_null(j, "tls");
		return;
	}
	json_object(j, "tls");
	json_str(j, "level", span_str(tlspolicy_level_name(t->host[i].level)));
	json_str(j, "by", span_str(tlspolicy_source_name(t->host[i].source)));
	json_bool(j, "used", t->usable[i]);
	json_str(j, "reason", span_str(t->host[i].reason));
	json_end(j);
}
