/*
 * A worker's life, and its conversation with the manager. Reports are collected and leave
 * in one frame a window, or a tenth of a second after the last ones: a manager that
 * is waiting for a single message hears of it at once, because there is nothing else to do.
 */

#include "deliver/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "deliver/worker_state.h"
#include "queue/tlsrptlog.h"

#define REPORTS_FULL (PROC_FRAME_MAX / 2)
#define STOP_WAIT_MS 25000
#define LAST_WORD_MS 5000

void worker_send_reports(struct worker *w) {
	if (w->reports.len == 0)
		return;
	if (!w->channel_ended && proc_send(w->channel, buf_span(&w->reports), -1) != 0) {
		w->channel_full = errno == EAGAIN;
		if (w->channel_full)
			return;
		w->channel_ended = true;
		worker_stop(w);
	}
	buf_reset(&w->reports);
	w->channel_full = false;
	w->reported_ms = clock_boot_ms();
}

/* The manager does not read: it has to, or nothing could be answered. */
static void push_reports(struct worker *w, int64_t timeout_ms) {
	int64_t until = clock_boot_ms() + timeout_ms;
	worker_send_reports(w);
	while (w->reports.len > 0 && !w->channel_ended && clock_boot_ms() < until) {
		struct pollfd fd = { .fd = w->channel, .events = POLLOUT };
		poll(&fd, 1, 100);
		worker_send_reports(w);
	}
}

void worker_report(struct worker *w, const struct wire_report *r) {
	if (w->reports.len > REPORTS_FULL)
		push_reports(w, LAST_WORD_MS);
	if (wire_report_write(&w->reports, r) != 0) {
		log_error("the manager does not take reports");
		worker_give_up(w, NULL);
	}
}

void worker_report_result(struct worker *w, const struct wire_report *r) {
	if (w->reports.len > REPORTS_FULL)
		worker_send_reports(w);
	if (w->reports.len <= REPORTS_FULL)
		worker_report(w, r);
}

void worker_report_id(struct worker *w, enum wire_kind kind, const struct queue_id *id) {
	struct wire_report r = { .kind = kind, .id = *id };
	worker_report(w, &r);
}

void worker_give_up(struct worker *w, const struct err *why) {
	if (why)
		log_error("%s", why->msg);
	w->gave_up = w->over = true;
	w->exit_code = 1;
}

void worker_stop(struct worker *w) {
	if (w->stopping)
		return;
	w->stopping = true;
	w->stop_ms = clock_boot_ms() + STOP_WAIT_MS;
	w->idle_since_ms = 0;
}

void worker_hear(struct worker *w) {
	struct wire_message h;
	if (w->channel_ended)
		return;
	int r = proc_recv(w->channel, &w->frame, NULL);
	if (r < 0 && errno == EAGAIN)
		return;
	if (r <= 0) {
		w->channel_ended = true;
		worker_stop(w);
		return;
	}
	struct span frame = buf_span(&w->frame);
	while ((r = wire_message_take(&frame, &h)) > 0) {
		if (w->inbox_count == WIRE_BATCH) {
			worker_report_id(w, WIRE_BACK, &h.id);
			free(h.except);
			continue;
		}
		w->inbox[(w->inbox_first + w->inbox_count++) % WIRE_BATCH] = h;
	}
	if (r < 0)
		log_error("a frame of the manager is not understood");
	w->idle_since_ms = 0;
}

/* Nothing to do: what was done is made durable, so that a power cut long after does not
 * raise doubts about it. */
static void rest(struct worker *w) {
	struct err err = ERR_INIT;
	if (w->idle_since_ms > 0)
		return;
	w->idle_since_ms = clock_boot_ms();
	worker_send_reports(w);
	worker_tlsrpt_sync(w);
	if (segment_sync(w->segment, &err) != 0)
		worker_give_up(w, &err);
}

static void turn(struct worker *w) {
	worker_advance(w);
	if (w->over || !w->client)
		return;
	if (w->window.count == 0 && w->inbox_count == 0 && !w->quitting && !w->stopping)
		rest(w);
	else if (w->reports.len > 0 &&
		 (w->window.count == 0 || w->window.finished == 0 ||
		  clock_boot_ms() - w->reported_ms > WORKER_REPORT_EVERY_MS))
		worker_send_reports(w);
	if (!w->over)
		worker_wait(w);
}

static int open_all(struct worker *w, struct err *err) {
	w->piece = malloc(WORKER_PIECE);
	if (!w->piece)
		return err_set(err, ERR_MEMORY, "out of memory");
	w->queue = queue_open(w->params->dir, err);
	if (!w->queue)
		return -1;
	w->segment = segment_open(w->queue, w->params->slot, err);
	return w->segment ? 0 : -1;
}

/* Without a journal of completions nothing may be sent; most likely the disk is full. The
 * relay waits for that as for trouble of its own. */
static void cannot_begin(struct worker *w, const struct err *err) {
	struct wire_report r = { .kind = WIRE_DOWN };
	snprintf(r.stage, sizeof(r.stage), "%s", smtp_stage_name(SMTP_STAGE_CONNECT));
	snprintf(r.words, sizeof(r.words), "a delivery could not be recorded");
	snprintf(r.text, sizeof(r.text), "%s", err->msg);
	worker_report(w, &r);
	w->over = true;
}

static void report_trouble(struct worker *w) {
	const struct smtp_reply *reply = &w->fault.reply;
	AUTO_BUF struct buf text = BUF_INIT(2 * SMTP_REPLY_TEXT_MAX);
	struct wire_report r = { .kind = WIRE_DOWN, .code = reply->code };
	if (!reply->local)
		buf_addf(&text, "%s: ", w->peer);
	smtp_reply_add(&text, reply);
	const char *words = outcome_words(w->fault.stage, reply);
	snprintf(r.stage, sizeof(r.stage), "%s", smtp_stage_name(w->fault.stage));
	snprintf(r.words, sizeof(r.words), "%s", words);
	snprintf(r.text, sizeof(r.text), "%s", buf_str(&text));
	worker_log_relay(w, LOG_LEVEL_INFO, words, buf_span(&text));
	worker_report(w, &r);
}

/* A token may end before its time: that is no trouble as long as there is another one. */
static void report_token(struct worker *w) {
	const struct wire_report r = { .kind = WIRE_TOKEN_OVER };
	worker_log_relay(w, LOG_LEVEL_INFO, "the token is not taken any more",
			 span_str(w->fault.reply.text));
	worker_report(w, &r);
}

/* Everything that was not answered goes back, then why we leave. */
static void say_goodbye(struct worker *w) {
	worker_hear(w); /* what crossed our decision to leave */
	for (; w->inbox_count > 0; w->inbox_count--) {
		worker_report_id(w, WIRE_BACK, &w->inbox[w->inbox_first].id);
		free(w->inbox[w->inbox_first].except);
		w->inbox_first = (w->inbox_first + 1) % WIRE_BATCH;
	}
	if (w->fault.set && w->fault.stage == SMTP_STAGE_AUTH && !w->fault.reply.local &&
	    w->fault.reply.code / 100 == 5 && w->exit_code == 0)
		w->exit_code = WORKER_NOT_LET_IN;
	if (w->exit_code == WORKER_NOT_LET_IN && w->secret.token && !w->secret.renewed) {
		report_token(w);
	} else if (w->fault.set) {
		report_trouble(w);
	} else if (w->busy) {
		struct wire_report r = { .kind = WIRE_BUSY };
		snprintf(r.text, sizeof(r.text), "%s", w->busy_words);
		snprintf(r.words, sizeof(r.words), "%s", w->busy_event);
		worker_log_relay(w, LOG_LEVEL_INFO, w->busy_event,
				 span_str(w->busy_words));
		worker_report(w, &r);
	}
	push_reports(w, LAST_WORD_MS);
}

static void close_all(struct worker *w) {
	worker_disconnect(w);
	segment_free(w->segment);
	tlsrptlog_free(w->tlsrpt.log);
	queue_free(w->queue);
	free(w->piece);
	worker_rules_release(w);
	worker_dkim_free(w->dkim);
	buf_release(&w->sts_text);
	dns_close(w->dns);
	buf_release(&w->frame);
	buf_release(&w->reports);
	buf_release(&w->sender);
}

/* Another worker gets another one. The first connection tries what it was given. */
static bool token_is_over(const struct worker *w) {
	return w->connected_ms > 0 && w->secret.expires_ms > 0 &&
	       clock_wall_ms() >= w->secret.expires_ms;
}

int worker_run(const struct wire_worker *params, int channel,
	       const struct tls_client *tls, const struct worker_secret *secret) {
	static struct worker w; /* large, and mostly never touched */
	struct err err = ERR_INIT;
	w.params = params;
	w.tls = tls;
	w.secret = *secret;
	w.channel = channel;
	w.window_size = 1;
	w.refused = params->refused;
	if (params->refused_from)
		snprintf(w.refused_sender, sizeof(w.refused_sender), "%s", params->refused_from);
	buf_init(&w.frame, PROC_FRAME_MAX);
	buf_init(&w.reports, PROC_FRAME_MAX);
	buf_init(&w.sender, 4096);
	worker_signals();
	if (open_all(&w, &err) != 0)
		cannot_begin(&w, &err);
	while (!w.over && (w.client || (!token_is_over(&w) && worker_connect(&w))))
		turn(&w);
	if (!w.gave_up)
		say_goodbye(&w);
	close_all(&w);
	return w.exit_code;
}
