/*
 * Content on its way from the file to the client machine: a piece at a time, and summed up
 * again, so that what is damaged never gets its end.
 */

#include "base/codec.h"
#include "deliver/worker_state.h"

/* The content cannot be what was accepted, or cannot be read: closed before the final dot,
 * so that the server throws away what it has. */
static void spoilt(struct worker *w, const struct err *why, bool damaged) {
	struct worker_job *job = w->sending->job;
	struct smtp_reply r = smtp_reply_local(451, 3, 0, "%s", why->msg);
	log_error("id=%s %s", queue_id_text(&job->id).s, why->msg);
	job->damaged = damaged;
	bool streams = smtp_client_streams(w->client);
	worker_judge_part(w->sending, VERDICT_LATER, false, !streams, &r);
	if (streams)
		worker_break_off(w, why->msg);
	worker_drop(w);
}

/* The next bytes of the file: a small message was read with its header. */
static int read_piece(struct worker *w, size_t len, struct span *ret, struct err *err) {
	const struct worker_job *job = w->sending->job;
	bool known = job->small.len == queue_claim_message(job->claim)->content_len;
	*ret = span_of(known ? job->small.data + w->sent_offset : w->piece, len);
	return known ? 0
		     : queue_claim_content(job->claim, w->sent_offset, w->piece, len, err);
}

bool worker_send_content(struct worker *w) {
	struct err err = ERR_INIT;
	if (!w->sending || !worker_wants_more(w))
		return false;
	struct worker_job *job = w->sending->job;
	const struct queue_message *m = queue_claim_message(job->claim);
	struct span head;
	if (worker_header_piece(w, &head)) {
		if (smtp_client_content(w->client, head, false) == 0)
			return true;
		err_set(&err, ERR_MEMORY, "out of memory");
		spoilt(w, &err, false);
		return true;
	}
	uint64_t left = m->content_len - w->sent_offset;
	size_t len = left < WORKER_PIECE ? (size_t)left : WORKER_PIECE;
	bool last = len == left;
	struct span piece;
	if (read_piece(w, len, &piece, &err) != 0) {
		spoilt(w, &err, err.kind == ERR_SYNTAX);
		return true;
	}
	w->sent_crc = codec_crc32c(w->sent_crc, piece.p, len);
	w->sent_offset += len;
	if (last && w->sent_crc != m->crc) {
		err_set(&err, ERR_SYNTAX,
			"the message is not what was accepted: bad checksum");
		spoilt(w, &err, true);
		return true;
	}
	if (smtp_client_content(w->client, piece, last) != 0) {
		err_set(&err, ERR_MEMORY, "out of memory");
		spoilt(w, &err, false);
		return true;
	}
	if (last)
		w->sending = NULL;
	return true;
}
