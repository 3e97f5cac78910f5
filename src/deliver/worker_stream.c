/*
 * What streaming adds to a window. While a message of it is unanswered, the replies to those
 * before it could still turn out to be in the wrong place. A 2xx is recorded at once; anything
 * else waits for the window's end, and when that does not come, nobody's mail is returned
 * because of it.
 */

#include "deliver/worker_state.h"

void worker_lost(struct worker_part *part, const struct smtp_reply *reply) {
	worker_judge_part(part, VERDICT_UNCERTAIN, false, false, reply);
}

static bool is_all_delivered(const struct worker_job *job) {
	for (size_t k = 0; k < job->count; k++)
		if (job->to[k].verdict != VERDICT_DELIVERED)
			return false;
	return true;
}

void worker_settle(struct worker *w, struct worker_job *job) {
	worker_take_up(job);
	if (!w->client || !smtp_client_streams(w->client) || is_all_delivered(job)) {
		worker_finish(w, job);
		return;
	}
	job->settled = true;
	w->window.settled++;
}

void worker_finish_settled(struct worker *w) {
	struct worker_window *win = &w->window;
	if (win->settled == 0 || win->finished + win->settled < win->count)
		return;
	for (size_t i = 0; i < win->count && !w->gave_up; i++) {
		struct worker_job *job = &win->job[i];
		if (!job->settled)
			continue;
		job->settled = false;
		win->settled--;
		worker_finish(w, job);
	}
}

/* Who was refused may have been meant by another reply, and have the message now. */
static void doubt(struct worker_job *job, const struct smtp_reply *reply) {
	for (size_t i = 0; i < job->parts_begun; i++) {
		const struct worker_part *part = &job->part[i];
		for (size_t k = part->first; k < part->first + part->count; k++) {
			struct worker_recipient *to = &job->to[k];
			if (to->verdict == VERDICT_FAILED || to->verdict == VERDICT_LATER)
				worker_judge(job, to, VERDICT_UNCERTAIN, reply);
		}
	}
}

static void take_back(struct worker_job *job) {
	for (size_t k = 0; k < job->sendable; k++)
		if (job->to[k].verdict == VERDICT_FAILED)
			job->to[k].verdict = VERDICT_LATER;
}

void worker_judge_stream(struct worker *w, const struct smtp_reply *reply) {
	struct wire_report r = { .kind = WIRE_NO_STREAM };
	bool lost_count = smtp_client_out_of_step(w->client);
	bool broken = w->window.count > 1 && w->window.finished < w->window.count;
	if (!smtp_client_streams(w->client) || (!lost_count && !broken))
		return;
	for (size_t i = 0; i < w->window.count; i++) {
		struct worker_job *job = &w->window.job[i];
		if (job->claim && lost_count)
			doubt(job, reply);
		else if (job->claim)
			take_back(job);
	}
	if (!lost_count)
		return;
	w->no_stream = true;
	snprintf(r.text, sizeof(r.text), "%s", reply->text);
	worker_report(w, &r);
}

void worker_report_broken(struct worker *w, const struct smtp_reply *reply) {
	struct wire_report r = { .kind = WIRE_BROKEN };
	bool ahead = smtp_client_streams(w->client) || w->window.count > 1;
	if (!reply->local || w->silent || w->stopping || w->params->alone || !ahead ||
	    w->window.finished == w->window.count)
		return;
	snprintf(r.text, sizeof(r.text), "%s", reply->text);
	worker_report(w, &r);
}

void worker_break_off(struct worker *w, const char *words) {
	struct smtp_client_note note;
	enum smtp_client_event ev;
	smtp_client_abort(w->client, words);
	while ((ev = smtp_client_next(w->client, &note)) != SMTP_CLIENT_NONE) {
		struct worker_part *part = note.transaction ? note.transaction->user
							    : NULL;
		if (note.uncertain)
			worker_lost(part, &note.reply);
		else if (ev == SMTP_CLIENT_DONE && note.stage == SMTP_STAGE_CONTENT &&
			 note.reply.code / 100 == 2)
			worker_delivered(w, part, &note.reply);
	}
}
