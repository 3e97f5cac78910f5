/*
 * Events of libunbound: a descriptor, a time-out, or both, as libevent has them. An event with
 * UB_EV_PERSIST stays after its callback; another one is off before it. A callback may free its
 * event, so nothing is touched after it.
 */

#include "net/unbound_event.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>

typedef void event_fn(int fd, short bits, void *arg);

struct base {
	struct ub_event_base head; /* first: what the library sees */
	struct loop *loop;
};

struct event {
	struct ub_event head; /* first: what the library sees */
	struct loop *loop;
	struct loop_watch *watch; /* NULL: not on, or no descriptor */
	struct loop_timer *timer; /* NULL: never had a time-out */
	int fd;
	short bits;
	int64_t timeout_ms; /* -1: none */
	event_fn *fn;
	void *arg;
};

/* Both structs begin with their head. */
static struct event *event_of(struct ub_event *ev) {
	return (struct event *)(void *)ev;
}

static void turn_off(struct event *e) {
	loop_unwatch(e->watch);
	e->watch = NULL;
	if (e->timer)
		loop_timer_stop(e->timer);
}

static void on_ready(void *ctx, int fd, short revents) {
	struct event *e = ctx;
	short bits = 0;
	if (revents & (POLLIN | POLLERR | POLLHUP))
		bits |= UB_EV_READ;
	if (revents & (POLLOUT | POLLERR | POLLHUP))
		bits |= UB_EV_WRITE;
	bits &= e->bits;
	if (!(e->bits & UB_EV_PERSIST))
		turn_off(e);
	else if (e->timer && e->timeout_ms >= 0)
		loop_timer_set(e->timer, e->timeout_ms);
	e->fn(fd, bits, e->arg);
}

static void on_time(void *ctx) {
	struct event *e = ctx;
	if (!(e->bits & UB_EV_PERSIST))
		turn_off(e);
	else
		loop_timer_set(e->timer, e->timeout_ms);
	e->fn(e->fd, UB_EV_TIMEOUT, e->arg);
}

/* Rounded up: a timer that fires early is set again for nothing. */
static int64_t ms_of(const struct timeval *tv) {
	return (int64_t)tv->tv_sec * 1000 + (tv->tv_usec + 999) / 1000;
}

static int set_timeout(struct event *e, const struct timeval *tv) {
	e->timeout_ms = tv ? ms_of(tv) : -1;
	if (!tv) {
		if (e->timer)
			loop_timer_stop(e->timer);
		return 0;
	}
	if (!e->timer)
		e->timer = loop_timer(e->loop, e->timeout_ms, on_time, e);
	else
		loop_timer_set(e->timer, e->timeout_ms);
	return e->timer ? 0 : -1;
}

static int event_add(struct ub_event *ev, struct timeval *tv) {
	struct event *e = event_of(ev);
	short events = (short)((e->bits & UB_EV_READ ? POLLIN : 0) |
			       (e->bits & UB_EV_WRITE ? POLLOUT : 0));
	if (e->fd >= 0 && events != 0 && !e->watch) {
		e->watch = loop_watch(e->loop, e->fd, events, on_ready, e);
		if (!e->watch)
			return -1;
	}
	return set_timeout(e, tv);
}

static int event_del(struct ub_event *ev) {
	turn_off(event_of(ev));
	return 0;
}

static void add_bits(struct ub_event *ev, short bits) {
	turn_off(event_of(ev));
	event_of(ev)->bits |= bits;
}

static void del_bits(struct ub_event *ev, short bits) {
	turn_off(event_of(ev));
	event_of(ev)->bits &= (short)~bits;
}

static void set_fd(struct ub_event *ev, int fd) {
	turn_off(event_of(ev));
	event_of(ev)->fd = fd;
}

static void event_free(struct ub_event *ev) {
	struct event *e = event_of(ev);
	turn_off(e);
	loop_timer_free(e->timer);
	free(e);
}

static int add_timer(struct ub_event *ev, struct ub_event_base *base, event_fn *fn,
		     void *arg, struct timeval *tv) {
	struct event *e = event_of(ev);
	(void)base;
	turn_off(e);
	e->fn = fn;
	e->arg = arg;
	return set_timeout(e, tv);
}

/* The library handles no signals where it has no loop. */
static int refuse_signal(struct ub_event *ev, struct timeval *tv) {
	(void)ev;
	(void)tv;
	return -1;
}

static int no_signal(struct ub_event *ev) {
	(void)ev;
	return 0;
}

static void no_wsaevent(struct ub_event *ev) {
	(void)ev;
}

static void no_wouldblock(struct ub_event *ev, int bits) {
	(void)ev;
	(void)bits;
}

static struct ub_event_vmt event_vmt = {
	.add_bits = add_bits,
	.del_bits = del_bits,
	.set_fd = set_fd,
	.free = event_free,
	.add = event_add,
	.del = event_del,
	.add_timer = add_timer,
	.del_timer = event_del,
	.add_signal = refuse_signal,
	.del_signal = no_signal,
	.winsock_unregister_wsaevent = no_wsaevent,
	.winsock_tcp_wouldblock = no_wouldblock,
};

static struct ub_event *event_new(struct ub_event_base *base, int fd, short bits,
				  event_fn *fn, void *arg) {
	struct event *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->head.magic = UB_EVENT_MAGIC;
	e->head.vmt = &event_vmt;
	e->loop = ((struct base *)(void *)base)->loop;
	e->fd = fd;
	e->bits = bits;
	e->timeout_ms = -1;
	e->fn = fn;
	e->arg = arg;
	return &e->head;
}

static struct ub_event *signal_new(struct ub_event_base *base, int fd, event_fn *fn,
				   void *arg) {
	(void)base;
	(void)fd;
	(void)fn;
	(void)arg;
	return NULL;
}

static struct ub_event *wsaevent_new(struct ub_event_base *base, void *wsaevent,
				     event_fn *fn, void *arg) {
	(void)wsaevent;
	return signal_new(base, -1, fn, arg);
}

static int dispatch(struct ub_event_base *base) {
	return loop_run(((struct base *)(void *)base)->loop);
}

static int loop_exit(struct ub_event_base *base, struct timeval *tv) {
	(void)tv;
	loop_stop(((struct base *)(void *)base)->loop, 0);
	return 0;
}

void unbound_events_free(struct ub_event_base *base) {
	free(base);
}

static struct ub_event_base_vmt base_vmt = {
	.free = unbound_events_free,
	.dispatch = dispatch,
	.loopexit = loop_exit,
	.new_event = event_new,
	.new_signal = signal_new,
	.winsock_register_wsaevent = wsaevent_new,
};

struct ub_event_base *unbound_events_new(struct loop *loop) {
	struct base *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->head.magic = UB_EVENT_MAGIC;
	b->head.vmt = &base_vmt;
	b->loop = loop;
	return &b->head;
}
