/*
 * A worker's completion journal, the writing side. Space and blocks are there before the
 * first record, so that recording a success can neither need space nor change the file's
 * size; a batch is made durable by one fdatasync.
 */

#include "queue/segment.h"

#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "queue/segment_record.h"

struct segment {
	struct queue *q;
	unsigned number;
	int fd;
	uint32_t generation;
	uint32_t next; /* place of the next record */
	uint64_t open; /* recipients with an intent and no outcome */
	bool pinned;
	bool broken; /* a write failed: what is on the disk is unknown */
};

static int words(const struct segment *s, const char *what, struct err *err) {
	return err_sys(err, "%s/%u: cannot %s", SPOOL_DELIVERED, s->number, what);
}

/* Copy-on-write would need new blocks for each record. Only an empty file can be told so, and
 * file systems that do not copy do not know the flag. */
static void set_no_copy(int fd) {
	int flags = 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_NOCOW_FL)) {
		flags |= FS_NOCOW_FL;
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

static int fill(struct segment *s, uint64_t size, struct err *err) {
	if (size == 0)
		set_no_copy(s->fd);
	AUTO_FREE char *zeros = calloc(1, SEGMENT_BYTES);
	AUTO_FD int dir = file_opendir(s->q->dir, SPOOL_DELIVERED);
	if (!zeros)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (dir < 0 ||
	    file_pwrite_all(s->fd, zeros, SEGMENT_BYTES - size, (int64_t)size) != 0 ||
	    file_fsync(s->fd) != 0 || file_fsync(dir) != 0)
		return words(s, "prepare", err);
	return 0;
}

static int prepare(struct segment *s, struct err *err) {
	struct stat st;
	uint32_t newest;
	if (segment_lock(s->q, s->number, true, &s->fd, err) != 0)
		return -1;
	if (segment_settle(s->q, s->fd, s->number, &newest, err) != 0)
		return -1;
	s->generation = newest + 1;
	if (fstat(s->fd, &st) != 0)
		return words(s, "open", err);
	return (uint64_t)st.st_size < SEGMENT_BYTES ? fill(s, (uint64_t)st.st_size, err)
						    : 0;
}

struct segment *segment_open(struct queue *q, unsigned number, struct err *err) {
	struct segment *s = calloc(1, sizeof(*s));
	if (!s) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	s->q = q;
	s->number = number;
	s->fd = -1;
	if (prepare(s, err) == 0)
		return s;
	auto_close(&s->fd);
	free(s);
	return NULL;
}

static int put(struct segment *s, enum segment_kind kind, const struct segment_range *r,
	       size_t n, struct err *err) {
	struct segment_record record = {
		.kind = kind,
		.generation = s->generation,
		.wall_ms = clock_wall_ms(),
	};
	if (s->broken || n > SEGMENT_RECORDS - s->next)
		return err_set(err, ERR_LIMIT, "%s/%u: %s", SPOOL_DELIVERED, s->number,
			       s->broken ? "unusable after a failed write" : "full");
	AUTO_FREE char *bytes = malloc(n * SEGMENT_RECORD_LEN + 1);
	if (!bytes)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++) {
		record.sequence = s->next + (uint32_t)i;
		record.range = r[i];
		segment_record_write(bytes + i * SEGMENT_RECORD_LEN, &record);
	}
	if (file_pwrite_all(s->fd, bytes, n * SEGMENT_RECORD_LEN,
			    (int64_t)s->next * SEGMENT_RECORD_LEN) != 0) {
		s->broken = true;
		return words(s, "write", err);
	}
	s->next += (uint32_t)n;
	return 0;
}

/* Begins the next generation. All that the old one says must be durable in other places. */
static int recycle(struct segment *s, struct err *err) {
	if (s->open > 0)
		return err_set(err, ERR_LIMIT,
			       "%s/%u: full, and deliveries are still open",
			       SPOOL_DELIVERED, s->number);
	if (queue_sync(s->q, err) != 0)
		return -1;
	s->generation++;
	s->next = 0;
	return 0;
}

int segment_intents(struct segment *s, const struct segment_range *r, size_t n,
		    size_t outcomes_max, struct err *err) {
	if (s->pinned)
		return err_set(err, ERR_LIMIT,
			       "%s/%u: holds what could not be recorded elsewhere yet",
			       SPOOL_DELIVERED, s->number);
	size_t left = SEGMENT_RECORDS - s->next;
	if ((n > left || outcomes_max > left - n) && recycle(s, err) != 0)
		return -1;
	if (put(s, SEGMENT_INTENT, r, n, err) != 0 || segment_sync(s, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		s->open += r[i].count;
	return 0;
}

static int outcome(struct segment *s, enum segment_kind kind,
		   const struct segment_range *r, struct err *err) {
	if (put(s, kind, r, 1, err) != 0)
		return -1;
	s->open = s->open > r->count ? s->open - r->count : 0;
	return 0;
}

int segment_delivered(struct segment *s, const struct segment_range *r, struct err *err) {
	return outcome(s, SEGMENT_DELIVERED, r, err);
}

int segment_void(struct segment *s, const struct segment_range *r, struct err *err) {
	return outcome(s, SEGMENT_VOID, r, err);
}

int segment_sync(struct segment *s, struct err *err) {
	if (file_fdatasync(s->fd) == 0)
		return 0;
	s->broken = true;
	return words(s, "make durable", err);
}

void segment_pin(struct segment *s) {
	s->pinned = true;
}

/* Leaves a clean segment, so that nobody has to look at its messages again. */
static void mark_settled(struct segment *s) {
	static const struct segment_range nothing;
	if (s->next == 0 || s->pinned || s->broken || s->open > 0 ||
	    queue_sync(s->q, NULL) != 0)
		return;
	s->generation++;
	s->next = 0;
	put(s, SEGMENT_SETTLED, &nothing, 1, NULL);
}

void segment_free(struct segment *s) {
	if (!s)
		return;
	if (segment_sync(s, NULL) == 0)
		mark_settled(s);
	close(s->fd);
	free(s);
}
