/*
 * The transactions of one connection: begins them, and turns what the client machine tells
 * into verdicts. The envelope of the next message leaves with the end
 * of the one before (RFC 2920), so a message costs one round trip.
 *
 * A connection that ends in mid-work blames at most one message: the one whose reply is
 * lost after its final dot (it may have been taken: `maybe twice`), or whose content was
 * being sent (it is tried again later, with a pause, for it may be what breaks the
 * connection). All others go back as if they had not been touched.
 */

#include <string.h>

#include "deliver/worker_state.h"

static bool in_flight(const struct worker *w) {
	for (size_t i = 0; i < w->window.count; i++)
		if (w->window.job[i].parts_begun > w->window.job[i].parts_done)
			return true;
	return false;
}

static void relay_fault(struct worker *w, enum smtp_stage stage,
			const struct smtp_reply *reply) {
	w->fault = (struct worker_fault){ true, stage, *reply };
	w->over = true;
}

static void busy(struct worker *w, const struct smtp_reply *reply) {
	AUTO_BUF struct buf words = BUF_INIT(SMTP_REPLY_TEXT_MAX + 32);
	smtp_reply_add(&words, reply);
	struct span s = span_head(buf_span(&words), sizeof(w->busy_words) - 1);
	if (s.len > 0)
		memcpy(w->busy_words, s.p, s.len);
	w->busy_words[s.len] = '\0';
	w->busy_event = outcome_words(SMTP_STAGE_CONTENT, reply);
	w->busy = w->over = true;
}

void worker_drop(struct worker *w) {
	bool served_its_share = w->quitting && w->window.count == 0;
	worker_disconnect(w);
	worker_abandon_window(w);
	if (!served_its_share)
		w->window_size = 1;
}

/* A stranger's server that does not serve us refuses this mail, and is no relay of ours. */
static enum outcome judge(const struct worker *w, enum smtp_stage stage,
			  const struct smtp_reply *reply, unsigned refused) {
	enum outcome o = outcome_judge(stage, reply, refused);
	if (o != OUTCOME_RELAY || !w->params->destination)
		return o;
	return stage == SMTP_STAGE_RCPT && reply->code / 100 == 5
		       ? OUTCOME_FAILED_RECIPIENT
		       : OUTCOME_LATER;
}

static void on_recipient(struct worker *w, const struct smtp_client_note *note) {
	struct worker_part *part = note->transaction->user;
	size_t wire = part->first_wire + note->recipient;
	if (note->stage == SMTP_STAGE_CONTENT) {
		worker_lmtp_reply(w, part, note->recipient, &note->reply);
		return;
	}
	if (worker_put_off(w, part, wire, &note->reply))
		return;
	enum outcome o = judge(w, SMTP_STAGE_RCPT, &note->reply, 0);
	switch (o) {
	case OUTCOME_DELIVERED:
		worker_accept_address(part, wire);
		part->accepted++;
		w->accepted_here++;
		return;
	case OUTCOME_FAILED_RECIPIENT:
	case OUTCOME_FAILED_MESSAGE:
		worker_refuse_address(part, wire, VERDICT_FAILED, false, &note->reply);
		return;
	case OUTCOME_RELAY:
		/* Only the end of the transaction shows whether it refuses everybody. */
		if (!part->relay_fault)
			w->rcpt_refusal = note->reply;
		part->relay_fault = true;
		break;
	case OUTCOME_LATER:
	case OUTCOME_GREYLISTED:
		break;
	}
	worker_refuse_address(part, wire, VERDICT_LATER, o == OUTCOME_GREYLISTED,
			      &note->reply);
}

/* True when this sender was the last one that was refused. */
static bool is_refused_again(const struct worker *w, const struct smtp_transaction *t) {
	struct span from = span_head(t->from, sizeof(w->refused_sender) - 1);
	return w->refused > 0 && span_eq(from, span_str(w->refused_sender));
}

/* Counts senders refused in a row; another refusal of the same sender says nothing new. */
static void count_refused(struct worker *w, const struct smtp_transaction *t) {
	struct span from = span_head(t->from, sizeof(w->refused_sender) - 1);
	if (is_refused_again(w, t))
		return;
	if (from.len > 0)
		memcpy(w->refused_sender, from.p, from.len);
	w->refused_sender[from.len] = '\0';
	w->refused++;
	struct wire_report r = { .kind = WIRE_REFUSED, .count = w->refused };
	memcpy(r.text, w->refused_sender, sizeof(w->refused_sender));
	worker_report(w, &r);
}

static void senders_are_fine(struct worker *w) {
	const struct wire_report r = { .kind = WIRE_REFUSED, .count = 0 };
	if (w->refused == 0)
		return;
	w->refused = 0;
	worker_report(w, &r);
}

/* When a fault of the relay is known, once nothing is in flight any more. */
static bool leave_relay(struct worker *w) {
	if (!w->ready || !w->fault.set || in_flight(w))
		return false;
	w->over = true;
	worker_drop(w);
	return true;
}

/* The relay refuses us, and not just this message: nothing of it is recorded, and everybody
 * of the transaction counts as not tried. */
static void refused_by_relay(struct worker *w, struct worker_part *part,
			     enum smtp_stage stage, const struct smtp_reply *reply) {
	for (size_t k = part->first; k < part->first + part->count; k++)
		part->job->to[k].verdict = VERDICT_NONE;
	part->job->culprit = true;
	part->job->parts_done++;
	if (!w->fault.set)
		w->fault = (struct worker_fault){ true, stage, *reply };
	leave_relay(w);
}

static void part_over(struct worker *w, struct worker_part *part) {
	struct worker_job *job = part->job;
	if (++job->parts_done == job->parts)
		worker_settle(w, job);
}

static void on_refused(struct worker *w, struct worker_part *part,
		       const struct smtp_client_note *note) {
	unsigned others = w->refused - is_refused_again(w, &part->t);
	enum outcome o = judge(w, note->stage, &note->reply, others);
	bool evidence = w->accepted_here > 0; /* it does serve us */
	if (note->stage == SMTP_STAGE_RCPT) {
		if (part->relay_fault && !evidence) {
			refused_by_relay(w, part, SMTP_STAGE_RCPT, &w->rcpt_refusal);
			return;
		}
		part_over(w, part);
		return;
	}
	if (o == OUTCOME_RELAY && (note->stage == SMTP_STAGE_MAIL || !evidence)) {
		refused_by_relay(w, part, note->stage, &note->reply);
		return;
	}
	if (note->stage == SMTP_STAGE_MAIL && note->reply.code / 100 == 5)
		count_refused(w, &part->t);
	bool final = o == OUTCOME_FAILED_MESSAGE || o == OUTCOME_FAILED_RECIPIENT;
	worker_judge_part(part, final ? VERDICT_FAILED : VERDICT_LATER,
			  o == OUTCOME_GREYLISTED, false, &note->reply);
	part_over(w, part);
}

static void on_done(struct worker *w, const struct smtp_client_note *note) {
	struct worker_part *part = note->transaction->user;
	if (note->stage != SMTP_STAGE_MAIL)
		senders_are_fine(w);
	if (note->stage == SMTP_STAGE_CONTENT)
		w->finished_here++;
	if (w->lmtp && note->stage == SMTP_STAGE_CONTENT) {
		worker_lmtp_done(w, part, &note->reply);
		part_over(w, part);
		return;
	}
	if (note->stage != SMTP_STAGE_CONTENT || note->reply.code / 100 != 2) {
		on_refused(w, part, note);
		return;
	}
	worker_delivered(w, part, &note->reply);
	part_over(w, part);
}

/* A reply that is missing, or one too many, may have put those before it in the wrong place:
 * nobody's mail is returned because of them. */
static void take_back_refusals(struct worker_part *part) {
	struct worker_job *job = part->job;
	for (size_t k = part->first; k < part->first + part->count; k++)
		if (job->to[k].verdict == VERDICT_FAILED)
			job->to[k].verdict = VERDICT_LATER;
}

static bool out_of_step(const struct worker *w, const struct smtp_reply *reply) {
	return w->silent || (reply->local && reply->status.subject == 5);
}

/* A message on the wire when the connection ended. */
static void blame(struct worker *w, struct worker_part *part,
		  const struct smtp_client_note *note, const struct smtp_reply *reply) {
	bool streamed = smtp_client_streams(w->client);
	if (out_of_step(w, reply) && !streamed)
		take_back_refusals(part);
	if (note->uncertain && streamed)
		worker_lost(part, reply);
	else if (streamed && smtp_client_out_of_step(w->client))
		return;
	else if (note->uncertain)
		worker_judge_part(part, VERDICT_UNCERTAIN, false, true, reply);
	else if (note->stage == SMTP_STAGE_CONTENT)
		worker_judge_part(part, VERDICT_LATER, false, true, reply);
	else if (w->finished_here == 0)
		part->job->culprit = true;
}

/* What the end of the connection means for the relay, and for this worker. */
static void judge_end(struct worker *w, const struct smtp_client_note *note,
		      const struct smtp_reply *reply) {
	bool working = w->window.finished < w->window.count;
	bool in_content = note->uncertain || note->stage == SMTP_STAGE_CONTENT;
	bool useful = w->finished_here > 0 || (working && in_content);
	bool quiet = !working && (w->idle_since_ms > 0 || reply->local);
	if (!w->ready)
		w->fault = (struct worker_fault){ true, note->stage, *reply };
	else if (w->fault.set)
		w->over = true;
	else if (w->no_stream && smtp_client_streams(w->client) && !w->silent)
		w->over = w->stopping; /* it goes on, without streaming */
	else if (w->quitting || w->stopping)
		w->over = w->over || w->stopping || w->inbox_count == 0;
	else if (!useful)
		relay_fault(w, note->stage, reply);
	else if (
		quiet) /* it wants no more on this connection, or was idle for too long */
		w->over = w->inbox_count == 0;
	else
		busy(w, reply);
}

static void on_closed(struct worker *w, const struct smtp_client_note *note) {
	struct smtp_reply reply = note->reply;
	if (reply.local)
		reply = smtp_reply_local(reply.code, reply.status.subject,
					 reply.status.detail, "%s: %s", w->peer,
					 note->reply.text);
	if (note->transaction)
		blame(w, note->transaction->user, note, &reply);
	worker_judge_stream(w, &reply);
	worker_report_broken(w, &reply);
	judge_end(w, note, &reply);
	worker_drop(w);
}

static void act(struct worker *w, enum smtp_client_event ev,
		const struct smtp_client_note *note) {
	switch (ev) {
	case SMTP_CLIENT_NONE:
		break;
	case SMTP_CLIENT_WANT_TLS:
		worker_secure(w);
		break;
	case SMTP_CLIENT_READY:
		worker_ready(w);
		break;
	case SMTP_CLIENT_RECIPIENT:
		on_recipient(w, note);
		break;
	case SMTP_CLIENT_WANT_CONTENT:
		w->sending = note->transaction->user;
		worker_header_begin(w);
		break;
	case SMTP_CLIENT_DONE:
		on_done(w, note);
		break;
	case SMTP_CLIENT_LOST:
		worker_lost(note->transaction->user, &note->reply);
		break;
	case SMTP_CLIENT_CLOSED:
		on_closed(w, note);
		break;
	}
}

static bool take_events(struct worker *w) {
	struct smtp_client_note note;
	enum smtp_client_event ev;
	bool any = false;
	while (w->client &&
	       (ev = smtp_client_next(w->client, &note)) != SMTP_CLIENT_NONE) {
		any = true;
		w->progress_ms = clock_boot_ms();
		act(w, ev, &note);
	}
	return any;
}

/* The machine would not take the envelope: nothing was sent. */
static void refuse_part(struct worker *w, struct worker_part *part,
			const struct err *err) {
	struct smtp_reply r = err->kind == ERR_LIMIT
				      ? smtp_reply_local(552, 3, 4, "%s", err->msg)
			      : err->kind == ERR_SYNTAX
				      ? smtp_reply_local(501, 1, 3, "%s", err->msg)
				      : smtp_reply_local(451, 3, 0, "%s", err->msg);
	worker_judge_part(part, r.code / 100 == 5 ? VERDICT_FAILED : VERDICT_LATER, false,
			  false, &r);
	part_over(w, part);
}

static bool begin_next(struct worker *w) {
	struct worker_window *win = &w->window;
	struct err err = ERR_INIT;
	if (!w->ready || w->stopping || w->fault.set || !smtp_client_may_begin(w->client))
		return false;
	while (win->begin < win->count &&
	       win->job[win->begin].parts_begun == win->job[win->begin].parts)
		win->begin++;
	if (win->begin == win->count)
		return false;
	struct worker_job *job = &win->job[win->begin];
	struct worker_part *part = &job->part[job->parts_begun++];
	part->begun_ms = clock_boot_ms();
	part->pays_connect = w->begun_here++ == 0;
	if (smtp_client_begin(w->client, &part->t, &err) != 0)
		refuse_part(w, part, &err);
	return true;
}

/* Between windows: the last one went out cleanly if the connection is still there. */
static bool close_window(struct worker *w) {
	struct worker_window *win = &w->window;
	const struct wire_report clean = { .kind = WIRE_WINDOW_CLEAN };
	worker_finish_settled(w);
	if (w->gave_up || win->count == 0 || win->finished < win->count)
		return false;
	worker_keep_jobs(w);
	worker_report(w, &clean);
	w->window_size = w->params->alone		    ? 1
			 : w->window_size < WIRE_WINDOW / 2 ? w->window_size * 2
							    : WIRE_WINDOW;
	return true;
}

/* Stopping: what is in flight is finished, the rest goes back. */
static bool wind_down(struct worker *w) {
	if (!w->stopping || w->quitting || !w->ready || in_flight(w))
		return false;
	worker_abandon_window(w);
	w->quitting = true;
	w->progress_ms = clock_boot_ms();
	smtp_client_quit(w->client);
	return true;
}

void worker_advance(struct worker *w) {
	bool acted = true;
	while (acted && w->client && !w->over) {
		acted = close_window(w) || leave_relay(w) || wind_down(w);
		if (w->client && w->ready && !w->stopping && !w->quitting &&
		    w->window.count == 0)
			worker_next_window(w);
		while (w->client && !w->over && begin_next(w))
			acted = true;
		if (w->client && !w->over && worker_send_content(w))
			acted = true;
		if (w->client && !w->over && take_events(w))
			acted = true;
	}
}
