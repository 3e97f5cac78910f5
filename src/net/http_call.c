/* The client of nightmail-fetch: writes the request, then reads to the end of the answer. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/proc.h"
#include "net/http.h"

#define ANSWER_MAX (HTTP_BODY_MAX + (128u << 10))
#define GRACE_MS 1000

struct http_call {
	pid_t pid;
	int fd;
	struct buf out, in;
	size_t sent;
};

static int start(struct http_call *c, bool no_sandbox, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	int pair[2];
	if (proc_helper("nightmail-fetch", &path, err) != 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, "cannot make a socket pair");
	const char *const argv[] = { buf_str(&path), "--socket",
				     no_sandbox ? "--no-sandbox" : NULL, NULL };
	c->pid = proc_spawn(argv, pair[1], err);
	close(pair[1]);
	if (c->pid < 0) {
		close(pair[0]);
		return -1;
	}
	c->fd = pair[0];
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	return 0;
}

struct http_call *http_begin(const struct http_request *r, struct err *err) {
	struct http_call *c = calloc(1, sizeof(*c));
	if (!c) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	buf_init(&c->out, ANSWER_MAX);
	buf_init(&c->in, ANSWER_MAX);
	c->fd = -1;
	if (http_request_write(&c->out, r) != 0)
		err_set(err, ERR_LIMIT, "the request is too long");
	else if (start(c, r->no_sandbox, err) == 0)
		return c;
	http_end(c);
	return NULL;
}

int http_fd(const struct http_call *c) {
	return c->fd;
}

short http_events(const struct http_call *c) {
	return c->sent < c->out.len ? POLLIN | POLLOUT : POLLIN;
}

pid_t http_pid(const struct http_call *c) {
	return c->pid;
}

static int send_some(struct http_call *c, struct err *err) {
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, buf_str(&c->out) + c->sent, c->out.len - c->sent,
				 MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : err_sys(err, "nightmail-fetch");
		c->sent += (size_t)n;
	}
	return 0;
}

int http_continue(struct http_call *c, struct http_answer *ret, struct err *err) {
	char piece[16384];
	if (send_some(c, err) != 0)
		return -1;
	for (;;) {
		ssize_t n = recv(c->fd, piece, sizeof(piece), 0);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return err_sys(err, "nightmail-fetch");
		if (n == 0)
			break;
		if (buf_add(&c->in, span_of(piece, (size_t)n)) != 0)
			return err_set(err, ERR_LIMIT, "the answer is too long");
	}
	int r = http_answer_parse(buf_span(&c->in), ret, err);
	return r != 0 ? r
		      : err_set(err, ERR_REMOTE,
				"nightmail-fetch ended without an answer");
}

void http_end(struct http_call *c) {
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
	buf_release(&c->out);
	buf_release(&c->in);
	free(c);
}

int http_finish(struct http_call *c, int64_t until_ms, struct http_answer *ret, struct err *err) {
	int got;
	while ((got = http_continue(c, ret, err)) == 0) {
		struct pollfd p = { .fd = c->fd, .events = http_events(c) };
		int64_t left = until_ms - clock_boot_ms();
		if (left <= 0) {
			got = err_set(err, ERR_TIMEOUT, "no answer in time");
			break;
		}
		poll(&p, 1, (int)left);
	}
	pid_t pid = c->pid;
	http_end(c);
	waitpid(pid, NULL, 0);
	return got == 1 ? 0 : -1;
}

int http_run(const struct http_request *r, struct http_answer *ret, struct err *err) {
	struct http_call *c = http_begin(r, err);
	return c ? http_finish(c, clock_boot_ms() + r->timeout_ms + GRACE_MS, ret, err) : -1;
}
