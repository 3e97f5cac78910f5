/*
 * Storm control without a manager: what is counted as too much, when a storm is over, and that
 * every crash and every failing file operation leaves exactly one digest and no message less.
 */

#include "deliver/storm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/file.h"
#include "deliver/notify.h"
#include "lib/spool.h"
#include "tap.h"

#define LIMIT 3u
#define WINDOW 1000
#define CONTENT "From: a@example.org\r\nSubject: disk\r\n full\r\n\r\n\033[2Jalarm\r\n"
#define TEXT_MAX 65536

static struct settings settings;

/* --- counting --- */

static struct storm_key key(uint32_t uid, const char *from, const char *subject) {
	return storm_key(uid, span_str(from), span_str(subject));
}

static void check_window(void) {
	static const struct {
		const char *label;
		int64_t at;
		bool want;
	} rows[] = {
		{ "the first goes", 0, false },
		{ "the second", 10, false },
		{ "the third", 20, false },
		{ "the fourth within the window is too many", 30, true },
		{ "and so is one shortly before its end", 1009, true },
		{ "what is too many counts as well", 1015, true },
		{ "a pause of a window ends it", 2020, false },
		{ "and all begins anew", 2021, false },
	};
	struct storm_table *t = storm_table_new(LIMIT, WINDOW);
	struct storm_key k = key(1, "a@b", "s");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(storm_count(t, k, rows[i].at) == rows[i].want, "%s", rows[i].label);
	storm_table_free(t);
}

static void check_keys(void) {
	struct storm_table *t = storm_table_new(1, WINDOW);
	storm_count(t, key(1, "a@b", "s"), 0);
	ok(!storm_count(t, key(2, "a@b", "s"), 1), "another user's mail is not the same");
	ok(!storm_count(t, key(1, "c@b", "s"), 1), "nor is another sender's");
	ok(!storm_count(t, key(1, "a@b", "t"), 1), "nor another subject");
	ok(!storm_count(t, key(1, "a@bs", ""), 1),
	   "sender and subject do not run together");
	ok(storm_count(t, key(1, "a@b", "s"), 1), "and the same is the same");
	storm_table_free(t);
}

static void check_bound(void) {
	struct storm_table *t = storm_table_new(1, WINDOW);
	struct queue_id id = spool_id(1), found;
	char subject[32];
	storm_count(t, key(1, "", "storm"), 0);
	storm_join(t, key(1, "", "storm"), &id, &id, 0);
	for (unsigned i = 0; i < 2 * STORM_KINDS_MAX; i++) {
		snprintf(subject, sizeof(subject), "%u", i);
		storm_count(t, key(1, "", subject), 1 + i / 10);
	}
	ok(storm_count(t, key(1, "", subject), 300),
	   "of many kinds the last ones are known");
	ok(!storm_count(t, key(1, "", "0"), 300), "the first ones made room");
	ok(storm_current(t, key(1, "", "storm"), &found),
	   "a storm is known however many come");
	storm_table_free(t);
}

static void check_limit_changes(void) {
	struct storm_table *t = storm_table_new(LIMIT, WINDOW);
	struct storm_key k = key(1, "", "s");
	for (int i = 0; i < 3; i++)
		storm_count(t, k, i);
	storm_table_set(t, 5, WINDOW);
	ok(!storm_count(t, k, 3) && !storm_count(t, k, 4) && storm_count(t, k, 5),
	   "a larger limit lets more go, and forgets none");
	storm_table_set(t, 1, WINDOW);
	ok(storm_count(t, k, 6), "a smaller one fewer");
	storm_table_set(t, 0, WINDOW);
	ok(!storm_count(t, k, 7), "without one all go");
	storm_table_set(t, 1, WINDOW);
	ok(!storm_count(t, k, 8) && storm_count(t, k, 9), "and it can come back");
	storm_table_free(t);
}

/* --- storms --- */

static void check_quiet(void) {
	struct storm_table *t = storm_table_new(LIMIT, WINDOW);
	struct storm_key k = key(1, "", "s");
	struct queue_id first = spool_id(1), second = spool_id(2), got, last;
	int64_t next, held = 0;
	ok(!storm_current(t, k, &got) && !storm_due(t, 5000, &got, &next) &&
		   next == INT64_MAX,
	   "without a storm nothing is due");
	ok(storm_join(t, k, &first, &first, 0) && storm_join(t, k, &first, &second, 500),
	   "two are held");
	ok(storm_current(t, k, &got) && queue_id_cmp(&got, &first) == 0,
	   "by the name of the first");
	ok(!storm_due(t, 1499, &got, &next) && next == 1500,
	   "within the window nothing is told");
	ok(storm_due(t, 1500, &got, &next) && queue_id_cmp(&got, &first) == 0,
	   "after a quiet window it is");
	ok(!storm_due(t, 1501, &got, &next), "once");
	ok(storm_find(t, &first, &held, &last) && held == 2 &&
		   queue_id_cmp(&last, &second) == 0,
	   "with the count and the last one");
	storm_end(t, &first, 1502);
	ok(!storm_find(t, &first, &held, &last) && !storm_current(t, k, &got),
	   "then it is over");
	ok(!storm_join(t, k, &first, &second, 1503), "and does not begin again");
	storm_table_free(t);
}

static void check_endless(void) {
	struct storm_table *t = storm_table_new(LIMIT, WINDOW);
	struct storm_key k = key(1, "", "s");
	struct queue_id first = spool_id(1), second = spool_id(2), got;
	int64_t next, now = 0;
	for (; now < STORM_FIRST_MS; now += WINDOW / 2)
		storm_join(t, k, &first, &first, now);
	ok(storm_due(t, now, &got, &next), "one that does not end is told after an hour");
	storm_end(t, &first, now);
	int64_t began = now;
	for (; now < began + STORM_AGAIN_MS; now += WINDOW / 2) {
		storm_join(t, k, &second, &second, now);
		if (storm_due(t, now, &got, &next))
			break;
	}
	ok(now >= began + STORM_AGAIN_MS, "and then after a day");
	storm_table_free(t);
}

static void check_restore(void) {
	struct storm_table *t = storm_table_new(LIMIT, WINDOW);
	struct storm_key k = key(1, "", "s");
	struct queue_id id[4], got, last;
	int64_t held = 0, next;
	for (unsigned i = 0; i < 4; i++)
		id[i] = spool_id(i + 1);
	storm_restore(t, k, &id[1], &id[3], -100);
	storm_restore(t, k, &id[1], &id[1], -300);
	storm_restore(t, k, &id[0], &id[0], -900);
	storm_restore(t, k, &id[1], &id[2], -200);
	ok(storm_find(t, &id[1], &held, &last) && held == 3 &&
		   queue_id_cmp(&last, &id[3]) == 0,
	   "a storm is put together in any order");
	ok(storm_count(t, k, 0), "and what was held before counts");
	ok(!storm_due(t, 0, &got, &next) && next == WINDOW - 100,
	   "its digest is due when it was");
	storm_end(t, &id[1], 0);
	storm_restore(t, k, &id[1], &id[2], -200);
	ok(!storm_find(t, &id[1], &held, &last),
	   "a storm that was told does not come back");
	storm_table_free(t);
}

/* --- on disk --- */

static void hold(struct queue *q, const struct queue_id *id,
		 const struct queue_id *storm) {
	struct queue_claim *c = queue_claim(q, id, NULL, NULL);
	if (c)
		storm_record_hold(c, storm, NULL);
	queue_claim_release(c);
}

/* The first and the last of a storm, held. */
static const char *prepare(const struct queue_id *first, const struct queue_id *last) {
	const char *dir = spool_make();
	struct queue *q = spool_open(dir);
	spool_accept(q, *first, 2, SPAN(CONTENT));
	spool_accept(q, *last, 2, SPAN(CONTENT));
	hold(q, first, first);
	hold(q, last, first);
	queue_free(q);
	return dir;
}

/* What the manager does when the storm is over, and after a restart. */
static int round_of(struct queue *q, const struct queue_id *first,
		    const struct queue_id *last) {
	struct queue_claim *c = queue_claim(q, first, NULL, NULL);
	bool finished;
	if (!c)
		return -1;
	if (storm_record_digest(c, 2, last, NULL) != 0) {
		queue_claim_release(c);
		return -1;
	}
	return notify_settle(q, c, &settings, NULL, NULL, &finished, NULL);
}

struct round {
	const struct queue_id *first, *last;
};

static void do_round(struct queue *q, void *ctx) {
	const struct round *r = ctx;
	round_of(q, r->first, r->last);
}

static bool is_held(struct queue *q, const struct queue_id *id,
		    const struct queue_id *storm) {
	struct queue_message m;
	struct queue_id of;
	if (queue_read(q, id, false, &m, NULL, NULL) != 0)
		return false;
	bool right = journal_storm(&m.journal, &of) && queue_id_cmp(&of, storm) == 0;
	queue_message_release(&m);
	return right;
}

/* Both messages, held, and one digest that is free to go. */
static bool holds(const char *dir, const struct queue_id *first,
		  const struct queue_id *last) {
	struct queue *q = spool_open(dir);
	struct queue_id digest = queue_id_notice(first, 0);
	struct queue_message m;
	bool right = spool_count(q) == 3 && is_held(q, first, first) &&
		     is_held(q, last, first) && !queue_is_claimed(q, &digest);
	if (queue_read(q, &digest, false, &m, NULL, NULL) == 0) {
		right &= m.env.from.len == 0 && m.env.to_count == 2;
		queue_message_release(&m);
	} else {
		right = false;
	}
	queue_free(q);
	return right;
}

static void check_faults(const char *label, int error) {
	const struct queue_id first = spool_id(7), last = spool_id(9);
	unsigned n = 0;
	bool right = true;
	for (int more = 1; more;) {
		struct round round = { &first, &last };
		const char *dir = prepare(&first, &last);
		more = spool_with_fault(dir, ++n, error, do_round, &round);
		struct queue *q = spool_open(dir);
		round_of(q, &first, &last);
		queue_free(q);
		if (!holds(dir, &first, &last)) {
			printf("# after operation %u\n", n);
			right = false;
		}
		spool_remove(dir);
	}
	ok(right, "%s: exactly one digest, and nothing lost (%u cut points)", label,
	   n - 1);
	ok(n > 5, "and the operations were seen");
}

/* Once it has gone out, it is not made again. */
static void check_once(void) {
	const struct queue_id first = spool_id(7), last = spool_id(9);
	const struct queue_id digest = queue_id_notice(&first, 0);
	const char *dir = prepare(&first, &last);
	struct queue *q = spool_open(dir);
	is_int(round_of(q, &first, &last), 0, "a digest is made");
	struct queue_claim *c = queue_claim(q, &digest, NULL, NULL);
	queue_claim_remove(c, NULL);
	is_int(round_of(q, &first, &last), 0, "when that has gone out");
	is_int(spool_count(q), 2, "there is no second one");
	hold(q, &last, &last);
	is_int(round_of(q, &last, &last), 0, "another storm");
	is_int(spool_count(q), 3, "has its own");
	queue_free(q);
	spool_remove(dir);
}

/* Nobody asks on behalf of a message that did not begin a storm, or was released. */
static void check_others(void) {
	const struct queue_id first = spool_id(7), last = spool_id(9);
	const char *dir = prepare(&first, &last);
	struct queue *q = spool_open(dir);
	AUTO_BUF struct buf record = BUF_INIT(1024);
	round_of(q, &last, &last);
	is_int(spool_count(q), 2, "only the first message of a storm has a digest");
	struct queue_claim *c = queue_claim(q, &first, NULL, NULL);
	journal_add_release(&record, &(struct moment){ .wall_ms = 1 });
	queue_claim_append(c, buf_span(&record), true, NULL);
	queue_claim_release(c);
	round_of(q, &first, &last);
	is_int(spool_count(q), 2, "and not once it was released");
	queue_free(q);
	spool_remove(dir);
}

static void check_text(void) {
	static const char *const has[] = {
		"Subject: Mail storm: 2 messages held",
		"To: <rcpt0@",
		"more than 3",
		"Sender:  a@example.org",
		"Subject: disk full",
		"mailq release flags=3Dstorm=3D",
		"mailq delete flags=3Dstorm=3D",
		"put aside",
		"alarm",
		"Auto-Submitted: auto-generated",
	};
	const struct queue_id first = spool_id(7), last = spool_id(9);
	const struct queue_id digest = queue_id_notice(&first, 0);
	const char *dir = prepare(&first, &last);
	struct queue *q = spool_open(dir);
	static char text[TEXT_MAX];
	round_of(q, &first, &last);
	spool_text(q, &digest, text, sizeof(text));
	for (size_t i = 0; i < sizeof(has) / sizeof(has[0]); i++)
		ok(strstr(text, has[i]), "the digest has: %s", has[i]);
	ok(text[0] && !strchr(text, '\033'), "and no escape sequence of a message");
	queue_free(q);
	spool_remove(dir);
}

static void check_stale(void) {
	struct moment now = clock_now(), later = now;
	ok(!storm_is_stale(&now, &now), "what is held now stays");
	later.boot_ms += STORM_KEEP_MS - 1;
	later.wall_ms += 2 * STORM_KEEP_MS;
	ok(!storm_is_stale(&now, &later), "and a clock that is set changes nothing");
	later.boot_ms++;
	ok(storm_is_stale(&now, &later), "after seven days it does not");
	later.boot_id++;
	later.boot_ms = 0;
	ok(storm_is_stale(&now, &later),
	   "also when the machine was started anew meanwhile");
}

int main(void) {
	char host[] = "relay.example.org";
	settings = (struct settings){ .hostname = host,
				      .domain = host,
				      .lifetime_ms = 432000000,
				      .storm_limit = { LIMIT, WINDOW } };
	check_window();
	check_keys();
	check_bound();
	check_limit_changes();
	check_quiet();
	check_endless();
	check_restore();
	check_stale();
	check_once();
	check_others();
	check_text();
	check_faults("the process dies", 0);
	check_faults("EIO", EIO);
	check_faults("ENOSPC", ENOSPC);
	check_faults("a short write", FILE_SHORT);
	return done_testing();
}
