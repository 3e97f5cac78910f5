/*
 * One client of the control socket. It never blocks the daemon, and a slow reader costs only
 * its own buffer. A client sends one line; what answers it is put into `out`, or made piece
 * by piece by a producer whenever `out` runs low, or comes as it happens to one that follows.
 * Whoever takes nothing for a while is dropped.
 */

#include "control/connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/term.h"

#define OUT_MAX (48u << 20) /* one message with 50,000 recipients fits */
#define OUT_LOW 65536u      /* below: the producer is asked for more */
#define UNREAD_MAX (8u << 20) /* of a user's connections; beyond it the next piece waits */
#define UNREAD_WAIT_MS 200
#define READ_SIZE 4096u
#define REQUEST_MS 30000
#define PATIENCE_MS 60000

struct control_client {
	struct list node;
	struct control_server *server;
	struct account *account; /* NULL: an administrator's */
	struct control_peer peer;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *patience;
	struct loop_timer *delay; /* ends the pause its account has to make */
	struct buf in, out;
	bool asked;   /* the request was handed over */
	bool ended;   /* close when out is empty */
	bool follows; /* stays open without a producer */
	bool pausing;
	control_produce_fn *produce;
	control_free_fn *free_fn;
	void *ctx;
};

/* The producer's, or the follower's, part is over. */
static void let_go(struct control_client *c) {
	if (c->free_fn)
		c->free_fn(c->ctx);
	c->produce = NULL;
	c->free_fn = NULL;
	c->follows = false;
}

static void connection_free(struct control_client *c) {
	struct control_server *s = c->server;
	let_go(c);
	list_remove(&c->node);
	s->client_count--;
	if (c->account)
		c->account->clients--;
	server_has_room(s);
	loop_unwatch(c->watch);
	loop_timer_free(c->patience);
	loop_timer_free(c->delay);
	close(c->fd);
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
}

void connection_free_all(struct control_server *s) {
	struct list *it, *tmp;
	list_each(it, tmp, &s->clients)
		connection_free(list_entry(it, struct control_client, node));
}

static void lost_patience(void *ctx) {
	struct control_client *c = ctx;
	if (c->follows && c->out.len == 0)
		return; /* nothing happened that it could take */
	if (c->pausing) /* it is we who let it wait */
		loop_timer_set(c->patience, PATIENCE_MS);
	else
		connection_free(c);
}

/* What the other connections of its user have not read yet. */
static size_t unread_by_user(const struct control_client *c) {
	struct list *it, *tmp;
	size_t n = 0;
	list_each(it, tmp, &c->server->clients) {
		const struct control_client *other =
			list_entry(it, struct control_client, node);
		n += other != c && other->account == c->account ? other->out.len : 0;
	}
	return n;
}

/* Waits when its user has had his share, of time or of memory: then everything goes on later. */
static bool pauses(struct control_client *c) {
	int64_t wait = c->account ? account_wait_ms(c->account, clock_boot_ms()) : 0;
	if (c->account && wait == 0 && c->out.len < OUT_LOW && unread_by_user(c) > UNREAD_MAX)
		wait = UNREAD_WAIT_MS;
	if (wait == 0)
		return false;
	c->pausing = true;
	loop_watch_events(c->watch, 0);
	loop_timer_set(c->delay, wait);
	return true;
}

static void charge(const struct control_client *c, int64_t begun_us) {
	if (c->account)
		account_charge(c->account, clock_wall_us() - begun_us, clock_boot_ms());
}

/* Asks the producer for one piece more when little is left to send. */
static void fill_out(struct control_client *c) {
	int64_t begun_us = clock_wall_us();
	if (!c->produce || c->out.len >= OUT_LOW)
		return;
	bool more = c->produce(c->ctx, &c->out) && !buf_failed(&c->out);
	charge(c, begun_us);
	if (more)
		return;
	let_go(c);
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
	if (c->produce && pauses(c))
		return;
	fill_out(c);
	if (send_out(c) != 0 || (c->ended && c->out.len == 0 && !c->produce)) {
		connection_free(c);
		return;
	}
	loop_watch_events(c->watch, c->out.len || c->produce ? POLLOUT : POLLIN);
}

static void take_request(struct control_client *c) {
	struct span all = buf_span(&c->in), line;
	if (span_find(all, '\n') == all.len || pauses(c))
		return;
	int64_t begun_us = clock_wall_us();
	span_take_line(&all, &line);
	c->asked = true;
	c->server->fn(c->server->ctx, c, line, &c->peer);
	charge(c, begun_us);
	loop_timer_set(c->patience, PATIENCE_MS);
	push(c);
}

static void end_delay(void *ctx) {
	struct control_client *c = ctx;
	c->pausing = false;
	loop_watch_events(c->watch, c->out.len || c->produce ? POLLOUT : POLLIN);
	if (!c->asked)
		take_request(c);
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
		connection_free(c);
		return;
	}
	if (c->asked) { /* one request a connection */
		buf_reset(&c->in);
		return;
	}
	buf_grew(&c->in, (size_t)n);
	take_request(c);
}

static void client_event(void *ctx, int fd, short revents) {
	struct control_client *c = ctx;
	(void)fd;
	if (revents & (POLLERR | POLLNVAL))
		connection_free(c);
	else if (revents & POLLOUT)
		push(c);
	else
		client_readable(c);
}

void connection_new(struct control_server *s, int fd, const struct control_peer *peer,
		    struct account *account) {
	struct control_client *c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->server = s;
	c->fd = fd;
	c->peer = *peer;
	c->account = account;
	buf_init(&c->in, CONTROL_REQUEST_MAX);
	buf_init(&c->out, OUT_MAX);
	list_add_tail(&s->clients, &c->node);
	s->client_count++;
	if (account)
		account->clients++;
	c->watch = loop_watch(s->loop, fd, POLLIN, client_event, c);
	c->patience = loop_timer(s->loop, REQUEST_MS, lost_patience, c);
	c->delay = loop_timer(s->loop, 0, end_delay, c);
	if (!c->watch || !c->patience || !c->delay)
		connection_free(c);
	else
		loop_timer_stop(c->delay);
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

void control_follow(struct control_client *c, control_free_fn *free_fn, void *ctx) {
	c->follows = true;
	c->free_fn = free_fn;
	c->ctx = ctx;
}

void control_push(struct control_client *c, struct span lines) {
	if (c->ended)
		return;
	if (c->out.len == 0)
		loop_timer_set(c->patience, PATIENCE_MS);
	if (c->out.len + lines.len > CONTROL_FOLLOW_MAX)
		control_end(c, "too slow: events were lost");
	else
		buf_add(&c->out, lines);
	if (!c->pausing)
		loop_watch_events(c->watch, POLLOUT);
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
	loop_watch_events(c->watch, POLLOUT);
}

void control_end(struct control_client *c, const char *error) {
	end_with(c, NULL, error);
}

void control_fail(struct control_client *c, const struct err *err) {
	end_with(c, control_kind_name(err->kind), err->msg);
}
