/* The asking side of the control socket: blocking, with a limit on every pause. */

#include "control/control.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "control/address.h"

#define LINE_MAX_ANSWER (48u << 20) /* one message with all its recipients */
#define READ_SIZE 65536
#define CONNECT_TRIES 100
#define CONNECT_PAUSE_US 10000

static int connect_to(const char *path, struct err *err) {
	struct sockaddr_un addr;
	socklen_t addr_len;
	AUTO_FD int fd = control_socket(path, SOCK_STREAM, &addr, &addr_len, err);
	if (fd < 0)
		return -1;
	for (int i = 0; i < CONNECT_TRIES; i++) {
		if (connect(fd, (struct sockaddr *)&addr, addr_len) == 0)
			return take_fd(&fd);
		if (errno != EAGAIN && errno != EINTR)
			break;
		usleep(CONNECT_PAUSE_US); /* many are waiting to be let in */
	}
	if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
		return err_set(err, ERR_MISSING, "%s: nightmaild is not running", path);
	if (errno == EACCES || errno == EPERM)
		return err_set(err, ERR_DENIED,
			       "%s: only root and the queue's owner may ask", path);
	return err_sys(err, "%s: cannot connect", path);
}

/* Waits for the socket until the deadline. */
static int wait_for(int fd, short events, int64_t timeout_ms, const char *path,
		    struct err *err) {
	struct pollfd p = { .fd = fd, .events = events };
	int64_t until = clock_boot_ms() + timeout_ms;
	for (;;) {
		int64_t left = until - clock_boot_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;
		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(err, ERR_TIMEOUT, "%s: nightmaild does not answer",
				       path);
		if (errno != EINTR)
			return err_sys(err, "%s: cannot wait", path);
	}
}

static int send_all(int fd, struct span bytes, int64_t timeout_ms, const char *path,
		    struct err *err) {
	while (bytes.len) {
		ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);
		if (n >= 0)
			bytes = span_from(bytes, (size_t)n);
		else if (errno == EAGAIN &&
			 wait_for(fd, POLLOUT, timeout_ms, path, err) != 0)
			return -1;
		else if (errno == EPIPE || errno == ECONNRESET)
			return 0; /* it was not let in; the answer says why */
		else if (errno != EAGAIN && errno != EINTR)
			return err_sys(err, "%s: cannot send the request", path);
	}
	return 0;
}

static const struct {
	enum err_kind kind;
	const char *name;
} kinds[] = {
	{ ERR_MISSING, "missing" },
	{ ERR_LIMIT, "ambiguous" },
	{ ERR_SYNTAX, "syntax" },
	{ ERR_DENIED, "denied" },
};

const char *control_kind_name(enum err_kind kind) {
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return NULL;
}

static enum err_kind kind_by_name(struct span name) {
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_eq(name, span_str(kinds[i].name)))
			return kinds[i].kind;
	return ERR_REMOTE;
}

/* The last line; the server writes it just so, its words having no escapes but \" and \\. */
int control_verdict(struct span line, bool *ret_last, struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(READ_SIZE);
	enum err_kind kind = ERR_REMOTE;
	struct span name;
	*ret_last = true;
	if (span_eq(line, SPAN("{\"ok\":true}")))
		return 0;
	if (!span_take_lit(&line, SPAN("{\"ok\":false,"))) {
		*ret_last = false;
		return 0;
	}
	if (span_take_lit(&line, SPAN("\"kind\":\"")) &&
	    span_take_until(&line, '"', &name)) {
		kind = kind_by_name(name);
		span_take_char(&line, ',');
	}
	span_take_lit(&line, SPAN("\"error\":\""));
	for (line = span_head(line, line.len >= 2 ? line.len - 2 : 0); line.len;
	     line = span_from(line, 1)) {
		if (line.p[0] == '\\' && line.len > 1)
			line = span_from(line, 1);
		buf_addc(&text, line.p[0]);
	}
	if (span_starts(buf_span(&text), SPAN("not allowed")))
		kind = ERR_DENIED;
	return err_set(err, kind, "%s", buf_str(&text));
}

/* Hands on the whole lines that are there. 1: go on reading; 0 or -1: the end. */
static int take_lines(struct buf *in, control_line_fn *fn, void *ctx, struct err *err) {
	struct span rest = buf_span(in), line;
	while (span_find(rest, '\n') < rest.len && span_take_line(&rest, &line)) {
		bool last;
		int r = control_verdict(line, &last, err);
		if (r != 0 || last)
			return r;
		if (fn && fn(ctx, line) != 0)
			return 0;
	}
	buf_consume(in, in->len - rest.len);
	return 1;
}

static int read_answer(int fd, int64_t timeout_ms, const char *path, control_line_fn *fn,
		       void *ctx, struct err *err) {
	AUTO_BUF struct buf in = BUF_INIT(LINE_MAX_ANSWER);
	for (;;) {
		char *room = buf_room(&in, READ_SIZE);
		if (!room)
			return err_set(err, ERR_LIMIT, "%s: an answer is too long", path);
		ssize_t n = recv(fd, room, READ_SIZE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (wait_for(fd, POLLIN, timeout_ms, path, err) != 0)
				return -1;
			continue;
		}
		if (n < 0)
			return err_sys(err, "%s: cannot read the answer", path);
		if (n == 0)
			return err_set(err, ERR_REMOTE,
				       "%s: nightmaild broke off its answer", path);
		buf_grew(&in, (size_t)n);
		int r = take_lines(&in, fn, ctx, err);
		if (r != 1)
			return r;
	}
}

int control_open(const char *path, struct span request, int64_t timeout_ms,
		 struct err *err) {
	AUTO_FD int fd = connect_to(path, err);
	if (fd < 0 || send_all(fd, request, timeout_ms, path, err) != 0 ||
	    send_all(fd, SPAN("\n"), timeout_ms, path, err) != 0)
		return -1;
	return take_fd(&fd);
}

int control_ask(const char *path, struct span request, int64_t timeout_ms,
		control_line_fn *fn, void *ctx, struct err *err) {
	AUTO_FD int fd = control_open(path, request, timeout_ms, err);
	return fd < 0 ? -1 : read_answer(fd, timeout_ms, path, fn, ctx, err);
}

bool control_reachable(const char *path) {
	struct err err = ERR_INIT;
	AUTO_FD int fd = connect_to(path, &err);
	return fd >= 0 || err.kind == ERR_DENIED;
}
