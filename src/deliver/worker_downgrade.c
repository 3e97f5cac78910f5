/*
 * A message for a server that lacks SMTPUTF8 (RFC 6531) or 8BITMIME (RFC 6152 section 3): its
 * header gets encoded words, parts with 8-bit text become quoted-printable. Where a signature
 * would break by that, or an address is not ASCII, it cannot go this way at all.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "base/codec.h"
#include "deliver/worker_state.h"
#include "mail/downgrade.h"
#include "mail/longline.h"

static int cannot(const struct worker *w, struct worker_job *job, unsigned detail,
		  const char *extension, const struct err *why) {
	if (why->kind == ERR_MEMORY)
		return -1;
	job->unsent_detail = detail;
	snprintf(job->unsent_why, sizeof(job->unsent_why),
		 "%s does not offer %s, and the message cannot be converted: %s", w->peer,
		 extension, why->msg);
	return 0;
}

int worker_downgrade_header(const struct worker *w, struct worker_job *job,
			    struct span *header, struct buf *out) {
	struct err err = ERR_INIT;
	if (w->ext.smtputf8 || !downgrade_is_8bit(*header))
		return 0;
	if (downgrade_header(*header, out, &err) != 0)
		return cannot(w, job, 7, "SMTPUTF8", &err);
	*header = buf_span(out);
	return 1;
}

/* The rest of the file; *ret_crc goes on from that of what is before it. */
static int feed_file(struct worker_job *job, struct longline *lines, uint64_t offset,
		     uint32_t *crc, struct buf *out, struct err *err) {
	AUTO_FREE char *piece = malloc(WORKER_PIECE);
	uint64_t size = queue_claim_message(job->claim)->content_len;
	if (!piece)
		return err_set(err, ERR_MEMORY, "out of memory");
	while (offset < size) {
		uint64_t left = size - offset;
		size_t len = left < WORKER_PIECE ? (size_t)left : WORKER_PIECE;
		if (queue_claim_content(job->claim, offset, piece, len, err) != 0)
			return -1;
		*crc = codec_crc32c(*crc, piece, len);
		if (longline_feed(lines, span_of(piece, len), out, err) != 0)
			return -1;
		offset += len;
	}
	return longline_finish(lines, out, err);
}

/* The checksum of envelope and header as they stand in the file. */
static int header_crc(struct worker_job *job, size_t header_len, uint32_t *ret) {
	AUTO_FREE char *header = malloc(header_len + 1);
	*ret = queue_claim_message(job->claim)->envelope_crc;
	if (!header || queue_claim_content(job->claim, 0, header, header_len, NULL) != 0)
		return -1;
	*ret = codec_crc32c(*ret, header, header_len);
	return 0;
}

int worker_downgrade(const struct worker *w, struct worker_job *job, struct span header,
		     size_t header_len, struct buf *out) {
	const struct queue_message *m = queue_claim_message(job->claim);
	struct longline lines;
	struct err err = ERR_INIT;
	uint32_t crc;
	if (w->ext.eightbitmime || !m->env.body_8bit || job->unsent_why[0])
		return 0;
	if (header_crc(job, header_len, &crc) != 0)
		return -1;
	longline_init_ascii(&lines);
	int r = longline_feed(&lines, header, out, &err);
	if (r == 0)
		r = feed_file(job, &lines, header_len, &crc, out, &err);
	longline_release(&lines);
	if (r == 0 && crc == m->crc)
		return 1;
	/* who sends a damaged file, or one that cannot be read, finds it out as always */
	bool unreadable = r == 0 || (err.kind != ERR_SYNTAX && err.kind != ERR_LIMIT);
	return unreadable && err.kind != ERR_MEMORY ? 0
						    : cannot(w, job, 3, "8BITMIME", &err);
}
