/*
 * Windows. The messages of a window are claimed together, their intents are made durable
 * by one fdatasync, and then they go out one behind the other. A window begins with one
 * message on a fresh connection and doubles each time one goes out cleanly, so that what a
 * broken connection or a crash can leave in doubt stays small until the relay has shown
 * itself reliable.
 */

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "deliver/worker_state.h"

#define CONNECTION_AGE_MAX_MS (5 * 60 * 1000)

static void report_skip(struct worker *w, const struct queue_id *id, enum wire_skip why) {
	struct wire_report r = { .kind = WIRE_SKIP, .id = *id, .why = why };
	worker_report(w, &r);
}

static void claim_failed(struct worker *w, const struct queue_id *id,
			 enum queue_damage damage, const struct err *err) {
	if (err->kind == ERR_DENIED) {
		report_skip(w, id, WIRE_SKIP_BUSY);
	} else if (err->kind == ERR_MISSING) {
		report_skip(w, id, WIRE_SKIP_GONE);
	} else if (damage != QUEUE_SOUND) {
		log_error("id=%s cannot be read as a message: %s", queue_id_text(id).s,
			  err->msg);
		report_skip(w, id, WIRE_SKIP_DAMAGED);
	} else { /* that will not be over in a second, as another's claim is */
		const struct wire_report r = { .kind = WIRE_LATER,
					       .id = *id,
					       .wait_ms = w->params->retry_min_ms };
		log_error("id=%s cannot be opened now: %s", queue_id_text(id).s,
			  err->msg);
		worker_report(w, &r);
	}
}

/* A message with nothing to deliver: somebody else was here before. */
static void nothing_to_do(struct worker *w, struct worker_job *job) {
	struct err err = ERR_INIT;
	const struct journal *j = &queue_claim_message(job->claim)->journal;
	enum wire_kind kind =
		WIRE_NOTICE; /* a notice is outstanding, or a person holds it */
	if (j->held) {
		kind = WIRE_HELD;
	} else if (journal_finished(j) &&
		   queue_claim_message(job->claim)->env.from.len > 0) {
		kind = WIRE_DONE;
		if (queue_claim_remove(job->claim, &err) != 0)
			log_error("id=%s is finished and cannot be removed: %s",
				  queue_id_text(&job->id).s, err.msg);
		job->claim = NULL;
	}
	worker_report_id(w, kind, &job->id);
	worker_job_release(job);
}

static bool claim(struct worker *w, const struct wire_message *h,
		  struct worker_job *job) {
	struct err err = ERR_INIT;
	enum queue_damage damage = QUEUE_SOUND;
	*job = (struct worker_job){ .id = h->id,
				    .held_ms = h->held_ms,
				    .except = h->except,
				    .words = BUF_INIT(1 << 20) };
	job->claim = queue_claim(w->queue, &h->id, &damage, &err);
	if (!job->claim) {
		claim_failed(w, &h->id, damage, &err);
		worker_job_release(job);
		return false;
	}
	job->claimed_ms = clock_boot_ms();
	const struct journal *j = &queue_claim_message(job->claim)->journal;
	bool nameless = journal_waits_for_name(j);
	if (nameless) { /* that time does not make it older */
		struct moment now = clock_now();
		job->held_ms = clock_elapsed_ms(&j->last, &now);
	}
	if ((j->held && !nameless) || worker_unsettled(job, 0) == 0) {
		nothing_to_do(w, job);
		return false;
	}
	return true;
}

/* Adds a claimed job's next slice to the window. */
static void enter(struct worker *w, struct worker_job *job) {
	struct worker_window *win = &w->window;
	if (worker_slice(w, job, WORKER_WINDOW_RECIPIENTS - win->recipients) != 0) {
		log_error("id=%s out of memory", queue_id_text(&job->id).s);
		report_skip(w, &job->id, WIRE_SKIP_BUSY);
		worker_job_release(job);
		return;
	}
	if (job->loops) {
		report_skip(w, &job->id, WIRE_SKIP_LOOP);
		worker_job_release(job);
		return;
	}
	win->recipients += job->count;
	win->bytes += queue_claim_message(job->claim)->content_len;
	win->parts += job->parts;
	win->count++;
}

static bool has_room(const struct worker *w, unsigned size) {
	return w->window.count < size && w->window.bytes < WIRE_WINDOW_BYTES &&
	       w->window.recipients < WORKER_WINDOW_RECIPIENTS &&
	       w->window.parts < worker_session_left(w);
}

static bool is_sendable(const struct worker_recipient *to) {
	return to->verdict == VERDICT_NONE;
}

static void back_out(struct worker *w, const struct err *why) {
	for (size_t i = 0; i < w->window.count; i++) {
		worker_report_id(w, WIRE_BACK, &w->window.job[i].id);
		worker_job_release(&w->window.job[i]);
	}
	w->window.count = w->window.finished = w->window.settled = w->window.begin = 0;
	worker_give_up(w, why);
}

static bool write_intents(struct worker *w) {
	static struct segment_range ranges[WORKER_WINDOW_RECIPIENTS];
	struct err err = ERR_INIT;
	size_t n = 0;
	for (size_t i = 0; i < w->window.count; i++) {
		const struct worker_job *job = &w->window.job[i];
		for (size_t p = 0; p < job->parts; p++)
			n += worker_ranges(job, job->part[p].first, job->part[p].count,
					   is_sendable, ranges + n);
	}
	if (n == 0 ||
	    segment_intents(w->segment, ranges, n, w->window.recipients, &err) == 0)
		return true;
	back_out(w, &err);
	return false;
}

/* A message of which this server can take nothing needs no transaction. */
static void finish_partless(struct worker *w) {
	for (size_t i = 0; i < w->window.count && !w->gave_up; i++)
		if (w->window.job[i].parts == 0)
			worker_finish(w, &w->window.job[i]);
}

/* True when the connection has served enough and is to be renewed first. */
static bool renew(struct worker *w) {
	bool old = clock_boot_ms() - w->connected_ms > CONNECTION_AGE_MAX_MS;
	if (w->begun_here == 0 || (worker_session_left(w) > 0 && !old))
		return false;
	w->quitting = true;
	w->progress_ms = clock_boot_ms();
	smtp_client_quit(w->client);
	return true;
}

/* Between two slices: nothing points into it. */
static void move_job(struct worker_job *to, struct worker_job *from) {
	if (to == from)
		return;
	*to = *from;
	*from = (struct worker_job){ .claim = NULL };
}

void worker_keep_jobs(struct worker *w) {
	struct worker_window *win = &w->window;
	for (size_t i = 0; i < win->count; i++)
		if (win->job[i].claim)
			move_job(&win->job[win->kept++], &win->job[i]);
	win->count = win->finished = win->settled = win->begin = 0;
}

void worker_next_window(struct worker *w) {
	struct worker_window *win = &w->window;
	size_t kept = win->kept;
	if ((kept == 0 && w->inbox_count == 0) || renew(w))
		return;
	win->count = win->finished = win->settled = win->begin = win->recipients = 0;
	win->kept = win->parts = 0;
	win->bytes = 0;
	worker_rules(w);
	for (size_t i = 0; i < kept; i++) {
		move_job(&win->job[win->count], &win->job[i]);
		enter(w, &win->job[win->count]);
	}
	while (has_room(w, w->window_size) && w->inbox_count > 0) {
		struct wire_message h = w->inbox[w->inbox_first];
		w->inbox_first = (w->inbox_first + 1) % WIRE_BATCH;
		w->inbox_count--;
		if (!claim(w, &h, &win->job[win->count]))
			continue;
		if (worker_needs_strict(w, &win->job[win->count])) {
			worker_put_back(w, &win->job[win->count]);
			break;
		}
		enter(w, &win->job[win->count]);
	}
	w->progress_ms = clock_boot_ms();
	if (write_intents(w))
		finish_partless(w);
}

void worker_abandon_window(struct worker *w) {
	struct worker_window *win = &w->window;
	size_t count = win->count > 0 ? win->count : win->kept;
	for (size_t i = 0; i < count && !w->gave_up; i++) {
		struct worker_job *job = &win->job[i];
		job->more = false;
		if (job->claim)
			worker_finish(w, job);
	}
	win->count = win->finished = win->settled = win->begin = win->kept = 0;
	w->sending = NULL;
}
