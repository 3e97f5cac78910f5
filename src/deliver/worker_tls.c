/*
 * How a connection must be protected: what the relay's configuration says, and where that leaves it
 * open, what the destination publishes (tlspolicy/decide.h). Asked before every connection, since
 * records and configuration change while mail waits.
 */

#include "deliver/tls_wish.h"
#include "deliver/worker_state.h"

/* True when the records were asked for. */
static bool ask_dane(struct worker *w, const char *host) {
	struct dns *dns = worker_dns(w);
	if (!dns || net_is_literal(host))
		return false;
	worker_may_die(true);
	while (dane_lookup(dns, span_str(host), w->port, &w->tls_plan.dane) == DANE_PENDING &&
	       dns_run(dns) > 0)
		;
	worker_may_die(false);
	return true;
}

/* Takes the domain whose MX records led here; "": none did. */
static void take_domain(struct worker *w) {
	struct worker_tls *t = &w->tls_plan;
	AUTO_BUF struct buf name = BUF_INIT(1024);
	const char *domain = "";
	if (w->params->destination)
		domain = w->params->destination;
	else if (config_way(&w->params->relay, &domain) != CONFIG_WAY_MX)
		domain = "";
	t->domain[0] = '\0';
	if (domain[0] == '[' || addr_domain_ascii(span_str(domain), &name, NULL) != 0 ||
	    name.len >= sizeof(t->domain))
		return; /* it has no MX */
	for (size_t i = 0; i < name.len; i++)
		t->domain[i] = span_lower(name.data[i]);
	t->domain[name.len] = '\0';
}

static void make_policy(struct worker *w, const char *host) {
	const struct config_relay *r = &w->params->relay;
	struct worker_tls *t = &w->tls_plan;
	size_t names = 0;
	t->policy = (struct tls_policy){
		.host = host,
		.port = w->port,
		.verify = t->decision.level != TLSPOLICY_MAY &&
			  t->decision.level != TLSPOLICY_ENCRYPT,
		.priority = r->priority,
		.min_version = r->min_tls,
	};
	if (t->decision.level == TLSPOLICY_PIN)
		t->policy.pins = config_pins(r, t->policy.pin);
	if (t->decision.level != TLSPOLICY_DANE)
		return;
	t->policy.tlsa = t->dane.record;
	t->policy.tlsa_count = t->dane.count;
	t->policy.names[names++] = t->dane.base;
	if (t->domain[0])
		t->policy.names[names++] = t->domain;
}

bool worker_tls_plan(struct worker *w, const char *host, bool signed_name) {
	struct worker_tls *t = &w->tls_plan;
	struct tlspolicy_query q = { .wish = tls_wish(&w->params->relay),
				     .requiretls = w->strict.on,
				     .tls_optional = w->params->tls_optional,
				     .host = span_str(host) };
	bool open = q.wish == TLSPOLICY_WISH_OPPORTUNISTIC || q.wish == TLSPOLICY_WISH_DANE;
	t->dane = (struct dane_result){ .status = DANE_NONE };
	take_domain(w);
	open = open && !q.tls_optional;
	if (open && signed_name && ask_dane(w, host))
		q.dane = &t->dane;
	if (open && q.wish == TLSPOLICY_WISH_OPPORTUNISTIC && t->domain[0])
		q.sts = worker_sts(w, t->domain);
	t->decision = tlspolicy_decide(&q);
	make_policy(w, host);
	t->trusted = tlspolicy_is_trusted(&t->decision, t->domain[0] != '\0', signed_name);
	bool usable = t->decision.level != TLSPOLICY_WAIT && t->decision.level != TLSPOLICY_REFUSE;
	if (usable && w->strict.on && !t->trusted)
		snprintf(t->decision.reason, sizeof(t->decision.reason), "%s",
			 TLSPOLICY_NOT_VOUCHED);
	if (usable && (t->trusted || !w->strict.on))
		return true;
	if (!usable)
		worker_tlsrpt_refused(w);
	w->fault = (struct worker_fault){
		true, SMTP_STAGE_TLS,
		smtp_reply_local(454, 7, 5, "%s is not used now: %s", host, t->decision.reason)
	};
	return false;
}
