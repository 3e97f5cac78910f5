/*
 * A power cut of a real file system.
 *
 *   record DIR IMAGE OUT    plays the crash scenarios below DIR, which is on the file system in
 *                           IMAGE; before each file operation it notes in OUT which blocks of the
 *                           image have changed, and what the world knows
 *   step DELTA STATE COPY   brings STATE to the next note, and makes COPY the same
 *   check DIR MARKS         starts in the mounted COPY and compares the spool with the world
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "lib/crash.h"
#include "lib/spool.h"

#define BLOCK 4096

/* What the world knew. */
struct note {
	unsigned scenario;
	struct crash_marks marks;
};

/* A block of the image that changed; its bytes follow. */
struct change {
	int64_t at;
};

static struct {
	int image, state; /* the live image, and what was noted of it */
	const char *out;
	struct note note;
	unsigned notes;
} rec;

static void fail(const char *what) {
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_file(const char *path, int flags) {
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(path);
	return fd;
}

static void put(int fd, const void *p, size_t len, const char *what) {
	if (write(fd, p, len) != (ssize_t)len)
		fail(what);
}

typedef void changed_fn(int ctx, int64_t at, const char *block);

static void compare_block(int from, int to, off_t at, changed_fn *fn, int ctx) {
	char a[BLOCK], b[BLOCK];
	if (pread(from, a, BLOCK, at) != BLOCK || pread(to, b, BLOCK, at) != BLOCK)
		fail("read of an image");
	if (memcmp(a, b, BLOCK) == 0)
		return;
	if (pwrite(to, a, BLOCK, at) != BLOCK)
		fail("write of an image");
	if (fn)
		fn(ctx, at, a);
}

/* The next byte at or behind `at` that one of both files stores. */
static off_t next_data(int a, int b, off_t at, off_t size) {
	off_t x = lseek(a, at, SEEK_DATA), y = lseek(b, at, SEEK_DATA);
	x = x < 0 ? size : x;
	y = y < 0 ? size : y;
	return (x < y ? x : y) & ~(off_t)(BLOCK - 1);
}

/* Makes `to` the same as `from`; calls fn for each block that was not. */
static void make_same(int from, int to, changed_fn *fn, int ctx) {
	struct stat st;
	if (fstat(from, &st) != 0 || ftruncate(to, st.st_size) != 0)
		fail("size of an image");
	off_t at = next_data(from, to, 0, st.st_size);
	while (at < st.st_size) {
		compare_block(from, to, at, fn, ctx);
		at += BLOCK;
		if (at % (256 * BLOCK) == 0)
			at = next_data(from, to, at, st.st_size);
	}
}

static void note_change(int fd, int64_t at, const char *block) {
	struct change c = { at };
	put(fd, &c, sizeof(c), "delta");
	put(fd, block, BLOCK, "delta");
}

static void keep(void) {
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%03u.delta", rec.out, rec.notes);
	AUTO_FD int delta = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
	make_same(rec.image, rec.state, note_change, delta);
	snprintf(path, sizeof(path), "%s/%03u.marks", rec.out, rec.notes++);
	AUTO_FD int marks = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
	put(marks, &rec.note, sizeof(rec.note), path);
}

static int step(const char *delta_path, const char *state_path, const char *copy_path) {
	struct change c;
	char block[BLOCK];
	AUTO_FD int delta = open_file(delta_path, O_RDONLY);
	AUTO_FD int state = open_file(state_path, O_RDWR);
	AUTO_FD int copy = open_file(copy_path, O_RDWR | O_CREAT);
	while (read(delta, &c, sizeof(c)) == (ssize_t)sizeof(c))
		if (read(delta, block, BLOCK) != BLOCK ||
		    pwrite(state, block, BLOCK, c.at) != BLOCK)
			fail(delta_path);
	make_same(state, copy, NULL, 0);
	return 0;
}

/* Runs in the process that plays; its own files are written without the hook. */
static int before(void *ctx, const struct file_event *ev) {
	(void)ctx;
	(void)ev;
	keep();
	return 0;
}

static void begin(struct crash_run *run) {
	(void)run;
	file_set_hook(&(struct file_hook){ .before = before });
}

/* OUT/base.img is the image as it is before the first scenario. */
static int record(const char *dir, const char *image, const char *out) {
	char path[PATH_MAX];
	rec.out = out;
	rec.image = open_file(image, O_RDONLY);
	snprintf(path, sizeof(path), "%s/base.img", out);
	AUTO_FD int base = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
	make_same(rec.image, base, NULL, 0);
	snprintf(path, sizeof(path), "%s/noted.img", out);
	rec.state = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
	make_same(rec.image, rec.state, NULL, 0);
	for (size_t i = 0; i < crash_scenarios_count; i++) {
		char spool[PATH_MAX];
		struct err err = ERR_INIT;
		snprintf(spool, sizeof(spool), "%s/%zu", dir, i);
		if (queue_create(spool, &err) != 0) {
			fprintf(stderr, "%s\n", err.msg);
			return 1;
		}
		struct crash_run run = { .dir = spool,
					 .marks = &rec.note.marks,
					 .begin = begin };
		rec.note.scenario = (unsigned)i;
		crash_play(&crash_scenarios[i], &run);
		keep();
		file_set_hook(NULL);
	}
	printf("%u\n", rec.notes);
	return 0;
}

static int check(const char *dir, const char *marks) {
	char spool[PATH_MAX];
	struct note note;
	AUTO_BUF struct buf problems = BUF_INIT(1 << 20);
	AUTO_FD int fd = open(marks, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &note, sizeof(note)) != (ssize_t)sizeof(note))
		fail(marks);
	snprintf(spool, sizeof(spool), "%s/%u", dir, note.scenario);
	crash_check(spool, &note.marks, UINT_MAX, &problems);
	if (problems.len > 0)
		printf("%s:\n%s", crash_scenarios[note.scenario].name,
		       buf_str(&problems));
	return problems.len > 0;
}

int main(int argc, char **argv) {
	if (argc == 5 && strcmp(argv[1], "record") == 0)
		return record(argv[2], argv[3], argv[4]);
	if (argc == 5 && strcmp(argv[1], "step") == 0)
		return step(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(argv[1], "check") == 0)
		return check(argv[2], argv[3]);
	fprintf(stderr,
		"usage: queue_crash record DIR IMAGE OUT | step DELTA STATE COPY |"
		" check DIR MARKS\n");
	return 2;
}
