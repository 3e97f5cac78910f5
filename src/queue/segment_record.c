/*
 * The bytes of a completion journal. A record counts when its checksum is right and it
 * stands at its own place; of those, the ones of the highest generation. Records may be
 * missing anywhere, because a power cut keeps pages in any order.
 */

#include "queue/segment_record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"

#define CRC_AT (SEGMENT_RECORD_LEN - 9)
#define WALL_DIGITS 11
#define WALL_MASK ((UINT64_C(1) << 4 * WALL_DIGITS) - 1)

void segment_record_write(char *out, const struct segment_record *r) {
	char line[SEGMENT_RECORD_LEN + 1];
	snprintf(line, sizeof(line), "%c %08lx %04x %s %04x %04x %011llx ", (char)r->kind,
		 (unsigned long)r->generation, r->sequence & 0xffff,
		 queue_id_text(&r->range.id).s, r->range.first & 0xffff,
		 r->range.count & 0xffff, (unsigned long long)r->wall_ms & WALL_MASK);
	snprintf(line + CRC_AT, sizeof(line) - CRC_AT, "%08lx\n",
		 (unsigned long)codec_crc32c(0, line, CRC_AT));
	memcpy(out, line, SEGMENT_RECORD_LEN);
}

static bool take_field(struct span *in, unsigned digits, uint64_t *ret) {
	return span_take_hex(in, digits, ret) && span_take_char(in, ' ');
}

bool segment_record_parse(struct span bytes, uint32_t sequence,
			  struct segment_record *ret) {
	struct span in = span_head(bytes, SEGMENT_RECORD_LEN);
	uint64_t generation, place, first, count, wall, crc;
	struct segment_record r;
	if (in.len != SEGMENT_RECORD_LEN || !memchr("IDVS", in.p[0], 4))
		return false;
	r.kind = (enum segment_kind)in.p[0];
	in = span_from(in, 1);
	if (!span_take_char(&in, ' ') || !take_field(&in, 8, &generation) ||
	    !take_field(&in, 4, &place) ||
	    !queue_id_parse(span_head(in, QUEUE_ID_LEN), &r.range.id))
		return false;
	in = span_from(in, QUEUE_ID_LEN);
	if (!span_take_char(&in, ' ') || !take_field(&in, 4, &first) ||
	    !take_field(&in, 4, &count) || !take_field(&in, WALL_DIGITS, &wall) ||
	    !span_take_hex(&in, 8, &crc) || !span_eq(in, SPAN("\n")))
		return false;
	if (codec_crc32c(0, bytes.p, CRC_AT) != crc || place != sequence ||
	    generation == 0)
		return false;
	r.generation = (uint32_t)generation;
	r.sequence = sequence;
	r.range.first = (uint32_t)first;
	r.range.count = (uint32_t)count;
	r.wall_ms = (int64_t)wall;
	*ret = r;
	return true;
}

int segment_content_parse(struct span bytes, struct segment_content *ret) {
	struct segment_content c = { .records = calloc(SEGMENT_RECORDS,
						       sizeof(*c.records)) };
	if (!c.records)
		return -1;
	for (uint32_t i = 0; i < SEGMENT_RECORDS; i++) {
		struct segment_record r;
		struct span at = span_from(bytes, (size_t)i * SEGMENT_RECORD_LEN);
		if (at.len < SEGMENT_RECORD_LEN)
			break;
		if (!segment_record_parse(at, i, &r) || r.generation < c.generation)
			continue;
		if (r.generation > c.generation)
			c.count = 0;
		c.generation = r.generation;
		c.records[c.count++] = r;
	}
	*ret = c;
	return 0;
}

int segment_content_read(int fd, unsigned number, struct segment_content *ret,
			 struct err *err) {
	AUTO_FREE char *bytes = malloc(SEGMENT_BYTES);
	if (!bytes)
		return err_set(err, ERR_MEMORY, "out of memory");
	ssize_t n = file_pread_all(fd, bytes, SEGMENT_BYTES, 0);
	if (n < 0)
		return err_sys(err, "%s/%u: cannot read", SPOOL_DELIVERED, number);
	if (segment_content_parse(span_of(bytes, (size_t)n), ret) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	return 0;
}

int segment_lock(struct queue *q, unsigned number, bool create, int *ret_fd,
		 struct err *err) {
	char name[64];
	snprintf(name, sizeof(name), "%s/%u", SPOOL_DELIVERED, number);
	AUTO_FD int fd = file_openat(q->dir, name, O_RDWR | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT && create)
		fd = file_openat(q->dir, name, O_RDWR | O_NOFOLLOW | O_CREAT, 0600);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_MISSING, "%s: no such segment", name);
	if (fd < 0)
		return err_sys(err, "%s: cannot open", name);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*ret_fd = take_fd(&fd);
		return 0;
	}
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_DENIED, "%s: another worker has it", name);
	return err_sys(err, "%s: cannot lock", name);
}
