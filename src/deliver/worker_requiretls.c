/*
 * Messages that go only where TLS is verified and the next server promises the same (REQUIRETLS,
 * RFC 8689). A connection that was made for other mail seldom will do. Then it is ended, and a strict
 * one is made, for which every server that cannot be used is passed over. When none is left,
 * the message that asked for it is answered alone; other mail goes on as if nothing had been.
 */

#include "deliver/worker_state.h"

bool worker_carries_requiretls(const struct worker *w) {
	const struct tls_info *tls = w->conn ? conn_tls_info(w->conn) : NULL;
	if (w->port == 0) /* a socket or a folder of this machine */
		return true;
	return w->tls_plan.trusted && tls && tls->verified && w->ext.requiretls;
}

bool worker_needs_strict(const struct worker *w, const struct worker_job *job) {
	return w->client && queue_claim_message(job->claim)->env.requiretls &&
	       !worker_carries_requiretls(w);
}

static void quit(struct worker *w) {
	w->quitting = true;
	w->progress_ms = clock_boot_ms();
	smtp_client_quit(w->client);
}

void worker_put_back(struct worker *w, struct worker_job *job) {
	const struct wire_message h = { job->id, job->held_ms, job->except };
	job->except = NULL;
	worker_job_release(job);
	w->inbox_first = (w->inbox_first + WIRE_BATCH - 1) % WIRE_BATCH;
	w->inbox[w->inbox_first] = h;
	w->inbox_count++;
	if (w->window.count > 0) /* those before it go first */
		return;
	w->strict = (struct worker_strict){ .on = true };
	quit(w);
}

bool worker_strict_accepts(struct worker *w) {
	if (!w->strict.on || worker_carries_requiretls(w))
		return true;
	w->strict.lacking++;
	w->strict.lacks_here = true;
	quit(w);
	return false;
}

/* The message in front and no other. */
static void answer_slice(struct worker *w, const struct smtp_reply *reply) {
	struct worker_window *win = &w->window;
	size_t behind = win->kept > 0 ? w->inbox_count : w->inbox_count - 1;
	enum worker_verdict v = reply->code >= 500 ? VERDICT_FAILED : VERDICT_LATER;
	w->inbox_count -= behind;
	worker_next_window(w);
	w->inbox_count += behind;
	for (size_t i = 0; i < win->count && !w->gave_up; i++) {
		struct worker_job *job = &win->job[i];
		if (!job->claim || job->parts == 0)
			continue;
		for (size_t p = 0; p < job->parts; p++)
			worker_judge_part(&job->part[p], v, false, false, reply);
		worker_finish(w, job);
	}
	worker_keep_jobs(w);
}

bool worker_strict_failed(struct worker *w, const struct worker_fault *worst) {
	struct smtp_reply reply = smtp_reply_local(
		451, 7, 10, "the message requires TLS (RFC 8689): no server can be verified now");
	if (w->strict.lacking > 0 && w->strict.lacking == w->targets.count)
		reply = smtp_reply_local(550, 7, 30,
					 "%s does not offer REQUIRETLS, which the message asks for",
					 w->peer);
	else if (worst->set)
		reply = worst->reply;
	if (reply.code >= 500 && reply.status.detail != 30)
		reply.code = 451;
	w->strict.on = false;
	w->fault.set = false;
	w->ext = (struct smtp_extensions){ .eightbitmime = true, .smtputf8 = true };
	w->window_size = 1;
	do
		answer_slice(w, &reply);
	while (w->window.kept > 0 && !w->gave_up);
	return w->inbox_count > 0 && !w->gave_up && !w->stopping;
}
