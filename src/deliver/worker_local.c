/*
 * Relays that are no server: a maildir, and the words that answer for one (discard:, hold:,
 * error:TEXT). The same machinery answers for a destination that cannot be reached, so that
 * what the name service said is recorded with each message: windows, intents and records are
 * those of every delivery, only nobody is connected to.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/codec.h"
#include "base/log.h"
#include "deliver/maildir.h"
#include "deliver/worker_state.h"

#define HANDED_MS 5000 /* as long as mail may be on its way to us */

/* --- a maildir --- */

/* The message as it is to leave. -1: it cannot be written, or is not what was accepted
 * (ERR_SYNTAX). */
static int write_content(struct worker *w, struct worker_part *part, struct maildir *to,
			 struct err *err) {
	struct worker_job *job = part->job;
	const struct queue_message *m = queue_claim_message(job->claim);
	struct span head;
	int r = 0;
	w->sending = part;
	worker_header_begin(w);
	while (r == 0 && worker_header_piece(w, &head))
		r = maildir_write(to, head, err);
	w->sending = NULL;
	while (r == 0 && w->sent_offset < m->content_len) {
		uint64_t left = m->content_len - w->sent_offset;
		size_t len = left < WORKER_PIECE ? (size_t)left : WORKER_PIECE;
		r = queue_claim_content(job->claim, w->sent_offset, w->piece, len, err);
		if (r != 0)
			break;
		w->sent_crc = codec_crc32c(w->sent_crc, w->piece, len);
		w->sent_offset += len;
		r = maildir_write(to, span_of(w->piece, len), err);
	}
	if (r == 0 && w->sent_crc != m->crc)
		return err_set(err, ERR_SYNTAX,
			       "the message is not what was accepted: bad checksum");
	return r;
}

/* One name for one message and address, in a form that other programs know. */
static void unique_name(const struct worker *w, const struct worker_job *job, struct span to,
			char ret[256]) {
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	char host[128];
	snprintf(host, sizeof(host), "%s", w->params->hostname ? w->params->hostname : "localhost");
	for (char *p = host; *p; p++)
		if (*p == '/' || *p == ':')
			*p = '_';
	snprintf(ret, 256, "%lld.%s_%08x.%s", (long long)(env->created.wall_ms / 1000),
		 queue_id_text(&env->id).s, codec_crc32c(0, to.p, to.len), host);
}

static int write_file(struct worker *w, struct worker_part *part, struct span to,
		      const char *path, struct err *err) {
	char name[256];
	AUTO_BUF struct buf top = BUF_INIT(8192);
	unique_name(w, part->job, to, name);
	struct maildir *m = maildir_begin(path, name, err);
	if (!m)
		return -1;
	buf_addf(&top, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n", (int)part->t.from.len,
		 part->t.from.len ? part->t.from.p : "", (int)to.len, to.p);
	if (maildir_write(m, buf_span(&top), err) == 0 &&
	    write_content(w, part, m, err) == 0)
		return maildir_commit(m, err);
	maildir_abort(m);
	return -1;
}

/* Nothing from this address on was written: of an alias some may be, and then it is not done. */
static void leave_rest(struct worker_part *part, size_t wire, const struct smtp_reply *why) {
	struct worker_job *job = part->job;
	for (size_t i = part->first_route; i < part->first_route + part->routes; i++)
		if (job->route[i].wire >= wire && job->to[job->route[i].to].accepted)
			worker_judge(job, &job->to[job->route[i].to], VERDICT_LATER, why);
}

/* A disk that is full, a folder that is not there: trouble of ours, which holds the relay. */
static void keep_part(struct worker *w, struct worker_part *part, const char *path) {
	const struct smtp_reply kept = smtp_reply_local(250, 2, 0, "kept in %s", path);
	struct err err = ERR_INIT;
	for (size_t i = 0; i < part->t.to_count; i++) {
		if (write_file(w, part, part->t.to[i].address, path, &err) == 0) {
			worker_accept_address(part, part->first_wire + i);
			continue;
		}
		if (err.kind == ERR_SYNTAX) {
			log_error("id=%s %s", queue_id_text(&part->job->id).s, err.msg);
			part->job->damaged = true;
			return;
		}
		w->fault = (struct worker_fault){ true, SMTP_STAGE_CONTENT,
						  smtp_reply_local(452, 3, 0, "%s", err.msg) };
		leave_rest(part, part->first_wire + i, &w->fault.reply);
		break;
	}
	worker_delivered(w, part, &kept);
}

/* --- words --- */

/* "5.7.1 no mail for you": a status may stand in front. */
static struct smtp_reply refusal(const char *text) {
	struct span in = span_str(text);
	struct mail_status s = { .klass = 0 };
	if (!mail_status_take(&in, &s) || s.klass != 5 || !span_take_char(&in, ' '))
		return smtp_reply_local(550, 7, 1, "%s", text);
	return smtp_reply_local(550, s.subject, s.detail, "%.*s", (int)in.len, in.p);
}

static void answer_part(struct worker *w, struct worker_part *part) {
	const char *target;
	enum config_way way = config_way(&w->params->relay, &target);
	struct smtp_reply r;
	if (w->has_answer) {
		worker_judge_part(part, w->answer.code >= 500 ? VERDICT_FAILED : VERDICT_LATER,
				  false, false, &w->answer);
	} else if (way == CONFIG_WAY_MAILDIR) {
		keep_part(w, part, target);
	} else if (way == CONFIG_WAY_DISCARD) {
		r = smtp_reply_local(250, 2, 0, "discarded: relay %s keeps nothing",
				     w->params->relay.name);
		for (size_t i = 0; i < part->t.to_count; i++)
			worker_accept_address(part, part->first_wire + i);
		worker_delivered(w, part, &r);
	} else if (way == CONFIG_WAY_HOLD) {
		r = smtp_reply_local(450, 3, 0, "%s", target[0] ? target : "held by its route");
		worker_judge_part(part, VERDICT_HELD, false, false, &r);
	} else {
		r = refusal(target);
		worker_judge_part(part, VERDICT_FAILED, false, false, &r);
	}
}

/* --- the work --- */

static void serve_window(struct worker *w) {
	struct worker_window *win = &w->window;
	const struct wire_report clean = { .kind = WIRE_WINDOW_CLEAN };
	worker_next_window(w);
	for (size_t i = 0; i < win->count && !w->gave_up; i++) {
		struct worker_job *job = &win->job[i];
		if (!job->claim || job->parts == 0)
			continue;
		for (size_t p = 0; p < job->parts && !w->fault.set && !job->damaged; p++)
			answer_part(w, &job->part[p]);
		worker_finish(w, job);
	}
	worker_keep_jobs(w);
	bool unreachable = w->has_answer && w->answer.code < 500;
	if (!w->fault.set && !w->gave_up && !unreachable && win->kept == 0)
		worker_report(w, &clean);
	w->window_size = w->window_size < WIRE_WINDOW / 2 ? w->window_size * 2 : WIRE_WINDOW;
}

/* Waits for messages. False: none came in time, or there will be none. */
static bool wait_for_mail(struct worker *w, int64_t until_ms) {
	worker_send_reports(w);
	while (w->inbox_count == 0 && !w->stopping && clock_boot_ms() < until_ms)
		worker_wait_channel(w, until_ms - clock_boot_ms());
	return w->inbox_count > 0 && !w->stopping;
}

static void serve(struct worker *w) {
	struct wire_report up = { .kind = WIRE_UP };
	bool once = w->has_answer && w->answer.code < 500;
	int64_t idle_ms = w->has_answer ? HANDED_MS : w->params->idle_ms;
	w->ext = (struct smtp_extensions){ .eightbitmime = true, .smtputf8 = true };
	if (!w->has_answer)
		w->port = 0;
	worker_report(w, &up);
	while (!w->gave_up && !w->fault.set &&
	       (w->window.kept > 0 || wait_for_mail(w, clock_boot_ms() + idle_ms))) {
		serve_window(w);
		if (once && w->window.kept == 0)
			break;
	}
	if (!w->gave_up)
		worker_abandon_window(w);
	w->over = true;
}

void worker_answer(struct worker *w, const struct smtp_reply *reply) {
	w->has_answer = true;
	w->answer = *reply;
	serve(w);
}

bool worker_local(struct worker *w) {
	const char *target;
	enum config_way way = config_way(&w->params->relay, &target);
	struct err err = ERR_INIT;
	if (config_is_per_domain(&w->params->relay) && !w->params->destination) {
		const struct smtp_reply none = smtp_reply_local(
			553, 1, 3, "an address without a domain has no server");
		snprintf(w->peer, sizeof(w->peer), "nobody");
		worker_answer(w, &none);
		return true;
	}
	if (way < CONFIG_WAY_MAILDIR)
		return false;
	snprintf(w->peer, sizeof(w->peer), "%s", w->params->relay.host[0]);
	if (way == CONFIG_WAY_MAILDIR && maildir_make(target, &err) != 0) {
		w->fault = (struct worker_fault){ true, SMTP_STAGE_CONNECT,
						  smtp_reply_local(451, 3, 0, "%s", err.msg) };
		w->over = true;
		return true;
	}
	serve(w);
	return true;
}
