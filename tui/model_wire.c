/* Questions whose answers come when they come; see model_wire.h. */

#include "tui/model_wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "control/address.h"
#include "control/control.h"

#define LINE_MAX_ANSWER (48u << 20) /* one message with all its recipients */
#define READ_SIZE 65536u
#define READS_AT_ONCE 3 /* then the screen and the keys have their turn */

void model_wire_init(struct model_wire *l) {
	*l = (struct model_wire){ .fd = -1 };
	buf_init(&l->in, LINE_MAX_ANSWER);
	buf_init(&l->out, CONTROL_REQUEST_MAX + 1);
}

void model_wire_close(struct model_wire *l) {
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->pid = 0;
	l->scanned = 0;
	buf_release(&l->in);
	buf_release(&l->out);
}

static void begin(struct model_wire *l, int fd, pid_t pid) {
	model_wire_close(l);
	l->fd = fd;
	l->pid = pid;
	l->asked_ms = l->heard_ms = clock_boot_ms();
}

int model_wire_ask(struct model_wire *l, const char *path, struct span request,
		   struct err *err) {
	struct sockaddr_un addr;
	socklen_t addr_len;
	AUTO_FD int fd = control_socket(path, SOCK_STREAM, &addr, &addr_len, err);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, addr_len) != 0) {
		if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
			return err_set(err, ERR_MISSING, "nightmaild is not running");
		if (errno == EACCES || errno == EPERM)
			return err_set(err, ERR_DENIED,
				       "%s: this user may not ask nightmaild", path);
		if (errno == EAGAIN)
			return err_set(err, ERR_TIMEOUT,
				       "nightmaild takes no connections");
		return err_sys(err, "%s: cannot connect", path);
	}
	begin(l, take_fd(&fd), 0);
	buf_add(&l->out, request);
	buf_addc(&l->out, '\n');
	if (!buf_failed(&l->out))
		return 0;
	model_wire_close(l);
	return err_set(err, ERR_LIMIT, "the request is too long");
}

void model_wire_adopt(struct model_wire *l, int fd, pid_t pid) {
	begin(l, fd, pid);
}

short model_wire_events(const struct model_wire *l) {
	return (short)(l->out.len ? POLLIN | POLLOUT : POLLIN);
}

/* 0, or -1 when the other side is gone. */
static int send_out(struct model_wire *l) {
	while (l->out.len) {
		ssize_t n = send(l->fd, l->out.data, l->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		buf_consume(&l->out, (size_t)n);
	}
	return 0;
}

/* Hands on the whole lines that are there. Only new bytes are searched for a line end, since
 * a line can be many reads long. */
static int take_lines(struct model_wire *l, model_wire_fn *fn, void *ctx) {
	size_t used = 0, from = l->scanned;
	struct span all = buf_span(&l->in);
	for (;;) {
		struct span rest = span_from(all, from);
		size_t n = span_find(rest, '\n');
		if (n == rest.len)
			break;
		if (fn(ctx, span_of(all.p + used, from + n - used)) != 0 || l->fd < 0)
			return -1;
		used = from = from + n + 1;
	}
	buf_consume(&l->in, used);
	l->scanned = l->in.len;
	return 0;
}

enum model_wire_end model_wire_pump(struct model_wire *l, model_wire_fn *fn, void *ctx) {
	if (send_out(l) != 0)
		return MODEL_WIRE_ENDED;
	for (int i = 0; i < READS_AT_ONCE; i++) {
		char *room = buf_room(&l->in, READ_SIZE);
		if (!room)
			return MODEL_WIRE_ENDED;
		ssize_t n = recv(l->fd, room, READ_SIZE, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return MODEL_WIRE_OPEN;
		if (n <= 0)
			return MODEL_WIRE_ENDED;
		l->heard_ms = clock_boot_ms();
		buf_grew(&l->in, (size_t)n);
		if (take_lines(l, fn, ctx) != 0)
			return MODEL_WIRE_LEFT;
	}
	return MODEL_WIRE_OPEN;
}
