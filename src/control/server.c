/*
 * The answering side of the control socket, inside the daemon's loop: never blocks, and a
 * slow reader costs only his own buffer. Each client sends one line; what answers it is
 * put into `out`, or made piece by piece by a producer whenever `out` runs low. A client
 * that takes nothing for a while is dropped.
 */

#include "control/control.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/list.h"
#include "base/term.h"
#include "control/address.h"

#define OUT_MAX (48u << 20) /* one message with 50,000 recipients fits */
#define OUT_LOW 65536u      /* below: the producer is asked for more */
#define READ_SIZE 4096u
#define PATIENCE_MS 60000
#define ACCEPT_PAUSE_MS 1000

struct control_server {
	struct loop *loop;
	char *path;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *pause; /* ends the pause after a failed accept */
	struct list clients;
	unsigned client_count;
	control_request_fn *fn;
	void *ctx;
};

struct control_client {
	struct list node;
	struct control_server *server;
	int fd;
	uid_t uid;
	struct loop_watch *watch;
	struct loop_timer *patience;
	struct buf in, out;
	bool asked; /* the request was handed over */
	bool ended; /* close when out is empty */
	control_produce_fn *produce;
	control_free_fn *free_fn;
	void *ctx;
};

static void drop_producer(struct control_client *c) {
	if (c->produce && c->free_fn)
		c->free_fn(c->ctx);
	c->produce = NULL;
}

static void client_free(struct control_client *c) {
	struct control_server *s = c->server;
	drop_producer(c);
	list_remove(&c->node);
	if (s->client_count-- == CONTROL_CLIENTS_MAX)
		loop_watch_events(s->watch, POLLIN);
	loop_unwatch(c->watch);
	loop_timer_free(c->patience);
	close(c->fd);
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
}

static void lost_patience(void *ctx) {
	client_free(ctx);
}

/* Asks the producer for one piece more when little is left to send. */
static void fill_out(struct control_client *c) {
	if (!c->produce || c->out.len >= OUT_LOW)
		return;
	if (c->produce(c->ctx, &c->out) && !buf_failed(&c->out))
		return;
	drop_producer(c);
	control_end(c, buf_failed(&c->out) ? "the answer is too long" : NULL);
}

/* Sends what is there. -1: the client is gone. */
static int send_out(struct control_client *c) {
	while (c->out.len) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		buf_consume(&c->out, (size_t)n);
		loop_timer_set(c->patience, PATIENCE_MS);
	}
	return 0;
}

/* One piece a round, so that a long answer does not keep the daemon from its work. */
static void push(struct control_client *c) {
	fill_out(c);
	if (send_out(c) != 0 || (c->ended && c->out.len == 0 && !c->produce)) {
		client_free(c);
		return;
	}
	loop_watch_events(c->watch, c->out.len || c->produce ? POLLOUT : POLLIN);
}

static void take_request(struct control_client *c) {
	struct span all = buf_span(&c->in), line;
	if (span_find(all, '\n') == all.len)
		return;
	span_take_line(&all, &line);
	c->asked = true;
	c->server->fn(c->server->ctx, c, line, c->uid);
	push(c);
}

static void client_readable(struct control_client *c) {
	char *room = buf_room(&c->in, READ_SIZE);
	if (!room) {
		buf_reset(&c->in);
		c->asked = true;
		control_end(c, "the request is too long");
		push(c);
		return;
	}
	ssize_t n = recv(c->fd, room, READ_SIZE, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	buf_grew(&c->in, (size_t)n);
	if (c->asked)
		buf_reset(&c->in); /* one request a connection */
	else
		take_request(c);
}

static void client_event(void *ctx, int fd, short revents) {
	struct control_client *c = ctx;
	(void)fd;
	if (revents & (POLLERR | POLLNVAL))
		client_free(c);
	else if (revents & POLLOUT)
		push(c);
	else
		client_readable(c);
}

static void client_new(struct control_server *s, int fd) {
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct control_client *c = calloc(1, sizeof(*c));
	if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
		free(c);
		close(fd);
		return;
	}
	c->server = s;
	c->fd = fd;
	c->uid = peer.uid;
	buf_init(&c->in, CONTROL_REQUEST_MAX);
	buf_init(&c->out, OUT_MAX);
	list_add_tail(&s->clients, &c->node);
	if (++s->client_count == CONTROL_CLIENTS_MAX)
		loop_watch_events(s->watch, 0);
	c->watch = loop_watch(s->loop, fd, POLLIN, client_event, c);
	c->patience = loop_timer(s->loop, PATIENCE_MS, lost_patience, c);
	if (!c->watch || !c->patience)
		client_free(c);
}

static void end_pause(void *ctx) {
	struct control_server *s = ctx;
	if (s->client_count < CONTROL_CLIENTS_MAX)
		loop_watch_events(s->watch, POLLIN);
}

/* Without a free descriptor a client goes on waiting in the socket, which stays readable:
 * polled all the time, it would keep the processor busy. */
static void accept_clients(void *ctx, int fd, short revents) {
	struct control_server *s = ctx;
	(void)revents;
	while (s->client_count < CONTROL_CLIENTS_MAX) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client < 0 && errno != EAGAIN && errno != EINTR) {
			loop_watch_events(s->watch, 0);
			loop_timer_set(s->pause, ACCEPT_PAUSE_MS);
		}
		if (client < 0)
			return;
		client_new(s, client);
	}
}

static int bind_at(const char *path, unsigned mode, struct err *err) {
	struct sockaddr_un addr;
	socklen_t addr_len;
	if (control_address(path, &addr, &addr_len, err) != 0)
		return -1;
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "%s: cannot make a socket", path);
	if (file_unlink(AT_FDCWD, path) != 0 && errno != ENOENT)
		return err_sys(err, "%s: cannot replace it", path);
	if (bind(fd, (struct sockaddr *)&addr, addr_len) != 0 || chmod(path, mode) != 0 ||
	    listen(fd, 64) != 0)
		return err_sys(err, "%s: cannot listen", path);
	return take_fd(&fd);
}

struct control_server *control_listen(struct loop *loop, const char *path, unsigned mode,
				      control_request_fn *fn, void *ctx,
				      struct err *err) {
	struct control_server *s = calloc(1, sizeof(*s));
	if (!s || !(s->path = span_dup(span_str(path)))) {
		free(s);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	s->loop = loop;
	s->fn = fn;
	s->ctx = ctx;
	list_init(&s->clients);
	s->fd = bind_at(path, mode, err);
	if (s->fd >= 0) {
		s->watch = loop_watch(loop, s->fd, POLLIN, accept_clients, s);
		s->pause = loop_timer(loop, 0, end_pause, s);
	}
	if (s->watch && s->pause)
		return s;
	if (s->fd >= 0)
		err_set(err, ERR_MEMORY, "out of memory");
	control_server_free(s);
	return NULL;
}

void control_server_free(struct control_server *s) {
	struct list *it, *tmp;
	if (!s)
		return;
	list_each(it, tmp, &s->clients)
		client_free(list_entry(it, struct control_client, node));
	loop_unwatch(s->watch);
	loop_timer_free(s->pause);
	if (s->fd >= 0) {
		close(s->fd);
		file_unlink(AT_FDCWD, s->path);
	}
	free(s->path);
	free(s);
}

void control_answer(struct control_client *c, struct span json_lines) {
	buf_add(&c->out, json_lines);
}

void control_stream(struct control_client *c, control_produce_fn *produce,
		    control_free_fn *free_fn, void *ctx) {
	c->produce = produce;
	c->free_fn = free_fn;
	c->ctx = ctx;
}

/* The last line, with words and the name of their kind; either may be NULL. */
static void end_with(struct control_client *c, const char *kind, const char *error) {
	AUTO_BUF struct buf safe = BUF_INIT(16 * CONTROL_REQUEST_MAX);
	if (buf_failed(&c->out))
		buf_reset(&c->out);
	struct json j = json_into(&c->out);
	json_object(&j, NULL);
	json_bool(&j, "ok", !error);
	if (error && kind)
		json_str(&j, "kind", span_str(kind));
	if (error) {
		term_safe_again(&safe, span_str(error));
		json_str(&j, "error", buf_span(&safe));
	}
	json_end(&j);
	buf_addc(&c->out, '\n');
	c->ended = true;
}

void control_end(struct control_client *c, const char *error) {
	end_with(c, NULL, error);
}

void control_fail(struct control_client *c, const struct err *err) {
	end_with(c, control_kind_name(err->kind), err->msg);
}
