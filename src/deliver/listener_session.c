/*
 * The process of one session. It closes what is the manager's first, and parses what a client
 * sends where it can harm nobody. Where TLS is offered it keeps what nightmail-session needs,
 * which takes its place when the client asks for it.
 */

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/proc.h"
#include "deliver/handover.h"
#include "deliver/listener.h"

#define FIRST_FREE_FD 16
#define CHANNEL_FD (HANDOVER_CLIENT_FD + 1) /* of users, who have no TLS */
#define MALLOC_STEP (128 * 1024)

/* Bounds for what a client can make the process use. */
static void confine(void) {
	static const struct rlimit files = { 64, 64 };
	setrlimit(RLIMIT_NOFILE, &files);
	/* Fixed, or the memory of the largest message so far would stay. */
	mallopt(M_MMAP_THRESHOLD, MALLOC_STEP);
	mallopt(M_TRIM_THRESHOLD, MALLOC_STEP);
#ifndef KEEP_DUMPABLE /* sanitizers map terabytes */
	static const struct rlimit memory = { 256u << 20, 256u << 20 };
	setrlimit(RLIMIT_AS, &memory);
#endif
}

/* A pipe that holds the plan. */
static int plan_pipe(const struct plan *plan) {
	AUTO_BUF struct buf line = BUF_INIT(PLAN_MAX);
	int ends[2];
	if (plan_write(plan, &line) != 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	ssize_t n = write(ends[1], line.data, line.len);
	close(ends[1]);
	if (n == (ssize_t)line.len)
		return ends[0];
	close(ends[0]);
	return -1;
}

/* Puts descriptors where nightmail-session expects them, from where none is overwritten. */
static int place(const int from[], int first, int count) {
	int high[8];
	for (int i = 0; i < count; i++)
		if (from[i] < 0 || (high[i] = fcntl(from[i], F_DUPFD, FIRST_FREE_FD)) < 0)
			return -1;
	for (int i = 0; i < count; i++)
		if (dup2(high[i], first + i) < 0)
			return -1;
	return 0;
}

static int start_tls(void *ctx, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	(void)ctx;
	if (proc_helper("nightmail-session", &path, err) != 0)
		return -1;
	const char *argv[1 + LOG_OPTIONS_MAX] = { buf_str(&path) };
	log_options(argv + 1);
	/* execv() changes neither array; its prototype is older than const. */
	execv(argv[0], (char *const *)(uintptr_t)argv);
	return err_sys(err, "%s: cannot execute", argv[0]);
}

static int settle(const struct manager *m, int fd, int channel, const struct plan *plan) {
	const struct listener *l = m->listener;
	bool tls = plan->certificate != NULL;
	const int without_tls[] = { fd, channel };
	const int with_tls[] = { fd, l->limits_fd, l->idle_fd, tls ? plan_pipe(plan) : -1 };
	int count = tls ? 4 : channel >= 0 ? 2 : 1;
	closelog(); /* its descriptor goes with the others */
	if (place(tls ? with_tls : without_tls, HANDOVER_CLIENT_FD, count) != 0)
		return -1;
	proc_close_from(HANDOVER_CLIENT_FD + count);
	return 0;
}

void listener_session(const struct manager *m, int fd, int channel, const struct plan *plan,
		      pid_t parent) {
	struct err err = ERR_INIT;
	loop_signals_reset();
	signal(SIGPIPE, SIG_IGN);
	unsetenv("NOTIFY_SOCKET");
	if (settle(m, fd, channel, plan) != 0)
		_exit(EXIT_FAILURE);
	proc_die_with(parent, SIGTERM);
	confine();
	struct listen_spare spare = { .client = HANDOVER_CLIENT_FD,
				      .channel = CHANNEL_FD,
				      .state = m->listener->spare + plan->slot,
				      .crowded = m->listener->spare + LISTEN_SLOTS };
	const struct plan_means means = {
		.fd = HANDOVER_CLIENT_FD,
		.limits = m->limits,
		.idle_since = m->listener->idle_since + plan->slot,
		.start_tls = plan->certificate ? start_tls : NULL,
		.next = channel >= 0 ? listener_spare_next : NULL,
		.next_ctx = &spare,
	};
	if (plan_serve(plan, &means, &err) == 0)
		_exit(EXIT_SUCCESS);
	log_error("a session of uid %u cannot work: %s", (unsigned)plan->uid, err.msg);
	static const char busy[] = "421 4.3.0 the relay cannot take mail now\r\n";
	_exit(write(HANDOVER_CLIENT_FD, busy, sizeof(busy) - 1) > 0 ? 1 : 2);
}
