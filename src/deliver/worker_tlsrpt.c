/*
 * What a TLS report (RFC 8460) counts of our connections: one session each, when it is known how
 * its TLS went, or that the policy of the destination forbids it. A session belongs to the
 * policy that decided (tlspolicy/decide.h). What the configuration alone asks for is no policy
 * of anybody else, and is not counted; nor is what a message alone asks for (RFC 8689), nor a
 * connection that did not come to TLS because there was none.
 */

#include <netinet/in.h>
#include <string.h>

#include "base/codec.h"
#include "base/utcday.h"
#include "deliver/worker_state.h"
#include "net/addr.h"
#include "queue/tlsrptlog.h"

#define POLICY_MAX 8192u
#define LINE_MAX_BYTES 32768u

static void add_socket_name(const struct worker *w, char *ret, size_t size,
			    int ask(int, struct sockaddr *, socklen_t *)) {
	AUTO_BUF struct buf text = BUF_INIT(size - 1);
	struct net_addr a = { .len = sizeof(a.sa) };
	ret[0] = '\0';
	if (ask(conn_fd(w->conn), (struct sockaddr *)&a.sa, &a.len) == 0 &&
	    (a.sa.ss_family == AF_INET || a.sa.ss_family == AF_INET6) &&
	    net_addr_add(&text, &a) == 0)
		snprintf(ret, size, "%s", buf_str(&text));
}

void worker_tlsrpt_connected(struct worker *w) {
	add_socket_name(w, w->tlsrpt.from, sizeof(w->tlsrpt.from), getsockname);
	add_socket_name(w, w->tlsrpt.to, sizeof(w->tlsrpt.to), getpeername);
}

void worker_tlsrpt_begin(struct worker *w) {
	w->tlsrpt.told = false;
	w->tlsrpt.from[0] = w->tlsrpt.to[0] = '\0';
}

/* Counts it. What cannot be written is said once: mail does not wait for it. */
static void count(struct worker *w, const struct tlsrpt_session *s) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct err err = ERR_INIT;
	if (!w->tlsrpt.log && !w->tlsrpt.failed)
		w->tlsrpt.log = tlsrptlog_new(w->queue, w->params->slot);
	if (w->tlsrpt.log && tlsrpt_line_add(&line, s) == 0 &&
	    tlsrptlog_add(w->tlsrpt.log, utcday_of(clock_wall_ms()), buf_span(&line),
			  &err) == 0)
		return;
	if (!w->tlsrpt.failed)
		log_warn("what the TLS report counts cannot be written: %s", err.msg);
	w->tlsrpt.failed = true;
}

/* The records, as a zone has them. */
static void add_records(const struct dane_result *dane, uint16_t port, struct buf *out) {
	for (size_t i = 0; i < dane->count; i++) {
		const struct dns_tlsa *r = &dane->record[i];
		buf_addf(out, "_%u._tcp.%s. IN TLSA %u %u %u ", port, dane->base,
			 r->usage, r->selector, r->matching);
		for (size_t k = 0; k < r->data.len; k++)
			codec_hex_add(out, (unsigned char)r->data.p[k], 2);
		buf_addc(out, '\n');
	}
}

static bool by_dane(const struct worker *w, struct tlsrpt_session *s,
		    struct buf *policy) {
	const struct dane_result *dane = &w->tls_plan.dane;
	if (dane->status == DANE_NO_HOST)
		return false;
	add_records(dane, w->port, policy);
	s->type = TLSRPT_TLSA;
	s->domain = span_str(dane->base[0] ? dane->base : w->host);
	s->policy = buf_span(policy);
	return true;
}

/* Whose policy decided. False: this connection is not counted (any more). */
static bool find_policy(const struct worker *w, struct tlsrpt_session *s,
			struct buf *policy) {
	const struct worker_tls *t = &w->tls_plan;
	*s = (struct tlsrpt_session){
		.domain = span_str(t->domain[0] ? t->domain : w->host),
		.mx = span_str(w->host),
		.sending_ip = span_str(w->tlsrpt.from),
		.receiving_ip = span_str(w->tlsrpt.to),
	};
	if (w->tlsrpt.told || w->port == 0 || (!t->domain[0] && net_is_literal(w->host)))
		return false;
	switch (t->decision.source) {
	case TLSPOLICY_BY_DANE:
		return by_dane(w, s, policy);
	case TLSPOLICY_BY_STS:
		s->type = TLSRPT_STS;
		s->policy = w->sts.text;
		return true;
	case TLSPOLICY_BY_DEFAULT:
		return !w->strict.on;
	case TLSPOLICY_BY_CONFIG: /* tls = dane, and there is no record */
		s->type = TLSRPT_TLSA;
		s->domain = span_str(w->host);
		return t->decision.level == TLSPOLICY_WAIT;
	case TLSPOLICY_BY_MESSAGE:
		break;
	}
	return false;
}

static void tell(struct worker *w, struct tlsrpt_session *s, enum tlsrpt_result result,
		 const char *reason) {
	s->result = result;
	s->reason = span_str(result == TLSRPT_SUCCESS ? "" : reason);
	w->tlsrpt.told = true;
	count(w, s);
}

void worker_tlsrpt_refused(struct worker *w) {
	AUTO_BUF struct buf policy = BUF_INIT(POLICY_MAX);
	struct tlsrpt_session s;
	if (!find_policy(w, &s, &policy))
		return;
	const char *why = w->tls_plan.decision.reason;
	if (s.type == TLSRPT_STS) /* the server is none of those that it names */
		tell(w, &s, TLSRPT_VALIDATION_FAILURE, why);
	else if (w->tls_plan.decision.source == TLSPOLICY_BY_DANE)
		tell(w, &s, TLSRPT_DNSSEC_INVALID, why);
	else if (s.type == TLSRPT_TLSA)
		tell(w, &s, TLSRPT_DANE_REQUIRED, why);
}

static enum tlsrpt_result result_of(enum tls_fault fault) {
	switch (fault) {
	case TLS_FAULT_NONE:
		return TLSRPT_SUCCESS;
	case TLS_FAULT_EXPIRED:
		return TLSRPT_EXPIRED;
	case TLS_FAULT_HOST:
		return TLSRPT_HOST_MISMATCH;
	case TLS_FAULT_ISSUER:
		return TLSRPT_NOT_TRUSTED;
	case TLS_FAULT_HANDSHAKE:
	case TLS_FAULT_OTHER:
		break;
	}
	return TLSRPT_VALIDATION_FAILURE;
}

void worker_tlsrpt_handshake(struct worker *w, bool done, const char *why) {
	AUTO_BUF struct buf policy = BUF_INIT(POLICY_MAX);
	const struct tlspolicy_decision *d = &w->tls_plan.decision;
	enum tls_fault fault = conn_tls_fault(w->conn);
	struct tlsrpt_session s;
	if (!find_policy(w, &s, &policy))
		return;
	if (!done)
		tell(w, &s, result_of(fault), why);
	else if (s.type == TLSRPT_TLSA && w->tls_plan.dane.status == DANE_UNUSABLE)
		tell(w, &s, TLSRPT_TLSA_INVALID, d->reason);
	else if (d->testing && !sts_policy_covers(&w->sts, span_str(w->host)))
		tell(w, &s, TLSRPT_VALIDATION_FAILURE, d->reason);
	else if (d->testing)
		tell(w, &s, result_of(fault), conn_tls_info(w->conn)->why_not);
	else
		tell(w, &s, TLSRPT_SUCCESS, "");
}

void worker_tlsrpt_no_tls(struct worker *w, const struct smtp_reply *reply) {
	AUTO_BUF struct buf policy = BUF_INIT(POLICY_MAX),
			    words = BUF_INIT(2 * SMTP_REPLY_TEXT_MAX);
	struct tlsrpt_session s;
	if (!find_policy(w, &s, &policy))
		return;
	if (reply && !reply->local) /* it offers what it refuses then */
		smtp_reply_add(&words, reply);
	bool broken = reply && reply->local && reply->status.subject != 7;
	if (broken)
		buf_adds(&words, reply->text);
	tell(w, &s, broken ? TLSRPT_VALIDATION_FAILURE : TLSRPT_STARTTLS_NOT_SUPPORTED,
	     buf_str(&words));
}

void worker_tlsrpt_sts(struct worker *w, const char *domain, enum tlsrpt_result result,
		       const char *why) {
	const struct tlsrpt_session s = { .type = TLSRPT_STS,
					  .domain = span_str(domain),
					  .result = result,
					  .reason = span_str(why) };
	count(w, &s);
}

void worker_tlsrpt_sync(struct worker *w) {
	struct err err = ERR_INIT;
	if (w->tlsrpt.log && tlsrptlog_sync(w->tlsrpt.log, &err) != 0 &&
	    !w->tlsrpt.failed) {
		log_warn("what the TLS report counts is not durable: %s", err.msg);
		w->tlsrpt.failed = true;
	}
}
