/*
 * Reading a message. The header block is read whole (bounded), since -t wants the
 * recipients of it and the envelope stands before the message in the queue file; the body
 * then goes through the line end normaliser piece by piece.
 */

#include "cli/intake.h"

#include <errno.h>
#include <unistd.h>

#include "mail/header.h"

#define READ_SIZE 65472u /* a buffer of it fits into the heap that there is anyway */
#define FIRST_PIECE (256u << 10) /* the body is read this far before it is queued */
#define LINE_USUAL 32u /* a shorter line is unusual; each line gets a byte longer */
#define RAW_MAX (HEADER_BLOCK_MAX + 2 * READ_SIZE)

void intake_init(struct intake *m, int in, struct span text) {
	*m = (struct intake){ .in = in, .text = text, .from_memory = text.p != NULL };
	buf_init(&m->raw, RAW_MAX);
	/* Line ends may double what came with the header. */
	buf_init(&m->body, 2 * (size_t)(RAW_MAX + FIRST_PIECE));
	eol_init(&m->eol);
}

void intake_release(struct intake *m) {
	buf_release(&m->raw);
	buf_release(&m->body);
}

static ssize_t read_some(struct intake *m, char *room, struct err *err) {
	ssize_t n;
	if (m->source.read)
		return m->source.read(m->source.ctx, room, READ_SIZE, err);
	if (m->from_memory) {
		struct span some = span_head(m->text, READ_SIZE);
		memcpy(room, some.p, some.len);
		m->text = span_from(m->text, some.len);
		return (ssize_t)some.len;
	}
	do
		n = read(m->in, room, READ_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err_sys(err, "cannot read the message");
	return n;
}

/* Reads once more into raw. */
static int read_more(struct intake *m, struct err *err) {
	char *room = buf_room(&m->raw, READ_SIZE);
	if (!room)
		return err_set(err, ERR_MEMORY, "out of memory");
	ssize_t n = read_some(m, room, err);
	if (n < 0)
		return -1;
	m->at_end = n == 0;
	buf_grew(&m->raw, (size_t)n);
	return 0;
}

int intake_header(struct intake *m, struct span *ret, struct err *err) {
	size_t checked = 0, len = 0;
	bool whole = false;
	while (!whole && !m->at_end) {
		if (checked > HEADER_BLOCK_MAX)
			return err_set(err, ERR_LIMIT,
				       "the header is longer than %u bytes",
				       HEADER_BLOCK_MAX);
		if (read_more(m, err) != 0)
			return -1;
		/* Looking again only when the text doubled keeps a long header linear. */
		if (m->raw.len < 2 * checked && m->raw.len <= HEADER_BLOCK_MAX)
			continue;
		checked = m->raw.len;
		whole = header_block_end(buf_span(&m->raw), &len);
	}
	if (!whole)
		len = header_block_len(buf_span(&m->raw));
	*ret = span_head(buf_span(&m->raw), len);
	return 0;
}

void intake_drop_header(struct intake *m, size_t len) {
	struct span rest = span_from(buf_span(&m->raw), len);
	header_take_empty(&rest);
	buf_consume(&m->raw, m->raw.len - rest.len);
}

/* Turns raw into wire form, into a buffer that seldom has to move meanwhile. */
static int convert(struct intake *m, struct err *err) {
	size_t room = m->raw.len + m->raw.len / LINE_USUAL + 2;
	if (room < m->body.max - m->body.len)
		buf_room(&m->body, room);
	if (eol_feed(&m->eol, buf_span(&m->raw), &m->body, err) != 0)
		return -1;
	buf_reset(&m->raw);
	if (!m->at_end)
		return 0;
	buf_release(&m->raw); /* its memory is warm: the queue's buffer comes next */
	if (eol_finish(&m->eol, &m->body) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	return 0;
}

int intake_body(struct intake *m, struct err *err) {
	while (convert(m, err) == 0) {
		if (m->at_end || m->body.len >= FIRST_PIECE)
			return 0;
		if (read_more(m, err) != 0)
			return -1;
	}
	return -1;
}

int intake_next(struct intake *m, struct err *err) {
	buf_reset(&m->body);
	return read_more(m, err) != 0 ? -1 : convert(m, err);
}
