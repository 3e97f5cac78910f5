/*
 * The MTA-STS policy of a destination (RFC 8461 section 5): the one that was fetched before, as
 * long as it holds, and a new one when the record's id says that there is. A record or a server
 * that cannot be had takes nothing away from a policy that is known; without one, mail goes as if
 * there were none.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "deliver/worker_state.h"
#include "net/lookup.h"
#include "queue/stscache.h"
#include "tlspolicy/sts_fetch.h"

#define FETCH_MS 60000 /* RFC 8461 section 3.3 */
#define HTTPS_PORT 443

/* The id of the one record; false: there is none, or it cannot be known now. */
static bool look_up_id(struct dns *dns, const char *domain, char ret[STS_ID_MAX + 1]) {
	AUTO_BUF struct buf text = BUF_INIT(65536);
	char name[300];
	size_t found = 0;
	snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	const struct dns_answer *a = dns_ask(dns, span_str(name), DNS_TXT);
	for (size_t i = 0; i < a->count; i++) {
		buf_reset(&text);
		if (dns_txt(a->record[i], &text) && sts_is_record(buf_span(&text)))
			found += sts_record_parse(buf_span(&text), ret, NULL) == 0 ? 1 : 2;
	}
	return found == 1;
}

static bool fetch(struct worker *w, struct dns *dns, const char *domain, struct buf *text) {
	char host[300];
	struct net_addrs addrs;
	struct err err = ERR_INIT;
	snprintf(host, sizeof(host), "mta-sts.%s", domain);
	const struct sts_fetch f = { .domain = domain,
				     .addrs = &addrs,
				     .trust = w->tls,
				     .timeout_ms = FETCH_MS };
	if (net_lookup_dns(dns, host, HTTPS_PORT, &addrs, &err) == 0 &&
	    sts_fetch(&f, text, &err) == 0 &&
	    sts_policy_parse(buf_span(text), &w->sts, &err) == 0)
		return true;
	log_warn("domain=%s its MTA-STS policy cannot be had: %s", domain, err.msg);
	return false;
}

/* Takes what was fetched before; *ret_id: under which id. */
static bool take_known(struct worker *w, const char *domain, struct stscache_entry *ret) {
	struct err err = ERR_INIT;
	buf_reset(&w->sts_text);
	if (stscache_read(w->queue, domain, ret, &w->sts_text, &err) != 0 ||
	    sts_policy_parse(buf_span(&w->sts_text), &w->sts, &err) != 0)
		return false;
	int64_t age_ms = clock_wall_ms() - ret->fetched_ms;
	return age_ms >= 0 && age_ms < (int64_t)w->sts.max_age_s * 1000;
}

static bool take_new(struct worker *w, struct dns *dns, const char *domain, const char *id) {
	AUTO_BUF struct buf text = BUF_INIT(STS_POLICY_MAX);
	struct stscache_entry e = { .fetched_ms = clock_wall_ms() };
	struct err err = ERR_INIT;
	snprintf(e.id, sizeof(e.id), "%s", id);
	if (!fetch(w, dns, domain, &text))
		return false;
	buf_reset(&w->sts_text);
	buf_add(&w->sts_text, buf_span(&text));
	if (stscache_write(w->queue, domain, &e, buf_span(&text), &err) != 0)
		log_warn("domain=%s its MTA-STS policy cannot be kept: %s", domain, err.msg);
	return sts_policy_parse(buf_span(&w->sts_text), &w->sts, &err) == 0;
}

const struct sts_policy *worker_sts(struct worker *w, const char *domain) {
	struct stscache_entry known;
	char id[STS_ID_MAX + 1] = "";
	struct dns *dns = worker_dns(w);
	if (w->sts_asked)
		return w->has_sts ? &w->sts : NULL;
	w->sts_asked = true;
	if (!dns || !w->tls)
		return NULL;
	if (!w->sts_text.max)
		buf_init(&w->sts_text, STS_POLICY_MAX + 1);
	worker_may_die(true);
	bool published = look_up_id(dns, domain, id);
	w->has_sts = take_known(w, domain, &known);
	if (published && (!w->has_sts || strcmp(known.id, id) != 0)) {
		bool had = w->has_sts;
		w->has_sts = take_new(w, dns, domain, id) ||
			     (had && take_known(w, domain, &known));
	}
	worker_may_die(false);
	return w->has_sts ? &w->sts : NULL;
}
