/* A message's bytes in pieces; see content.h. */

#include "deliver/content.h"

#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"
#include "mail/header.h"

#define PIECE 24576u /* divisible by three: no padding but at the end */

/* How much of the message its header is; of a very long one the first part. */
static int find_header(struct content *c, struct err *err) {
	AUTO_BUF struct buf head = BUF_INIT(HEADER_BLOCK_MAX);
	size_t len = c->left < HEADER_BLOCK_MAX ? (size_t)c->left : HEADER_BLOCK_MAX;
	char *room = buf_room(&head, len);
	if (!room)
		return err_set(err, ERR_MEMORY, "not enough memory for the message");
	ssize_t n = file_pread_all(c->fd, room, len, (int64_t)c->at);
	if (n < 0)
		return err_sys(err, "cannot read the message");
	buf_grew(&head, (size_t)n);
	c->left = header_block_len(buf_span(&head));
	return 0;
}

int content_open(struct content *c, struct queue *q, const struct queue_id *id, bool dead,
		 bool whole, struct err *err) {
	struct queue_message m;
	*c = (struct content){ .fd = -1 };
	if (queue_read(q, id, dead, &m, NULL, err) != 0)
		return -1;
	c->at = m.content_offset;
	c->left = m.content_len;
	queue_message_release(&m);
	c->fd = queue_open_content(q, id, dead);
	if (c->fd < 0)
		return err_sys(err, "cannot read the message");
	if (whole || find_header(c, err) == 0)
		return 0;
	content_close(c);
	return -1;
}

int content_next(struct content *c, struct buf *out) {
	char piece[PIECE];
	size_t len = c->left < sizeof(piece) ? (size_t)c->left : sizeof(piece);
	if (len == 0)
		return 0;
	ssize_t n = file_pread_all(c->fd, piece, len, (int64_t)c->at);
	if (n <= 0)
		return -1;
	c->at += (uint64_t)n;
	c->left -= (uint64_t)n;
	buf_adds(out, "{\"content\":\"");
	codec_base64_add(out, span_of(piece, (size_t)n));
	buf_adds(out, "\"}\n");
	return 1;
}

void content_close(struct content *c) {
	auto_close(&c->fd);
	c->fd = -1;
}
