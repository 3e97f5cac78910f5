#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"
#include "lib/spool.h"
#include "tap.h"

static const char *dir;

static const char *path_of(const char *part, unsigned n) {
	static char path[8192];
	struct queue_id id = spool_id(n);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, part, queue_id_text(&id).s);
	return path;
}

static bool exists(const char *part, unsigned n) {
	return access(path_of(part, n), F_OK) == 0;
}

static int reads(struct queue *q, unsigned n, bool dead, enum queue_damage *damage,
		 struct err *err) {
	struct queue_message m;
	struct queue_id id = spool_id(n);
	if (queue_read(q, &id, dead, &m, damage, err) != 0)
		return -1;
	queue_message_release(&m);
	return 0;
}

static struct queue_claim *claim(struct queue *q, unsigned n, struct err *err) {
	struct queue_id id = spool_id(n);
	return queue_claim(q, &id, NULL, err);
}

static void test_spool(void) {
	struct err err = ERR_INIT;
	struct stat st;
	is_int(queue_create(dir, &err), 0, "making a spool that exists changes nothing");
	ok(stat(path_of("queue", 0), &st) != 0 && stat(dir, &st) == 0 &&
		   (st.st_mode & 0777) == 0700,
	   "a spool is for its owner only");
	ok(!queue_open("/nonexistent/spool", &err) && err.kind == ERR_MISSING, "%s",
	   err.msg);
	AUTO_BUF struct buf deep = BUF_INIT(8192);
	buf_addf(&deep, "%s/deep/er/spool", dir);
	is_int(queue_create(buf_str(&deep), &err), 0, "directories above are made: %s",
	       err.msg);
	struct queue *q = queue_open(buf_str(&deep), &err);
	ok(q != NULL, "and it opens: %s", err.msg);
	queue_free(q);
	spool_remove(buf_str(&deep));
	queue_free(NULL);
}

static void test_accept(struct queue *q) {
	struct err err = ERR_INIT;
	struct queue_message m;
	struct queue_id id = spool_id(1);
	char content[32];
	is_int(spool_accept(q, id, 2, SPAN("Subject: x\r\n\r\nhi\r\n")), 0,
	       "a message is accepted");
	if (!ok(queue_read(q, &id, false, &m, NULL, &err) == 0, "and read: %s", err.msg))
		return;
	ok(m.env.to_count == 2 && m.journal.to_count == 2 && m.journal.attempts == 0,
	   "with envelope and empty journal");
	AUTO_FD int fd = queue_open_content(q, &id, false);
	ssize_t n = file_pread_all(fd, content, m.content_len, (int64_t)m.content_offset);
	ok(n == 18 && memcmp(content, "Subject: x\r\n\r\nhi\r\n", 18) == 0,
	   "the content is as given");
	is_int(codec_crc32c(m.envelope_crc, content, 18), m.crc,
	       "the checksum goes on from the envelope's");
	ok(!queue_is_claimed(q, &id), "nobody has it");
	queue_message_release(&m);
	struct envelope e = spool_envelope(id, 1);
	struct queue_accept *a = queue_accept_begin(q, &e, &err);
	free(e.to);
	ok(queue_accept_commit(a, NULL, &err) == -1 && err.sys == EEXIST,
	   "an id that is taken is refused: %s", err.msg);
	queue_accept_abort(NULL);
}

/* Around the size up to which a message is written in one piece. */
static void test_sizes(struct queue *q) {
	static const size_t sizes[] = {
		0, 1, 3900, 4096, 262000, 262144, 300000, 1048577
	};
	char *bytes = malloc(1 << 21);
	for (size_t i = 0; i < 1 << 21; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct err err = ERR_INIT;
		struct queue_id id = spool_id(100 + (unsigned)i);
		struct envelope e = spool_envelope(id, 3);
		struct queue_accept *a = queue_accept_begin(q, &e, &err);
		free(e.to);
		for (size_t at = 0; at < sizes[i]; at += 5000)
			queue_accept_write(a,
					   span_head(span_of(bytes + at, sizes[i] - at),
						     5000),
					   &err);
		ok(queue_accept_size(a) == sizes[i] &&
			   queue_accept_commit(a, NULL, &err) == 0,
		   "%zu bytes are accepted %s", sizes[i], err.msg);
		struct queue_claim *c = queue_claim(q, &id, NULL, &err);
		ok(c && queue_claim_verify(c, &err) == 0, "and verified %s", err.msg);
		queue_claim_release(c);
	}
	is_int(spool_accept(q, spool_id(110), 1, span_of(bytes, 1 << 21)), 0,
	       "2 MiB in one write");
	struct err err = ERR_INIT;
	struct queue_claim *c = claim(q, 110, &err);
	if (ok(c != NULL && queue_claim_verify(c, &err) == 0, "are verified: %s",
	       err.msg)) {
		char back[100];
		is_int(queue_claim_content(c, 1000000, back, 100, &err), 0,
		       "any part can be read");
		ok(memcmp(back, bytes + 1000000, 100) == 0, "as it was written");
		ok(queue_claim_content(c, (1 << 21) - 50, back, 100, &err) != 0,
		   "but not past the end");
	}
	queue_claim_release(c);
	free(bytes);
}

static void test_many_recipients(struct queue *q) {
	struct err err = ERR_INIT;
	is_int(spool_accept(q, spool_id(120), 5000, SPAN("x\r\n")), 0,
	       "5000 recipients are accepted");
	struct queue_claim *c = claim(q, 120, &err);
	if (ok(c != NULL, "and claimed: %s", err.msg))
		is_int((int64_t)queue_claim_message(c)->env.to_count, 5000,
		       "all of them");
	queue_claim_release(c);
}

static void test_claim(struct queue *q) {
	struct err err = ERR_INIT;
	struct queue_id id = spool_id(1);
	struct queue_claim *c = claim(q, 1, &err);
	if (!ok(c != NULL, "a message is claimed: %s", err.msg))
		return;
	ok(!claim(q, 1, &err) && err.kind == ERR_DENIED, "nobody else can: %s", err.msg);
	ok(queue_is_claimed(q, &id), "and can see that");
	is_int(reads(q, 1, false, NULL, &err), 0, "but everybody can read it");
	queue_claim_release(c);
	ok(!queue_is_claimed(q, &id), "released, it is free");
	pid_t child = fork();
	if (child == 0) {
		c = claim(q, 1, NULL);
		_exit(c ? 0 : 1);
	}
	int status = -1;
	waitpid(child, &status, 0);
	c = claim(q, 1, &err);
	ok(status == 0 && c != NULL, "the claim of a process that ended is free");
	ok(queue_claim_remove(c, &err) == 0 && !exists("queue", 1),
	   "the holder removes the message");
	ok(!claim(q, 1, &err) && err.kind == ERR_MISSING, "then it is gone: %s", err.msg);
	queue_claim_release(NULL);
}

/* The name can be given to another file between open and lock. */
static void test_claim_race(struct queue *q) {
	struct err err = ERR_INIT;
	spool_accept(q, spool_id(2), 1, SPAN("x\r\n"));
	struct queue_claim *c = claim(q, 2, &err);
	unlink(path_of("queue", 2));
	spool_accept(q, spool_id(2), 1, SPAN("y\r\n"));
	struct queue_claim *d = claim(q, 2, &err);
	ok(c && d, "a lock on a file that lost its name does not keep the name");
	queue_claim_release(c);
	queue_claim_remove(d, &err);
}

static void test_kept_claim(struct queue *q) {
	struct err err = ERR_INIT;
	struct queue_id id = spool_id(3);
	struct envelope e = spool_envelope(id, 1);
	struct queue_accept *a = queue_accept_begin(q, &e, &err);
	struct queue_claim *c = NULL;
	free(e.to);
	queue_accept_write(a, SPAN("notice\r\n"), &err);
	is_int(queue_accept_commit(a, &c, &err), 0,
	       "a message is accepted and stays claimed");
	ok(c && queue_is_claimed(q, &id) && queue_claim_message(c)->content_len == 8,
	   "it is");
	is_int(queue_claim_verify(c, &err), 0, "and can be read by the claim");
	queue_claim_release(c);
	ok(!queue_is_claimed(q, &id), "until released");
}

static void test_append(struct queue *q) {
	struct err err = ERR_INIT;
	struct moment now = clock_now();
	AUTO_BUF struct buf b = BUF_INIT(65536);
	spool_accept(q, spool_id(4), 2, SPAN("x\r\n"));
	struct queue_claim *c = claim(q, 4, &err);
	struct journal_result r = { .state = RECIPIENT_DEFERRED,
				    .reply = SPAN("450 later") };
	journal_add_result(&b, &now, 0, 2, &r, NULL);
	journal_add_attempt(&b, &now, 10, 20, SPAN("default"));
	is_int(queue_claim_append(c, buf_span(&b), false, &err), 0,
	       "an attempt is appended");
	is_int(queue_claim_message(c)->journal.attempts, 1,
	       "the claim's journal knows it");
	queue_claim_append(c, buf_span(&b), true, &err);
	queue_claim_release(c);
	AUTO_FD int fd = open(path_of("queue", 4), O_WRONLY | O_APPEND | O_CLOEXEC);
	ok(write(fd, "01234567 hold reason=x\n", 10) == 10,
	   "a crash leaves half a record");
	c = claim(q, 4, &err);
	is_int(queue_claim_message(c)->journal.attempts, 2,
	       "the records before it count");
	queue_claim_append(c, buf_span(&b), true, &err);
	queue_claim_release(c);
	c = claim(q, 4, &err);
	is_int(queue_claim_message(c)->journal.attempts, 3,
	       "the next record takes its place");
	buf_reset(&b);
	journal_add_maybe_twice(&b, 1, 2);
	ok(queue_claim_append(c, buf_span(&b), true, &err) != 0 && err.kind == ERR_LIMIT,
	   "records that do not fit the message are refused: %s", err.msg);
	is_int(queue_claim_message(c)->journal.attempts, 3, "and change nothing");
	queue_claim_release(c);
	c = claim(q, 4, &err);
	is_int(queue_claim_message(c)->journal.attempts, 3, "in the file neither");
	queue_claim_release(c);
}

static void write_file(const char *path, struct span s) {
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (write(fd, s.p, s.len) != (ssize_t)s.len)
		ok(false, "%s is written", path);
}

static void test_damage(struct queue *q) {
	static const struct {
		const char *label, *bytes;
		enum queue_damage want;
	} cases[] = {
		{ "an empty file", "", QUEUE_INCOMPLETE },
		{ "half a first line", "nightmail-queue 1 00000", QUEUE_INCOMPLETE },
		{ "a text of another kind",
		  "#!/bin/sh\n# this is no queue file, but long enough to be one\n",
		  QUEUE_DAMAGED },
		{ "a bad number",
		  "nightmail-queue 1 00000000x0 00000000000000 00000000\nxxxx\n",
		  QUEUE_DAMAGED },
		{ "fewer bytes than declared",
		  "nightmail-queue 1 0000000100 00000000000100 00000000\nid",
		  QUEUE_INCOMPLETE },
		{ "more bytes than there can be",
		  "nightmail-queue 1 9999999999 99999999999999 00000000\nid",
		  QUEUE_DAMAGED },
		{ "no envelope",
		  "nightmail-queue 1 0000000005 00000000000000 00000000\nid A\n\n",
		  QUEUE_DAMAGED },
	};
	struct queue_id id = spool_id(5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		enum queue_damage damage = QUEUE_SOUND;
		write_file(path_of("queue", 5), span_str(cases[i].bytes));
		ok(reads(q, 5, false, &damage, &err) != 0 && damage == cases[i].want &&
			   err.kind == ERR_SYNTAX,
		   "%s: %s", cases[i].label, err.msg);
		ok(!queue_claim(q, &id, &damage, &err) && damage == cases[i].want,
		   "and cannot be claimed");
		ok(queue_bury_damaged(q, &id, &err) == 0 && !exists("queue", 5) &&
			   exists("dead", 5),
		   "it goes to dead/ %s", err.kind ? "" : err.msg);
	}
	struct err err = ERR_INIT;
	enum queue_damage damage = QUEUE_DAMAGED;
	write_file(
		path_of("queue", 5),
		SPAN("nightmail-queue 2 0000000005 00000000000000 00000000\nid A\n\n"));
	ok(reads(q, 5, false, &damage, &err) != 0 && damage == QUEUE_SOUND &&
		   err.kind == ERR_LIMIT,
	   "another version is not damage: %s", err.msg);
	unlink(path_of("queue", 5));
	AUTO_BUF struct buf to = BUF_INIT(8192);
	buf_adds(&to, path_of("queue", 5));
	spool_accept(q, spool_id(6), 1, SPAN("x\r\n"));
	rename(path_of("queue", 6), buf_str(&to));
	ok(reads(q, 5, false, &damage, &err) != 0 && damage == QUEUE_DAMAGED,
	   "a message under another's name is damage: %s", err.msg);
	unlink(buf_str(&to));
}

static void test_flipped_content(struct queue *q) {
	struct err err = ERR_INIT;
	spool_accept(q, spool_id(7), 1, SPAN("content content\r\n"));
	AUTO_FD int fd = open(path_of("queue", 7), O_WRONLY | O_CLOEXEC);
	struct stat st;
	ok(fstat(fd, &st) == 0 && pwrite(fd, "C", 1, st.st_size - 3) == 1,
	   "a byte changes on the disk");
	struct queue_claim *c = claim(q, 7, &err);
	ok(c && queue_claim_verify(c, &err) != 0 && err.kind == ERR_SYNTAX,
	   "verify sees it: %s", err.msg);
	queue_claim_release(c);
}

static void test_bury_and_revive(struct queue *q) {
	struct err err = ERR_INIT;
	struct queue_id id = spool_id(8);
	struct queue_message m;
	spool_accept(q, id, 1, SPAN("x\r\n"));
	struct queue_claim *c = claim(q, 8, &err);
	is_int(queue_claim_bury(c, "crashes-worker", 1000, &err), 0,
	       "a message is buried %s", err.msg);
	ok(!exists("queue", 8) && exists("dead", 8), "it is in dead/ only");
	if (ok(queue_read(q, &id, true, &m, NULL, &err) == 0, "it can be read there")) {
		is_str(m.journal.dead_reason, "crashes-worker", "with the reason");
		queue_message_release(&m);
	}
	is_int(queue_dead_revive(q, &id, &err), 0, "and revived %s", err.msg);
	ok(exists("queue", 8) && !exists("dead", 8), "it is in queue/ only");
	c = claim(q, 8, &err);
	ok(c && !queue_claim_message(c)->journal.dead_reason[0], "as a living message");
	queue_claim_bury(c, "again", 1000, &err);
	is_int(queue_dead_remove(q, &id, &err), 0, "from dead/ it can be removed");
	ok(!exists("dead", 8), "for good");
	ok(queue_dead_remove(q, &id, &err) != 0 && err.kind == ERR_MISSING, "once");
	ok(queue_dead_revive(q, &id, &err) != 0 && err.kind == ERR_MISSING,
	   "what is gone stays gone");
}

static int count_one(void *ctx, const struct queue_id *id) {
	(void)id;
	++*(int *)ctx;
	return 0;
}

static int stop_at_once(void *ctx, const struct queue_id *id) {
	(void)ctx;
	(void)id;
	return 42;
}

static void test_find(struct queue *q) {
	struct err err = ERR_INIT;
	struct queue_id id, a = spool_id(9), b = spool_id(9);
	bool dead = true;
	int n = 0, before = 0;
	queue_scan(q, false, count_one, &before, &err);
	b.bits[0] = 5;
	spool_accept(q, a, 1, SPAN("x\r\n"));
	spool_accept(q, b, 1, SPAN("x\r\n"));
	AUTO_BUF struct buf stranger = BUF_INIT(8192);
	buf_addf(&stranger, "%s/queue/README", dir);
	write_file(buf_str(&stranger), SPAN("x"));
	is_int(queue_scan(q, false, count_one, &n, &err), 0, "the queue is scanned");
	is_int(n, before + 2, "names that are no ids are skipped");
	is_int(queue_scan(q, false, stop_at_once, NULL, &err), 42,
	       "a scan stops when it is told to");
	struct queue_id_text t = queue_id_text(&a);
	ok(queue_find(q, span_str(t.s), &id, &dead, &err) == 0 &&
		   queue_id_cmp(&id, &a) == 0 && !dead,
	   "the whole id finds its message");
	ok(queue_find(q, span_str(t.s + 12), &id, &dead, &err) != 0 &&
		   err.kind == ERR_LIMIT,
	   "an ending of two is refused: %s", err.msg);
	struct queue_claim *c = queue_claim(q, &b, NULL, &err);
	queue_claim_remove(c, &err);
	ok(queue_find(q, span_str(t.s + 12), &id, &dead, &err) == 0 &&
		   queue_id_cmp(&id, &a) == 0,
	   "a unique ending finds it");
	ok(queue_find(q, span_str(t.s + 13), &id, &dead, &err) != 0 &&
		   err.kind == ERR_SYNTAX,
	   "three characters are too few: %s", err.msg);
	ok(queue_find(q, SPAN("../x"), &id, &dead, &err) != 0 && err.kind == ERR_SYNTAX,
	   "a path is no id");
	ok(queue_find(q, SPAN("VVVVVV"), &id, &dead, &err) != 0 &&
		   err.kind == ERR_MISSING,
	   "what is not there is not found: %s", err.msg);
	c = queue_claim(q, &a, NULL, &err);
	queue_claim_bury(c, "test", 1, &err);
	ok(queue_find(q, span_str(t.s), &id, &dead, &err) == 0 && dead,
	   "dead mail is found as such");
}

static void test_own(struct queue *q) {
	char us[32];
	struct err err = ERR_INIT;
	struct queue *other = queue_open(dir, &err);
	snprintf(us, sizeof(us), "process %ld ", (long)getpid());
	ok(queue_may_own(q), "its owner may own it");
	is_int(queue_own(q, &err), 0, "it is owned: %s", err.msg);
	is_int(queue_own(q, &err), 0, "owning it again is fine");
	ok(queue_own(other, &err) != 0 && err.kind == ERR_DENIED && strstr(err.msg, us),
	   "others know the owner and cannot take it: %s", err.msg);
	pid_t child = fork();
	if (child == 0) {
		queue_free(q);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	ok(queue_own(other, &err) != 0 && err.kind == ERR_DENIED,
	   "a child that closes its copy leaves the lock");
	queue_free(other);
}

static void test_sweep(void) {
	struct err err = ERR_INIT;
	char path[8192], locked[8192];
	snprintf(path, sizeof(path), "%s/tmp-0123456789ABCDEF", dir);
	snprintf(locked, sizeof(locked), "%s/tmp-0123456789ABCDEE", dir);
	write_file(path, SPAN("rest"));
	write_file(locked, SPAN("in work"));
	AUTO_FD int fd = open(locked, O_RDONLY | O_CLOEXEC);
	flock(fd, LOCK_EX);
	struct queue *q = queue_open(dir, &err);
	ok(queue_own(q, &err) == 0, "the next owner takes the spool %s", err.msg);
	ok(access(path, F_OK) != 0, "and sweeps what died before it had a name");
	ok(access(locked, F_OK) == 0, "but not what is being written");
	unlink(locked);
	queue_free(q);
}

static void test_space(struct queue *q) {
	struct err err = ERR_INIT;
	is_int(queue_space(q, 1000, 0, 0, &err), 0,
	       "without a reserve there is always space");
	is_int(queue_space(q, 1, 1, 1, &err), 0, "there is space for a byte: %s",
	       err.msg);
	ok(queue_space(q, 1, UINT64_MAX, 0, &err) != 0 && err.kind == ERR_LIMIT, "%s",
	   err.msg);
	ok(queue_space(q, UINT64_MAX, 1, 0, &err) != 0 && err.kind == ERR_LIMIT, "%s",
	   err.msg);
}

/* A file system without unnamed files: the first open fails as there. */
static int no_unnamed(void *ctx, const struct file_event *ev) {
	(void)ctx;
	return ev->op == FILE_OPEN && !ev->name ? EOPNOTSUPP : 0;
}

static void test_named(void) {
	struct err err = ERR_INIT;
	struct queue *q = queue_open(dir, &err);
	char tmp[8192];
	struct queue_id id = spool_id(50);
	snprintf(tmp, sizeof(tmp), "%s/tmp-%s", dir, queue_id_text(&id).s);
	file_set_hook(&(struct file_hook){ .before = no_unnamed });
	is_int(spool_accept(q, id, 1, SPAN("x\r\n")), 0,
	       "accepting works without unnamed files");
	struct envelope e = spool_envelope(id, 1);
	struct queue_accept *a = queue_accept_begin(q, &e, &err);
	ok(access(tmp, F_OK) == 0, "a temporary name is used");
	ok(queue_accept_commit(a, NULL, &err) != 0 && err.sys == EEXIST,
	   "never replaces: %s", err.msg);
	ok(access(tmp, F_OK) != 0, "and cleans up");
	a = queue_accept_begin(q, &e, &err);
	queue_accept_abort(a);
	ok(access(tmp, F_OK) != 0, "aborting cleans up as well");
	free(e.to);
	file_set_hook(NULL);
	is_int(reads(q, 50, false, NULL, &err), 0, "the message is there %s", err.msg);
	queue_free(q);
}

/* What a process that died while accepting left under the name of a notice. */
static void test_remainder(struct queue *q) {
	struct err err = ERR_INIT;
	write_file(path_of("queue", 60), SPAN("nightmail-queue 1 0000"));
	is_int(spool_accept(q, spool_id(60), 1, SPAN("x\r\n")), 0,
	       "a remainder gives way");
	is_int(reads(q, 60, false, NULL, &err), 0, "to the message %s", err.msg);
	ok(exists("dead", 60), "and is kept in dead/");
	unlink(path_of("queue", 60));
	write_file(path_of("queue", 60), SPAN("again"));
	is_int(spool_accept(q, spool_id(60), 1, SPAN("x\r\n")), 0,
	       "a second one as well");
}

static bool no_unlink;

static int no_sync(void *ctx, const struct file_event *ev) {
	(void)ctx;
	bool sync = ev->op == FILE_FSYNC || ev->op == FILE_FDATASYNC;
	return sync || (no_unlink && ev->op == FILE_UNLINK) ? EIO : 0;
}

/* After a failed fsync nothing may look like an accepted message. */
static void test_failed_sync(struct queue *q) {
	struct err err = ERR_INIT;
	struct queue_message m;
	struct queue_id id = spool_id(71);
	enum queue_damage damage;
	AUTO_BUF struct buf b = BUF_INIT(4096);
	file_set_hook(&(struct file_hook){ .before = no_sync });
	ok(spool_accept(q, id, 1, SPAN("x\r\n")) != 0 && !exists("queue", 71),
	   "a message that cannot be made durable is taken back");
	no_unlink = true;
	ok(spool_accept(q, id, 1, SPAN("x\r\n")) != 0 &&
		   reads(q, 71, false, &damage, &err) != 0 && damage == QUEUE_INCOMPLETE,
	   "or emptied, when its name stays: %s", err.msg);
	no_unlink = false;
	file_set_hook(NULL);
	is_int(spool_accept(q, id, 1, SPAN("x\r\n")), 0, "later it is accepted");
	struct queue_claim *c = claim(q, 71, &err);
	journal_add_hold(&b, &(struct moment){ .wall_ms = 1 }, "admin");
	file_set_hook(&(struct file_hook){ .before = no_sync });
	ok(queue_claim_append(c, buf_span(&b), true, &err) != 0,
	   "a record that is not durable is "
	   "an error: %s",
	   err.msg);
	file_set_hook(NULL);
	ok(!queue_claim_message(c)->journal.held, "the claim does not know it");
	ok(queue_read(q, &id, false, &m, NULL, &err) == 0 && !m.journal.held,
	   "nor does a reader");
	queue_message_release(&m);
	is_int(queue_claim_append(c, buf_span(&b), true, &err), 0,
	       "it can be tried again");
	queue_claim_release(c);
	ok(queue_read(q, &id, false, &m, NULL, &err) == 0 && m.journal.held,
	   "and is there then");
	queue_message_release(&m);
}

int main(void) {
	struct err err = ERR_INIT;
	dir = strdup(spool_make());
	struct queue *q = queue_open(dir, &err);
	if (!ok(q != NULL, "a spool is opened: %s", err.msg))
		return done_testing();
	test_spool();
	test_accept(q);
	test_sizes(q);
	test_many_recipients(q);
	test_claim(q);
	test_claim_race(q);
	test_kept_claim(q);
	test_append(q);
	test_damage(q);
	test_flipped_content(q);
	test_bury_and_revive(q);
	test_find(q);
	test_space(q);
	test_named();
	test_remainder(q);
	test_failed_sync(q);
	test_own(q);
	queue_free(q);
	test_sweep();
	spool_remove(dir);
	free((void *)(uintptr_t)dir);
	return done_testing();
}
