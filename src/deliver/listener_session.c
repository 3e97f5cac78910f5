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
#define MALLOC_STEP (128 * 1024)

static struct sandbox *make_box(const struct settings *s, const char *program) {
	const char *const writable[] = { s->dir };
	struct err err = ERR_INIT;
	struct sandbox *box = sandbox_new(writable, 1, 0, program, &err);
	if (!box)
		log_error("sandbox ('sandbox = off' does without): %s", err.msg);
	return box;
}

void listener_session_boxes_free(struct listener *l) {
	sandbox_free(l->box);
	sandbox_free(l->tls_box);
	l->box = l->tls_box = NULL;
}

void listener_session_boxes(struct manager *m) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	const struct settings *s = &m->settings;
	struct listener *l = m->listener;
	listener_session_boxes_free(l);
	if (s->sandbox != CONFIG_SANDBOX_AUTO)
		return;
	l->box = make_box(s, NULL);
	/* Where it is missing, STARTTLS tells. */
	if (s->listen.tls.certificate &&
	    proc_helper("nightmail-session", &path, NULL) == 0)
		l->tls_box = make_box(s, buf_str(&path));
	if (l->box)
		log_info("sessions are confined by %s", sandbox_words(l->box));
}

static int enter_box(const struct listener *l, const struct plan *plan, struct err *err) {
	const struct sandbox *tls = plan->certificate ? l->tls_box : NULL;
	const struct sandbox *box = tls ? tls : l->box;
	if (plan->sandbox && !box)
		return err_set(err, ERR_SYSTEM, "there is no sandbox for it");
	if (plan->sandbox && sandbox_enter(box, err) != 0)
		return err_prefix(err, "sandbox ('sandbox = off' does without)");
	return 0;
}

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
	fcntl(HANDOVER_CLIENT_FD, F_SETFD, 0); /* one that was passed would be closed */
	/* execv() changes neither array; its prototype is older than const. */
	execv(argv[0], (char *const *)(uintptr_t)argv);
	return err_sys(err, "%s: cannot execute", argv[0]);
}

/* *channel becomes where it is from now on. */
static int settle(const struct manager *m, int fd, int *channel, const struct plan *plan) {
	const struct listener *l = m->listener;
	int from[5] = { fd, l->limits_fd, l->idle_fd }, count = 1;
	if (plan->certificate) {
		from[HANDOVER_PLAN_FD - HANDOVER_CLIENT_FD] = plan_pipe(plan);
		count = HANDOVER_PLAN_FD - HANDOVER_CLIENT_FD + 1;
	}
	if (*channel >= 0)
		from[count++] = *channel;
	closelog(); /* its descriptor goes with the others */
	if (place(from, HANDOVER_CLIENT_FD, count) != 0)
		return -1;
	proc_close_from(HANDOVER_CLIENT_FD + count);
	if (*channel >= 0) /* who goes on under TLS serves no second client */
		*channel = HANDOVER_CLIENT_FD + count - 1;
	return *channel < 0 || fcntl(*channel, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -1;
}

void listener_session(const struct manager *m, int fd, int channel,
		      const struct plan *plan, pid_t parent) {
	struct err err = ERR_INIT;
	loop_signals_reset();
	signal(SIGPIPE, SIG_IGN);
	unsetenv("NOTIFY_SOCKET");
	bool boxed = enter_box(m->listener, plan, &err) == 0;
	if (settle(m, fd, &channel, plan) != 0)
		_exit(EXIT_FAILURE);
	proc_die_with(parent, SIGTERM);
	confine();
	struct listen_spare spare = { .client = HANDOVER_CLIENT_FD,
				      .channel = channel,
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
	if (boxed && plan_serve(plan, &means, &err) == 0)
		_exit(EXIT_SUCCESS);
	log_error("a session of uid %u cannot work: %s", (unsigned)plan->uid, err.msg);
	static const char busy[] = "421 4.3.0 the relay cannot take mail now\r\n";
	_exit(write(HANDOVER_CLIENT_FD, busy, sizeof(busy) - 1) > 0 ? 1 : 2);
}
