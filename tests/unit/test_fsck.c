#include "queue/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "lib/spool.h"
#include "queue/segment.h"
#include "tap.h"

static const char *dir;
static struct err err;
static struct buf said = BUF_INIT(65536);

static void listen_to(void *ctx, const char *name, const char *words) {
	(void)ctx;
	buf_addf(&said, "%s: %s\n", name, words);
}

static struct fsck_report check(struct queue *q, bool repair) {
	struct fsck_report r = { .sound = 0 };
	buf_reset(&said);
	if (queue_fsck(q, repair, listen_to, NULL, &r, &err) != 0)
		ok(false, "the check ends: %s", err.msg);
	return r;
}

static const char *path_of(const char *part, unsigned n) {
	static char path[8192];
	struct queue_id id = spool_id(n);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, part, queue_id_text(&id).s);
	return path;
}

static void damage(unsigned n, off_t from_end, const char *bytes) {
	AUTO_FD int fd = open(path_of("queue", n), O_WRONLY | O_CLOEXEC);
	struct stat st;
	if (fstat(fd, &st) != 0 ||
	    pwrite(fd, bytes, strlen(bytes), st.st_size - from_end) < 1)
		ok(false, "bytes change on the disk");
}

static void test_clean(struct queue *q) {
	struct fsck_report r = check(q, false);
	is_int((int64_t)r.sound, 0, "an empty spool is sound");
	spool_accept(q, spool_id(1), 2, SPAN("x\r\n"));
	struct segment *s = segment_open(q, 0, &err);
	segment_free(s);
	r = check(q, false);
	ok(r.sound == 1 && r.segments == 1 && said.len == 0,
	   "a sound one gives no words");
	struct queue_id id = spool_id(1);
	struct queue_claim *c = queue_claim(q, &id, NULL, &err);
	r = check(q, true);
	ok(r.sound == 1 && said.len == 0, "what somebody works on is left to them");
	queue_claim_release(c);
}

static void finish(struct queue *q, unsigned n, struct span from) {
	struct envelope e = spool_envelope(spool_id(n), 1);
	struct queue_claim *c = NULL;
	AUTO_BUF struct buf b = BUF_INIT(4096);
	struct moment now = clock_now();
	struct journal_result failed = { .state = RECIPIENT_FAILED,
					 .reply = SPAN("550 no") };
	e.from = from;
	struct queue_accept *a = queue_accept_begin(q, &e, &err);
	free(e.to);
	queue_accept_commit(a, &c, &err);
	journal_add_result(&b, &now, 0, 1, &failed, NULL);
	queue_claim_append(c, buf_span(&b), true, &err);
	queue_claim_release(c);
}

/* What a crash leaves between the two names of a move. */
static void half_move(struct queue *q, unsigned n, bool dying) {
	char to[8192];
	struct queue_id id = spool_id(n);
	AUTO_BUF struct buf b = BUF_INIT(4096);
	struct moment now = clock_now();
	spool_accept(q, id, 1, SPAN("x\r\n"));
	snprintf(to, sizeof(to), "%s", path_of("dead", n));
	if (link(path_of("queue", n), to) != 0)
		ok(false, "a second name is made");
	if (!dying)
		return;
	struct queue_claim *c = queue_claim(q, &id, NULL, &err);
	journal_add_dead(&b, &now, "test", 1000);
	queue_claim_append(c, buf_span(&b), true, &err);
	queue_claim_release(c);
	if (link(path_of("queue", n), to) != 0)
		ok(false, "a second name is made");
}

static void make_trouble(struct queue *q) {
	for (unsigned i = 2; i < 6; i++)
		spool_accept(q, spool_id(i), 1, SPAN("content\r\n"));
	damage(2, 4, "X");
	ok(truncate(path_of("queue", 3), 60) == 0, "a file is cut");
	damage(4, 0, "12345678 hold");
	AUTO_FD int fd = open(path_of("queue", 5), O_WRONLY | O_CLOEXEC);
	ok(pwrite(fd, "From ", 5, 0) == 5, "a first line is lost");
	finish(q, 6, SPAN("a@example.org"));
	finish(q, 7, SPAN(""));
	half_move(q, 8, true);
	half_move(q, 9, false);
	AUTO_FD int other = open(path_of("queue/..", 0), O_WRONLY | O_CREAT | O_CLOEXEC,
				 0600);
	ok(other >= 0, "a file that is none of ours");
}

static bool exists(const char *part, unsigned n) {
	return access(path_of(part, n), F_OK) == 0;
}

static void test_trouble(struct queue *q) {
	make_trouble(q);
	struct fsck_report r = check(q, false);
	ok(r.incomplete == 1, "the cut file is incomplete");
	ok(r.damaged == 2, "the changed content and the lost first line are damage");
	ok(r.journal_tails == 1, "half a record is a tail");
	is_int((int64_t)r.finished, 1,
	       "a finished file is found; one without a sender is none");
	is_int((int64_t)r.strangers, 1, "and a stranger");
	ok(r.repaired == 0 && exists("queue", 2) && exists("queue", 6) &&
		   exists("dead", 9),
	   "looking changes nothing");
	r = check(q, true);
	is_int((int64_t)r.repaired, 7, "repair mends seven things");
	ok(!exists("queue", 2) && !exists("queue", 3) && !exists("queue", 5) &&
		   exists("dead", 2) && exists("dead", 3) && exists("dead", 5),
	   "what cannot be delivered is in dead/");
	ok(!exists("queue", 6) && exists("queue", 7),
	   "finished is gone, the orphan stays");
	ok(!exists("queue", 8) && exists("dead", 8), "a burial is finished");
	ok(exists("queue", 9) && !exists("dead", 9), "so is a revival");
	r = check(q, true);
	ok(r.repaired == 0 && r.damaged == 0 && r.incomplete == 0 && r.finished == 0 &&
		   r.journal_tails == 0,
	   "the second check finds nothing more");
	is_int((int64_t)r.dead, 4, "and counts the dead");
}

int main(void) {
	dir = strdup(spool_make());
	struct queue *q = queue_open(dir, &err);
	test_clean(q);
	test_trouble(q);
	queue_free(q);
	spool_remove(dir);
	free((void *)(uintptr_t)dir);
	buf_release(&said);
	return done_testing();
}
