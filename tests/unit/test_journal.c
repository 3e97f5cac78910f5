#include "queue/journal.h"

#include "queue/words.h"
#include "tap.h"

static const struct moment created = { .wall_ms = 1000, .boot_ms = 100, .boot_id = 7 };

/* Parses the buffer for a message of three recipients; the result is static. */
static const struct journal *replay(struct span bytes) {
	static struct journal j;
	journal_release(&j);
	if (journal_parse(bytes, 3, &created, &j) != 0)
		ok(false, "replay finds memory");
	return &j;
}

static struct moment at(int64_t boot_ms) {
	return (struct moment){ .wall_ms = 900 + boot_ms,
				.boot_ms = boot_ms,
				.boot_id = 7 };
}

static void add_state(struct buf *b, size_t first, size_t count, enum recipient_state s,
		      const char *reply, const struct queue_id *notice) {
	struct moment now = at(5000);
	struct journal_result r = { .state = s,
				    .reply = span_str(reply),
				    .host = SPAN("mx[::1]") };
	journal_add_result(b, &now, first, count, &r, notice);
}

static void test_empty(void) {
	const struct journal *j = replay(span_of(NULL, 0));
	ok(j->to_count == 3 && j->to[2].last.state == RECIPIENT_PENDING &&
		   j->attempts == 0,
	   "an empty journal means nothing was tried");
	ok(j->last.boot_ms == created.boot_ms, "age runs from acceptance");
	ok(!journal_finished(j), "and it is not finished");
	struct moment now = at(600);
	is_int(journal_age_ms(j, &now, 0), 500, "age grows with time");
	is_int(journal_age_ms(j, &now, 200), 300, "held time does not count");
	is_int(journal_age_ms(j, &now, 9000), 0, "and cannot make it negative");
	ok(journal_due_ms(j, &now) <= 0, "a new message is due");
}

static void test_reached(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	journal_add_reached(&b, 1, SPAN("a b=\n%@x.org"));
	for (int i = 0; i < 40; i++)
		journal_add_reached(&b, 2, SPAN("c@x.org"));
	const struct journal *j = replay(buf_span(&b));
	is_int((int64_t)j->valid, (int64_t)b.len, "addresses of an alias can be recorded");
	ok(journal_has_reached(j, 1, SPAN("a b=\n%@x.org")) &&
		   journal_has_reached(j, 2, SPAN("c@x.org")),
	   "and are known to have the message");
	ok(!journal_has_reached(j, 2, SPAN("a b=\n%@x.org")) &&
		   !journal_has_reached(j, 1, SPAN("C@x.org")),
	   "others are not");
	ok(j->to[1].last.state == RECIPIENT_PENDING && !journal_finished(j),
	   "the recipient itself is not settled");
	size_t sound = b.len;
	journal_add_reached(&b, 3, SPAN("d@x.org"));
	is_int((int64_t)replay(buf_span(&b))->valid, (int64_t)sound,
	       "a recipient that is none ends the journal");
}

static void test_names(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	journal_add_hold(&b, &(struct moment){ .wall_ms = 1 }, JOURNAL_LOCAL_NAME);
	ok(journal_waits_for_name(replay(buf_span(&b))), "a message can wait for a name");
	journal_add_release(&b, &(struct moment){ .wall_ms = 1 });
	ok(!journal_waits_for_name(replay(buf_span(&b))), "until it is released");
	journal_add_hold(&b, &(struct moment){ .wall_ms = 1 }, "admin");
	ok(!journal_waits_for_name(replay(buf_span(&b))), "a person's hold is another thing");
}

static void test_attempt(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	struct moment now = at(10100), later = at(40100);
	add_state(&b, 1, 2, RECIPIENT_DEFERRED, "450 4.7.1 \x1b[31m\nlater", NULL);
	journal_add_attempt(&b, &now, 10000, 60000, SPAN("default"));
	const struct journal *j = replay(buf_span(&b));
	is_int((int64_t)j->valid, (int64_t)b.len, "all records are valid");
	ok(j->attempts == 1 && j->age_ms == 10000 && j->wait_ms == 60000,
	   "the attempt counts");
	is_str(j->relay, "default", "its relay is known");
	ok(j->to[0].last.state == RECIPIENT_PENDING &&
		   j->to[1].last.state == RECIPIENT_DEFERRED,
	   "results are for their range only");
	ok(span_eq(j->to[2].last.reply, SPAN("450 4.7.1 \x1b[31m\nlater")) &&
		   span_eq(j->to[2].last.host, SPAN("mx[::1]")) &&
		   j->to[2].wall_ms == 5900,
	   "reply and host keep their bytes");
	is_int(journal_due_ms(j, &later), 30000, "the wait runs down");
	is_int(journal_age_ms(j, &later, 0), 40000, "age goes on from the attempt");
}

static void test_final_states(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	add_state(&b, 0, 1, RECIPIENT_DELIVERED, "250 ok", NULL);
	add_state(&b, 1, 1, RECIPIENT_FAILED, "550 no", NULL);
	add_state(&b, 0, 3, RECIPIENT_DEFERRED, "450 later", NULL);
	const struct journal *j = replay(buf_span(&b));
	ok(j->to[0].last.state == RECIPIENT_DELIVERED,
	   "what is delivered stays delivered");
	ok(j->to[1].last.state == RECIPIENT_FAILED, "what failed stays failed");
	ok(j->to[2].last.state == RECIPIENT_DEFERRED && !journal_finished(j),
	   "the rest waits");
	add_state(&b, 2, 1, RECIPIENT_DELIVERED, "250 ok", NULL);
	ok(journal_finished(replay(buf_span(&b))), "all of them settled: finished");
}

static void test_notices(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	struct queue_id id = { .bits = { 1, 2, 3 } }, delay = { .bits = { 9 } };
	struct moment now = at(1);
	journal_add_delayed(&b, &now, &delay);
	add_state(&b, 0, 2, RECIPIENT_FAILED, "550 no", &id);
	add_state(&b, 2, 1, RECIPIENT_FAILED, "551 no", &id);
	const struct journal *j = replay(buf_span(&b));
	is_int(j->notices, 2, "a notice that two results share is one notice");
	ok(j->delay_noticed && j->notice[0].delayed && !j->notice[1].delayed,
	   "kinds are kept");
	ok(queue_id_cmp(&j->to[2].notice, &id) == 0, "the recipient names its bounce");
	ok(!journal_finished(j), "outstanding notices keep the file");
	journal_add_noticed(&b, &delay);
	ok(!journal_finished(replay(buf_span(&b))), "one of two is not enough");
	journal_add_noticed(&b, &id);
	ok(journal_finished(replay(buf_span(&b))), "both made: finished");
}

static void test_digest(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	struct queue_id id = { .bits = { 1, 2, 3 } }, last = { .bits = { 7 } }, storm;
	struct moment now = at(1);
	journal_add_hold(&b, &(struct moment){ .wall_ms = 1 }, JOURNAL_STORM "0000000000000001");
	const struct journal *j = replay(buf_span(&b));
	ok(journal_storm(j, &storm) && strcmp(queue_id_text(&storm).s, "0000000000000001") == 0,
	   "a hold names its storm");
	journal_add_digest(&b, &now, &id, 25, &last);
	j = replay(buf_span(&b));
	ok(j->valid == b.len && j->digest.asked && j->digest.held == 25 &&
		   queue_id_cmp(&j->digest.last, &last) == 0,
	   "a digest is asked for, with what it tells");
	ok(j->notices == 1 && j->notice[0].digest && !j->notice[0].done, "and is a notice");
	journal_add_release(&b, &(struct moment){ .wall_ms = 1 });
	ok(!journal_storm(replay(buf_span(&b)), NULL), "what is released is in no storm");
	journal_add_hold(&b, &(struct moment){ .wall_ms = 1 }, "storm=nonsense");
	ok(!journal_storm(replay(buf_span(&b)), NULL), "nor is what has no ID for it");
	size_t sound = b.len;
	journal_add_digest(&b, &now, &id, 0, &last);
	is_int((int64_t)replay(buf_span(&b))->valid, (int64_t)sound,
	       "a digest of none ends the journal");
}

static void test_many_notices(void) {
	AUTO_BUF struct buf b = BUF_INIT(1 << 20);
	struct moment now = at(1);
	struct queue_id id = { .bits = { 0 } };
	for (unsigned i = 0; i < JOURNAL_NOTICES_MAX; i++) {
		id.bits[0] = (uint8_t)(i + 1);
		journal_add_delayed(&b, &now, &id);
	}
	size_t full = b.len;
	id.bits[0] = 200;
	journal_add_delayed(&b, &now, &id);
	is_int((int64_t)replay(buf_span(&b))->valid, (int64_t)full,
	       "a notice beyond the limit ends the journal");
	buf_truncate(&b, full);
	id.bits[0] = 10;
	journal_add_noticed(&b, &id);
	id.bits[0] = 200;
	journal_add_delayed(&b, &now, &id);
	const struct journal *j = replay(buf_span(&b));
	ok(j->valid == b.len && j->notices == JOURNAL_NOTICES_MAX + 1,
	   "a settled one makes room");
}

static void keep_time(void *ctx, const struct journal_entry *e) {
	*(int64_t *)ctx = e->wall_ms;
}

/* Of the last record. */
static int64_t last_time(struct span bytes) {
	int64_t ms = -1;
	journal_each(bytes, 3, keep_time, &ms);
	return ms;
}

static void test_hold(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	journal_add_hold(&b, &(struct moment){ .wall_ms = 1 }, "admin");
	const struct journal *j = replay(buf_span(&b));
	ok(j->held && strcmp(j->hold_reason, "admin") == 0,
	   "hold holds, with its reason");
	journal_add_release(&b, &(struct moment){ .wall_ms = 1 });
	ok(!replay(buf_span(&b))->held, "release releases");
	is_int(last_time(buf_span(&b)), 1, "and both have a time");
	buf_reset(&b);
	words_record_end(&b, words_record_begin(&b, "release"));
	ok(replay(buf_span(&b))->valid == b.len && last_time(buf_span(&b)) == 0,
	   "which may be missing");
}

static void test_flush(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	struct moment now = at(10100), flushed = at(20100);
	journal_add_attempt(&b, &now, 10000, 60000, SPAN("r"));
	journal_add_flush(&b, &flushed, 20000);
	const struct journal *j = replay(buf_span(&b));
	ok(journal_due_ms(j, &flushed) <= 0 && j->age_ms == 20000 && j->attempts == 1,
	   "flush ends the wait and keeps age and attempts");
}

static void test_dead_and_back(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	struct queue_id id = { .bits = { 1 } };
	struct moment now = at(77);
	add_state(&b, 0, 1, RECIPIENT_FAILED, "550 no", NULL);
	add_state(&b, 1, 1, RECIPIENT_FAILED, "550 no", &id);
	add_state(&b, 2, 1, RECIPIENT_DELIVERED, "250", NULL);
	journal_add_hold(&b, &(struct moment){ .wall_ms = 1 }, "x");
	journal_add_dead(&b, &now, "no sender to tell", 1000);
	const struct journal *j = replay(buf_span(&b));
	is_str(j->dead_reason, "no sender to tell", "dead has its reason");
	ok(j->dead_wall_ms == now.wall_ms && j->dead_keep_ms == 1000, "and its time");
	journal_add_revived(&b, &now);
	j = replay(buf_span(&b));
	ok(!j->dead_reason[0] && !j->held && j->age_ms == 0,
	   "back from the dead, age starts anew");
	ok(j->to[0].last.state == RECIPIENT_PENDING &&
		   j->to[1].last.state == RECIPIENT_FAILED &&
		   j->to[2].last.state == RECIPIENT_DELIVERED,
	   "who was neither told nor served is tried again");
}

static void test_twice(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	journal_add_maybe_twice(&b, 1, 1);
	const struct journal *j = replay(buf_span(&b));
	ok(j->maybe_twice && j->to[1].maybe_twice && !j->to[0].maybe_twice,
	   "the flag is per recipient");
}

static void fill(struct buf *b) {
	struct moment now = at(10);
	add_state(b, 0, 1, RECIPIENT_DEFERRED, "450 a", NULL);
	add_state(b, 1, 2, RECIPIENT_DELIVERED, "250 b", NULL);
	journal_add_attempt(b, &now, 1, 2, SPAN("r"));
	journal_add_hold(b, &(struct moment){ .wall_ms = 1 }, "admin");
}

static void test_cuts(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	fill(&b);
	size_t ends = 0;
	bool always_a_record_end = true;
	for (size_t n = 0; n <= b.len; n++) {
		size_t valid = replay(span_head(buf_span(&b), n))->valid;
		ends += valid == n;
		if (valid > n || (valid > 0 && b.data[valid - 1] != '\n'))
			always_a_record_end = false;
	}
	ok(always_a_record_end, "cut anywhere, what is valid ends with a record");
	is_int((int64_t)ends, 5, "and only whole records count");
}

static void test_flips(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	fill(&b);
	unsigned unseen = 0;
	for (size_t i = 0; i < b.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			b.data[i] = (char)(b.data[i] ^ (1 << bit));
			/* Digits of the checksum may change case, which changes nothing. */
			unseen += replay(buf_span(&b))->valid > i && bit != 5;
			b.data[i] = (char)(b.data[i] ^ (1 << bit));
		}
	is_int((int64_t)unseen, 0, "every flipped bit ends the journal before it");
}

/* Records with a right checksum that mean nothing here. */
static void test_nonsense(void) {
	static const char *const lines[] = {
		"frobnicate",
		"hold",
		"hold reason=a reason=b",
		"hold reason=a wait_ms=1",
		"hold reason",
		"release now",
		"result first=0 count=1 state=happy wall_ms=1 reply=a host=b",
		"result first=3 count=1 state=failed wall_ms=1 reply=a host=b",
		"result first=0 count=4 state=failed wall_ms=1 reply=a host=b",
		"result first=0 count=0 state=failed wall_ms=1 reply=a host=b",
		"result first=-1 count=1 state=failed wall_ms=1 reply=a host=b",
		"result first=2 count=9007199254740992 state=failed wall_ms=1 reply=a host=b",
		"twice first=99999999999999999999 count=1",
		"noticed notice=short",
		"twice first=0",
		"attempt wall_ms=1 boot_ms=1 boot_id=1 age_ms=1 wait_ms=1 relay=r",
		"flush wall_ms=1 age_ms=2",
		"hold reason=%zz",
		"",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		AUTO_BUF struct buf b = BUF_INIT(65536);
		words_record_end(&b, words_record_begin(&b, lines[i]));
		is_int((int64_t)replay(buf_span(&b))->valid, 0, "\"%s\" is no record",
		       lines[i]);
	}
}

static void test_clocks(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	struct moment now = at(10100);
	journal_add_attempt(&b, &now, 10000, 60000, SPAN("r"));
	const struct journal *j = replay(buf_span(&b));
	struct moment next_boot = { .wall_ms = now.wall_ms + 5000,
				    .boot_ms = 3,
				    .boot_id = 8 };
	is_int(journal_age_ms(j, &next_boot, 0), 15000,
	       "across boots age grows by wall time");
	next_boot.wall_ms += INT64_C(400) * 86400000;
	is_int(journal_age_ms(j, &next_boot, 0), 10000 + 86400000,
	       "but by at most a day");
	next_boot.wall_ms = 0;
	is_int(journal_age_ms(j, &next_boot, 0), 10000,
	       "and a clock set back changes nothing");
}

static void test_long_reply(void) {
	AUTO_BUF struct buf b = BUF_INIT(65536);
	static char reply[100000];
	memset(reply, '\x01', sizeof(reply) - 1);
	add_state(&b, 0, 1, RECIPIENT_DEFERRED, reply, NULL);
	const struct journal *j = replay(buf_span(&b));
	ok(j->valid == b.len && j->to[0].last.reply.len > 500 && b.len < 16384,
	   "an endless reply is cut, and the record stays whole");
}

int main(void) {
	test_empty();
	test_attempt();
	test_reached();
	test_names();
	test_final_states();
	test_notices();
	test_digest();
	test_many_notices();
	test_hold();
	test_flush();
	test_dead_and_back();
	test_twice();
	test_cuts();
	test_flips();
	test_nonsense();
	test_clocks();
	test_long_reply();
	replay(span_of(NULL, 0));
	return done_testing();
}
