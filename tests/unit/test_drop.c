/*
 * drop/: what is taken and what is not, by form and by place; and whose a message is.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "lib/spool.h"
#include "queue/drop.h"
#include "tap.h"

static const char content[] = "Subject: test\r\n\r\nbody\r\n";

static char *place(const char *dir, const char *part, unsigned n) {
	static char path[4200];
	struct queue_id id = spool_id(n);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, part, queue_id_text(&id).s);
	return path;
}

static bool exists(const char *path) {
	struct stat st;
	return lstat(path, &st) == 0;
}

static struct queue *open_owned(const char *dir) {
	struct queue *q = queue_open(dir, NULL);
	if (!q || queue_own(q, NULL) != 0)
		abort();
	return q;
}

static void write_at(const char *path, int64_t at, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || file_pwrite_all(fd, text, strlen(text), at) != 0)
		abort();
	close(fd);
}

static void cut(const char *path, off_t size) {
	if (truncate(path, size) != 0)
		abort();
}

/* --- one message --- */

static void test_taken(void) {
	const char *dir = spool_make();
	struct queue_message m;
	struct queue_id id = spool_id(1);
	char bytes[4096] = "";
	struct stat st;
	ok(spool_drop(dir, id, 2, SPAN(content)) == 0, "a message can be dropped");
	ok(stat(place(dir, "drop", 1), &st) == 0 && (st.st_mode & 0777) == 0440,
	   "its file can be read by the group and changed by nobody");
	struct queue *q = open_owned(dir);
	ok(!spool_pick_up(q), "and be picked up");
	ok(!exists(place(dir, "drop", 1)), "its file is gone then");
	ok(queue_read(q, &id, false, &m, NULL, NULL) == 0, "it is in the queue");
	ok(m.env.uid == geteuid(),
	   "its uid is the file's owner, not what the envelope said");
	ok(m.env.to_count == 2 && span_eq(m.env.from, SPAN("a@example.org")),
	   "its envelope is kept");
	int fd = queue_open_content(q, &id, false);
	ssize_t n = file_pread_all(fd, bytes, m.content_len, (int64_t)m.content_offset);
	close(fd);
	ok(n > 0 &&
		   strncmp(bytes, "Received: by relay.example (nightmail, uid ", 43) == 0,
	   "it got its Received");
	ok(strstr(bytes, "Message-ID: ") && strstr(bytes, "\r\n\r\nbody\r\n"),
	   "and what else it lacked");
	queue_message_release(&m);
	queue_free(q);
	spool_remove(dir);
}

static void test_settled(void) {
	const char *dir = spool_make();
	struct queue *q = queue_open(dir, NULL);
	spool_drop(dir, spool_id(1), 1, SPAN(content));
	spool_accept(q, spool_id(1), 1, SPAN(content));
	spool_drop(dir, spool_id(2), 1, SPAN(content));
	spool_accept(q, spool_id(2), 1, SPAN(content));
	cut(place(dir, "queue", 2), 100);
	ok(queue_own(q, NULL) == 0 && !exists(place(dir, "drop", 1)),
	   "an owner's start removes what is in the queue as well");
	ok(exists(place(dir, "drop", 2)), "but not when that copy is not whole");
	queue_free(q);
	spool_remove(dir);
}

static void test_no_drop(void) {
	const char *dir = spool_make();
	char path[4200];
	snprintf(path, sizeof(path), "%s/drop", dir);
	rmdir(path);
	struct err err = ERR_INIT;
	struct queue *q = queue_open(dir, NULL);
	ok(queue_own(q, &err) == 0 && !spool_pick_up(q), "a spool without drop/ is fine");
	ok(!drop_open(dir, &err) && err.kind == ERR_MISSING, "nobody drops into it");
	queue_free(q);
	spool_remove(dir);
}

/* --- files that are no messages --- */

enum left { IN_DROP, IN_DEAD, NOWHERE };

static void make_link(const char *path) {
	if (unlink(path) != 0 || symlink("/etc/passwd", path) != 0)
		abort();
}
static void make_fifo(const char *path) {
	if (unlink(path) != 0 || mkfifo(path, 0600) != 0)
		abort();
}
static void make_second_name(const char *path) {
	char other[4300];
	snprintf(other, sizeof(other), "%.*s/../second", (int)(strrchr(path, '/') - path),
		 path);
	if (link(path, other) != 0)
		abort();
}
static void make_empty(const char *path) {
	cut(path, 0);
}
static void make_short(const char *path) {
	cut(path, 150);
}
static void make_huge(const char *path) {
	cut(path, (off_t)1 << 40);
}
static void make_damaged(const char *path) {
	struct stat st;
	if (stat(path, &st) != 0)
		abort();
	write_at(path, st.st_size - 4, "X");
}
static void make_rubbish(const char *path) {
	write_at(path, 0, "what is this");
}
static void make_directory(const char *path) {
	if (unlink(path) != 0 || mkdir(path, 0700) != 0)
		abort();
}

static const struct {
	const char *label;
	void (*make)(const char *path);
	enum left want;
} files[] = {
	{ "a symbolic link is removed", make_link, NOWHERE },
	{ "a fifo is removed, and nobody waits for it", make_fifo, NOWHERE },
	{ "a file of two names is removed", make_second_name, NOWHERE },
	{ "an empty file was never acknowledged", make_empty, NOWHERE },
	{ "nor was a short one", make_short, NOWHERE },
	{ "a huge one is not read", make_huge, NOWHERE },
	{ "a damaged message is kept in dead/", make_damaged, IN_DEAD },
	{ "what has no first line too", make_rubbish, IN_DEAD },
	{ "a directory stays", make_directory, IN_DROP },
};

static void test_files(void) {
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *dir = spool_make();
		spool_drop(dir, spool_id(1), 1, SPAN(content));
		if (chmod(place(dir, "drop", 1), 0600) != 0)
			abort();
		files[i].make(place(dir, "drop", 1));
		struct queue *q = open_owned(dir);
		spool_pick_up(q);
		enum left left = exists(place(dir, "drop", 1))   ? IN_DROP
				 : exists(place(dir, "dead", 1)) ? IN_DEAD
								 : NOWHERE;
		ok(left == files[i].want && !exists(place(dir, "queue", 1)), "%s",
		   files[i].label);
		queue_free(q);
		spool_remove(dir);
	}
}

/* --- messages that cannot be accepted --- */

static void drop_envelope(const char *dir, struct span from, struct span to,
			  struct span text) {
	struct queue *d = drop_open(dir, NULL);
	struct envelope_recipient recipient = { .address = to };
	struct envelope e = { .id = spool_id(1),
			      .origin = SPAN("bounce"),
			      .from = from,
			      .to = &recipient,
			      .to_count = 1 };
	struct queue_accept *a = queue_accept_begin(d, &e, NULL);
	if (!a || queue_accept_write(a, text, NULL) != 0 ||
	    queue_accept_commit(a, NULL, NULL) != 0)
		abort();
	queue_free(d);
}

static const struct {
	const char *label;
	struct span from, to, text;
	bool want;
} messages[] = {
	{ "a null sender and a local recipient", SPAN_INIT(""), SPAN_INIT("root"),
	  SPAN_INIT("Subject: x\r\n\r\n"), true },
	{ "LF alone becomes CRLF", SPAN_INIT("a@b.example"), SPAN_INIT("root"),
	  SPAN_INIT("Subject: x\n\nbody\n"), true },
	{ "a recipient with a LF is refused", SPAN_INIT("a@b.example"),
	  SPAN_INIT("x@y.example\nto z"), SPAN_INIT("Subject: x\r\n\r\n"), false },
	{ "a sender that is none is refused", SPAN_INIT("a@@b"), SPAN_INIT("root"),
	  SPAN_INIT("Subject: x\r\n\r\n"), false },
	{ "a NUL is refused", SPAN_INIT("a@b.example"), SPAN_INIT("root"),
	  SPAN_INIT("Subject: x\r\n\r\n\0\r\n"), false },
};

static void test_messages(void) {
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		const char *dir = spool_make();
		struct queue_id id = spool_id(1);
		struct queue_message m;
		drop_envelope(dir, messages[i].from, messages[i].to, messages[i].text);
		struct queue *q = open_owned(dir);
		spool_pick_up(q);
		bool queued = queue_read(q, &id, false, &m, NULL, NULL) == 0;
		bool local = queued && span_eq(m.env.origin, SPAN("local"));
		ok(queued == messages[i].want && local == queued &&
			   !exists(place(dir, "drop", 1)) &&
			   exists(place(dir, "dead", 1)) == !queued,
		   "%s", messages[i].label);
		if (queued)
			queue_message_release(&m);
		queue_free(q);
		spool_remove(dir);
	}
}

int main(void) {
	if (!freopen("/dev/null", "w",
		     stderr)) /* what is logged is not of interest here */
		return 1;
	test_taken();
	test_settled();
	test_no_drop();
	test_files();
	test_messages();
	return done_testing();
}
