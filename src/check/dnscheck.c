/* Runs the checks, round by round; each keeps its findings only once it has all its answers. */

#include "check/dnscheck.h"

#include "base/auto.h"
#include "check/dnscheck_state.h"

#define ROUNDS_MAX 64
#define TXT_MAX 65536

typedef bool check_fn(struct dnscheck *c);

/* In the order in which people read them. */
static check_fn *const checks[] = {
	dnscheck_dnssec, dnscheck_mx,    dnscheck_ptr,    dnscheck_spf,  dnscheck_dkim,
	dnscheck_dmarc,  dnscheck_sts,   dnscheck_tlsrpt, dnscheck_dane, dnscheck_bimi,
	dnscheck_caa,    dnscheck_lists, dnscheck_parked, dnscheck_dangling,
	dnscheck_servers,
};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

static void run(struct dnscheck *c, check_fn *const *check, size_t count,
		struct findings *ret) {
	struct findings part[CHECKS] = { { .at = NULL } };
	bool done[CHECKS] = { false };
	bool all = false;
	c->idle = false;
	for (int round = 0; !all && round < ROUNDS_MAX; round++) {
		all = true;
		for (size_t i = 0; i < count; i++) {
			if (done[i])
				continue;
			finding_clear(&part[i]);
			c->out = &part[i];
			done[i] = check[i](c);
			all = all && done[i];
		}
		if (!all && dns_run(c->dns) == 0) {
			if (c->idle)
				break;
			c->idle = true;
		}
	}
	for (size_t i = 0; i < count; i++)
		finding_move(ret, &part[i]);
	c->out = NULL;
}

void dnscheck_run(struct dnscheck *c, struct findings *ret) {
	run(c, checks, CHECKS, ret);
}

void dnscheck_run_sts(struct dnscheck *c, struct findings *ret) {
	static check_fn *const sts[] = { dnscheck_sts };
	run(c, sts, 1, ret);
}

struct chain {
	unsigned rounds, questions;
	int64_t slowest_ms;
};

static void look(void *ctx, const struct dns_answer *a) {
	struct chain *chain = ctx;
	chain->questions++;
	if (a->round > chain->rounds)
		chain->rounds = a->round;
	if (a->took_ms > chain->slowest_ms)
		chain->slowest_ms = a->took_ms;
}

void dnscheck_chain(struct dns *dns, unsigned *ret_rounds, unsigned *ret_questions,
		    int64_t *ret_slowest_ms) {
	struct chain chain = { .rounds = 0 };
	dns_each(dns, look, &chain);
	*ret_rounds = chain.rounds;
	*ret_questions = chain.questions;
	*ret_slowest_ms = chain.slowest_ms;
}

/* --- what the checks share --- */

const struct dns_answer *dnscheck_get(struct dnscheck *c, const char *prefix,
				      const char *name, enum dns_type type) {
	AUTO_BUF struct buf full = BUF_INIT(1024);
	buf_addf(&full, "%s%s%s", prefix, prefix[0] ? "." : "", name);
	return dns_get(c->dns, buf_span(&full), type);
}

size_t dnscheck_txt(const struct dns_answer *a, struct span version, struct buf *text) {
	size_t found = 0;
	for (size_t i = 0; i < a->count; i++) {
		AUTO_BUF struct buf one = BUF_INIT(TXT_MAX);
		if (!dns_txt(a->record[i], &one))
			continue;
		struct span rest = buf_span(&one);
		if (!span_take_lit_nocase(&rest, version) ||
		    (rest.len > 0 && !strchr("; \t", rest.p[0])))
			continue;
		if (found++ > 0)
			continue;
		buf_reset(text);
		buf_add(text, buf_span(&one));
	}
	return found;
}

static bool is_before(const struct dns_mx *a, const struct dns_mx *b) {
	int names = strcmp(a->host, b->host);
	return a->preference < b->preference ||
	       (a->preference == b->preference && names < 0);
}

bool dnscheck_is_msv1(const char *host) {
	return span_ends_nocase(span_str(host), SPAN(".msv1.invalid"));
}

static bool is_alone(const struct dns_answer *a) {
	struct dns_mx mx;
	for (size_t i = 0; i < a->count; i++)
		if (dns_mx(a->record[i], &mx) && !dnscheck_is_msv1(mx.host))
			return false;
	return true;
}

bool dnscheck_hosts(struct dnscheck *c, struct dnscheck_hosts *ret) {
	const struct dns_answer *a = dns_get(c->dns, span_str(c->domain), DNS_MX);
	struct dns_mx sorted[DNSCHECK_MX_MAX], mx;
	memset(ret, 0, sizeof(*ret));
	if (a->status == DNS_PENDING)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!dns_mx(a->record[i], &mx))
			continue;
		ret->null |= !mx.host[0];
		if (!mx.host[0] || ret->count == DNSCHECK_MX_MAX ||
		    (dnscheck_is_msv1(mx.host) && !is_alone(a)))
			continue;
		size_t k = ret->count++;
		for (; k > 0 && is_before(&mx, &sorted[k - 1]); k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = mx;
	}
	for (size_t i = 0; i < ret->count; i++)
		memcpy(ret->name[i], sorted[i].host, sizeof(ret->name[i]));
	if (a->status == DNS_NODATA) {
		ret->implicit = true;
		memcpy(ret->name[0], c->domain, sizeof(c->domain));
		ret->count = 1;
	}
	return true;
}

bool dnscheck_is_parked(struct dnscheck *c) {
	struct dnscheck_hosts hosts;
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	if (c->parked)
		return true;
	return dnscheck_hosts(c, &hosts) && hosts.null && hosts.count == 0 &&
	       spf_fetch(c->dns, span_str(c->domain), &text) == SPF_PASS &&
	       span_eq_nocase(span_trim(buf_span(&text)), SPAN("v=spf1 -all"));
}
