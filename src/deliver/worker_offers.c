/*
 * A server that offers weaker login mechanisms than before: a warning, or with auth-downgrade = hold
 * no login. Only mechanisms with a password are compared, and only those that are allowed here.
 */

#include "deliver/offers.h"
#include "deliver/worker_state.h"

#include "base/term.h"

bool worker_offers_enough(struct worker *w, const char *offered, struct err *err) {
	const struct config_relay *r = &w->params->relay;
	struct span host = span_str(w->host);
	const char *best = smtp_auth_best(offered, r->auth);
	struct span seen = offers_find(
		span_str(w->params->auth_seen ? w->params->auth_seen : ""), host);
	AUTO_BUF struct buf words = BUF_INIT(512);
	w->best_offer = NULL;
	if (w->secret.token || !r->login)
		return true;
	if (!smtp_auth_is_weaker(best ? span_str(best) : SPAN(""), seen)) {
		if (best && !span_eq(span_str(best), seen))
			w->best_offer = best;
		return true;
	}
	term_safe(&words, host);
	buf_addf(&words, " offered %.*s before, and now %s", (int)seen.len, seen.p,
		 best ? best : "nothing of that kind");
	if (w->params->auth_hold) {
		err_set(err, ERR_DENIED,
			"%.250s (auth-downgrade = hold); if that is meant to be so, run nightmail "
			"relay trust %s",
			buf_str(&words), r->name);
		return false;
	}
	if (!w->told_weaker)
		log_warn("relay %s: %s; if that is meant to be so, run nightmail relay trust %s",
			    r->name, buf_str(&words), r->name);
	w->told_weaker = true;
	return true;
}
