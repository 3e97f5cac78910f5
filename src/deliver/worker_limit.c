/*
 * How much a server takes at a time: what it says with LIMITS (RFC 9422), our own settings, and
 * what it shows by refusing recipients beyond some number (452, or 552 of old servers; RFC
 * 5321 section 4.5.3.1.10). Those go with the next transaction, not with the next attempt.
 */

#include "deliver/worker_state.h"

static struct span domain_of(struct span address) {
	size_t at = 0;
	for (size_t i = 0; i < address.len; i++)
		if (address.p[i] == '@')
			at = i + 1;
	return span_from(address, at);
}

/* How many different domains the transaction has with this address. */
static size_t domains_with(const struct worker_job *job, const struct worker_part *part,
			   struct span address) {
	size_t n = 1;
	for (size_t i = part->first_wire; i < job->wires; i++) {
		struct span domain = domain_of(job->wire[i].address);
		bool known = span_eq_nocase(domain, domain_of(address));
		for (size_t k = part->first_wire; k < i && !known; k++)
			known = span_eq_nocase(domain, domain_of(job->wire[k].address));
		n += !known;
	}
	return n;
}

bool worker_part_is_full(const struct worker *w, const struct worker_job *job,
			 const struct worker_part *part, struct span address) {
	size_t wires = job->wires - part->first_wire;
	size_t domains = w->ext.rcpt_domain_max;
	if (wires == 0)
		return false; /* a recipient of many addresses is not split */
	return job->sendable - part->first >= WORKER_PART_RECIPIENTS ||
	       (w->ext.rcpt_max > 0 && wires >= w->ext.rcpt_max) ||
	       (w->rcpt_max > 0 && wires >= w->rcpt_max) ||
	       (domains > 0 && domains_with(job, part, address) > domains);
}

unsigned worker_session_left(const struct worker *w) {
	unsigned ours = w->params->relay.per_connection, theirs = w->ext.mail_max;
	unsigned max = ours == 0 || (theirs > 0 && theirs < ours) ? theirs : ours;
	if (max == 0)
		return UINT32_MAX;
	return max > w->begun_here ? max - w->begun_here : 0;
}

bool worker_put_off(struct worker *w, struct worker_part *part, size_t wire,
		    const struct smtp_reply *reply) {
	struct worker_job *job = part->job;
	if (part->accepted == 0 || part->expanded || !outcome_is_too_many(reply))
		return false;
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++)
		if (job->route[i].wire == wire)
			job->to[job->route[i].to].put_off = true;
	if (w->rcpt_max == 0 || part->accepted < w->rcpt_max)
		w->rcpt_max = part->accepted;
	return true;
}

void worker_take_up(struct worker_job *job) {
	for (size_t k = 0; k < job->sendable; k++) {
		if (!job->to[k].put_off || job->to[k].verdict != VERDICT_NONE)
			continue;
		job->next = job->to[k].index;
		job->more = true;
		return;
	}
}
