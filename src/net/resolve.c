/*
 * nightmail-resolve: takes questions from many channels, gives each to libunbound, and sends the
 * answer, or says at the deadline that there is none. A channel that does not read its answers
 * loses those that do not fit, not the others theirs.
 */

#include "net/resolve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/dns_frame.h"
#include "net/unbound.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define FRAMES_A_ROUND 8
#define QUESTIONS_MAX 10000u /* of one channel at a time */
#define UNREAD_MAX (4u << 20)

struct resolve {
	struct loop *loop;
	int control;
	struct loop_watch *watch;
	struct loop_timer *idle;
	struct unbound *unbound;
	struct list channels;
	struct buf frame;
	int64_t deadline_ms;
	bool watch_conf; /* the servers are those of RESOLV_CONF */
	struct stat conf;
	bool warned;
};

struct channel {
	struct list node;
	struct resolve *r;
	int fd;
	struct loop_watch *watch;
	struct list tasks;
	unsigned open;
	struct buf unread; /* answers there was no room for: length u32, frame, ... */
};

/* One question. */
struct task {
	struct list node;
	struct channel *c;
	uint32_t id;
	struct unbound_question *q; /* NULL: answered */
	struct loop_timer *deadline;
};

static void drop_task(struct task *t) {
	if (t->q)
		unbound_cancel(t->q);
	loop_timer_free(t->deadline);
	list_remove(&t->node);
	t->c->open--;
	free(t);
}

static void close_channel(struct channel *c) {
	struct resolve *r = c->r;
	while (!list_empty(&c->tasks))
		drop_task(list_entry(c->tasks.next, struct task, node));
	loop_unwatch(c->watch);
	close(c->fd);
	buf_release(&c->unread);
	list_remove(&c->node);
	free(c);
	if (list_empty(&r->channels))
		loop_timer_set(r->idle, RESOLVE_IDLE_MS);
}

/* Sends what waits; the watch asks for room while something is left. */
static void push(struct channel *c) {
	size_t at = 0;
	uint32_t len;
	while (c->unread.len - at >= sizeof(len)) {
		memcpy(&len, c->unread.data + at, sizeof(len));
		struct span frame = span_of(c->unread.data + at + sizeof(len), len);
		if (proc_send(c->fd, frame, -1) != 0 && errno == EAGAIN)
			break;
		at += sizeof(len) + len;
	}
	buf_consume(&c->unread, at);
	loop_watch_events(c->watch,
			  (short)(c->unread.len > 0 ? POLLIN | POLLOUT : POLLIN));
}

static void send_frame(struct channel *c, struct span frame) {
	uint32_t len = (uint32_t)frame.len;
	if (c->unread.len + sizeof(len) + len > UNREAD_MAX)
		return;
	buf_addm(&c->unread, &len, sizeof(len));
	buf_add(&c->unread, frame);
	push(c);
}

static void answer(struct channel *c, uint32_t id, const struct dns_found *found) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	if (dns_frame_write_answer(&frame, id, found) == 0)
		send_frame(c, buf_span(&frame));
}

static void warn_once(struct resolve *r) {
	const char *words = unbound_warning(r->unbound);
	if (*words && !r->warned)
		log_warn("%s", words);
	r->warned = *words != '\0';
}

static void on_answer(void *ctx, const struct dns_found *found) {
	struct task *t = ctx;
	t->q = NULL;
	warn_once(t->c->r);
	answer(t->c, t->id, found);
	drop_task(t);
}

static void on_deadline(void *ctx) {
	struct task *t = ctx;
	AUTO_BUF struct buf why = BUF_INIT(64);
	buf_addf(&why, "no answer in %lld s", (long long)t->c->r->deadline_ms / 1000);
	struct dns_found late = { .status = DNS_TIMEOUT, .why = buf_str(&why) };
	answer(t->c, t->id, &late);
	drop_task(t);
}

static void take_question(struct channel *c, const struct dns_frame_question *question) {
	struct dns_found none = { .status = DNS_SERVFAIL,
				  .why = "too many questions at once" };
	struct task *t = c->open < QUESTIONS_MAX ? calloc(1, sizeof(*t)) : NULL;
	bool asked = false;
	if (!t) {
		answer(c, question->id, &none);
		return;
	}
	t->c = c;
	t->id = question->id;
	list_add_tail(&c->tasks, &t->node);
	c->open++;
	t->deadline = loop_timer(c->r->loop, c->r->deadline_ms, on_deadline, t);
	if (t->deadline) {
		struct unbound_question *q = unbound_ask(c->r->unbound, question->name,
							 question->type, on_answer, t,
							 &asked);
		if (!q && asked)
			return; /* answered, and the task is gone */
		t->q = q;
	}
	if (t->q)
		return;
	none.why = "nightmail-resolve is out of memory";
	answer(c, question->id, &none);
	drop_task(t);
}

/* Another network has other name servers. */
static void look_at_conf(struct resolve *r) {
	struct stat st = { .st_ino = 0 };
	if (!r->watch_conf)
		return;
	if (stat(RESOLV_CONF, &st) == 0 && st.st_ino == r->conf.st_ino &&
	    st.st_size == r->conf.st_size &&
	    st.st_mtim.tv_sec == r->conf.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == r->conf.st_mtim.tv_nsec)
		return;
	if (r->conf.st_ino != 0 || st.st_ino != 0)
		unbound_renew(r->unbound);
	r->conf = st;
}

static void take_frame(struct channel *c, struct span frame) {
	struct dns_frame_question question;
	if (!span_take_char(&frame, DNS_FRAME_QUESTIONS))
		return;
	look_at_conf(c->r);
	while (dns_frame_take_question(&frame, &question))
		take_question(c, &question);
	if (frame.len > 0)
		log_error("a frame of questions is not understood");
}

static void on_channel(void *ctx, int fd, short revents) {
	struct channel *c = ctx;
	struct resolve *r = c->r;
	int got = 1;
	if (revents & POLLOUT)
		push(c);
	for (int i = 0; i < FRAMES_A_ROUND && (got = proc_recv(fd, &r->frame, NULL)) > 0;
	     i++)
		take_frame(c, buf_span(&r->frame));
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EMSGSIZE))
		close_channel(c);
}

static void open_channel(struct resolve *r, int fd) {
	struct channel *c = calloc(1, sizeof(*c));
	if (c)
		c->watch = loop_watch(r->loop, fd, POLLIN, on_channel, c);
	if (!c || !c->watch) {
		log_error("out of memory");
		free(c);
		close(fd);
		return;
	}
	c->r = r;
	c->fd = fd;
	list_init(&c->tasks);
	buf_init(&c->unread, UNREAD_MAX);
	list_add_tail(&r->channels, &c->node);
	loop_timer_stop(r->idle);
	char ready = DNS_FRAME_READY;
	send_frame(c, span_of(&ready, 1));
}

static void on_control(void *ctx, int fd, short revents) {
	struct resolve *r = ctx;
	int passed = -1;
	(void)revents;
	int got = proc_recv(fd, &r->frame, &passed);
	if (got > 0 && passed >= 0)
		open_channel(r, passed);
	else if (got == 0 || (got < 0 && errno != EAGAIN))
		loop_stop(r->loop, 0);
}

static void on_idle(void *ctx) {
	struct resolve *r = ctx;
	if (list_empty(&r->channels))
		loop_stop(r->loop, 0);
}

static void on_term(void *ctx, int signo) {
	(void)signo;
	loop_stop(((struct resolve *)ctx)->loop, 0);
}

/* Every question under way takes a descriptor. */
static void raise_limit(void) {
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return;
	l.rlim_cur = l.rlim_max < 65536 ? l.rlim_max : 65536;
	setrlimit(RLIMIT_NOFILE, &l);
}

static int prepare(struct resolve *r, const struct dns_unbound_options *o,
		   struct err *err) {
	r->loop = loop_new();
	if (!r->loop)
		return err_set(err, ERR_MEMORY, "out of memory");
	r->watch = loop_watch(r->loop, r->control, POLLIN, on_control, r);
	r->idle = loop_timer(r->loop, RESOLVE_IDLE_MS, on_idle, r);
	if (!r->watch || !r->idle || loop_signal(r->loop, SIGTERM, on_term, r) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	r->unbound = unbound_open(r->loop, o, err);
	return r->unbound ? 0 : -1;
}

int resolve_serve(int control, const struct dns_unbound_options *o) {
	static struct resolve r;
	struct err err = ERR_INIT;
	r.control = control;
	r.deadline_ms = o->deadline_ms > 0 ? o->deadline_ms : DNS_DEADLINE_MS;
	r.watch_conf = !o->server && !o->iterate;
	list_init(&r.channels);
	buf_init(&r.frame, PROC_FRAME_MAX);
	raise_limit();
	if (r.watch_conf && stat(RESOLV_CONF, &r.conf) != 0)
		r.conf = (struct stat){ .st_ino = 0 };
	int result = prepare(&r, o, &err);
	if (result != 0)
		log_error("%s", err.msg);
	else
		result = loop_run(r.loop);
	while (!list_empty(&r.channels))
		close_channel(list_entry(r.channels.next, struct channel, node));
	if (r.unbound)
		unbound_close(r.unbound);
	loop_timer_free(r.idle);
	loop_unwatch(r.watch);
	loop_free(r.loop);
	buf_release(&r.frame);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
