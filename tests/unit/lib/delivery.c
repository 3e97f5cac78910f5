/* See delivery.h. */

#include "delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "deliver/worker.h"
#include "lib/spool.h"

#define RUN_MAX_MS 30000

static char text_helo[] = "client.example", text_domain[] = "example.org",
	    text_relay[] = "default", text_host[] = "127.0.0.1";

void delivery_open(struct delivery *d, const char *extensions,
		   const struct peer_rule *rules) {
	static char dir[4096];
	struct err err = ERR_INIT;
	*d = (struct delivery){ .reports = BUF_INIT(1 << 22), .password = "secret" };
	snprintf(dir, sizeof(dir), "%s", spool_make());
	d->dir = dir;
	d->q = queue_open(dir, &err);
	d->peer = peer_start(extensions, rules);
	d->params = (struct wire_worker){
		.dir = dir,
		.helo = text_helo,
		.domain = text_domain,
		.retry_min_ms = 60000,
		.retry_max_ms = 3600000,
		.idle_ms = 20000,
		.relay = {
			.name = text_relay,
			.host = { text_host },
			.host_count = 1,
			.port = d->peer.port,
			.tls = CONFIG_TLS_NONE,
			.per_connection = 1000,
			.connect_timeout_ms = 5000,
			.reply_timeout_ms = 10000,
			.data_timeout_ms = 10000,
		},
	};
	if (!d->q) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
}

void delivery_close(struct delivery *d) {
	if (getenv("DELIVERY_LOG")) {
		AUTO_BUF struct buf path = BUF_INIT(4096);
		AUTO_BUF struct buf log = BUF_INIT(1 << 22);
		buf_addf(&path, "%s/log", d->dir);
		file_read(AT_FDCWD, buf_str(&path), &log, NULL);
		fprintf(stderr, "%s%s", buf_str(&d->reports), buf_str(&log));
	}
	peer_release(&d->peer);
	queue_free(d->q);
	buf_release(&d->reports);
	spool_remove(d->dir);
}

struct queue_id delivery_id(unsigned n) {
	return spool_id(n);
}

unsigned delivery_queue_envelope(struct delivery *d, struct envelope *e,
				 struct span content) {
	struct err err = ERR_INIT;
	e->id = delivery_id(d->next_id);
	e->created = clock_now();
	struct queue_accept *a = queue_accept_begin(d->q, e, &err);
	if (!a || queue_accept_write(a, content, &err) != 0 ||
	    queue_accept_commit(a, NULL, &err) != 0) {
		fprintf(stderr, "cannot queue: %s\n", err.msg);
		exit(1);
	}
	return d->next_id++;
}

unsigned delivery_queue(struct delivery *d, const char *recipients, const char *content) {
	struct envelope e = { .origin = SPAN("local"),
			      .from = SPAN("sender@example.org") };
	struct span rest = span_str(recipients), one;
	e.to = calloc(strlen(recipients) + 1, sizeof(*e.to));
	while (rest.len > 0) {
		if (!span_take_until(&rest, ',', &one)) {
			one = rest;
			rest.len = 0;
		}
		e.to[e.to_count++].address = one;
	}
	unsigned n =
		delivery_queue_envelope(d, &e,
					content ? span_str(content)
						: SPAN("Subject: test\r\n\r\nbody\r\n"));
	free(e.to);
	return n;
}

static _Noreturn void be_worker(struct delivery *d, int channel, void (*in_child)(void *),
				void *ctx) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	buf_addf(&path, "%s/log", d->dir);
	int log = open(buf_str(&path), O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	proc_start();
	log_open("nightmail-deliver");
	log_set_level(LOG_LEVEL_DEBUG);
	proc_die_with(getppid(), SIGKILL);
	if (in_child)
		in_child(ctx);
	const struct worker_secret secret = { .text = span_str(d->password) };
	_exit(worker_run(&d->params, channel, NULL, &secret));
}

/* "done id=0CHN...": which message it is of. */
static unsigned number_of(struct span id, unsigned count) {
	struct queue_id parsed;
	for (unsigned i = 0; queue_id_parse(id, &parsed) && i < count; i++) {
		struct queue_id known = delivery_id(i);
		if (queue_id_cmp(&parsed, &known) == 0)
			return i;
	}
	return 999999;
}

/* Keeps a report with a short name for its message; returns true for an answer to one. */
static bool keep_line(struct delivery *d, struct span line) {
	size_t at = 0;
	if (span_starts(line, SPAN("result "))) /* for those who watch */
		return false;
	while (at + 4 <= line.len && memcmp(line.p + at, " id=", 4) != 0)
		at++;
	if (at + 4 > line.len) {
		buf_add(&d->reports, line);
		buf_addc(&d->reports, '\n');
		return false;
	}
	buf_add(&d->reports, span_head(line, at));
	struct span rest = span_from(line, at + 4);
	buf_addf(&d->reports, " #%u",
		 number_of(span_head(rest, QUEUE_ID_LEN), d->next_id));
	buf_add(&d->reports, span_from(rest, QUEUE_ID_LEN));
	buf_addc(&d->reports, '\n');
	return true;
}

static unsigned hand_over(int fd, unsigned first, unsigned count) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	for (unsigned i = first; i < first + count; i++) {
		const struct wire_message m = { .id = delivery_id(i) };
		wire_message_write(&frame, &m);
	}
	if (count > 0 && proc_send(fd, buf_span(&frame), -1) != 0)
		fprintf(stderr, "cannot hand over\n");
	return count;
}

/* Keeps the worker supplied as the manager does, until the end. */
static void converse(struct delivery *d, int fd, unsigned first, unsigned count,
		     unsigned given, enum delivery_end end) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	int64_t until = clock_boot_ms() + RUN_MAX_MS;
	unsigned answered = 0;
	while (clock_boot_ms() < until) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct span line;
		unsigned room = WIRE_BATCH - (given - answered);
		unsigned more = count - given < room ? count - given : room;
		given += hand_over(fd, first + given, more);
		if (end == DELIVERY_DESERTED ||
		    (end == DELIVERY_ANSWERED && answered == count))
			return;
		if (poll(&p, 1, 1000) <= 0)
			continue;
		int r = proc_recv(fd, &frame, NULL);
		if (r == 0 || (r < 0 && errno != EAGAIN))
			return;
		struct span rest = buf_span(&frame);
		while (r > 0 && span_take_line(&rest, &line))
			answered += keep_line(d, line);
	}
	buf_adds(&d->reports, "the worker hangs\n");
}

static int wait_for(pid_t pid) {
	int status = -1;
	for (int i = 0; i < RUN_MAX_MS / 5; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(5000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}

/* Reads what is left after our end was closed for writing. */
static void drain(struct delivery *d, int fd) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	struct span line;
	while (proc_recv(fd, &frame, NULL) > 0) {
		struct span rest = buf_span(&frame);
		while (span_take_line(&rest, &line))
			keep_line(d, line);
	}
}

void delivery_run(struct delivery *d, unsigned first, unsigned count,
		  enum delivery_end end, void (*in_child)(void *ctx), void *ctx) {
	int fds[2];
	struct err err = ERR_INIT;
	buf_reset(&d->reports);
	if (proc_channel(fds, &err) != 0)
		exit(1);
	/* before the worker is there, so that it sees them whatever it does first */
	unsigned given = hand_over(fds[0], first, count < WIRE_BATCH ? count : WIRE_BATCH);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		be_worker(d, fds[1], in_child, ctx);
	}
	close(fds[1]);
	converse(d, fds[0], first, count, given, end);
	shutdown(fds[0], SHUT_WR);
	d->status = wait_for(pid);
	drain(d, fds[0]);
	close(fds[0]);
	if (segment_replay_all(d->q, &d->busy_segments, &err) != 0)
		printf("# replay: %s\n", err.msg);
}

unsigned delivery_count(const struct delivery *d, const char *begin) {
	struct span rest = buf_span(&d->reports), line;
	unsigned n = 0;
	while (span_take_line(&rest, &line))
		n += span_starts(line, span_str(begin));
	return n;
}

bool delivery_reported(const struct delivery *d, const char *line) {
	if (delivery_count(d, line) > 0)
		return true;
	struct span rest = buf_span(&d->reports), one;
	while (span_take_line(&rest, &one))
		printf("#   reported: %.*s\n", (int)one.len, one.p);
	return false;
}

bool delivery_read(struct delivery *d, unsigned n, struct queue_message *ret) {
	struct queue_id id = delivery_id(n);
	return queue_read(d->q, &id, false, ret, NULL, NULL) == 0;
}

bool delivery_gone(struct delivery *d, unsigned n) {
	struct queue_message m;
	if (!delivery_read(d, n, &m))
		return true;
	queue_message_release(&m);
	return false;
}

bool delivery_flagged(struct delivery *d, unsigned n) {
	struct queue_message m;
	if (!delivery_read(d, n, &m))
		return false;
	bool flagged = m.journal.maybe_twice;
	queue_message_release(&m);
	return flagged;
}

unsigned delivery_taken(const struct delivery *d, const char *address) {
	unsigned n = 0;
	char path[ADDR_MAX + 3];
	snprintf(path, sizeof(path), "<%s>", address);
	for (const char *p = strstr(d->peer.seen->accepted, path); p;
	     p = strstr(p + 1, path))
		n++;
	return n;
}

static unsigned countdown;

static int die(void *ctx, const struct file_event *ev) {
	(void)ctx, (void)ev;
	if (--countdown == 0)
		_exit(99);
	return 0;
}

void delivery_die_at(void *ctx) {
	static const struct file_hook hook = { .before = die };
	countdown = *(const unsigned *)ctx;
	file_set_hook(&hook);
}
