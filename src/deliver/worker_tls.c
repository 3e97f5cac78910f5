/*
 * How a connection must be protected: what the relay's configuration says, and where that leaves it
 * open, what the destination publishes (tlspolicy/decide.h). Asked before every connection, since
 * records and configuration change while mail waits.
 */

#include "deliver/worker_state.h"

static enum tlspolicy_wish wish_of(const struct config_relay *r) {
	switch (r->tls) {
	case CONFIG_TLS_NONE:
		return TLSPOLICY_WISH_NONE;
	case CONFIG_TLS_OPPORTUNISTIC:
		return TLSPOLICY_WISH_OPPORTUNISTIC;
	case CONFIG_TLS_DANE:
		return TLSPOLICY_WISH_DANE;
	case CONFIG_TLS_STARTTLS:
	case CONFIG_TLS_IMPLICIT:
		break;
	}
	return r->pin ? TLSPOLICY_WISH_PIN : TLSPOLICY_WISH_VERIFY;
}

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

/* The domain whose MX records led here; "": none did. */
static const char *mx_domain(const struct worker *w) {
	const char *domain = "";
	if (w->params->destination)
		return w->params->destination;
	return config_way(&w->params->relay, &domain) == CONFIG_WAY_MX ? domain : "";
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
	if (mx_domain(w)[0])
		t->policy.names[names++] = mx_domain(w);
}

bool worker_tls_plan(struct worker *w, const char *host, bool signed_name) {
	struct worker_tls *t = &w->tls_plan;
	struct tlspolicy_query q = { .wish = wish_of(&w->params->relay),
				     .host = span_str(host) };
	bool open = q.wish == TLSPOLICY_WISH_OPPORTUNISTIC || q.wish == TLSPOLICY_WISH_DANE;
	t->dane = (struct dane_result){ .status = DANE_NONE };
	if (open && signed_name && ask_dane(w, host))
		q.dane = &t->dane;
	if (q.wish == TLSPOLICY_WISH_OPPORTUNISTIC && mx_domain(w)[0])
		q.sts = worker_sts(w, mx_domain(w));
	t->decision = tlspolicy_decide(&q);
	make_policy(w, host);
	if (t->decision.level != TLSPOLICY_WAIT && t->decision.level != TLSPOLICY_REFUSE)
		return true;
	w->fault = (struct worker_fault){
		true, SMTP_STAGE_TLS,
		smtp_reply_local(454, 7, 5, "%s is not used now: %s", host, t->decision.reason)
	};
	return false;
}
