#include "queue/relaystate.h"

#include <fcntl.h>

#include "base/file.h"
#include "lib/spool.h"
#include "tap.h"

static struct moment at(int64_t ms) {
	return (struct moment){ .wall_ms = 1000000 + ms, .boot_ms = ms, .boot_id = 1 };
}

static void test_overlap(void) {
	static const struct {
		const char *label;
		int64_t since, until, from, now;
		bool held;
		int64_t want;
	} cases[] = {
		{ "a hold before the span", 0, 10, 20, 100, false, 0 },
		{ "a hold within it", 30, 50, 20, 100, false, 20 },
		{ "a hold that began before it", 0, 50, 20, 100, false, 30 },
		{ "a hold around it, still on", 0, 0, 20, 100, true, 80 },
		{ "a hold that is on and began in it", 90, 0, 20, 100, true, 10 },
		{ "no hold ever", -900000, -900000, 20, 100, false, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct relaystate r = { .held = cases[i].held,
					.since = at(cases[i].since),
					.until = at(cases[i].until) };
		struct moment from = at(cases[i].from), now = at(cases[i].now);
		is_int(relaystate_overlap_ms(&r, &from, &now), cases[i].want, "%s",
		       cases[i].label);
	}
	struct relaystate r = { .held = true,
				.since = { .wall_ms = 0, .boot_ms = 0, .boot_id = 9 } };
	struct moment from = { .wall_ms = 0, .boot_ms = 0, .boot_id = 9 }, now = at(500);
	is_int(relaystate_overlap_ms(&r, &from, &now), 1000500,
	       "across boots wall time counts");
}

static void test_file(void) {
	struct err err = ERR_INIT;
	const char *dir = spool_make();
	struct queue *q = queue_open(dir, &err);
	struct relaystate in[3] = {
		{ .relay = "default", .held = true, .since = at(-5), .until = at(7),
		  .reason = "mx: \xff\n\"quoted\" 100 %" },
		{ .relay = "other relay", .since = at(1), .until = at(2), .out_of_step = at(9),
		  .offers = "a.example SCRAM-SHA-256", .certs = "a.example 1,2,3" },
		{ .relay = "third", .reason = "x" },
	}, out[3];
	is_int((int64_t)relaystate_read(q, out, 3), 0, "without a file there is nothing");
	is_int(relaystate_write(q, in, 3, &err), 0, "three relays are written %s",
	       err.msg);
	is_int((int64_t)relaystate_read(q, out, 3), 3, "and read");
	ok(out[0].held && !out[1].held && out[0].since.boot_ms == -5 &&
		   out[0].since.boot_id == 1 && out[1].until.wall_ms == 1000002,
	   "times survive");
	is_str(out[1].offers, "a.example SCRAM-SHA-256", "what its servers offered is read again");
	is_str(out[1].certs, "a.example 1,2,3", "and how long their certificates hold");
	is_str(out[0].offers, "", "and nothing where nothing was");
	ok(out[1].out_of_step.boot_ms == 9 && out[0].out_of_step.boot_id == 0,
	   "so does when replies were out of place");
	is_str(out[0].reason, in[0].reason, "any byte of a reason survives");
	is_str(out[1].relay, "other relay", "and names with spaces");
	is_int((int64_t)relaystate_read(q, out, 2), 2, "no more than asked for are read");
	AUTO_BUF struct buf bytes = BUF_INIT(65536);
	char path[8192];
	snprintf(path, sizeof(path), "%s/relays", dir);
	file_read(AT_FDCWD, path, &bytes, &err);
	unsigned wrong = 0;
	for (size_t n = 0; n < bytes.len; n++)
		wrong += relaystate_parse(span_head(buf_span(&bytes), n), out, 3) > 2;
	is_int(wrong, 0, "a cut file gives whole relays only");
	bytes.data[20] ^= 1;
	is_int((int64_t)relaystate_parse(buf_span(&bytes), out, 3), 0,
	       "a damaged line ends it");
	is_int(relaystate_write(q, in, 0, &err), 0, "none can be written");
	is_int((int64_t)relaystate_read(q, out, 3), 0, "and read");
	queue_free(q);
	spool_remove(dir);
}

int main(void) {
	test_overlap();
	test_file();
	return done_testing();
}
