/*
 * What the programs do to a spool, in their order, and what the world learns when.
 */

#include <errno.h>
#include <stdlib.h>

#include "lib/crash.h"
#include "lib/spool.h"
#include "queue/segment.h"
#include "queue/spool.h"

static const char content[] =
	"Subject: test\r\n\r\nOne line of text that is long enough to tear\r\n";

static void mark_some(struct crash_run *run, enum crash_what what, unsigned message,
		      unsigned first, unsigned count) {
	struct crash_marks *m = run->marks;
	if (m->count == CRASH_MARKS_MAX)
		abort();
	m->mark[m->count] = (struct crash_mark){ what, message, first, count,
						 run->operations };
	m->count++;
}

static void mark(struct crash_run *run, enum crash_what what, unsigned message) {
	mark_some(run, what, message, 0, 0);
}

static void begin(struct crash_run *run) {
	if (run->begin)
		run->begin(run);
}

static void accept_one(struct crash_run *run, unsigned message, unsigned recipients) {
	if (spool_accept(run->q, spool_id(message), recipients, SPAN(content)) == 0)
		mark(run, CRASH_ACKED, message);
}

static struct queue_claim *claim(struct crash_run *run, unsigned message) {
	struct queue_id id = spool_id(message);
	return queue_claim(run->q, &id, NULL, NULL);
}

static int append(struct queue_claim *c, struct buf *records) {
	return queue_claim_append(c, buf_span(records), true, NULL);
}

static struct segment_range range(unsigned message, unsigned first, unsigned count) {
	return (struct segment_range){ spool_id(message), first, count };
}

static void add_result(struct buf *out, size_t first, size_t count,
		       enum recipient_state s, const struct queue_id *notice) {
	struct moment now = clock_now();
	struct journal_result r = { .state = s, .reply = SPAN("what the server said") };
	journal_add_result(out, &now, first, count, &r, notice);
}

static void add_attempt(struct buf *out) {
	struct moment now = clock_now();
	journal_add_attempt(out, &now, 1000, 60000, SPAN("default"));
}

static void play_accept(struct crash_run *run) {
	begin(run);
	accept_one(run, 1, 2);
	accept_one(run, 2, 1);
}

/* Too large for one piece: the first line is written last. */
static void play_accept_large(struct crash_run *run) {
	static char bytes[400000];
	struct envelope e = spool_envelope(spool_id(1), 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 23);
	begin(run);
	struct queue_accept *a = queue_accept_begin(run->q, &e, NULL);
	free(e.to);
	if (!a)
		return;
	if (queue_accept_write(a, span_of(bytes, sizeof(bytes)), NULL) != 0)
		queue_accept_abort(a);
	else if (queue_accept_commit(a, NULL, NULL) == 0)
		mark(run, CRASH_ACKED, 1);
}

static void play_defer(struct crash_run *run) {
	AUTO_BUF struct buf records = BUF_INIT(65536);
	struct segment_range r = range(1, 0, 2);
	accept_one(run, 1, 2);
	begin(run);
	struct segment *s = segment_open(run->q, 0, NULL);
	struct queue_claim *c = claim(run, 1);
	if (s && c && segment_intents(s, &r, 1, 2, NULL) == 0) {
		add_result(&records, 0, 2, RECIPIENT_DEFERRED, NULL);
		add_attempt(&records);
		append(c, &records);
		segment_void(s, &r, NULL);
	}
	queue_claim_release(c);
	segment_free(s);
}

/* A window: all intents, then for each message the 2xx and the end of its file. */
static void deliver_window(struct crash_run *run, struct segment *s, unsigned first,
			   unsigned count) {
	struct queue_claim *c[8];
	struct segment_range r[8] = { { .first = 0 } };
	for (unsigned i = 0; i < count; i++) {
		c[i] = claim(run, first + i);
		r[i] = range(first + i, 0, 2);
	}
	bool written = segment_intents(s, r, count, 2 * count, NULL) == 0;
	for (unsigned i = 0; i < count && written; i++)
		mark_some(run, CRASH_SENT, first + i, 0, 2);
	for (unsigned i = 0; i < count; i++) {
		if (!written || !c[i]) {
			queue_claim_release(c[i]);
			continue;
		}
		segment_delivered(s, &r[i], NULL);
		if (queue_claim_remove(c[i], NULL) != 0)
			segment_pin(s);
	}
}

static void play_deliver(struct crash_run *run) {
	accept_one(run, 1, 2);
	begin(run);
	struct segment *s = segment_open(run->q, 0, NULL);
	if (s)
		deliver_window(run, s, 1, 1);
	segment_free(s);
}

static void play_windows(struct crash_run *run) {
	for (unsigned i = 1; i <= 6; i++)
		accept_one(run, i, 2);
	begin(run);
	struct segment *s = segment_open(run->q, 0, NULL);
	if (s) {
		deliver_window(run, s, 1, 3);
		deliver_window(run, s, 4, 3);
	}
	segment_free(s);
}

/* The segment comes to its end between two windows. */
static void play_recycle(struct crash_run *run) {
	static struct segment_range nothing[SEGMENT_RECORDS / 2 - 3];
	size_t n = sizeof(nothing) / sizeof(nothing[0]);
	for (unsigned i = 1; i <= 4; i++)
		accept_one(run, i, 2);
	struct segment *s = segment_open(run->q, 0, NULL);
	for (unsigned i = 0; i < n; i++)
		nothing[i] = range(99, i, 1);
	if (s)
		segment_intents(s, nothing, n, n, NULL);
	for (unsigned i = 0; s && i < n; i++)
		segment_void(s, &nothing[i], NULL);
	begin(run);
	if (s) {
		deliver_window(run, s, 1, 2);
		deliver_window(run, s, 3, 2);
	}
	segment_free(s);
}

static void play_partial(struct crash_run *run) {
	AUTO_BUF struct buf records = BUF_INIT(65536);
	struct segment_range all = range(1, 0, 3), good = range(1, 0, 2),
			     bad = range(1, 2, 1);
	accept_one(run, 1, 3);
	begin(run);
	struct segment *s = segment_open(run->q, 0, NULL);
	struct queue_claim *c = claim(run, 1);
	if (s && c && segment_intents(s, &all, 1, 3, NULL) == 0) {
		mark_some(run, CRASH_SENT, 1, 0, 2);
		segment_delivered(s, &good, NULL);
		add_result(&records, 0, 2, RECIPIENT_DELIVERED, NULL);
		add_result(&records, 2, 1, RECIPIENT_DEFERRED, NULL);
		add_attempt(&records);
		if (append(c, &records) == 0)
			segment_void(s, &bad, NULL);
		else
			segment_pin(s);
	}
	queue_claim_release(c);
	segment_free(s);
}

/* The connection broke after the terminator. */
static void play_lost_reply(struct crash_run *run) {
	AUTO_BUF struct buf records = BUF_INIT(65536);
	struct segment_range r = range(1, 0, 2);
	accept_one(run, 1, 2);
	begin(run);
	struct segment *s = segment_open(run->q, 0, NULL);
	struct queue_claim *c = claim(run, 1);
	if (s && c && segment_intents(s, &r, 1, 2, NULL) == 0) {
		mark_some(run, CRASH_SENT, 1, 0, 2);
		journal_add_maybe_twice(&records, 0, 2);
		add_result(&records, 0, 2, RECIPIENT_DEFERRED, NULL);
		add_attempt(&records);
		if (append(c, &records) == 0)
			segment_void(s, &r, NULL);
		else
			segment_pin(s);
	}
	queue_claim_release(c);
	segment_free(s);
}

static bool all_settled(const struct journal *j) {
	for (size_t i = 0; i < j->to_count; i++)
		if (j->to[i].last.state < RECIPIENT_DELIVERED)
			return false;
	return true;
}

/* The notice is made, and kept locked until the original says so or is gone. */
static void send_notice(struct crash_run *run, struct queue_claim *c,
			const struct queue_id *notice) {
	AUTO_BUF struct buf record = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct envelope e = spool_envelope(*notice, 1);
	struct queue_claim *made = NULL;
	struct queue_accept *a = queue_accept_begin(run->q, &e, &err);
	free(e.to);
	if (a)
		queue_accept_write(a, SPAN("notice\r\n"), &err);
	if (!a || (queue_accept_commit(a, &made, &err) != 0 && err.sys != EEXIST)) {
		queue_claim_release(c);
		return;
	}
	if (all_settled(&queue_claim_message(c)->journal)) {
		queue_claim_remove(c, NULL);
		queue_sync(run->q, NULL);
	} else {
		journal_add_noticed(&record, notice);
		append(c, &record);
		queue_claim_release(c);
	}
	queue_claim_release(made);
}

/* The first `refused` of two recipients are refused for good, the others later. */
static void bounce(struct crash_run *run, unsigned refused) {
	AUTO_BUF struct buf records = BUF_INIT(65536);
	struct segment_range r = range(1, 0, 2);
	struct queue_id of = spool_id(1), notice = queue_id_notice(&of, 0);
	accept_one(run, 1, 2);
	begin(run);
	struct segment *s = segment_open(run->q, 0, NULL);
	struct queue_claim *c = claim(run, 1);
	if (!s || !c || segment_intents(s, &r, 1, 2, NULL) != 0) {
		queue_claim_release(c);
		segment_free(s);
		return;
	}
	mark_some(run, CRASH_REFUSED, 1, 0, refused);
	add_result(&records, 0, refused, RECIPIENT_FAILED, &notice);
	if (refused < 2)
		add_result(&records, refused, 2 - refused, RECIPIENT_DEFERRED, NULL);
	bool recorded = append(c, &records) == 0;
	segment_void(s, &r, NULL);
	if (recorded)
		send_notice(run, c, &notice);
	else
		queue_claim_release(c);
	segment_free(s);
}

static void play_bounce(struct crash_run *run) {
	bounce(run, 2);
}

static void play_bounce_one(struct crash_run *run) {
	bounce(run, 1);
}

/* A start finds a failure whose notice was never made. */
static void play_late_notice(struct crash_run *run) {
	AUTO_BUF struct buf records = BUF_INIT(65536);
	struct queue_id of = spool_id(1), notice = queue_id_notice(&of, 0);
	accept_one(run, 1, 2);
	mark_some(run, CRASH_REFUSED, 1, 0, 2);
	struct queue_claim *c = claim(run, 1);
	add_result(&records, 0, 2, RECIPIENT_FAILED, &notice);
	append(c, &records);
	queue_claim_release(c);
	begin(run);
	crash_recover(run->dir, NULL);
}

static void play_hold(struct crash_run *run) {
	AUTO_BUF struct buf hold = BUF_INIT(4096), release = BUF_INIT(4096);
	accept_one(run, 1, 1);
	begin(run);
	journal_add_hold(&hold, &(struct moment){ .wall_ms = 1 }, "admin");
	journal_add_release(&release, &(struct moment){ .wall_ms = 1 });
	struct queue_claim *c = claim(run, 1);
	mark(run, CRASH_HOLDING, 1);
	if (c && append(c, &hold) == 0)
		mark(run, CRASH_HELD, 1);
	queue_claim_release(c);
	c = claim(run, 1);
	mark(run, CRASH_RELEASING, 1);
	if (c && append(c, &release) == 0)
		mark(run, CRASH_RELEASED, 1);
	queue_claim_release(c);
}

static void play_delete(struct crash_run *run) {
	accept_one(run, 1, 2);
	begin(run);
	struct queue_claim *c = claim(run, 1);
	mark(run, CRASH_DELETING, 1);
	if (c && queue_claim_remove(c, NULL) == 0 && queue_sync(run->q, NULL) == 0)
		mark(run, CRASH_DELETED, 1);
}

static void play_bury(struct crash_run *run) {
	struct queue_id id = spool_id(1);
	accept_one(run, 1, 2);
	begin(run);
	struct queue_claim *c = claim(run, 1);
	mark(run, CRASH_BURYING, 1);
	if (!c || queue_claim_bury(c, "a reason", 1000, NULL) != 0)
		return;
	mark(run, CRASH_BURIED, 1);
	mark(run, CRASH_REVIVING, 1);
	if (queue_dead_revive(run->q, &id, NULL) == 0)
		mark(run, CRASH_REVIVED, 1);
}

static void play_bury_and_delete(struct crash_run *run) {
	struct queue_id id = spool_id(1);
	accept_one(run, 1, 2);
	begin(run);
	struct queue_claim *c = claim(run, 1);
	mark(run, CRASH_BURYING, 1);
	if (!c || queue_claim_bury(c, "a reason", 1000, NULL) != 0)
		return;
	mark(run, CRASH_BURIED, 1);
	mark(run, CRASH_DELETING, 1);
	if (queue_dead_remove(run->q, &id, NULL) == 0)
		mark(run, CRASH_DELETED, 1);
}

/* A message into drop/, from there into the queue, and away: whatever breaks, once. */
static void play_drop(struct crash_run *run) {
	begin(run);
	if (spool_drop(run->dir, spool_id(1), 2, SPAN(content)) == 0)
		mark(run, CRASH_ACKED, 1);
}

static void play_pick_up(struct crash_run *run) {
	if (spool_drop(run->dir, spool_id(1), 2, SPAN(content)) == 0)
		mark(run, CRASH_ACKED, 1);
	begin(run);
	struct queue_claim *kept = spool_pick_up(run->q);
	struct segment *s = segment_open(run->q, 0, NULL);
	struct queue_claim *c = claim(run, 1);
	queue_claim_release(c);
	if (s && c)
		deliver_window(run, s, 1, 1);
	segment_free(s);
	queue_claim_release(kept);
}

const struct crash_scenario crash_scenarios[] = {
	{ "accept", play_accept, true },
	{ "accept large", play_accept_large, true },
	{ "defer", play_defer, false },
	{ "deliver one", play_deliver, false },
	{ "deliver windows of three", play_windows, false },
	{ "deliver while a segment is recycled", play_recycle, false },
	{ "deliver to some", play_partial, false },
	{ "lose the reply", play_lost_reply, false },
	{ "bounce", play_bounce, true },
	{ "bounce to one", play_bounce_one, false },
	{ "bounce late", play_late_notice, true },
	{ "hold and release", play_hold, false },
	{ "delete", play_delete, false },
	{ "bury and revive", play_bury, false },
	{ "bury and delete", play_bury_and_delete, false },
	{ "drop", play_drop, false },
	{ "pick up and deliver", play_pick_up, false },
};
const size_t crash_scenarios_count = sizeof(crash_scenarios) / sizeof(crash_scenarios[0]);

void crash_play(const struct crash_scenario *s, struct crash_run *run) {
	run->marks->count = 0;
	run->q = queue_open(run->dir, NULL);
	if (!run->q)
		abort();
	run->q->named = run->named;
	s->play(run);
	queue_free(run->q);
	run->q = NULL;
}
