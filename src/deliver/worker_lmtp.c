/*
 * LMTP (RFC 2033): after the content each recipient has a reply of its own, and what it says
 * is recorded at once, so that a connection that ends between two replies leaves only those in
 * doubt that had none.
 */

#include "base/log.h"
#include "deliver/worker_state.h"

/* The address of the nth recipient of the part that was accepted; SIZE_MAX: none. */
static size_t nth_accepted(const struct worker_part *part, size_t nth) {
	const struct worker_job *job = part->job;
	size_t last = SIZE_MAX;
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++) {
		const struct worker_route *r = &job->route[i];
		/* Routes to one address stand for one recipient; wires are in their order. */
		if (!r->accepted || (last != SIZE_MAX && r->wire <= last))
			continue;
		last = r->wire;
		if (nth-- == 0)
			return r->wire;
	}
	return SIZE_MAX;
}

/* True when nothing is open of an alias any more. */
static bool has_all(const struct worker_part *part, size_t k) {
	const struct worker_job *job = part->job;
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++)
		if (job->route[i].to == k && !job->route[i].done)
			return false;
	return job->to[k].verdict == VERDICT_NONE && !job->to[k].elsewhere;
}

/* True when an address of an alias was accepted and has no reply yet, or a good one. */
static bool has_others(const struct worker_part *part, size_t k) {
	const struct worker_job *job = part->job;
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++)
		if (job->route[i].to == k && job->route[i].accepted && !job->route[i].lost)
			return true;
	return false;
}

static void deliver(struct worker *w, struct worker_part *part, size_t k,
		    const struct smtp_reply *reply) {
	struct worker_job *job = part->job;
	struct segment_range range = { job->id, (uint32_t)job->to[k].index, 1 };
	struct err err = ERR_INIT;
	if (segment_delivered(w->segment, &range, &err) != 0) {
		log_error("id=%s delivered, and the journal of completions cannot be written: %s",
			  queue_id_text(&job->id).s, err.msg);
		w->stopping = true;
		w->exit_code = 1;
	}
	job->to[k].accepted = false; /* no later reply says more */
	worker_judge(job, &job->to[k], VERDICT_DELIVERED, reply);
}

/* As of a whole message's content: a 503, or a login that is missing, is nobody's refusal. */
static enum worker_verdict verdict_of(const struct smtp_reply *reply, bool *ret_greylisted) {
	enum outcome o = outcome_judge(SMTP_STAGE_CONTENT, reply, 0);
	*ret_greylisted = o == OUTCOME_GREYLISTED;
	return o == OUTCOME_DELIVERED ? VERDICT_DELIVERED
	       : o == OUTCOME_FAILED_MESSAGE || o == OUTCOME_FAILED_RECIPIENT
		       ? VERDICT_FAILED
		       : VERDICT_LATER;
}

static void answer(struct worker *w, struct worker_part *part, size_t wire,
		   const struct smtp_reply *reply) {
	struct worker_job *job = part->job;
	bool greylisted;
	enum worker_verdict v = verdict_of(reply, &greylisted);
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++) {
		struct worker_route *r = &job->route[i];
		if (r->wire != wire)
			continue;
		r->done = true;
		r->lost = v != VERDICT_DELIVERED;
		if (r->lost && worker_judge(job, &job->to[r->to], v, reply)) {
			job->to[r->to].greylisted = greylisted;
			job->to[r->to].accepted = has_others(part, r->to);
		} else if (!r->lost && has_all(part, r->to)) {
			deliver(w, part, r->to, reply);
		}
	}
}

void worker_lmtp_reply(struct worker *w, struct worker_part *part, size_t nth,
		       const struct smtp_reply *reply) {
	answer(w, part, nth_accepted(part, nth), reply);
}

void worker_lmtp_done(struct worker *w, struct worker_part *part, const struct smtp_reply *last) {
	struct worker_job *job = part->job;
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++)
		if (job->route[i].accepted && !job->route[i].done)
			answer(w, part, job->route[i].wire, last);
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++)
		job->route[i].accepted &= !job->route[i].lost;
	for (size_t k = part->first; k < part->first + part->count; k++) {
		struct worker_recipient *to = &job->to[k];
		if (to->verdict != VERDICT_DELIVERED)
			to->partly = has_others(part, k);
	}
}
