/*
 * Writing down what happened to a message. The order is what makes a crash harmless: a 2xx
 * stands in the segment before the file is touched; results stand in the file's journal,
 * synced, before an intent is declared void; and the manager hears of it last.
 */

#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "deliver/greylist.h"
#include "deliver/schedule.h"
#include "deliver/worker_state.h"

#define CULPRIT_WAIT_MS 1000 /* behind everything else that is due already */

/* What a slice came to. */
struct tally {
	size_t delivered, uncertain;
	size_t partly; /* some addresses of an alias have it, others do not */
	bool failure_notice, success_notice;
};

size_t worker_ranges(const struct worker_job *job, size_t first, size_t count,
		     worker_pick_fn *pick, struct segment_range *ret) {
	size_t n = 0;
	for (size_t k = first; k < first + count; k++) {
		const struct worker_recipient *to = &job->to[k];
		if (!pick(to))
			continue;
		if (n > 0 && ret[n - 1].first + ret[n - 1].count == to->index)
			ret[n - 1].count++;
		else
			ret[n++] = (struct segment_range){ job->id, (uint32_t)to->index,
							   1 };
	}
	return n;
}

static bool is_accepted(const struct worker_recipient *to) {
	return to->verdict == VERDICT_NONE && to->accepted && !to->elsewhere;
}

static bool is_undelivered(const struct worker_recipient *to) {
	return to->verdict != VERDICT_DELIVERED;
}

void worker_delivered(struct worker *w, struct worker_part *part,
		      const struct smtp_reply *reply) {
	struct segment_range ranges[WORKER_PART_RECIPIENTS];
	struct worker_job *job = part->job;
	struct err err = ERR_INIT;
	size_t n = worker_ranges(job, part->first, part->count, is_accepted, ranges);
	for (size_t i = 0; i < n; i++) {
		if (segment_delivered(w->segment, &ranges[i], &err) == 0)
			continue;
		log_error(
			"id=%s delivered, and the journal of completions cannot be written: %s",
			queue_id_text(&job->id).s, err.msg);
		w->stopping = true;
		w->exit_code = 1;
	}
	for (size_t k = part->first; k < part->first + part->count; k++) {
		struct worker_recipient *to = &job->to[k];
		to->partly = to->accepted && (to->verdict != VERDICT_NONE || to->elsewhere);
		if (is_accepted(to))
			worker_judge(job, to, VERDICT_DELIVERED, reply);
	}
}

/* The intents of the slice that led to nothing. */
static void void_rest(struct worker *w, const struct worker_job *job) {
	static struct segment_range ranges[WORKER_WINDOW_RECIPIENTS];
	struct err err = ERR_INIT;
	size_t n = worker_ranges(job, 0, job->sendable, is_undelivered, ranges);
	for (size_t i = 0; i < n; i++)
		if (segment_void(w->segment, &ranges[i], &err) != 0) {
			log_error("the journal of completions cannot be written: %s",
				  err.msg);
			w->stopping = true;
			w->exit_code = 1;
			return;
		}
}

static bool wants_notice(const struct worker *w, const struct worker_job *job,
			 const struct worker_recipient *to) {
	const struct queue_message *m = queue_claim_message(job->claim);
	unsigned notify = m->env.to[to->index].notify;
	if (m->env.from.len == 0 || (notify & NOTIFY_NEVER))
		return false;
	if (to->verdict == VERDICT_FAILED)
		return notify == 0 || (notify & NOTIFY_FAILURE);
	return to->verdict == VERDICT_DELIVERED && (notify & NOTIFY_SUCCESS) &&
	       !w->ext.dsn;
}

static struct tally count(const struct worker *w, const struct worker_job *job) {
	struct tally t = { .delivered = 0 };
	for (size_t k = 0; k < job->count; k++) {
		const struct worker_recipient *to = &job->to[k];
		t.delivered += to->verdict == VERDICT_DELIVERED;
		t.uncertain += to->verdict == VERDICT_UNCERTAIN;
		t.partly += to->partly;
		t.failure_notice |= to->verdict == VERDICT_FAILED &&
				    wants_notice(w, job, to);
		t.success_notice |= to->verdict == VERDICT_DELIVERED &&
				    wants_notice(w, job, to);
	}
	return t;
}

static struct span words_of(const struct worker_job *job,
			    const struct worker_recipient *to) {
	return span_of(buf_str(&job->words) + to->words, to->words_len);
}

static bool same_result(const struct worker *w, const struct worker_job *job,
			const struct worker_recipient *a,
			const struct worker_recipient *b) {
	return a->index + 1 == b->index && a->verdict == b->verdict &&
	       a->ours == b->ours && span_eq(words_of(job, a), words_of(job, b)) &&
	       wants_notice(w, job, a) == wants_notice(w, job, b);
}

static enum recipient_state state_of(enum worker_verdict v) {
	switch (v) {
	case VERDICT_DELIVERED:
		return RECIPIENT_DELIVERED;
	case VERDICT_FAILED:
		return RECIPIENT_FAILED;
	case VERDICT_LATER:
	case VERDICT_HELD:
	case VERDICT_UNCERTAIN:
		return RECIPIENT_DEFERRED;
	case VERDICT_NONE:
		break;
	}
	return RECIPIENT_PENDING;
}

static void add_result(struct worker *w, struct worker_job *job, size_t k, size_t run,
		       const struct moment *now, struct buf *out) {
	const struct worker_recipient *to = &job->to[k];
	const struct journal_result r = {
		.state = state_of(to->verdict),
		.reply = words_of(job, to),
		.host = to->ours ? span_of(NULL, 0) : span_str(w->peer),
	};
	bool notice = wants_notice(w, job, to);
	if (to->verdict == VERDICT_UNCERTAIN)
		journal_add_maybe_twice(out, to->index, run);
	journal_add_result(out, now, to->index, run, &r, notice ? &job->notice : NULL);
}

static void add_results(struct worker *w, struct worker_job *job,
			const struct moment *now, struct buf *out) {
	for (size_t k = 0; k < job->count;) {
		size_t run = 1;
		while (k + run < job->count &&
		       same_result(w, job, &job->to[k + run - 1], &job->to[k + run]))
			run++;
		if (job->to[k].verdict != VERDICT_NONE)
			add_result(w, job, k, run, now, out);
		k += run;
	}
}

/* Which addresses of an alias have the message, where not all do. */
static void add_reached(const struct worker_job *job, struct buf *out) {
	for (size_t i = 0; i < job->routes; i++) {
		const struct worker_route *r = &job->route[i];
		if (r->accepted && job->to[r->to].partly)
			journal_add_reached(out, job->to[r->to].index, job->wire[r->wire].address);
	}
}

static uint32_t random_bits(void) {
	uint32_t r = 0;
	return getrandom(&r, sizeof(r), GRND_NONBLOCK) == sizeof(r) ? r : 0;
}

/* When the message comes next. The first greylisted tries do not make the pauses longer. */
static int64_t pause_of(const struct worker *w, const struct worker_job *job) {
	unsigned before = queue_claim_message(job->claim)->journal.attempts;
	if (!job->other_than_greylisted) {
		if (before < GREYLIST_FREE)
			return job->greylist_ms;
		before -= GREYLIST_FREE;
	}
	if (w->params->relays) { /* each lane of a message has its attempts */
		unsigned by_age = schedule_attempts(job->age_ms, w->params->retry_min_ms);
		before = before < by_age ? before : by_age;
	}
	return schedule_backoff_ms(before + 1, w->params->retry_min_ms,
				   w->params->retry_max_ms, random_bits());
}

static bool has_room_for_notice(const struct journal *j) {
	bool room = j->notices < JOURNAL_NOTICES_MAX;
	for (unsigned i = 0; i < JOURNAL_NOTICES_MAX && !room; i++)
		room = j->notice[i].done;
	return room;
}

/* All failures (and success reports) of one attempt share one notice. When the journal has no
 * room for another until some of it are made, what failed is tried again instead. */
static void choose_notice(struct worker_job *job, const struct tally *t) {
	const struct journal *j = &queue_claim_message(job->claim)->journal;
	if (job->has_notice || (!t->failure_notice && !t->success_notice))
		return;
	if (has_room_for_notice(j)) {
		job->notice = queue_id_notice(&job->id, j->notices);
		job->has_notice = true;
		return;
	}
	for (size_t k = 0; k < job->count; k++)
		if (job->to[k].verdict == VERDICT_FAILED)
			job->to[k].verdict = VERDICT_LATER;
}

static void note_later(struct worker_job *job) {
	for (size_t k = 0; k < job->count; k++) {
		const struct worker_recipient *to = &job->to[k];
		job->nameless += to->verdict == VERDICT_HELD;
		job->elsewhere += to->verdict == VERDICT_NONE && to->partly;
		if (to->verdict != VERDICT_LATER && to->verdict != VERDICT_UNCERTAIN)
			continue;
		job->later = true;
		if (!to->greylisted) {
			job->other_than_greylisted = true;
			continue;
		}
		int64_t ms = greylist_delay_ms(words_of(job, to));
		if (ms > job->greylist_ms)
			job->greylist_ms = ms;
	}
}

static void report_end(struct worker *w, enum wire_kind kind, const struct queue_id *id,
		       unsigned sent) {
	struct wire_report r = { .kind = kind, .id = *id, .sent = sent };
	worker_report(w, &r);
}

static void report_later(struct worker *w, const struct worker_job *job, int64_t wait_ms,
			 int64_t age_ms, bool recorded) {
	struct wire_report r = {
		.kind = WIRE_LATER,
		.id = job->id,
		.wait_ms = wait_ms,
		.age_ms = age_ms,
		.recorded = recorded,
		.sent = job->sent,
	};
	worker_report(w, &r);
}

static int64_t age_of(const struct worker_job *job, const struct moment *now) {
	return journal_age_ms(&queue_claim_message(job->claim)->journal, now,
			      job->held_ms);
}

/* Appends results and, with the last slice, the attempt. */
static int append(struct worker *w, struct worker_job *job, struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(4 << 20);
	struct moment now = clock_now();
	add_reached(job, &out);
	add_results(w, job, &now, &out);
	if (job->later && !job->more && queue_claim_message(job->claim)->journal.held)
		journal_add_release(&out, &now); /* what held it is known now */
	job->age_ms = age_of(job, &now);
	if (job->later && !job->more) {
		job->wait_ms = pause_of(w, job);
		journal_add_attempt(&out, &now, job->age_ms, job->wait_ms,
				    span_str(w->params->relay.name));
	}
	if (buf_failed(&out))
		return err_set(err, ERR_MEMORY, "out of memory");
	return out.len == 0 ? 0
			    : queue_claim_append(job->claim, buf_span(&out), true, err);
}

static void remove_file(struct worker *w, struct worker_job *job) {
	struct err err = ERR_INIT;
	struct queue_claim *c = job->claim;
	job->claim = NULL;
	if (queue_claim_remove(c, &err) == 0) {
		report_end(w, WIRE_DONE, &job->id, job->sent);
		return;
	}
	err_prefix(&err, "id=%s was delivered and cannot be removed",
		   queue_id_text(&job->id).s);
	segment_pin(w->segment);
	worker_give_up(w, &err);
}

/* A failure that nobody can be told of: the null sender's mail is kept for a person. */
static bool is_orphan(const struct worker_job *job) {
	const struct queue_message *m = queue_claim_message(job->claim);
	for (size_t i = 0; m->env.from.len == 0 && i < m->env.to_count; i++)
		if (m->journal.to[i].last.state == RECIPIENT_FAILED &&
		    !(m->env.to[i].notify & NOTIFY_NEVER))
			return true;
	return false;
}

/* Nothing is left but names that nobody knows, or whose route is to hold: a person's turn. */
static void hold(struct worker *w, struct worker_job *job) {
	AUTO_BUF struct buf record = BUF_INIT(256);
	struct moment now = clock_now();
	struct err err = ERR_INIT;
	bool by_route = config_way(&w->params->relay, NULL) == CONFIG_WAY_HOLD;
	if (!queue_claim_message(job->claim)->journal.held)
		journal_add_hold(&record, &now, by_route ? JOURNAL_ROUTE : JOURNAL_LOCAL_NAME);
	if (record.len == 0 ||
	    queue_claim_append(job->claim, buf_span(&record), true, &err) == 0) {
		report_end(w, WIRE_HELD, &job->id, job->sent);
		return;
	}
	log_error("id=%s cannot be held: %s", queue_id_text(&job->id).s, err.msg);
	report_later(w, job, w->params->retry_min_ms, job->age_ms, false);
}

/* Says what is to become of a message whose journal is up to date. */
static void report(struct worker *w, struct worker_job *job) {
	const struct journal *j = &queue_claim_message(job->claim)->journal;
	size_t left = worker_unsettled(job, 0);
	if (job->has_notice || (left == 0 && (is_orphan(job) || !journal_finished(j))))
		report_end(w, WIRE_NOTICE, &job->id, job->sent);
	else if (left == 0)
		remove_file(w, job);
	else if (job->nameless == left)
		hold(w, job);
	else if (job->later)
		report_later(w, job, job->wait_ms, job->age_ms, true);
	else if (job->culprit)
		report_later(w, job, CULPRIT_WAIT_MS, job->age_ms, false);
	else if (job->elsewhere > 0 && job->nameless + job->elsewhere == left)
		report_end(w, WIRE_ELSEWHERE, &job->id, job->sent);
	else
		worker_report_id(w, WIRE_BACK, &job->id);
}

/* The journal took nothing (the disk is full). A deferral lives on in the manager's memory,
 * a failure is tried again; but what the segment says must be in the file before the
 * segment may be used again. */
static void not_recorded(struct worker *w, struct worker_job *job, const struct tally *t,
			 struct err *err) {
	err_prefix(err, "id=%s the attempt cannot be recorded",
		   queue_id_text(&job->id).s);
	if (t->delivered > 0 || t->uncertain > 0 || t->partly > 0) {
		segment_pin(w->segment);
		worker_give_up(w, err);
		return;
	}
	log_error("%s", err->msg);
	void_rest(w, job);
	report_later(w, job,
		     schedule_backoff_ms(1, w->params->retry_min_ms,
					 w->params->retry_max_ms, random_bits()),
		     job->age_ms, false);
}

/* True for what nearly every message is: everybody got it, and nobody wants to hear so. */
static bool is_plain_success(const struct worker_job *job, const struct tally *t) {
	const struct journal *j = &queue_claim_message(job->claim)->journal;
	if (job->more || job->has_notice || t->success_notice ||
	    t->delivered != job->count)
		return false;
	for (unsigned i = 0; i < j->notices && i < JOURNAL_NOTICES_MAX; i++)
		if (!j->notice[i].done)
			return false;
	return worker_unsettled(job, 0) == job->count && !is_orphan(job);
}

static void finish_damaged(struct worker *w, struct worker_job *job) {
	struct wire_report r = { .kind = WIRE_SKIP,
				 .id = job->id,
				 .why = WIRE_SKIP_DAMAGED };
	void_rest(w, job);
	worker_report(w, &r);
}

/* Of an alias one address was refused, and others of it have their lanes elsewhere: it is not
 * over before they were tried. */
static void keep_open(struct worker_job *job) {
	for (size_t k = 0; k < job->count; k++)
		if (job->to[k].elsewhere && job->to[k].verdict == VERDICT_FAILED)
			job->to[k].verdict = VERDICT_LATER;
}

void worker_finish(struct worker *w, struct worker_job *job) {
	struct err err = ERR_INIT;
	keep_open(job);
	struct tally t = count(w, job);
	job->sent += (unsigned)(t.delivered + t.uncertain + t.partly);
	w->window.finished++;
	for (size_t k = 0; k < job->count; k++)
		if (job->to[k].verdict != VERDICT_NONE)
			worker_log_recipient(w, job, &job->to[k]);
	if (job->damaged) {
		finish_damaged(w, job);
		worker_job_release(job);
		return;
	}
	if (is_plain_success(job, &t)) {
		remove_file(w, job);
		worker_job_release(job);
		return;
	}
	choose_notice(job, &t);
	note_later(job);
	if (append(w, job, &err) != 0) {
		not_recorded(w, job, &t, &err);
		worker_job_release(job);
		return;
	}
	void_rest(w, job);
	if (job->more) {
		worker_slice_clear(job);
		return;
	}
	report(w, job);
	worker_job_release(job);
}
