/*
 * The worker's log lines. One line for each recipient and attempt, with the fields that
 * readers of Postfix logs know; everything a server said goes through log_field(). An alias has
 * one for each address that it stands for, and orig_to tells the alias. The manager hears the
 * same, once for each recipient.
 */

#include "deliver/worker_state.h"

#include <string.h>

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
	if (w->port > 0) /* else a socket, or nobody */
		buf_addf(&host, ":%u", w->port);
	log_field(line, "host", buf_span(&host));
}

/* In the queue, making the connection (only the first message paid for it), and from MAIL to
 * the last reply. */
struct delays {
	int64_t total_ms, queue_ms, connect_ms, send_ms;
};

static struct delays delays_of(const struct worker *w, const struct worker_job *job,
			       const struct worker_recipient *to) {
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	struct moment now = clock_now();
	size_t k = (size_t)(to - job->to);
	const struct worker_part *part = &job->part[k / WORKER_PART_RECIPIENTS];
	bool sent = k < job->sendable && part->begun_ms > 0;
	struct delays d = { .total_ms = clock_elapsed_ms(&env->created, &now) };
	d.send_ms = sent ? now.boot_ms - part->begun_ms : 0;
	d.connect_ms = sent && part->pays_connect ? w->connect_took_ms : 0;
	int64_t queued = d.total_ms - d.send_ms - d.connect_ms;
	d.queue_ms = queued > 0 ? queued : 0;
	return d;
}

static void add_delays(struct buf *line, const struct delays *d) {
	log_field_ms(line, "delay", d->total_ms);
	buf_addf(line, " delays=%lld.%02d/%lld.%02d/%lld.%02d",
		 (long long)(d->queue_ms / 1000), (int)(d->queue_ms % 1000 / 10),
		 (long long)(d->connect_ms / 1000), (int)(d->connect_ms % 1000 / 10),
		 (long long)(d->send_ms / 1000), (int)(d->send_ms % 1000 / 10));
}

static void set_text(char *out, size_t size, struct span s) {
	s = span_head(s, size - 1);
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
}

/* The manager tells it those who watch. */
static void report(struct worker *w, const struct worker_job *job,
		   const struct worker_recipient *to, struct span status,
		   const struct delays *d) {
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	struct wire_report r = { .kind = WIRE_RESULT,
				 .id = job->id,
				 .queue_ms = d->queue_ms,
				 .connect_ms = d->connect_ms,
				 .send_ms = d->send_ms };
	bool failed = to->verdict == VERDICT_FAILED;
	enum recipient_state state = failed ? RECIPIENT_FAILED : RECIPIENT_DEFERRED;
	if (to->verdict == VERDICT_DELIVERED)
		state = RECIPIENT_DELIVERED;
	set_text(r.state, sizeof(r.state), span_str(recipient_state_name(state)));
	set_text(r.dsn, sizeof(r.dsn), status);
	set_text(r.from, sizeof(r.from), env->from);
	set_text(r.to, sizeof(r.to), env->to[to->index].address);
	set_text(r.host, sizeof(r.host), span_str(to->ours ? "" : w->peer));
	set_text(r.text, sizeof(r.text),
		 span_of(buf_str(&job->words) + to->words, to->words_len));
	worker_report_result(w, &r);
}

/* address: where it went, or was to go. has: it got there, though the recipient, an alias, is
 * not settled; the server's words are about its other addresses then. */
static void log_address(const struct worker *w, const struct worker_job *job,
			const struct worker_recipient *to, const struct delays *d,
			struct span address, bool has) {
	static const struct mail_status sent = { 2, 0, 0 };
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	AUTO_BUF struct buf dsn = BUF_INIT(32);
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	const struct journal *journal = &queue_claim_message(job->claim)->journal;
	struct span recipient = env->to[to->index].address;
	buf_addf(&line, "id=%s", queue_id_text(&job->id).s);
	log_field_addr(&line, "from", env->from);
	log_field_addr(&line, "to", address);
	if (!span_eq(address, recipient))
		log_field_addr(&line, "orig_to", recipient);
	log_field(&line, "relay", span_str(w->params->relay.name));
	add_host(&line, w);
	log_field(&line, "status", span_str(status_word(has ? VERDICT_DELIVERED : to->verdict)));
	mail_status_add(&dsn, has ? sent : to->status);
	log_field(&line, "dsn", buf_span(&dsn));
	add_delays(&line, d);
	log_field(&line, "tls", span_str(w->tls_version[0] ? w->tls_version : "none"));
	if (w->tls_resumed)
		log_field(&line, "tls-resumed", SPAN("yes"));
	if (w->mechanism[0])
		log_field(&line, "auth", span_str(w->mechanism));
	if (to->verdict == VERDICT_UNCERTAIN || journal->to[to->index].maybe_twice)
		log_field(&line, "possibly-twice", SPAN("yes"));
	if (!has)
		log_field(&line, "reply",
			  span_of(buf_str(&job->words) + to->words, to->words_len));
	log_info("%s", buf_str(&line));
}

void worker_log_recipient(struct worker *w, const struct worker_job *job,
			  const struct worker_recipient *to) {
	AUTO_BUF struct buf dsn = BUF_INIT(32);
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	struct delays d = delays_of(w, job, to);
	size_t k = (size_t)(to - job->to), logged = 0;
	for (size_t i = 0; i < job->routes && k < job->sendable; i++) {
		const struct worker_route *r = &job->route[i];
		if (r->to != k)
			continue;
		log_address(w, job, to, &d, job->wire[r->wire].address,
			    to->partly && r->accepted);
		logged++;
	}
	if (logged == 0)
		log_address(w, job, to, &d, env->to[to->index].address, false);
	mail_status_add(&dsn, to->status);
	report(w, job, to, buf_span(&dsn), &d);
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
