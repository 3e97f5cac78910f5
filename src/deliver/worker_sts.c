/*
 * The MTA-STS policy of a destination (RFC 8461 section 5): the one that was fetched before, as
 * long as it holds, and a new one when the record's id says that there is. A record or a server
 * that cannot be had takes nothing away from a policy that is known; without one, mail goes as if
 * there were none.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "deliver/worker_state.h"
#include "queue/stscache.h"
#include "tlspolicy/sts_find.h"

#define FETCH_MS 60000 /* RFC 8461 section 3.3 */

/* Why there is no policy. */
struct trouble {
	enum tlsrpt_result kind;
	struct err err;
};

static bool fetch(struct worker *w, struct dns *dns, const char *domain, struct buf *text,
		  struct trouble *why) {
	static const enum tlsrpt_result kinds[] = {
		[STS_FOUND] = TLSRPT_SUCCESS,
		[STS_UNREACHABLE] = TLSRPT_STS_FETCH_ERROR,
		[STS_BAD_CERTIFICATE] = TLSRPT_STS_WEBPKI_INVALID,
		[STS_BAD_POLICY] = TLSRPT_STS_INVALID,
	};
	why->kind = kinds[sts_find_policy(dns, domain, w->tls, FETCH_MS, text, &w->sts,
					  &why->err)];
	if (why->kind == TLSRPT_SUCCESS)
		return true;
	log_warn("domain=%s its MTA-STS policy cannot be had: %s", domain, why->err.msg);
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

static bool take_new(struct worker *w, struct dns *dns, const char *domain, const char *id,
		     struct trouble *why) {
	AUTO_BUF struct buf text = BUF_INIT(STS_POLICY_MAX);
	struct stscache_entry e = { .fetched_ms = clock_wall_ms() };
	struct err err = ERR_INIT;
	snprintf(e.id, sizeof(e.id), "%s", id);
	if (!fetch(w, dns, domain, &text, why))
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
	struct trouble why = { .err = ERR_INIT };
	struct dns *dns = worker_dns(w);
	if (w->sts_asked)
		return w->has_sts ? &w->sts : NULL;
	w->sts_asked = true;
	if (!dns || !w->tls)
		return NULL;
	if (!w->sts_text.max)
		buf_init(&w->sts_text, STS_POLICY_MAX + 1);
	worker_may_die(true);
	bool published = sts_find_id(dns, domain, id);
	w->has_sts = take_known(w, domain, &known);
	if (published && (!w->has_sts || strcmp(known.id, id) != 0)) {
		bool had = w->has_sts;
		w->has_sts = take_new(w, dns, domain, id, &why) ||
			     (had && take_known(w, domain, &known));
		if (!w->has_sts)
			worker_tlsrpt_sts(w, domain, why.kind, why.err.msg);
	}
	worker_may_die(false);
	return w->has_sts ? &w->sts : NULL;
}
