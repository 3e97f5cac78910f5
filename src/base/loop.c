/*
 * The poll loop. A round is: wait, descriptors, timers, then free what was removed
 * meanwhile. The array for poll() is made anew only when a watch changed.
 *
 * A callback may remove any watch, its own too, while the round still goes through the
 * array. So a removed watch only loses its callback and moves to a list of the dead, which
 * is freed at the end of the round. Timers need no such care: one is taken off the list
 * before its callback runs, and the list is looked at anew for each.
 *
 * poll() does not count time in suspend; for delays over a second a timerfd on boot time
 * wakes the loop right after a resume.
 */

#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/list.h"

#define SIGNALS_MAX 65
#define WAKE_DELAY_MIN_MS 1000

struct loop_watch {
	struct list node;
	struct loop *loop;
	int fd;
	short events;
	loop_fd_fn *fn; /* NULL: removed */
	void *ctx;
};

struct loop_timer {
	struct list node; /* in loop.timers, sorted by due; an empty list when not set */
	struct loop *loop;
	int64_t due_ms;
	uint64_t round; /* in which it was set: it fires in a later one */
	loop_timer_fn *fn;
	void *ctx;
};

struct loop {
	struct list watches;
	struct list dead;
	struct list timers;
	struct pollfd *fds;
	struct loop_watch **fd_watches;
	size_t fd_count, fd_cap;
	bool changed;
	uint64_t round;
	int wake_fd;
	int64_t wake_due_ms; /* 0: wake_fd is not set */
	sigset_t mask;
	int signal_fd;
	struct loop_watch *signal_watch;
	struct {
		loop_signal_fn *fn;
		void *ctx;
	} signals[SIGNALS_MAX];
	bool stopped;
	int value;
};

static void woken(void *ctx, int fd, short revents) {
	struct loop *l = ctx;
	uint64_t count;
	(void)revents;
	if (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		l->wake_due_ms = 0;
}

struct loop *loop_new(void) {
	struct loop *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	list_init(&l->watches);
	list_init(&l->dead);
	list_init(&l->timers);
	sigemptyset(&l->mask);
	l->signal_fd = -1;
	l->wake_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->wake_fd < 0 || !loop_watch(l, l->wake_fd, POLLIN, woken, l)) {
		loop_free(l);
		return NULL;
	}
	return l;
}

static void free_watches(struct list *head) {
	struct list *it, *tmp;
	list_each(it, tmp, head)
		free(list_entry(it, struct loop_watch, node));
	list_init(head);
}

void loop_free(struct loop *l) {
	struct list *it, *tmp;
	if (!l)
		return;
	free_watches(&l->watches);
	free_watches(&l->dead);
	list_each(it, tmp, &l->timers)
		free(list_entry(it, struct loop_timer, node));
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	free(l->fds);
	free(l->fd_watches);
	free(l);
}

struct loop_watch *loop_watch(struct loop *l, int fd, short events, loop_fd_fn *fn,
			      void *ctx) {
	struct loop_watch *w = malloc(sizeof(*w));
	if (!w)
		return NULL;
	*w = (struct loop_watch){
		.loop = l, .fd = fd, .events = events, .fn = fn, .ctx = ctx
	};
	list_add_tail(&l->watches, &w->node);
	l->changed = true;
	return w;
}

void loop_watch_events(struct loop_watch *w, short events) {
	if (w->events == events)
		return;
	w->events = events;
	w->loop->changed = true;
}

void loop_unwatch(struct loop_watch *w) {
	if (!w)
		return;
	w->fn = NULL;
	w->loop->changed = true;
	list_remove(&w->node);
	list_add_tail(&w->loop->dead, &w->node);
}

struct loop_timer *loop_timer(struct loop *l, int64_t delay_ms, loop_timer_fn *fn,
			      void *ctx) {
	struct loop_timer *t = malloc(sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct loop_timer){ .loop = l, .fn = fn, .ctx = ctx };
	list_init(&t->node);
	loop_timer_set(t, delay_ms);
	return t;
}

/* Keeps the list sorted; most new timers are the last, so the search starts there. */
void loop_timer_set(struct loop_timer *t, int64_t delay_ms) {
	struct list *head = &t->loop->timers;
	list_remove(&t->node);
	int64_t now = clock_boot_ms();
	t->due_ms = delay_ms > INT64_MAX - now ? INT64_MAX
					       : now + (delay_ms > 0 ? delay_ms : 0);
	t->round = t->loop->round;
	struct list *before = head->prev;
	while (before != head &&
	       list_entry(before, struct loop_timer, node)->due_ms > t->due_ms)
		before = before->prev;
	list_add_tail(before->next, &t->node);
}

void loop_timer_stop(struct loop_timer *t) {
	list_remove(&t->node);
}

void loop_timer_free(struct loop_timer *t) {
	if (!t)
		return;
	list_remove(&t->node);
	free(t);
}

static void signalled(void *ctx, int fd, short revents) {
	struct loop *l = ctx;
	struct signalfd_siginfo info;
	(void)revents;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo < SIGNALS_MAX && l->signals[info.ssi_signo].fn)
			l->signals[info.ssi_signo].fn(l->signals[info.ssi_signo].ctx,
						      (int)info.ssi_signo);
	}
}

int loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *ctx) {
	if (signo <= 0 || signo >= SIGNALS_MAX) {
		errno = EINVAL;
		return -1;
	}
	sigaddset(&l->mask, signo);
	if (sigprocmask(SIG_BLOCK, &l->mask, NULL) != 0)
		return -1;
	int fd = signalfd(l->signal_fd, &l->mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -1;
	l->signal_fd = fd;
	if (!l->signal_watch)
		l->signal_watch = loop_watch(l, fd, POLLIN, signalled, l);
	if (!l->signal_watch)
		return -1;
	l->signals[signo].fn = fn;
	l->signals[signo].ctx = ctx;
	return 0;
}

void loop_signals_reset(void) {
	sigset_t none;
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int grow_arrays(struct loop *l, size_t need) {
	size_t cap = l->fd_cap ? l->fd_cap : 8;
	while (cap < need)
		cap *= 2;
	if (cap == l->fd_cap)
		return 0;
	struct pollfd *fds = reallocarray(l->fds, cap, sizeof(*fds));
	if (!fds)
		return -1;
	l->fds = fds;
	struct loop_watch **fd_watches = reallocarray(l->fd_watches, cap,
						      sizeof(*fd_watches));
	if (!fd_watches)
		return -1;
	l->fd_watches = fd_watches;
	l->fd_cap = cap;
	return 0;
}

static int make_poll_array(struct loop *l) {
	struct list *it, *tmp;
	size_t n = 0;
	if (!l->changed)
		return 0;
	list_each(it, tmp, &l->watches)
		n++;
	if (grow_arrays(l, n) != 0)
		return -1;
	l->fd_count = 0;
	list_each(it, tmp, &l->watches) {
		struct loop_watch *w = list_entry(it, struct loop_watch, node);
		if (w->events == 0)
			continue;
		l->fds[l->fd_count] = (struct pollfd){ .fd = w->fd, .events = w->events };
		l->fd_watches[l->fd_count++] = w;
	}
	l->changed = false;
	return 0;
}

/* How long poll() may wait; arms the timerfd when that is long. */
static int wait_ms(struct loop *l) {
	if (list_empty(&l->timers))
		return -1;
	int64_t due = list_entry(l->timers.next, struct loop_timer, node)->due_ms;
	int64_t delay = due - clock_boot_ms();
	if (delay <= 0)
		return 0;
	if (delay >= WAKE_DELAY_MIN_MS && (l->wake_due_ms == 0 || due < l->wake_due_ms)) {
		struct itimerspec at = { .it_value.tv_sec = (time_t)(delay / 1000) + 1 };
		if (timerfd_settime(l->wake_fd, 0, &at, NULL) == 0)
			l->wake_due_ms = due;
	}
	return delay < INT_MAX ? (int)delay : INT_MAX;
}

static void call_watches(struct loop *l, int ready) {
	for (size_t i = 0; i < l->fd_count && ready > 0 && !l->stopped; i++) {
		struct loop_watch *w = l->fd_watches[i];
		short revents = l->fds[i].revents;
		if (revents == 0)
			continue;
		ready--;
		short wanted = (short)(w->events | POLLERR | POLLHUP | POLLNVAL);
		if (w->fn && w->events != 0 && (revents & wanted))
			w->fn(w->ctx, w->fd, (short)(revents & wanted));
	}
}

static void call_timers(struct loop *l) {
	int64_t now = clock_boot_ms();
	l->round++;
	while (!list_empty(&l->timers) && !l->stopped) {
		struct loop_timer *t = list_entry(l->timers.next, struct loop_timer,
						  node);
		if (t->due_ms > now || t->round == l->round)
			break;
		list_remove(&t->node);
		t->fn(t->ctx);
	}
}

int loop_run(struct loop *l) {
	while (!l->stopped) {
		if (make_poll_array(l) != 0)
			return -1;
		int ready = poll(l->fds, l->fd_count, wait_ms(l));
		if (ready < 0 && errno != EINTR)
			return -1;
		if (ready > 0)
			call_watches(l, ready);
		call_timers(l);
		free_watches(&l->dead);
	}
	l->stopped = false;
	return l->value;
}

void loop_stop(struct loop *l, int value) {
	l->stopped = true;
	l->value = value;
}
