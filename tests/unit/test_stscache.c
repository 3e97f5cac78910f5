/* MTA-STS policies that are kept: written, read, damaged, of names that are no file names. */

#include "queue/stscache.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "lib/spool.h"
#include "tap.h"

#define POLICY "version: STSv1\nmode: enforce\nmx: *.example\nmax_age: 86400\n"

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
	static const char *const bad[] = { "", ".", "..", "../queue/x", "a/b", ".hidden", "A.example" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(stscache_write(q, bad[i], &e, SPAN(POLICY), &err) != 0,
		   "'%s' is no name of a file here", bad[i]);
	AUTO_FD int folder = file_opendir(AT_FDCWD, dir);
	AUTO_FD int fd = openat(folder, "sts/good.example", O_WRONLY);
	ok(fd >= 0 && pwrite(fd, "x", 1, 0) == 1, "a damaged file");
	ok(stscache_read(q, "good.example", &got, &text, &err) != 0 && err.kind == ERR_MISSING,
	   "is none: %s", err.msg);
	queue_free(q);
	spool_remove(dir);
	return done_testing();
}
