/* What workers count for TLS reports, on disk: days and workers, what a crash leaves at any point,
 * files that grow, reports that are made again, and what is too old. */

#include "queue/tlsrptlog.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "lib/spool.h"
#include "tap.h"

#define DAY 20779 /* 2026-11-22 */

static const char *dir;
static unsigned *shared; /* with children */

static uint64_t total(struct queue *q, int64_t day, size_t *ret_lines) {
	struct bag b = { .max = TLSRPTLOG_LINES_MAX };
	struct err err = ERR_INIT;
	uint64_t n = 0;
	if (tlsrptlog_read(q, day, &b, &err) != 0)
		return UINT64_MAX;
	bag_sort(&b);
	for (size_t i = 0; i < b.count; i++)
		n += b.at[i].n;
	if (ret_lines)
		*ret_lines = b.count;
	bag_release(&b);
	return n;
}

static int count(struct queue *q, unsigned slot, int64_t day, const char *line) {
	struct tlsrptlog *l = tlsrptlog_new(q, slot);
	struct err err = ERR_INIT;
	int r = tlsrptlog_add(l, day, span_str(line), &err);
	tlsrptlog_free(l);
	return r;
}

static void put(const char *name, const char *bytes, int flags) {
	AUTO_FD int folder = file_opendir(AT_FDCWD, dir);
	char path[100];
	snprintf(path, sizeof(path), "tlsrpt/%s", name);
	AUTO_FD int fd = openat(folder, path, O_WRONLY | O_CREAT | flags, 0600);
	ok(fd >= 0 && write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes), "a file %s", name);
}

static bool is_there(const char *name) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	buf_addf(&path, "%s/tlsrpt/%s", dir, name);
	return access(buf_str(&path), F_OK) == 0;
}

static void test_counting(struct queue *q) {
	size_t lines;
	is_int((int64_t)total(q, DAY, NULL), 0, "nothing was counted at first");
	struct tlsrptlog *l = tlsrptlog_new(q, 3);
	struct err err = ERR_INIT;
	ok(tlsrptlog_add(l, DAY, SPAN("sts domain=a"), &err) == 0 &&
		   tlsrptlog_add(l, DAY, SPAN("sts domain=a"), &err) == 0 &&
		   tlsrptlog_add(l, DAY + 1, SPAN("sts domain=a"), &err) == 0 &&
		   tlsrptlog_add(l, DAY, SPAN("sts domain=b"), &err) == 0,
	   "three lines on a day and one on the next %s", err.msg);
	is_int((int64_t)total(q, DAY, &lines), 3, "are read while the file is open");
	ok(lines == 2 && total(q, DAY + 1, NULL) == 1, "each on its day");
	is_int(tlsrptlog_sync(l, &err), 0, "made durable");
	tlsrptlog_free(l);
	ok(count(q, 4, DAY, "sts domain=a") == 0 && total(q, DAY, NULL) == 4,
	   "another worker has a file of its own");
	put("2026-11-22.3", "1234", O_APPEND);
	ok(count(q, 3, DAY, "x") == 0 && total(q, DAY, NULL) == 5,
	   "half a record is passed over, and the next one is whole");
	put("2026-11-22.4", "00000000 session 7 x\nzzz\n\n", O_APPEND);
	ok(count(q, 4, DAY, "x") == 0 && total(q, DAY, NULL) == 6, "so are damaged ones");
}

static void add_some(struct queue *q, void *ctx) {
	struct tlsrptlog *l = tlsrptlog_new(q, 9);
	const char *line = ctx;
	for (unsigned i = 0; i < 400; i++) {
		if (tlsrptlog_add(l, DAY + 2, span_str(line), NULL) != 0)
			continue;
		++*shared;
	}
	tlsrptlog_free(l);
}

/* As if it had been written a while ago: a file system may give two moments one time. */
static void make_older(const char *name) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	const struct timespec then = { .tv_sec = time(NULL) - 10 }, times[2] = { then, then };
	buf_addf(&path, "%s/tlsrpt/%s", dir, name);
	utimensat(AT_FDCWD, buf_str(&path), times, 0);
}

/* With these long lines the file is written anew on the way. */
static void test_crashes(struct queue *q) {
	static char line[1500];
	uint64_t before = 0;
	memset(line, 'x', sizeof(line) - 1);
	static const unsigned points[] = { 1, 2, 3, 100, 172, 173, 174, 175, 176, 177, 178,
					   179, 180, 181, 182, 183, 184, 185, 350, 400 };
	static const int errors[] = { 0, EIO, ENOSPC, FILE_SHORT };
	for (size_t i = 0; i < 4 * sizeof(points) / sizeof(points[0]); i++) {
		unsigned at = points[i / 4];
		*shared = 0;
		(void)spool_with_fault(dir, at, errors[i % 4], add_some, line);
		uint64_t now = total(q, DAY + 2, NULL), more = now - before;
		/* What was written, and at most one line of which it was not said any more. */
		if (more < *shared || more > *shared + 1)
			ok(false, "operation %u, error %d: counted %llu of %u", at, errors[i % 4],
			   (unsigned long long)more, *shared);
		before = now;
	}
	ok(before > 10000, "whatever fails, and wherever it dies: what was counted stays (%llu)",
	   (unsigned long long)before);
	AUTO_BUF struct buf path = BUF_INIT(4096);
	struct stat st;
	buf_addf(&path, "%s/tlsrpt/2026-11-24.9", dir);
	ok(stat(buf_str(&path), &st) == 0 && st.st_size < 400 * 1500,
	   "and the file does not grow with each line");
}

/* So many different lines that their file is more than half of what it may be, then again. */
static void test_many(struct queue *q) {
	enum { LINES = 2000, TIMES = 4 };
	struct tlsrptlog *l = tlsrptlog_new(q, 1);
	struct err err = ERR_INIT;
	static char line[1100];
	unsigned added = 0;
	size_t lines;
	memset(line, 'y', sizeof(line) - 1);
	for (unsigned i = 0; i < LINES * TIMES; i++) {
		snprintf(line, 5, "%04u", i % LINES);
		line[4] = 'y';
		added += tlsrptlog_add(l, DAY + 3, span_str(line), &err) == 0;
	}
	is_int(added, LINES * TIMES, "what was counted before is counted however much there is %s",
	       err.msg);
	ok(total(q, DAY + 3, &lines) == LINES * TIMES && lines == LINES, "each line for itself");
	for (unsigned i = 0; i < LINES; i++) {
		snprintf(line, 6, "%05u", i);
		line[5] = 'y';
		added += tlsrptlog_add(l, DAY + 3, span_str(line), &err) == 0;
	}
	ok(added < LINES * (TIMES + 1) && err.kind == ERR_LIMIT && total(q, DAY + 3, NULL) == added,
	   "but there is an end, and what it did not take it did not count");
	tlsrptlog_free(l);
}

static int make(void *ctx, int64_t day, struct bag *counts, struct buf *out, struct err *err) {
	uint64_t n = 0;
	(void)ctx;
	for (size_t i = 0; i < counts->count; i++)
		n += counts->at[i].n;
	if (buf_addf(out, "%lld: %llu\n", (long long)day, (unsigned long long)n) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	return 0;
}

static unsigned tidy(struct queue *q, int64_t today) {
	struct err err = ERR_INIT;
	unsigned made = 99;
	is_int(tlsrptlog_tidy(q, today, make, NULL, &made, &err), 0, "days that are over %s", err.msg);
	return made;
}

static const char *report_of(struct queue *q, int64_t day) {
	static char text[100];
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	if (tlsrptlog_read_report(q, day, &out, &err) != 0)
		return err.kind == ERR_MISSING ? "none" : "error";
	snprintf(text, sizeof(text), "%s", buf_str(&out));
	return text;
}

static void tidy_child(struct queue *q, void *ctx) {
	unsigned made;
	(void)ctx;
	(void)tlsrptlog_tidy(q, DAY + 2, make, NULL, &made, NULL);
}

static void test_reports(struct queue *q) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	is_int(tidy(q, DAY), 0, "a day that is not over has no report");
	is_str(report_of(q, DAY), "none", "there is none");
	make_older("2026-11-22.3");
	make_older("2026-11-22.4");
	is_int(tidy(q, DAY + 1), 1, "when it is over there is one");
	is_str(report_of(q, DAY), "20779: 6\n", "of all workers");
	is_int(tidy(q, DAY + 1), 0, "once");
	make_older("2026-11-22.json");
	ok(count(q, 3, DAY, "late") == 0 && tidy(q, DAY + 1) == 1, "what comes late makes it again");
	is_str(report_of(q, DAY), "20779: 7\n", "with all of it");
	tlsrptlog_report_path(q, DAY, &path);
	ok(access(buf_str(&path), R_OK) == 0, "it lies at %s", buf_str(&path));
	bool whole = true;
	unsigned at = 1;
	while (at < 50 && spool_with_fault(dir, at, 0, tidy_child, NULL)) {
		const char *text = report_of(q, DAY + 1);
		whole &= strcmp(text, "none") == 0 || strcmp(text, "20780: 1\n") == 0;
		at++;
	}
	ok(whole && at > 3 && at < 50, "a crash at any point leaves a whole one or none");
	is_str(report_of(q, DAY + 1), "20780: 1\n", "and the next try makes it");
}

static void test_age(struct queue *q) {
	put("2026-10-01.json", "x", 0);
	put("2026-10-01.5", "x", 0);
	put("2026-10-01.500", "x", 0);
	put("notes", "x", 0);
	(void)tidy(q, DAY + TLSRPTLOG_KEEP_DAYS);
	ok(!is_there("2026-10-01.json") && !is_there("2026-10-01.5"), "old ones go");
	ok(is_there("2026-10-01.500") && is_there("notes"), "but no strangers");
	ok(is_there("2026-11-22.json") && is_there("2026-11-22.3"), "and none of the last 30 days");
	(void)tidy(q, DAY + TLSRPTLOG_KEEP_DAYS + 1);
	ok(!is_there("2026-11-22.json") && !is_there("2026-11-22.3") && is_there("2026-11-23.json"),
	   "a day later the next one goes");
}

int main(void) {
	dir = spool_make();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct queue *q = spool_open(dir);
	test_counting(q);
	test_reports(q);
	test_crashes(q);
	test_age(q);
	test_many(q);
	queue_free(q);
	spool_remove(dir);
	return done_testing();
}
