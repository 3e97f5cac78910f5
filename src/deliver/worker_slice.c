/*
 * From a claimed message to transactions: which recipients are still to be served, and what
 * this server cannot take at all. How their addresses read is in worker_route.c.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/worker_state.h"

static bool is_unsettled(const struct worker_job *job, size_t i) {
	enum recipient_state s =
		queue_claim_message(job->claim)->journal.to[i].last.state;
	return s == RECIPIENT_PENDING || s == RECIPIENT_DEFERRED;
}

size_t worker_unsettled(const struct worker_job *job, size_t from) {
	size_t n = 0;
	for (size_t i = from; i < queue_claim_message(job->claim)->env.to_count; i++)
		n += is_unsettled(job, i);
	return n;
}

void worker_slice_clear(struct worker_job *job) {
	worker_route_clear(job);
	free(job->from);
	job->from = NULL;
	job->count = job->parts_begun = job->parts_done = 0;
	job->settled = false;
	buf_reset(&job->words);
}

void worker_job_release(struct worker_job *job) {
	worker_slice_clear(job);
	queue_claim_release(job->claim);
	free(job->to);
	free(job->wire);
	free(job->route);
	free(job->owned);
	free(job->except);
	buf_release(&job->head);
	buf_release(&job->small);
	buf_release(&job->words);
	*job = (struct worker_job){ .claim = NULL };
}

static int reserve(struct worker_job *job, size_t want) {
	if (want <= job->cap)
		return 0;
	struct worker_recipient *to = realloc(job->to, want * sizeof(*to));
	if (!to)
		return -1;
	job->to = to;
	job->cap = want;
	return 0;
}

/* Those of this lane alone. */
static int take_unsettled(struct worker *w, struct worker_job *job, size_t max) {
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	size_t left = worker_unsettled(job, job->next);
	if (reserve(job, left < max ? left : max) != 0)
		return -1;
	worker_route_begin(w, job);
	while (job->next < env->to_count && job->count < max) {
		size_t i = job->next++;
		enum worker_here here =
			is_unsettled(job, i) ? worker_route_here(w, job, i) : ELSEWHERE;
		if (here != ELSEWHERE)
			job->to[job->count++] = (struct worker_recipient){
				.index = i,
				.elsewhere = here == HERE_AND_ELSEWHERE,
			};
		else if (i >= job->looked)
			job->elsewhere += is_unsettled(job, i);
		if (i >= job->looked)
			job->looked = i + 1; /* a slice that is cut begins again before */
	}
	job->more = worker_unsettled(job, job->next) > 0;
	return 0;
}

static void refuse(struct worker_job *job, struct worker_recipient *to,
		   const struct smtp_reply *why) {
	worker_judge(job, to, why->code < 500 ? VERDICT_LATER : VERDICT_FAILED, why);
}

static void refuse_all(struct worker_job *job, const struct smtp_reply *why) {
	for (size_t k = 0; k < job->count; k++)
		refuse(job, &job->to[k], why);
	job->sendable = 0;
}

int worker_slice(struct worker *w, struct worker_job *job, size_t max) {
	uint64_t limit = w->ext.size_max;
	struct smtp_reply why;
	worker_slice_clear(job);
	if (take_unsettled(w, job, max) != 0 || worker_header(w, job) != 0)
		return -1;
	if (worker_needs_strict(w, job)) { /* the connection changed under it */
		why = smtp_reply_local(451, 7, 10, "the message requires TLS (RFC 8689), and %s "
				       "is not verified now", w->peer);
		refuse_all(job, &why);
	} else if (job->unsent_why[0]) {
		why = smtp_reply_local(554, 6, job->unsent_detail, "%s", job->unsent_why);
		refuse_all(job, &why);
	} else if (job->unsigned_why[0]) {
		why = smtp_reply_local(451, 3, 5, "%s", job->unsigned_why);
		refuse_all(job, &why);
	} else if (limit > 0 && worker_size(job) > limit) {
		why = smtp_reply_local(552, 3, 4,
				       "the message has %" PRIu64
				       " bytes, and %s takes at most %" PRIu64,
				       worker_size(job), w->peer, limit);
		refuse_all(job, &why);
	} else if (worker_route_sender(w, job, &why) != 0) {
		refuse_all(job, &why);
	} else {
		worker_route_all(w, job);
	}
	return 0;
}
