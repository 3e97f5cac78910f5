/*
 * Verdicts on recipients. Most have one address and get one verdict. Of an alias every
 * address is answered for itself, and the weightiest answer counts: an address that may have the
 * message already comes before one that must be tried again, and that before one that
 * failed, because a recipient that failed is not tried again.
 */

#include "deliver/worker_state.h"

static unsigned weight(enum worker_verdict v) {
	switch (v) {
	case VERDICT_NONE:
		return 0;
	case VERDICT_DELIVERED:
	case VERDICT_HELD:
	case VERDICT_FAILED:
		return 1;
	case VERDICT_LATER:
		return 2;
	case VERDICT_UNCERTAIN:
		break;
	}
	return 3;
}

bool worker_judge(struct worker_job *job, struct worker_recipient *to,
		  enum worker_verdict v, const struct smtp_reply *reply) {
	struct mail_status s = smtp_reply_status(reply);
	if (weight(v) <= weight(to->verdict))
		return false;
	to->verdict = v;
	to->ours = reply->local;
	to->status = s;
	to->words = job->words.len;
	if (reply->local) {
		mail_status_add(&job->words, s);
		buf_addc(&job->words, ' ');
	}
	smtp_reply_add(&job->words, reply);
	to->words_len = job->words.len - to->words;
	return true;
}

void worker_judge_part(struct worker_part *part, enum worker_verdict v, bool greylisted,
		       bool accepted_only, const struct smtp_reply *reply) {
	struct worker_job *job = part->job;
	for (size_t k = part->first; k < part->first + part->count; k++) {
		struct worker_recipient *to = &job->to[k];
		bool open = to->verdict == VERDICT_NONE || to->accepted;
		if (!open || (accepted_only && !to->accepted))
			continue;
		if (worker_judge(job, to, v, reply))
			to->greylisted = greylisted;
	}
}

void worker_accept_address(struct worker_part *part, size_t wire) {
	struct worker_job *job = part->job;
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++) {
		if (job->route[i].wire != wire)
			continue;
		job->route[i].accepted = true;
		job->to[job->route[i].to].accepted = true;
	}
}

void worker_refuse_address(struct worker_part *part, size_t wire, enum worker_verdict v,
			   bool greylisted, const struct smtp_reply *reply) {
	struct worker_job *job = part->job;
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++) {
		struct worker_recipient *to = &job->to[job->route[i].to];
		if (job->route[i].wire == wire && worker_judge(job, to, v, reply))
			to->greylisted = greylisted;
	}
}
