/*
 * The MTA-STS policy of a destination (RFC 8461 section 5): the one that was fetched before, as
 * long as it holds, and a new one when the record's id says that there is. A record or a server
 * that cannot be had takes nothing away from a policy that is known; without one, mail goes as if
 * there were none. A server that gave none is left alone for a while, and so is our mail, which
 * waits for it.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "deliver/worker_state.h"
#include "queue/stscache.h"
#include "tlspolicy/sts_find.h"

/* Both of RFC 8461 section 3.3. */
#define FETCH_MS 60000
#define MISSED_MS (5 * 60000)

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

static bool missed_lately(const struct stscache_entry *known, const char *id) {
	int64_t age_ms = clock_wall_ms() - known->missed_ms;
	return known->missed[0] && strcmp(known->missed, id) == 0 && age_ms >= 0 &&
	       age_ms < MISSED_MS;
}

/* Beside the policy that is known, if any. */
static void remember_missed(struct worker *w, const char *domain, struct stscache_entry *known,
			    const char *id) {
	struct err err = ERR_INIT;
	snprintf(known->missed, sizeof(known->missed), "%s", id);
	known->missed_ms = clock_wall_ms();
	if (stscache_write(w->queue, domain, known, buf_span(&w->sts_text), &err) != 0)
		log_warn("domain=%s it cannot be kept that its MTA-STS policy is missing: %s",
			 domain, err.msg);
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

/* There is a newer policy than the known one, if that holds. */
static bool renew(struct worker *w, struct dns *dns, const char *domain, const char *id,
		  struct stscache_entry *known) {
	bool had = w->has_sts;
	struct trouble why = { .kind = TLSRPT_STS_FETCH_ERROR, .err = ERR_INIT };
	if (missed_lately(known, id))
		err_set(&why.err, ERR_TIMEOUT, "its server gave no policy a moment ago");
	else if (take_new(w, dns, domain, id, &why))
		return true;
	else if (why.kind == TLSRPT_STS_FETCH_ERROR)
		remember_missed(w, domain, known, id);
	if (had && take_known(w, domain, known))
		return true;
	worker_tlsrpt_sts(w, domain, why.kind, why.err.msg);
	return false;
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
	bool published = sts_find_id(dns, domain, id);
	w->has_sts = take_known(w, domain, &known);
	if (published && (!w->has_sts || strcmp(known.id, id) != 0))
		w->has_sts = renew(w, dns, domain, id, &known);
	worker_may_die(false);
	return w->has_sts ? &w->sts : NULL;
}
