/*
 * The worker's log lines. One line for each recipient and attempt, with the fields that
 * readers of Postfix logs know; everything a server said goes through log_field().
 */

#include "deliver/worker_state.h"

#define LINE_MAX_BYTES 8192u

static const char *status_word(enum worker_verdict v) {
	switch (v) {
	case VERDICT_DELIVERED:
		return "sent";
	case VERDICT_FAILED:
		return "bounced";
	case VERDICT_HELD:
		return "held";
	case VERDICT_LATER:
	case VERDICT_UNCERTAIN:
	case VERDICT_NONE:
		break;
	}
	return "deferred";
}

static void add_host(struct buf *line, const struct worker *w) {
	AUTO_BUF struct buf host = BUF_INIT(sizeof(w->peer) + 8);
	buf_adds(&host, w->peer);
	buf_addf(&host, ":%u", w->port);
	log_field(line, "host", buf_span(&host));
}

/* delays=queue/connect/transfer: in the queue, making the connection (only the first message
 * paid for it), and from MAIL to the last reply. */
static void add_delays(struct buf *line, const struct worker *w,
		       const struct worker_job *job, const struct worker_recipient *to) {
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	struct moment now = clock_now();
	size_t k = (size_t)(to - job->to);
	const struct worker_part *part = &job->part[k / WORKER_PART_RECIPIENTS];
	bool sent = k < job->sendable && part->begun_ms > 0;
	int64_t total = clock_elapsed_ms(&env->created, &now);
	int64_t transfer = sent ? now.boot_ms - part->begun_ms : 0;
	int64_t connect = sent && part->pays_connect ? w->connect_took_ms : 0;
	int64_t queued = total - transfer - connect;
	log_field_ms(line, "delay", total);
	buf_addf(line, " delays=%lld.%02d/%lld.%02d/%lld.%02d",
		 (long long)(queued > 0 ? queued / 1000 : 0),
		 (int)(queued > 0 ? queued % 1000 / 10 : 0), (long long)(connect / 1000),
		 (int)(connect % 1000 / 10), (long long)(transfer / 1000),
		 (int)(transfer % 1000 / 10));
}

void worker_log_recipient(const struct worker *w, const struct worker_job *job,
			  const struct worker_recipient *to) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	AUTO_BUF struct buf dsn = BUF_INIT(32);
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	const struct journal *journal = &queue_claim_message(job->claim)->journal;
	buf_addf(&line, "id=%s", queue_id_text(&job->id).s);
	log_field_addr(&line, "from", env->from);
	log_field_addr(&line, "to", env->to[to->index].address);
	log_field(&line, "relay", span_str(w->params->relay.name));
	add_host(&line, w);
	log_field(&line, "status", span_str(status_word(to->verdict)));
	mail_status_add(&dsn, to->status);
	log_field(&line, "dsn", buf_span(&dsn));
	add_delays(&line, w, job, to);
	log_field(&line, "tls", span_str(w->tls_version[0] ? w->tls_version : "none"));
	if (w->mechanism[0])
		log_field(&line, "auth", span_str(w->mechanism));
	if (to->verdict == VERDICT_UNCERTAIN || journal->to[to->index].maybe_twice)
		log_field(&line, "possibly-twice", SPAN("yes"));
	log_field(&line, "reply",
		  span_of(buf_str(&job->words) + to->words, to->words_len));
	log_info("%s", buf_str(&line));
}

void worker_log_relay(const struct worker *w, enum log_level level, const char *event,
		      struct span words) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	buf_addf(&line, "relay=%s", w->params->relay.name);
	if (w->peer[0])
		add_host(&line, w);
	log_field(&line, "event", span_str(event));
	if (words.len > 0)
		log_field(&line, "reply", words);
	log_line(level, "%s", buf_str(&line));
}
