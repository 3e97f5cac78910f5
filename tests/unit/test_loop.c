/* The loop: order of timers, removal from inside callbacks, signals, readiness. */

#include "base/loop.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#include "tap.h"

static struct loop *loop;
static char trace[200];

static void note(const char *word) {
	size_t len = strlen(trace);
	snprintf(trace + len, sizeof(trace) - len, "%s", word);
}

static void note_timer(void *ctx) {
	note(ctx);
}

static void stop_timer(void *ctx) {
	note("stop");
	loop_stop(loop, *(int *)ctx);
}

static int value = 42;

static int run_until(int64_t delay_ms) {
	struct loop_timer *end = loop_timer(loop, delay_ms, stop_timer, &value);
	int r = loop_run(loop);
	loop_timer_free(end);
	return r;
}

static void test_order(void) {
	trace[0] = '\0';
	struct loop_timer *c = loop_timer(loop, 20, note_timer, (void *)(uintptr_t) "c ");
	struct loop_timer *a = loop_timer(loop, 0, note_timer, (void *)(uintptr_t) "a ");
	struct loop_timer *b = loop_timer(loop, 10, note_timer, (void *)(uintptr_t) "b ");
	struct loop_timer *never = loop_timer(loop, 5, note_timer,
					      (void *)(uintptr_t) "never ");
	struct loop_timer *late = loop_timer(loop, INT64_MAX, note_timer,
					     (void *)(uintptr_t) "late ");
	loop_timer_stop(never);
	int64_t before = clock_boot_ms();
	is_int(run_until(30), 42, "the loop returns the value it was stopped with");
	ok(clock_boot_ms() - before >= 30, "no timer fires early");
	is_str(trace, "a b c stop", "timers fire once, in the order of their time");
	trace[0] = '\0';
	loop_timer_set(a, 2);
	loop_timer_set(a, 0);
	loop_timer_set(never, -5);
	run_until(5);
	is_str(trace, "a never stop", "a timer can be set anew, and a past time is now");
	loop_timer_free(a);
	loop_timer_free(b);
	loop_timer_free(c);
	loop_timer_free(never);
	loop_timer_free(late);
	loop_timer_free(NULL);
}

static struct loop_timer *again;
static int rounds;

static void set_again(void *ctx) {
	(void)ctx;
	rounds++;
	loop_timer_set(again, 0);
}

static int turns;

static void stop_third(void *ctx, int fd, short revents) {
	(void)ctx;
	(void)fd;
	(void)revents;
	if (++turns == 3)
		loop_stop(loop, 1);
}

static void watch_once(void *ctx, int fd, short revents) {
	(void)ctx;
	(void)fd;
	(void)revents;
	note("fd ");
	loop_stop(loop, 1);
}

static void test_no_starving(void) {
	int ends[2];
	if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1)
		return;
	again = loop_timer(loop, 0, set_again, NULL);
	struct loop_watch *w = loop_watch(loop, ends[0], POLLIN, stop_third, NULL);
	is_int(loop_run(loop), 1,
	       "a timer that sets itself to 0 does not starve descriptors");
	ok(rounds <= 3, "because it fires once a round");
	loop_timer_free(again);
	loop_unwatch(w);
	close(ends[0]);
	close(ends[1]);
}

static void free_itself(void *ctx) {
	struct loop_timer **t = ctx;
	note("gone ");
	loop_timer_free(*t);
	*t = NULL;
}

static struct loop_watch *pair[2];

/* Whichever comes first removes both. */
static void remove_both(void *ctx, int fd, short revents) {
	(void)ctx;
	(void)fd;
	(void)revents;
	note("removed ");
	loop_unwatch(pair[0]);
	loop_unwatch(pair[1]);
}

static void test_removal(void) {
	int ends[2];
	trace[0] = '\0';
	struct loop_timer *self = loop_timer(loop, 0, free_itself, &self);
	run_until(2);
	is_str(trace, "gone stop", "a timer may free itself");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return;
	trace[0] = '\0';
	pair[0] = loop_watch(loop, ends[0], POLLOUT, remove_both, NULL);
	pair[1] = loop_watch(loop, ends[1], POLLOUT, remove_both, NULL);
	run_until(2);
	is_str(trace, "removed stop",
	       "a watch may remove itself and one that is ready too");
	loop_unwatch(NULL);
	close(ends[0]);
	close(ends[1]);
}

static short got_events;

static void note_events(void *ctx, int fd, short revents) {
	(void)fd;
	got_events = revents;
	loop_watch_events(*(struct loop_watch **)ctx, 0);
	note("event ");
}

static void test_events(void) {
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return;
	trace[0] = '\0';
	struct loop_watch *w = loop_watch(loop, ends[0], POLLIN, note_events, &w);
	run_until(2);
	is_str(trace, "stop", "nothing to read is no event");
	close(ends[1]);
	run_until(2);
	ok(got_events & POLLIN && got_events & POLLHUP,
	   "a closed peer is readable and hung up");
	is_str(trace, "stopevent stop",
	       "a watch with no events is paused, hang-ups included");
	clock_t cpu = clock();
	run_until(60);
	ok((clock() - cpu) * 1000 / CLOCKS_PER_SEC < 30, "and costs no time");
	loop_watch_events(w, POLLOUT);
	trace[0] = '\0';
	run_until(2);
	ok(!(got_events & POLLIN), "only what was asked is delivered");
	loop_unwatch(w);
	close(ends[0]);
}

static void on_signal(void *ctx, int signo) {
	note(ctx);
	note(signo == SIGUSR1 ? "USR1 " : "TERM ");
}

static void test_signals(void) {
	trace[0] = '\0';
	is_int(loop_signal(loop, SIGUSR1, on_signal, (void *)(uintptr_t) "got "), 0,
	       "a signal is taken");
	is_int(loop_signal(loop, SIGTERM, on_signal, (void *)(uintptr_t) "and "), 0,
	       "and a second");
	is_int(loop_signal(loop, 0, on_signal, NULL), -1, "0 is no signal");
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGTERM);
	run_until(20);
	is_str(trace, "got USR1 and TERM stop", "signals arrive inside the loop");
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		loop_signals_reset();
		kill(getpid(), SIGTERM);
		_exit(0);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
	   "after a reset a child dies of them");
}

static void test_stop_before(void) {
	loop_stop(loop, 9);
	is_int(loop_run(loop), 9, "a loop stopped before it runs returns at once");
	is_int(run_until(0), 42, "and runs again after that");
}

static void test_many(void) {
	int ends[2];
	struct loop_watch *watches[100];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return;
	trace[0] = '\0';
	for (int i = 0; i < 100; i++)
		watches[i] = loop_watch(loop, ends[0], i == 77 ? POLLOUT : POLLIN,
					watch_once, NULL);
	is_int(loop_run(loop), 1, "one of a hundred watches is served");
	for (int i = 0; i < 100; i++)
		loop_unwatch(watches[i]);
	is_str(trace, "fd ", "once");
	close(ends[0]);
	close(ends[1]);
}

int main(void) {
	loop = loop_new();
	if (!loop)
		return 1;
	test_order();
	test_no_starving();
	test_removal();
	test_events();
	test_signals();
	test_stop_before();
	test_many();
	loop_free(loop);
	loop_free(NULL);
	return done_testing();
}
