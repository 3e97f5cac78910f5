/* The reading child; see model_spool.h. */

#include "tui/model_spool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/proc.h"
#include "deliver/content.h"
#include "deliver/verb.h"
#include "queue/queue.h"

#define ANSWER_MAX (64u << 20)
#define SEND_FROM 32768u /* bytes that are worth a write */

struct child {
	int fd;
	bool deliverable;
	struct queue *q;
	struct buf out;
	struct listed {
		struct queue_id id;
		bool dead;
	} * listed;
	size_t count, cap;
	bool dead; /* names being added are in dead/ */
};

/* A reader that is gone ends us by SIGPIPE. */
static void send_out(struct child *c) {
	struct span rest = buf_span(&c->out);
	while (rest.len) {
		ssize_t n = write(c->fd, rest.p, rest.len);
		if (n < 0)
			_exit(1);
		rest = span_from(rest, (size_t)n);
	}
	buf_reset(&c->out);
}

static int add_id(void *ctx, const struct queue_id *id) {
	struct child *c = ctx;
	if (c->count == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 1024;
		struct listed *grown = reallocarray(c->listed, cap, sizeof(*grown));
		if (!grown)
			_exit(1);
		c->listed = grown;
		c->cap = cap;
	}
	c->listed[c->count++] = (struct listed){ *id, c->dead };
	return 0;
}

static int by_time(const void *a, const void *b) {
	return queue_id_cmp(&((const struct listed *)a)->id,
			    &((const struct listed *)b)->id);
}

/* What cannot be read is left out: 'mailq check' is for that. */
static int list_all(struct child *c, struct err *err) {
	struct verb_live live = { .deliverable = c->deliverable };
	if (queue_scan(c->q, false, add_id, c, err) != 0)
		return -1;
	c->dead = true;
	if (queue_scan(c->q, true, add_id, c, err) != 0)
		return -1;
	if (c->count)
		qsort(c->listed, c->count, sizeof(*c->listed), by_time);
	for (size_t i = 0; i < c->count; i++) {
		verb_describe(c->q, &c->listed[i].id, c->listed[i].dead, &live, &c->out,
			      NULL);
		if (c->out.len >= SEND_FROM)
			send_out(c);
	}
	return 0;
}

static int send_content(struct child *c, const struct queue_id *id, bool dead,
			struct err *err) {
	struct content content;
	int more = 1;
	if (content_open(&content, c->q, id, dead, true, err) != 0)
		return -1;
	while (more == 1) {
		more = content_next(&content, &c->out);
		send_out(c);
	}
	content_close(&content);
	return more < 0 ? err_sys(err, "%s: cannot read", queue_id_text(id).s) : 0;
}

static int show_one(struct child *c, struct span words, struct err *err) {
	struct verb_live live = { .deliverable = c->deliverable };
	struct span key, value;
	struct queue_id id;
	bool dead;
	if (!codec_word_take(&words, &key, &value) || !value.p)
		return err_set(err, ERR_SYNTAX, "which message?");
	if (queue_find(c->q, value, &id, &dead, err) != 0 ||
	    verb_describe_fully(c->q, &id, dead, &live, &c->out, err) != 0)
		return -1;
	return send_content(c, &id, dead, err);
}

static int answer(struct child *c, const char *dir, struct span request,
		  struct err *err) {
	struct span word, value;
	c->q = queue_open(dir, err);
	if (!c->q)
		return -1;
	if (!queue_may_own(c->q))
		return err_set(
			err, ERR_DENIED,
			"nightmaild is not running, and only root and the owner of %s "
			"may look into it",
			dir);
	codec_word_take(&request, &word, &value);
	return span_eq(word, SPAN("show")) ? show_one(c, request, err) : list_all(c, err);
}

static void end_answer(struct child *c, int result, const struct err *err) {
	struct json j = json_into(&c->out);
	json_object(&j, NULL);
	json_bool(&j, "ok", result == 0);
	if (result != 0 && err->kind == ERR_MISSING)
		json_str(&j, "kind", SPAN("missing"));
	if (result != 0 && err->kind == ERR_DENIED)
		json_str(&j, "kind", SPAN("denied"));
	if (result != 0)
		json_str(&j, "error", span_str(err->msg));
	json_end(&j);
	buf_addc(&c->out, '\n');
	send_out(c);
}

static _Noreturn void run_child(int fd, const char *dir, bool deliverable,
				struct span request) {
	struct child c = { .fd = fd,
			   .deliverable = deliverable,
			   .out = BUF_INIT(ANSWER_MAX) };
	struct err err = ERR_INIT;
	loop_signals_reset();
	end_answer(&c, answer(&c, dir, request, &err), &err);
	_exit(0);
}

int model_spool_ask(const char *dir, bool deliverable, struct span request, int *ret_fd,
		    pid_t *ret_pid, struct err *err) {
	int fds[2];
	pid_t self = getpid();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return err_sys(err, "cannot make a socket");
	AUTO_FD int ours = fds[0];
	AUTO_FD int theirs = fds[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) != 0)
		return err_sys(err, "cannot set up a socket");
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(err, "cannot start a process");
	if (pid == 0) {
		close(take_fd(&ours));
		proc_die_with(self, SIGKILL);
		run_child(theirs, dir, deliverable, request);
	}
	*ret_fd = take_fd(&ours);
	*ret_pid = pid;
	return 0;
}
