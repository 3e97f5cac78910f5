#include "queue/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "lib/spool.h"
#include "queue/segment_record.h"
#include "tap.h"

static const char *dir;
static struct err err;

static struct segment_range range(unsigned n, unsigned first, unsigned count) {
	return (struct segment_range){ spool_id(n), first, count };
}

/* A worker that dies: its segment is open and says what `steps` did. */
static void die_after(struct queue *q, unsigned number,
		      void (*steps)(struct segment *s)) {
	pid_t child = fork();
	if (child == 0) {
		struct queue *own = queue_open(dir, NULL);
		struct segment *s = own ? segment_open(own, number, NULL) : NULL;
		if (s)
			steps(s);
		_exit(s ? 0 : 1);
	}
	int status = -1;
	waitpid(child, &status, 0);
	if (status != 0)
		ok(false, "the worker opens its segment");
	(void)q;
}

static bool is_there(struct queue *q, unsigned n, struct queue_message *ret) {
	struct queue_id id = spool_id(n);
	return queue_read(q, &id, false, ret, NULL, &err) == 0;
}

static void test_record(void) {
	struct segment_record r = {
		.kind = SEGMENT_INTENT, .generation = 0xfffffffe, .sequence = 4095,
		.range = range(7, 49999, 50000), .wall_ms = 1790000000123,
	}, back;
	char bytes[SEGMENT_RECORD_LEN];
	segment_record_write(bytes, &r);
	struct span s = span_of(bytes, sizeof(bytes));
	ok(segment_record_parse(s, 4095, &back) && back.kind == r.kind &&
		   back.generation == r.generation && back.range.first == 49999 &&
		   back.range.count == 50000 && back.wall_ms == r.wall_ms &&
		   queue_id_cmp(&back.range.id, &r.range.id) == 0,
	   "a record is read as written");
	ok(!segment_record_parse(s, 4094, &back), "but at its own place only");
	ok(!segment_record_parse(span_head(s, 63), 4095, &back), "and only whole");
	unsigned seen = 0;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 1;
		seen += segment_record_parse(s, 4095, &back);
		bytes[i] ^= 1;
	}
	is_int(seen, 0, "a flipped bit anywhere is noticed");
	memset(bytes, 0, sizeof(bytes));
	ok(!segment_record_parse(s, 0, &back), "zeros are no record");
}

static void test_generations(void) {
	char *bytes = calloc(1, SEGMENT_BYTES);
	struct segment_record r = { .kind = SEGMENT_INTENT,
				    .generation = 3,
				    .range = range(1, 0, 1) };
	struct segment_content c;
	for (r.sequence = 0; r.sequence < 5; r.sequence++)
		segment_record_write(bytes + (size_t)r.sequence * SEGMENT_RECORD_LEN, &r);
	segment_content_parse(span_of(bytes, SEGMENT_BYTES), &c);
	ok(c.generation == 3 && c.count == 5, "one generation: all records");
	free(c.records);
	r.generation = 4;
	r.sequence = 2;
	segment_record_write(bytes + 2 * SEGMENT_RECORD_LEN, &r);
	segment_content_parse(span_of(bytes, SEGMENT_BYTES), &c);
	ok(c.generation == 4 && c.count == 1,
	   "a record of a newer one outdates the others");
	free(c.records);
	memset(bytes + 2 * SEGMENT_RECORD_LEN, 0, SEGMENT_RECORD_LEN);
	segment_content_parse(span_of(bytes, SEGMENT_BYTES), &c);
	ok(c.generation == 3 && c.count == 4, "a hole hides nothing behind it");
	free(c.records);
	segment_content_parse(span_of(bytes, 100), &c);
	ok(c.count == 1, "a short file is read as far as it goes");
	free(c.records);
	free(bytes);
}

static void test_open(struct queue *q) {
	struct stat st;
	char path[8192];
	snprintf(path, sizeof(path), "%s/delivered/5", dir);
	struct segment *s = segment_open(q, 5, &err);
	ok(s && stat(path, &st) == 0 && st.st_size == (off_t)SEGMENT_BYTES &&
		   st.st_blocks > 0,
	   "a new segment has its space: %s", err.msg);
	struct queue *other = queue_open(dir, &err);
	ok(!segment_open(other, 5, &err) && err.kind == ERR_DENIED,
	   "it has one worker: %s", err.msg);
	ok(segment_replay(other, 5, &err) != 0 && err.kind == ERR_DENIED,
	   "and waits for it");
	unsigned busy = 0;
	ok(segment_replay_all(other, &busy, &err) == 0 && busy == 1, "which replay says");
	segment_free(s);
	ok(segment_replay_all(other, &busy, &err) == 0 && busy == 0,
	   "until the worker ends");
	is_int(segment_replay(other, 77, &err), 0,
	       "a segment that is not there is replayed");
	queue_free(other);
	segment_free(NULL);
}

static void one_delivered(struct segment *s) {
	struct segment_range r = range(10, 0, 1);
	segment_intents(s, &r, 1, 1, NULL);
	segment_delivered(s, &r, NULL);
}

static void test_delivered(struct queue *q) {
	struct queue_message m;
	unsigned busy;
	spool_accept(q, spool_id(10), 1, SPAN("x\r\n"));
	die_after(q, 1, one_delivered);
	is_int(segment_replay_all(q, &busy, &err), 0, "a crash after 2xx is replayed %s",
	       err.msg);
	ok(!is_there(q, 10, &m), "the message is gone: it was delivered");
	is_int(segment_replay_all(q, &busy, &err), 0, "replaying again is fine");
}

static void one_intent(struct segment *s) {
	struct segment_range r = range(11, 0, 2);
	segment_intents(s, &r, 1, 2, NULL);
}

static void test_intent(struct queue *q) {
	struct queue_message m;
	spool_accept(q, spool_id(11), 3, SPAN("x\r\n"));
	die_after(q, 1, one_intent);
	is_int(segment_replay(q, 1, &err), 0, "a crash before the reply is replayed %s",
	       err.msg);
	if (!ok(is_there(q, 11, &m), "the message stays"))
		return;
	ok(m.journal.to[0].maybe_twice && m.journal.to[1].maybe_twice &&
		   !m.journal.to[2].maybe_twice,
	   "those with an intent are flagged");
	ok(m.journal.to[0].last.state == RECIPIENT_PENDING, "and still to be served");
	size_t valid = m.journal.valid;
	queue_message_release(&m);
	segment_replay(q, 1, &err);
	if (is_there(q, 11, &m)) {
		is_int((int64_t)m.journal.valid, (int64_t)valid,
		       "replaying again adds nothing");
		queue_message_release(&m);
	}
}

static void mixed(struct segment *s) {
	struct segment_range all = range(12, 0, 5), r;
	segment_intents(s, &all, 1, 5, NULL);
	r = range(12, 0, 2);
	segment_delivered(s, &r, NULL);
	r = range(12, 2, 1);
	segment_void(s, &r, NULL);
	r = range(12, 4, 1);
	segment_void(s, &r, NULL);
	segment_intents(s, &r, 1, 1, NULL);
}

static void test_partial(struct queue *q) {
	struct queue_message m;
	spool_accept(q, spool_id(12), 6, SPAN("x\r\n"));
	die_after(q, 1, mixed);
	is_int(segment_replay(q, 1, &err), 0, "a partial delivery is replayed %s",
	       err.msg);
	if (!is_there(q, 12, &m)) {
		ok(false, "the message stays");
		return;
	}
	const struct journal_recipient *to = m.journal.to;
	ok(to[0].last.state == RECIPIENT_DELIVERED &&
		   to[1].last.state == RECIPIENT_DELIVERED,
	   "what was delivered is recorded");
	ok(to[2].last.state == RECIPIENT_PENDING && !to[2].maybe_twice,
	   "what was refused is untouched");
	ok(to[3].maybe_twice && to[3].last.state == RECIPIENT_PENDING,
	   "what is open is flagged");
	ok(to[4].maybe_twice, "also when it is open for the second time");
	ok(!to[5].maybe_twice, "what was not sent is untouched");
	queue_message_release(&m);
}

/* A message that nobody can be told of must not vanish because its other recipient has it. */
static void null_sender(struct segment *s) {
	struct segment_range r = range(13, 1, 1);
	segment_intents(s, &r, 1, 1, NULL);
	segment_delivered(s, &r, NULL);
}

static void test_null_sender(struct queue *q) {
	struct envelope e = spool_envelope(spool_id(13), 2);
	struct queue_message m;
	struct queue_claim *c = NULL;
	AUTO_BUF struct buf b = BUF_INIT(4096);
	struct moment now = clock_now();
	struct journal_result failed = { .state = RECIPIENT_FAILED,
					 .reply = SPAN("550 no") };
	e.from = SPAN("");
	struct queue_accept *a = queue_accept_begin(q, &e, &err);
	free(e.to);
	queue_accept_commit(a, &c, &err);
	journal_add_result(&b, &now, 0, 1, &failed, NULL);
	queue_claim_append(c, buf_span(&b), true, &err);
	queue_claim_release(c);
	die_after(q, 1, null_sender);
	is_int(segment_replay(q, 1, &err), 0,
	       "replay meets a failure without a sender %s", err.msg);
	if (ok(is_there(q, 13, &m), "and leaves it for a person")) {
		ok(m.journal.to[1].last.state == RECIPIENT_DELIVERED,
		   "with the delivery recorded");
		queue_message_release(&m);
	}
}

static void test_busy(struct queue *q) {
	struct queue_id id = spool_id(10);
	struct queue_message m;
	spool_accept(q, id, 1, SPAN("x\r\n"));
	die_after(q, 1, one_delivered);
	struct queue_claim *c = queue_claim(q, &id, NULL, &err);
	ok(segment_replay(q, 1, &err) != 0 && err.sys == EAGAIN,
	   "a busy message delays replay: %s", err.msg);
	queue_claim_release(c);
	ok(segment_replay(q, 1, &err) == 0 && !is_there(q, 10, &m),
	   "and is settled later");
	spool_accept(q, spool_id(14), 1, SPAN("x\r\n"));
	id = spool_id(14);
	c = queue_claim(q, &id, NULL, &err);
	die_after(q, 1, one_delivered);
	is_int(segment_replay(q, 1, &err), 0,
	       "a busy message it says nothing about does not");
	queue_claim_release(c);
}

static void test_reopen(struct queue *q) {
	struct queue_message m;
	spool_accept(q, spool_id(10), 1, SPAN("x\r\n"));
	die_after(q, 2, one_delivered);
	struct segment *s = segment_open(q, 2, &err);
	ok(s && !is_there(q, 10, &m), "opening replays what a crash left");
	segment_free(s);
}

/* A worker that leaves in order, but with a delivery open. */
static void test_left_open(struct queue *q) {
	struct queue_message m;
	struct segment_range r = range(15, 0, 1);
	spool_accept(q, spool_id(15), 1, SPAN("x\r\n"));
	struct segment *s = segment_open(q, 2, &err);
	segment_intents(s, &r, 1, 1, &err);
	segment_free(s);
	is_int(segment_replay(q, 2, &err), 0, "a segment that was left is replayed %s",
	       err.msg);
	if (ok(is_there(q, 15, &m) && m.journal.maybe_twice,
	       "what was open in it is flagged"))
		queue_message_release(&m);
}

static int writes_seen, syncs_of_queue;
static bool full;

static int watch(void *ctx, const struct file_event *ev) {
	struct stat st;
	(void)ctx;
	if (ev->op == FILE_FSYNC && fstat(ev->fd, &st) == 0 && S_ISDIR(st.st_mode))
		syncs_of_queue++;
	if (ev->op != FILE_WRITE)
		return 0;
	writes_seen++;
	return full ? ENOSPC : 0;
}

static void test_recycle(struct queue *q) {
	struct segment *s = segment_open(q, 3, &err);
	unsigned failed = 0;
	file_set_hook(&(struct file_hook){ .before = watch });
	for (unsigned i = 0; i < SEGMENT_RECORDS; i++) {
		struct segment_range r = range(1000 + i, 0, 1);
		failed += segment_intents(s, &r, 1, 1, &err) != 0 ||
			  segment_delivered(s, &r, &err) != 0;
	}
	is_int(failed, 0, "twice as many records as a segment holds are written");
	is_int(syncs_of_queue, 1, "queue/ is synced before its records are written over");
	struct segment_range r = range(2000, 0, 3);
	while (segment_intents(s, &r, 1, 1, &err) == 0)
		;
	ok(err.kind == ERR_LIMIT, "open deliveries are never written over: %s", err.msg);
	file_set_hook(NULL);
	segment_free(s);
}

static void test_failures(struct queue *q) {
	struct segment_range r = range(20, 0, 1);
	struct segment *s = segment_open(q, 4, &err);
	is_int(segment_intents(s, &r, 1, 1, &err), 0, "an intent is written");
	segment_void(s, &r, &err);
	segment_pin(s);
	ok(segment_intents(s, &r, 1, 1, &err) != 0,
	   "a pinned segment takes no intents: %s", err.msg);
	is_int(segment_delivered(s, &r, &err), 0, "but outcomes");
	segment_free(s);
	s = segment_open(q, 4, &err);
	is_int(segment_intents(s, &r, 1, 1, &err), 0, "opened again it does");
	full = true;
	file_set_hook(&(struct file_hook){ .before = watch });
	ok(segment_delivered(s, &r, &err) != 0, "a failed write is told: %s", err.msg);
	full = false;
	ok(segment_intents(s, &r, 1, 1, &err) != 0,
	   "after it the segment is not trusted: %s", err.msg);
	file_set_hook(NULL);
	segment_free(s);
}

/* Replay when the disk is full: it must fail, and work when there is space again. */
static void test_full_disk(struct queue *q) {
	struct queue_message m;
	spool_accept(q, spool_id(12), 6, SPAN("x\r\n"));
	spool_accept(q, spool_id(10), 1, SPAN("x\r\n"));
	die_after(q, 1, mixed);
	die_after(q, 2, one_delivered);
	full = true;
	file_set_hook(&(struct file_hook){ .before = watch });
	ok(segment_replay(q, 1, &err) != 0 && err.sys == ENOSPC,
	   "a full disk stops replay: %s", err.msg);
	segment_replay(q, 2, &err);
	ok(!is_there(q, 10, &m), "but what is delivered to all is removed");
	full = false;
	file_set_hook(NULL);
	is_int(segment_replay(q, 1, &err), 0, "with space again it ends");
	if (ok(is_there(q, 12, &m) && m.journal.maybe_twice, "and has lost nothing"))
		queue_message_release(&m);
}

int main(void) {
	dir = strdup(spool_make());
	struct queue *q = queue_open(dir, &err);
	test_record();
	test_generations();
	test_open(q);
	test_delivered(q);
	test_intent(q);
	test_partial(q);
	test_null_sender(q);
	test_busy(q);
	test_reopen(q);
	test_left_open(q);
	test_recycle(q);
	test_failures(q);
	test_full_disk(q);
	queue_free(q);
	spool_remove(dir);
	free((void *)(uintptr_t)dir);
	return done_testing();
}
