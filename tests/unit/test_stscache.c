/* MTA-STS policies that are kept: written, read, damaged, of names that are no file names. */

#include "queue/stscache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "lib/spool.h"
#include "tap.h"

#define POLICY "version: STSv1\nmode: enforce\nmx: *.example\nmax_age: 86400\n"

/* Over when its id says so. */
static bool is_over(void *ctx, const struct stscache_entry *e, struct span policy) {
	unsigned *asked = ctx;
	++*asked;
	return strcmp(e->id, "over") == 0 && span_eq(policy, SPAN(POLICY));
}

static void make_old(int folder, const char *name) {
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	AUTO_FD int fd = openat(folder, name, O_WRONLY | O_CREAT, 0600);
	ok(fd >= 0 && futimens(fd, times) == 0, "%s is old", name);
}

static void test_pruning(struct queue *q, const char *dir) {
	struct stscache_entry over = { .id = "over", .fetched_ms = 1 }, good = { .id = "good" };
	struct err err = ERR_INIT;
	unsigned removed = 0, asked = 0;
	AUTO_FD int spool = file_opendir(AT_FDCWD, dir);
	AUTO_FD int folder = file_opendir(spool, "sts");
	ok(stscache_write(q, "over.example", &over, SPAN(POLICY), &err) == 0 &&
		   stscache_write(q, "a.new-york.example", &good, SPAN(POLICY), &err) == 0,
	   "two policies");
	AUTO_FD int young = openat(folder, "b.example.new-123", O_WRONLY | O_CREAT, 0600);
	ok(young >= 0, "one is being written");
	make_old(folder, "b.example.new-77");
	make_old(folder, "a.new-york.example");
	make_old(folder, "broken.example");
	is_int(stscache_prune(q, is_over, &asked, &removed, &err), 0, "pruned %s", err.msg);
	is_int(removed, 3, "three go");
	ok(faccessat(folder, "over.example", F_OK, 0) != 0 &&
		   faccessat(folder, "b.example.new-77", F_OK, 0) != 0 &&
		   faccessat(folder, "broken.example", F_OK, 0) != 0,
	   "what is over, what was never finished, and what cannot be read");
	ok(faccessat(folder, "a.new-york.example", F_OK, 0) == 0 &&
		   faccessat(folder, "b.example.new-123", F_OK, 0) == 0 &&
		   faccessat(folder, "good.example", F_OK, 0) == 0,
	   "others stay, and a damaged one until it is a day old");
	is_int(asked, 2, "only policies are asked about");
}

int main(void) {
	const char *dir = spool_make();
	struct queue *q = spool_open(dir);
	struct err err = ERR_INIT;
	struct stscache_entry e = { .id = "20261122", .fetched_ms = 1795336061123 }, got;
	AUTO_BUF struct buf text = BUF_INIT(65536);
	ok(stscache_read(q, "good.example", &got, &text, &err) != 0 && err.kind == ERR_MISSING,
	   "what was never kept is missing");
	ok(stscache_write(q, "good.example", &e, SPAN(POLICY), &err) == 0, "a policy is kept %s",
	   err.msg);
	ok(stscache_read(q, "good.example", &got, &text, &err) == 0, "and read %s", err.msg);
	is_str(buf_str(&text), POLICY, "as it came");
	is_str(got.id, e.id, "with the id of its record");
	ok(got.fetched_ms == e.fetched_ms, "and its time");
	is_str(got.missed, "", "and none that is newer");
	e.missed_ms = 1795336099000;
	snprintf(e.missed, sizeof(e.missed), "20261123");
	buf_reset(&text);
	ok(stscache_write(q, "good.example", &e, SPAN(POLICY), &err) == 0 &&
		   stscache_read(q, "good.example", &got, &text, &err) == 0,
	   "one that could not be had is kept with it %s", err.msg);
	is_str(buf_str(&text), POLICY, "which stays as it came");
	ok(strcmp(got.missed, "20261123") == 0 && got.missed_ms == e.missed_ms,
	   "with the id and the time");
	static const char *const bad[] = { "", ".", "..", "../queue/x", "a/b", ".hidden", "A.example" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(stscache_write(q, bad[i], &e, SPAN(POLICY), &err) != 0,
		   "'%s' is no name of a file here", bad[i]);
	AUTO_FD int folder = file_opendir(AT_FDCWD, dir);
	AUTO_FD int fd = openat(folder, "sts/good.example", O_WRONLY);
	ok(fd >= 0 && pwrite(fd, "x", 1, 0) == 1, "a damaged file");
	ok(stscache_read(q, "good.example", &got, &text, &err) != 0 && err.kind == ERR_MISSING,
	   "is none: %s", err.msg);
	test_pruning(q, dir);
	queue_free(q);
	spool_remove(dir);
	return done_testing();
}
