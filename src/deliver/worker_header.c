/*
 * The header on its way out. It is read, rewritten, converted and signed before the envelope goes, because
 * SIZE must be that of what is sent; the file's own bytes are still summed up, so that
 * damage is found all the same. The body is streamed from the file.
 */

#include "base/codec.h"
#include "deliver/worker_state.h"
#include "mail/header.h"

#define FIRST_LOOK 8192u
#define HOPS_MAX 50u

/* Reads the header block of the message into raw. *ret_len is 0 when there is none. */
static int read_block(struct worker_job *job, struct buf *raw, size_t *ret_len) {
	uint64_t size = queue_claim_message(job->claim)->content_len;
	size_t want = FIRST_LOOK;
	*ret_len = 0;
	for (;; want *= 2) {
		size_t len = want < size ? want : (size_t)size;
		char *room = buf_room(raw, len - raw->len);
		if (!room)
			return -1;
		if (queue_claim_content(job->claim, raw->len, room, len - raw->len,
					NULL) != 0)
			return 0; /* who sends the content meets it, too, and has the words */
		buf_grew(raw, len - raw->len);
		if (header_block_end(buf_span(raw), ret_len))
			return 0;
		if (len == size)
			*ret_len = header_block_len(buf_span(raw));
		if (len == size || len >= HEADER_BLOCK_MAX)
			return 0;
	}
}

/* RFC 5321 section 6.3: so many servers have none. */
static bool goes_in_circles(struct span header) {
	struct header_field f;
	unsigned hops = 0;
	header_take_mbox(&header);
	while (hops <= HOPS_MAX && header_take(&header, &f))
		hops += span_eq_nocase(f.name, SPAN("Received"));
	return hops > HOPS_MAX;
}

/* Converts a message that the server cannot take as it is; all of it is sent from memory then. */
static int convert(struct worker *w, struct worker_job *job, struct span header,
		   size_t header_len) {
	AUTO_BUF struct buf whole = BUF_INIT(WORKER_CONVERTED_MAX);
	const struct queue_message *m = queue_claim_message(job->claim);
	int converted = worker_downgrade(w, job, header, header_len, &whole);
	if (converted <= 0)
		return converted;
	struct span message = buf_span(&whole), body;
	size_t len = header_block_len(message);
	header = span_head(message, len);
	body = span_from(message, len);
	if (worker_dkim_sign(w, job, header, m->content_len, body, &job->head) != 0)
		return -1;
	job->head_old = m->content_len;
	job->head_crc = m->crc;
	return buf_add(&job->head, message) == 0 ? 1 : -1;
}

int worker_header(struct worker *w, struct worker_job *job) {
	AUTO_BUF struct buf raw = BUF_INIT(2 * HEADER_BLOCK_MAX);
	AUTO_BUF struct buf rewritten = BUF_INIT(4 * HEADER_BLOCK_MAX);
	AUTO_BUF struct buf downgraded = BUF_INIT(4 * HEADER_BLOCK_MAX);
	const struct queue_message *m = queue_claim_message(job->claim);
	size_t len;
	if (job->head.max > 0)
		return 0; /* a message of several slices has it already */
	buf_init(&job->head, WORKER_CONVERTED_MAX + 4 * HEADER_BLOCK_MAX);
	if (m->content_len == 0)
		return 0;
	if (read_block(job, &raw, &len) != 0)
		return -1;
	job->loops = goes_in_circles(span_head(buf_span(&raw), len));
	int changed = rewrite_header(&w->rules.rewrite, span_head(buf_span(&raw), len),
				     &rewritten);
	if (changed < 0)
		return changed;
	struct span header = changed ? buf_span(&rewritten) : span_head(buf_span(&raw), len);
	int converted = worker_downgrade_header(w, job, &header, &downgraded);
	if (converted < 0)
		return -1;
	changed |= converted;
	converted = convert(w, job, header, len);
	if (converted != 0)
		return converted < 0 ? -1 : 0;
	if (worker_dkim_sign(w, job, header, len, SPAN(""), &job->head) != 0)
		return -1;
	job->head_old = changed ? len : 0;
	job->head_crc = codec_crc32c(m->envelope_crc, raw.data, (size_t)job->head_old);
	if (changed)
		return buf_add(&job->head, header);
	if (raw.len == m->content_len && raw.len <= FIRST_LOOK) {
		job->small = raw;
		buf_init(&raw, 0);
	}
	return 0;
}

uint64_t worker_size(const struct worker_job *job) {
	return queue_claim_message(job->claim)->content_len - job->head_old +
	       job->head.len;
}

void worker_header_begin(struct worker *w) {
	const struct worker_job *job = w->sending->job;
	bool rewritten = job->head.len > 0;
	w->sent_head = 0;
	w->sent_offset = job->head_old;
	w->sent_crc = rewritten ? job->head_crc
				: queue_claim_message(job->claim)->envelope_crc;
}

bool worker_header_piece(struct worker *w, struct span *ret) {
	struct span left = span_from(buf_span(&w->sending->job->head), w->sent_head);
	*ret = span_head(left, WORKER_PIECE);
	w->sent_head += ret->len;
	return ret->len > 0;
}
