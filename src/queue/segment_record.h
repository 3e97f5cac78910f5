#ifndef NIGHTMAIL_QUEUE_SEGMENT_RECORD_H
#define NIGHTMAIL_QUEUE_SEGMENT_RECORD_H

/*
 * Inside src/queue only: the records of a completion journal, and what a worker and a
 * replay share. A record is one line of 64 bytes:
 *
 *     K GGGGGGGG SSSS IDIDIDIDIDIDIDID FFFF CCCC TTTTTTTTTTT XXXXXXXX LF
 *
 * kind; generation, sequence (= place in the file), ID, first recipient, number of
 * recipients, ms since 1970, CRC-32C of all before it; numbers in hexadecimal.
 */

#include "base/err.h"
#include "base/span.h"
#include "queue/segment.h"
#include "queue/spool.h"

#define SEGMENT_RECORD_LEN 64u
#define SEGMENT_BYTES ((size_t)SEGMENT_RECORDS * SEGMENT_RECORD_LEN)

enum segment_kind {
	SEGMENT_INTENT = 'I',
	SEGMENT_DELIVERED = 'D',
	SEGMENT_VOID = 'V',
	SEGMENT_SETTLED =
		'S', /* begins a generation: what older ones say stands elsewhere */
};

struct segment_record {
	enum segment_kind kind;
	uint32_t generation;
	uint32_t sequence;
	struct segment_range range;
	int64_t wall_ms;
};

/* Writes SEGMENT_RECORD_LEN bytes. */
void segment_record_write(char *out, const struct segment_record *r);
/* Parses the record at place `sequence`; false when there is none. */
bool segment_record_parse(struct span bytes, uint32_t sequence,
			  struct segment_record *ret);

/* What a segment says now: the records of its newest generation. */
struct segment_content {
	uint32_t generation; /* 0: nothing was ever written */
	size_t count;
	struct segment_record *records; /* sorted by place; free() */
};
int segment_content_parse(struct span bytes, struct segment_content *ret);
/* Opens and locks a segment. create: makes it; else ERR_MISSING. ERR_DENIED: locked. */
int segment_lock(struct queue *q, unsigned number, bool create, int *ret_fd,
		 struct err *err);
int segment_content_read(int fd, unsigned number, struct segment_content *ret,
			 struct err *err);
/* Settles everything the locked segment says and marks it so. *ret_generation: its newest. */
int segment_settle(struct queue *q, int fd, unsigned number, uint32_t *ret_generation,
		   struct err *err);

#endif
