/* What was used of the quotas, and what was told: two files that are read at the start. */

#include "queue/alertstate.h"
#include "queue/quotastate.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "lib/spool.h"
#include "tap.h"

static struct moment at(int64_t ms) {
	return (struct moment){ .wall_ms = 1000000 + ms, .boot_ms = ms, .boot_id = 1 };
}

static void test_quotas(struct queue *q) {
	struct err err = ERR_INIT;
	struct quotastate in[2] = {
		{ .relay = "default", .at = at(5), .wait_ms = 77, .hour = { 3600000, 12 },
		  .day = { 86400000, 345 }, .start_day = 20779, .step = 3 },
		{ .relay = "office", .domain = "a b.example", .at = at(-6) },
	}, out[3];
	is_int((int64_t)quotastate_read(q, out, 3), 0, "without a file nothing was used");
	is_int(quotastate_write(q, in, 2, &err), 0, "two quotas are written %s", err.msg);
	is_int((int64_t)quotastate_read(q, out, 3), 2, "and read");
	ok(out[0].wait_ms == 77 && out[0].hour.used == 12 &&
		   out[0].hour.length_ms == 3600000 && out[0].day.used == 345 &&
		   out[0].start_day == 20779 && out[0].step == 3 &&
		   out[0].at.boot_ms == 5 && !out[0].domain[0],
	   "numbers survive");
	is_str(out[1].domain, "a b.example", "and domains");
	is_int((int64_t)quotastate_read(q, out, 1), 1, "no more than there is room for");
}

static void test_damage(const char *dir) {
	static struct quotastate out[4];
	AUTO_BUF struct buf bytes = BUF_INIT(65536), path = BUF_INIT(4096);
	buf_addf(&path, "%s/quotas", dir);
	file_read(AT_FDCWD, buf_str(&path), &bytes, NULL);
	size_t whole = 0, part = 0;
	for (size_t i = 0; i <= bytes.len; i++) {
		size_t n = quotastate_parse(span_head(buf_span(&bytes), i), out, 4);
		whole += n == 2;
		part += n == 1;
	}
	ok(whole == 1 && part > 10, "a file that is cut gives what is whole");
}

static void test_alerts(struct queue *q) {
	struct err err = ERR_INIT;
	struct alertstate in[2] = { { .key = "relay default", .told = at(9) },
				    { .key = "quota x%\n", .told = at(1) } },
			  out[3];
	is_int((int64_t)alertstate_read(q, out, 3), 0, "without a file nothing was told");
	is_int(alertstate_write(q, in, 2, &err), 0, "two alerts are written %s", err.msg);
	is_int((int64_t)alertstate_read(q, out, 3), 2, "and read");
	ok(out[0].told.boot_ms == 9 && out[0].told.wall_ms == 1000009, "with their time");
	is_str(out[1].key, "quota x%\n", "any byte of a key survives");
}

int main(void) {
	struct err err = ERR_INIT;
	const char *dir = spool_make();
	struct queue *q = queue_open(dir, &err);
	test_quotas(q);
	test_damage(dir);
	test_alerts(q);
	queue_free(q);
	spool_remove(dir);
	return done_testing();
}
