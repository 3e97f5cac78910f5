/*
 * The days in tlsrpt/: which there are, what was counted on one, and the owner's work with those
 * that are over. A folder of at most a few thousand names, read as a whole.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/utcday.h"
#include "queue/segment.h"
#include "queue/spool.h"
#include "queue/tlsrptlog.h"
#include "queue/tlsrptlog_files.h"

#define PART_MAX (8u << 20)
#define REPORT_MAX (64u << 20)
#define DAYS_MAX 1000u
#define REPORT_END ".json"

/* One day of the folder. */
struct day {
	int64_t day;
	bool has_part, has_report;
	struct timespec part,
		report; /* when the newest part and the report were written */
};

struct days {
	struct day at[DAYS_MAX];
	size_t count;
};

struct tlsrptlog_name tlsrptlog_part_name(int64_t day, unsigned slot) {
	struct tlsrptlog_name n;
	snprintf(n.s, sizeof(n.s), "%s.%u", utcday_name(day).s, slot);
	return n;
}

static struct tlsrptlog_name report_name(int64_t day) {
	struct tlsrptlog_name n;
	snprintf(n.s, sizeof(n.s), "%s" REPORT_END, utcday_name(day).s);
	return n;
}

static bool is_newer(const struct timespec *a, const struct timespec *b) {
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static struct day *find_day(struct days *d, int64_t day) {
	for (size_t i = 0; i < d->count; i++)
		if (d->at[i].day == day)
			return &d->at[i];
	if (d->count == DAYS_MAX)
		return NULL;
	d->at[d->count] = (struct day){ .day = day };
	return &d->at[d->count++];
}

static void note(struct days *d, int folder, const char *name) {
	struct span rest = span_str(name);
	struct tlsrptlog_name again;
	struct stat st;
	int64_t day;
	uint64_t slot;
	struct day *at;
	if (!utcday_take(&rest, &day) || !span_take_char(&rest, '.') ||
	    fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	bool is_part = span_uint(rest, SEGMENT_MAX - 1, &slot);
	again = is_part ? tlsrptlog_part_name(day, (unsigned)slot) : report_name(day);
	if (!span_eq(span_str(again.s), span_str(name)) ||
	    (at = find_day(d, day)) == NULL)
		return;
	if (!is_part) {
		at->has_report = true;
		at->report = st.st_mtim;
	} else if (!at->has_part || is_newer(&st.st_mtim, &at->part)) {
		at->has_part = true;
		at->part = st.st_mtim;
	}
}

/* What a process left that died while it replaced a file. */
static void drop_remainder(int folder, const char *name) {
	struct stat st;
	if (file_is_temporary(name) &&
	    fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    time(NULL) - st.st_mtim.tv_sec > UTCDAY_MS / 1000)
		file_unlink(folder, name);
}

static int find_days(int folder, struct days *ret) {
	int fd = file_opendir(folder, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		auto_close(&fd);
		return -1;
	}
	ret->count = 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		note(ret, folder, e->d_name);
		drop_remainder(folder, e->d_name);
	}
	closedir(dir);
	return 0;
}

static int count_part(int folder, const char *name, struct bag *ret, struct err *err) {
	AUTO_BUF struct buf bytes = BUF_INIT(PART_MAX);
	struct err why = ERR_INIT;
	if (file_read(folder, name, &bytes, &why) != 0)
		return why.kind == ERR_MISSING ? 0
					       : err_set(err, why.kind, "%s", why.msg);
	if (tlsrptlog_count(buf_span(&bytes), ret) != 0)
		return err_set(err, ERR_LIMIT, "%s/%s: too many different lines",
			       SPOOL_TLSRPT, name);
	return 0;
}

static int read_day(int folder, int64_t day, struct bag *ret, struct err *err) {
	for (unsigned slot = 0; slot < SEGMENT_MAX; slot++) {
		struct tlsrptlog_name name = tlsrptlog_part_name(day, slot);
		if (count_part(folder, name.s, ret, err) != 0)
			return -1;
	}
	return 0;
}

static int open_folder(const struct queue *q, int *ret, struct err *err) {
	*ret = file_opendir(q->dir, SPOOL_TLSRPT);
	return *ret < 0 ? err_sys(err, "%s/%s", q->path, SPOOL_TLSRPT) : 0;
}

int tlsrptlog_read(struct queue *q, int64_t day, struct bag *ret, struct err *err) {
	AUTO_FD int folder = -1;
	if (open_folder(q, &folder, err) != 0)
		return -1;
	return read_day(folder, day, ret, err);
}

int tlsrptlog_read_report(struct queue *q, int64_t day, struct buf *out,
			  struct err *err) {
	AUTO_FD int folder = -1;
	struct tlsrptlog_name name = report_name(day);
	if (open_folder(q, &folder, err) != 0)
		return -1;
	return file_read(folder, name.s, out, err);
}

void tlsrptlog_report_path(const struct queue *q, int64_t day, struct buf *out) {
	struct tlsrptlog_name name = report_name(day);
	buf_addf(out, "%s/%s/%s", q->path, SPOOL_TLSRPT, name.s);
}

static void remove_day(int folder, int64_t day) {
	struct tlsrptlog_name name = report_name(day);
	file_unlink(folder, name.s);
	for (unsigned slot = 0; slot < SEGMENT_MAX; slot++) {
		name = tlsrptlog_part_name(day, slot);
		file_unlink(folder, name.s);
	}
}

static int make_report(int folder, int64_t day, tlsrptlog_make_fn *make, void *ctx,
		       struct err *err) {
	AUTO_BUF struct buf out = BUF_INIT(REPORT_MAX);
	struct tlsrptlog_name name = report_name(day);
	struct bag counts = { .max = TLSRPTLOG_LINES_MAX };
	int r = read_day(folder, day, &counts, err);
	if (r == 0)
		r = make(ctx, day, &counts, &out, err);
	bag_release(&counts);
	return r == 0 ? file_replace(folder, name.s, 0600, buf_span(&out), err) : -1;
}

int tlsrptlog_tidy(struct queue *q, int64_t today, tlsrptlog_make_fn *make, void *ctx,
		   unsigned *ret_made, struct err *err) {
	AUTO_FREE struct days *days = malloc(sizeof(*days));
	AUTO_FD int folder = -1;
	int r = 0;
	*ret_made = 0;
	if (!days)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (open_folder(q, &folder, err) != 0)
		return -1;
	if (find_days(folder, days) != 0)
		return err_sys(err, "%s/%s", q->path, SPOOL_TLSRPT);
	for (size_t i = 0; i < days->count; i++) {
		const struct day *d = &days->at[i];
		bool due = d->has_part &&
			   (!d->has_report || !is_newer(&d->report, &d->part));
		if (d->day < today - TLSRPTLOG_KEEP_DAYS) {
			remove_day(folder, d->day);
		} else if (d->day < today && due) {
			if (make_report(folder, d->day, make, ctx, err) == 0)
				++*ret_made;
			else
				r = -1;
		}
	}
	return r;
}
