#ifndef NIGHTMAIL_BASE_LOOP_H
#define NIGHTMAIL_BASE_LOOP_H

/*
 * A poll(2) loop: descriptors with a callback, one-shot timers on boot time, signals as
 * events. Single-threaded; callbacks run one after another and may add or remove any
 * watch or timer, their own included.
 */

#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_watch;
struct loop_timer;

/* Readiness: POLLIN, POLLOUT (POLLERR and POLLHUP are delivered with whatever was asked). */
typedef void loop_fd_fn(void *ctx, int fd, short revents);
typedef void loop_timer_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signo);

/* NULL with errno when there is no memory or no descriptor. */
struct loop *loop_new(void);
/* Frees the loop with its watches and timers; closes no descriptor of the caller. */
void loop_free(struct loop *l);

/* Watches fd until loop_unwatch(); the descriptor stays the caller's. NULL: no memory. */
struct loop_watch *loop_watch(struct loop *l, int fd, short events, loop_fd_fn *fn,
			      void *ctx);
/* Changes what is asked; 0 pauses the watch, errors and hang-ups included. */
void loop_watch_events(struct loop_watch *w, short events);
void loop_unwatch(struct loop_watch *w); /* NULL is fine */

/* Calls fn once when delay_ms have passed (0: in the next round). NULL: no memory. */
struct loop_timer *loop_timer(struct loop *l, int64_t delay_ms, loop_timer_fn *fn,
			      void *ctx);
/* Sets a timer anew, whether it has fired or not. */
void loop_timer_set(struct loop_timer *t, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine */

/* Delivers a signal inside the loop (signalfd); the signal is blocked in this process. A
 * child must call loop_signals_reset() after fork, before exec. */
int loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *ctx);
/* Unblocks all signals and sets SIGPIPE and SIGCHLD to default: what a child program expects. */
void loop_signals_reset(void);

/* Runs until loop_stop(); returns the value given there, or -1 when poll fails. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int value);

#include "base/banned.h"

#endif
