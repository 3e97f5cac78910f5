/*
 * A worker's file of a day: one record a session (queue/words.h), appended. When it has grown, its
 * lines are counted, and it is replaced by one record for each different line, with their number.
 * What a crash left of the last record is ended by a LF, and whoever reads passes over it.
 */

#include "queue/tlsrptlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "queue/spool.h"
#include "queue/tlsrptlog_files.h"
#include "queue/words.h"

#define COMPACT_BYTES (256u << 10)
#define FILE_MAX (4u << 20) /* a worker counts no more than this on a day */
#define LAST_COMPACT (FILE_MAX - FILE_MAX / 8) /* behind it there is too little to gain */
#define RECORD "session"

struct tlsrptlog {
	struct queue *q;
	unsigned slot;
	int fd;     /* -1: none is open */
	bool fresh; /* its name may not be durable */
	bool dirty;
	int64_t day;
	uint64_t size;
	uint64_t compact_at; /* when it has grown to this */
};

struct tlsrptlog *tlsrptlog_new(struct queue *q, unsigned slot) {
	struct tlsrptlog *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->q = q;
	l->slot = slot;
	l->fd = -1;
	return l;
}

static int failed(const struct tlsrptlog *l, struct err *err) {
	struct tlsrptlog_name name = tlsrptlog_part_name(l->day, l->slot);
	return err_sys(err, "%s/%s: cannot write", SPOOL_TLSRPT, name.s);
}

static int add_record(struct buf *out, uint64_t n, struct span line) {
	size_t begin = words_record_begin(out, RECORD);
	buf_addf(out, " %llu ", (unsigned long long)n);
	buf_add(out, line);
	return words_record_end(out, begin);
}

/* One record, or -1. */
static int read_record(struct span record, uint64_t *ret_n, struct span *ret_line) {
	if (!span_take_lit(&record, SPAN(RECORD " ")) ||
	    !span_take_uint(&record, WORDS_INT_MAX, ret_n) ||
	    !span_take_char(&record, ' '))
		return -1;
	*ret_line = record;
	return 0;
}

int tlsrptlog_count(struct span bytes, struct bag *ret) {
	struct span record, line;
	uint64_t n;
	while (bytes.len > 0) {
		if (!words_record_take(&bytes, &record)) {
			bytes = span_from(bytes, span_find(bytes, '\n') + 1);
			continue;
		}
		if (read_record(record, &n, &line) == 0 && bag_add(ret, line, n) != 0)
			return -1;
	}
	return 0;
}

/* Ends what a crash may have left without an end. */
static int end_last_record(struct tlsrptlog *l) {
	char last;
	if (l->size == 0)
		return 0;
	if (file_pread_all(l->fd, &last, 1, (int64_t)l->size - 1) != 1)
		return -1;
	if (last == '\n')
		return 0;
	if (file_pwrite_all(l->fd, "\n", 1, (int64_t)l->size) != 0)
		return -1;
	l->size++;
	return 0;
}

static int open_day(struct tlsrptlog *l, int64_t day, struct err *err) {
	struct tlsrptlog_name name = tlsrptlog_part_name(day, l->slot);
	AUTO_FD int folder = file_opendir(l->q->dir, SPOOL_TLSRPT);
	struct stat st;
	l->day = day;
	if (folder < 0)
		return failed(l, err);
	l->fd = file_openat(folder, name.s, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	if (l->fd < 0 || fstat(l->fd, &st) != 0)
		return failed(l, err);
	l->size = (uint64_t)st.st_size;
	l->fresh = st.st_size == 0;
	l->compact_at = COMPACT_BYTES;
	return end_last_record(l) == 0 ? 0 : failed(l, err);
}

static void close_day(struct tlsrptlog *l) {
	auto_close(&l->fd);
	l->fd = -1;
	l->dirty = false;
}

/* Twice as large, but before it is full; UINT64_MAX: never more on that day. */
static uint64_t next_compact(uint64_t size) {
	uint64_t at = 2 * size > COMPACT_BYTES ? 2 * size : COMPACT_BYTES;
	if (at < LAST_COMPACT)
		return at;
	return size < LAST_COMPACT - COMPACT_BYTES ? LAST_COMPACT : UINT64_MAX;
}

/* Each different line once. The new file is durable before it has the name. */
static int compact(struct tlsrptlog *l, struct err *err) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX + COMPACT_BYTES),
			    out = BUF_INIT(FILE_MAX);
	struct tlsrptlog_name name = tlsrptlog_part_name(l->day, l->slot);
	AUTO_FD int folder = file_opendir(l->q->dir, SPOOL_TLSRPT);
	struct bag lines = { .max = TLSRPTLOG_LINES_MAX };
	int r = folder < 0 ? failed(l, err) : file_read(folder, name.s, &bytes, err);
	if (r == 0)
		r = tlsrptlog_count(buf_span(&bytes), &lines);
	bag_sort(&lines);
	for (size_t i = 0; r == 0 && i < lines.count; i++)
		r = add_record(&out, lines.at[i].n,
			       span_of(lines.at[i].key, lines.at[i].len));
	bag_release(&lines);
	if (r == 0)
		r = file_replace(folder, name.s, 0600, buf_span(&out), err);
	close_day(l);
	if (r != 0 || open_day(l, l->day, err) != 0)
		return -1;
	l->compact_at = next_compact(l->size);
	return 0;
}

static int append(struct tlsrptlog *l, struct span record, struct err *err) {
	if (l->size + record.len > FILE_MAX)
		return err_set(err, ERR_LIMIT, "%s: more was counted today than is kept",
			       SPOOL_TLSRPT);
	if (file_pwrite_all(l->fd, record.p, record.len, (int64_t)l->size) != 0) {
		failed(l, err);
		close_day(l); /* where it ends now is seen when it is opened again */
		return -1;
	}
	l->size += record.len;
	l->dirty = true;
	return 0;
}

int tlsrptlog_add(struct tlsrptlog *l, int64_t day, struct span line, struct err *err) {
	AUTO_BUF struct buf record = BUF_INIT(64u << 10);
	if (add_record(&record, 1, line) != 0)
		return err_set(err, ERR_LIMIT, "%s: a line is too long", SPOOL_TLSRPT);
	if (l->fd >= 0 && l->day != day) {
		if (tlsrptlog_sync(l, err) != 0)
			return -1;
		close_day(l);
	}
	if (l->fd < 0 && open_day(l, day, err) != 0) {
		close_day(l);
		return -1;
	}
	if (append(l, buf_span(&record), err) != 0)
		return -1;
	return l->size < l->compact_at ? 0 : compact(l, err);
}

int tlsrptlog_sync(struct tlsrptlog *l, struct err *err) {
	if (l->fd < 0 || !l->dirty)
		return 0;
	if (file_fdatasync(l->fd) != 0)
		return failed(l, err);
	if (l->fresh) {
		AUTO_FD int folder = file_opendir(l->q->dir, SPOOL_TLSRPT);
		if (folder < 0 || file_fsync(folder) != 0)
			return failed(l, err);
	}
	l->fresh = l->dirty = false;
	return 0;
}

void tlsrptlog_free(struct tlsrptlog *l) {
	if (!l)
		return;
	(void)tlsrptlog_sync(l, NULL);
	close_day(l);
	free(l);
}
