/*
 * Notices: what is told to whom, and that every crash and every failing file operation in
 * between leaves exactly one notice after the next round.
 */

#include "deliver/notify.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "lib/spool.h"
#include "tap.h"

#define CONTENT "From: a@example.org\r\nSubject: the original\r\n\r\nits body\r\n"
#define TEXT_MAX 65536

static struct settings settings;

/* --- what a crash leaves --- */

enum what { WHAT_FAIL, WHAT_FAIL_SOME, WHAT_DELAY };

static int settle_rest(struct queue *q, struct queue_claim *c, bool *ret_finished) {
	return notify_settle(q, c, &settings, NULL, NULL, ret_finished, NULL);
}

/* One step of the manager: what is recorded first, then the notices. */
static int round_of(struct queue *q, const struct queue_id *id, enum what what) {
	struct queue_claim *c = queue_claim(q, id, NULL, NULL);
	bool bury = false, finished;
	int r = 0;
	if (!c)
		return -1;
	if (what == WHAT_DELAY)
		r = notify_delay(c, &bury, NULL);
	else
		r = notify_fail_rest(c, "5.4.7 not delivered within 5 d", NULL, NULL, &bury, NULL);
	if (r != 0) {
		queue_claim_release(c);
		return -1;
	}
	return settle_rest(q, c, &finished);
}

/* Delivered to the first recipient already. */
static void deliver_first(struct queue *q, const struct queue_id *id) {
	struct queue_claim *c = queue_claim(q, id, NULL, NULL);
	AUTO_BUF struct buf records = BUF_INIT(4096);
	struct moment now = clock_now();
	struct journal_result r = { .state = RECIPIENT_DELIVERED,
				    .reply = SPAN("250 ok") };
	journal_add_result(&records, &now, 0, 1, &r, NULL);
	queue_claim_append(c, buf_span(&records), true, NULL);
	queue_claim_release(c);
}

static const char *prepare(const struct queue_id *id, enum what what) {
	const char *dir = spool_make();
	struct queue *q = spool_open(dir);
	spool_accept(q, *id, 3, SPAN(CONTENT));
	if (what == WHAT_FAIL_SOME)
		deliver_first(q, id);
	queue_free(q);
	return dir;
}

struct round {
	const struct queue_id *id;
	enum what what;
};

static void do_round(struct queue *q, void *ctx) {
	const struct round *r = ctx;
	round_of(q, r->id, r->what);
}

/* A restart: the journal says what is left to do. */
static void restart(const char *dir, const struct queue_id *id, enum what what) {
	struct queue *q = spool_open(dir);
	struct queue_claim *c = queue_claim(q, id, NULL, NULL);
	bool finished;
	if (c && what == WHAT_DELAY && !queue_claim_message(c)->journal.delay_noticed) {
		queue_claim_release(c);
		round_of(q, id, what);
	} else if (c && what != WHAT_DELAY &&
		   queue_claim_message(c)->journal.notices == 0) {
		queue_claim_release(c);
		round_of(q, id, what);
	} else if (c) {
		settle_rest(q, c, &finished);
	}
	queue_free(q);
}

/* Exactly the one notice, whole; and the original only where it is to stay. */
static bool holds(const char *dir, const struct queue_id *id, enum what what) {
	struct queue *q = spool_open(dir);
	struct queue_id notice = queue_id_notice(id, 0);
	struct queue_message m;
	bool right = spool_count(q) == (what == WHAT_DELAY ? 2 : 1);
	if (queue_read(q, &notice, false, &m, NULL, NULL) != 0) {
		right = false;
	} else {
		right &= m.env.from.len == 0 && m.env.to_count == 1 &&
			 span_eq(m.env.to[0].address, SPAN("a@example.org"));
		queue_message_release(&m);
	}
	if (queue_read(q, id, false, &m, NULL, NULL) == 0) {
		right &= m.journal.notices == 1 && m.journal.notice[0].done;
		queue_message_release(&m);
	}
	right &= !queue_is_claimed(q, &notice);
	queue_free(q);
	return right;
}

static void check_faults(const char *label, enum what what, int error) {
	const struct queue_id id = spool_id(7);
	unsigned n = 0;
	bool right = true;
	for (int more = 1; more;) {
		struct round round = { &id, what };
		const char *dir = prepare(&id, what);
		more = spool_with_fault(dir, ++n, error, do_round, &round);
		if (!more && !holds(dir, &id, what))
			right = false;
		restart(dir, &id, what);
		if (!holds(dir, &id, what)) {
			printf("# after operation %u\n", n);
			right = false;
		}
		spool_remove(dir);
	}
	ok(right, "%s: exactly one notice (%u cut points)", label, n - 1);
	ok(n > 5, "and the operations were seen");
}

/* --- what is in it --- */

static void accept_one(struct queue *q, struct queue_id id, const char *from,
		       const char *ret, const unsigned notify[2]) {
	struct envelope e = spool_envelope(id, 2);
	e.from = span_str(from);
	e.ret = span_str(ret);
	e.to[0].notify = notify[0];
	e.to[1].notify = notify[1];
	struct queue_accept *a = queue_accept_begin(q, &e, NULL);
	free(e.to);
	queue_accept_write(a, SPAN(CONTENT), NULL);
	queue_accept_commit(a, NULL, NULL);
}

static const struct {
	const char *label;
	const char *from;
	const char *ret;
	unsigned notify[2];
	bool delay; /* a delay notice, else failure */
	bool bury;
	bool notice;
	const char *has, *has_not;
} rows[] = {
	{ "a failure is told",
	  "a@example.org",
	  "",
	  { 0, 0 },
	  false,
	  false,
	  true,
	  "rcpt1@example.org",
	  "its body" },
	{ "with the original's header",
	  "a@example.org",
	  "",
	  { 0, 0 },
	  false,
	  false,
	  true,
	  "Subject: the original",
	  "its body" },
	{ "RET=HDRS returns the header",
	  "a@example.org",
	  "HDRS",
	  { 0, 0 },
	  false,
	  false,
	  true,
	  "Subject: the original",
	  "its body" },
	{ "RET=FULL returns all",
	  "a@example.org",
	  "FULL",
	  { 0, 0 },
	  false,
	  false,
	  true,
	  "its body",
	  NULL },
	{ "the status is the reply's",
	  "a@example.org",
	  "",
	  { 0, 0 },
	  false,
	  false,
	  true,
	  "Status: 5.4.7",
	  "Status: 5.0.0" },
	{ "NOTIFY=NEVER is told nothing",
	  "a@example.org",
	  "",
	  { NOTIFY_NEVER, NOTIFY_NEVER },
	  false,
	  false,
	  false,
	  NULL,
	  NULL },
	{ "NOTIFY=SUCCESS is not told of a failure",
	  "a@example.org",
	  "",
	  { NOTIFY_SUCCESS, NOTIFY_SUCCESS },
	  false,
	  false,
	  false,
	  NULL,
	  NULL },
	{ "only the recipient who wants it is told of",
	  "a@example.org",
	  "",
	  { NOTIFY_NEVER, NOTIFY_FAILURE },
	  false,
	  false,
	  true,
	  "rcpt1@",
	  "rcpt0@" },
	{ "the null sender is told nothing and buried",
	  "",
	  "",
	  { 0, 0 },
	  false,
	  true,
	  false,
	  NULL,
	  NULL },
	{ "a delay is told",
	  "a@example.org",
	  "",
	  { 0, 0 },
	  true,
	  false,
	  true,
	  "Action: delayed",
	  "Action: failed" },
	{ "a delay is told where it is wanted",
	  "a@example.org",
	  "",
	  { NOTIFY_DELAY, NOTIFY_FAILURE },
	  true,
	  false,
	  true,
	  "rcpt0@",
	  "rcpt1@" },
	{ "a delay is told to nobody who does not want it",
	  "a@example.org",
	  "",
	  { NOTIFY_FAILURE, NOTIFY_NEVER },
	  true,
	  false,
	  false,
	  NULL,
	  NULL },
	{ "a delay is not told to the null sender",
	  "",
	  "",
	  { 0, 0 },
	  true,
	  false,
	  false,
	  NULL,
	  NULL },
};

static void check_row(size_t i) {
	const struct queue_id id = spool_id(3), notice = queue_id_notice(&id, 0);
	const char *dir = spool_make();
	struct queue *q = spool_open(dir);
	static char text[TEXT_MAX];
	bool bury = false, wanted = false, finished = false;
	accept_one(q, id, rows[i].from, rows[i].ret, rows[i].notify);
	struct queue_claim *c = queue_claim(q, &id, NULL, NULL);
	if (rows[i].delay)
		notify_delay(c, &wanted, NULL);
	else
		notify_fail_rest(c, "5.4.7 not delivered within 5 d", NULL, NULL, &bury, NULL);
	bool right = bury == rows[i].bury;
	if (bury)
		queue_claim_release(c);
	else
		right &= settle_rest(q, c, &finished) == 0 && finished == !rows[i].delay;
	spool_text(q, &notice, text, sizeof(text));
	right &= (text[0] != '\0') == rows[i].notice;
	if (rows[i].has)
		right &= strstr(text, rows[i].has) != NULL;
	if (rows[i].has_not)
		right &= strstr(text, rows[i].has_not) == NULL;
	if (!ok(right, "%s", rows[i].label))
		printf("# bury %d, finished %d: %s\n", bury, finished, text);
	queue_free(q);
	spool_remove(dir);
}

/* What an earlier attempt heard is not lost when the time is over. */
static void check_last_answer(void) {
	const struct queue_id id = spool_id(4), notice = queue_id_notice(&id, 0);
	const char *dir = spool_make();
	struct queue *q = spool_open(dir);
	AUTO_BUF struct buf records = BUF_INIT(4096);
	struct moment now = clock_now();
	static char text[TEXT_MAX];
	struct journal_result later = {
		.state = RECIPIENT_DEFERRED,
		.reply = SPAN("450 4.2.0 mailbox busy"),
		.host = SPAN("mx.example[192.0.2.1]"),
	};
	spool_accept(q, id, 1, SPAN(CONTENT));
	struct queue_claim *c = queue_claim(q, &id, NULL, NULL);
	journal_add_result(&records, &now, 0, 1, &later, NULL);
	queue_claim_append(c, buf_span(&records), true, NULL);
	queue_claim_release(c);
	is_int(round_of(q, &id, WHAT_FAIL), 0, "an expired message is settled");
	spool_text(q, &notice, text, sizeof(text));
	ok(strstr(text, "450 4.2.0 mailbox busy"), "its notice has the last answer");
	queue_free(q);
	spool_remove(dir);
}

static void count_made(void *ctx, const struct queue_id *id) {
	(void)id;
	++*(int *)ctx;
}

/* A delay notice first, a bounce later: two notices, two IDs, both told to the manager. */
static void check_two_notices(void) {
	const struct queue_id id = spool_id(5);
	const char *dir = spool_make();
	struct queue *q = spool_open(dir);
	bool wanted, bury, finished;
	int made = 0;
	spool_accept(q, id, 1, SPAN(CONTENT));
	struct queue_claim *c = queue_claim(q, &id, NULL, NULL);
	notify_delay(c, &wanted, NULL);
	notify_settle(q, c, &settings, count_made, &made, &finished, NULL);
	ok(wanted && !finished && made == 1, "a delay notice leaves the message");
	c = queue_claim(q, &id, NULL, NULL);
	notify_delay(c, &wanted, NULL);
	ok(!wanted, "there is only one");
	notify_fail_rest(c, "5.4.7 too old", NULL, NULL, &bury, NULL);
	notify_settle(q, c, &settings, count_made, &made, &finished, NULL);
	ok(finished && made == 2, "a bounce follows and ends it");
	is_int(spool_count(q), 2, "both notices are queued");
	queue_free(q);
	spool_remove(dir);
}

int main(void) {
	char host[] = "relay.example.org";
	settings = (struct settings){ .hostname = host, .domain = host, .lifetime_ms = 432000000 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i);
	check_last_answer();
	check_two_notices();
	check_faults("a bounce, the process dies", WHAT_FAIL, 0);
	check_faults("a bounce, EIO", WHAT_FAIL, EIO);
	check_faults("a bounce, ENOSPC", WHAT_FAIL, ENOSPC);
	check_faults("a bounce, a short write", WHAT_FAIL, FILE_SHORT);
	check_faults("a bounce of some, the process dies", WHAT_FAIL_SOME, 0);
	check_faults("a bounce of some, ENOSPC", WHAT_FAIL_SOME, ENOSPC);
	check_faults("a delay notice, the process dies", WHAT_DELAY, 0);
	check_faults("a delay notice, EIO", WHAT_DELAY, EIO);
	check_faults("a delay notice, ENOSPC", WHAT_DELAY, ENOSPC);
	return done_testing();
}
