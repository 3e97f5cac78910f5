/*
 * nightmail-deliver's own process. It opens no connection itself: what it has is the CA
 * bundles, loaded once and shared by all workers it forks, and for moments one relay's
 * secret. It leaves when there is nothing to do, and when its program file was replaced,
 * so that an upgrade takes effect; the manager starts it again.
 */

#include "deliver/parent.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/proc.h"
#include "base/sandbox.h"
#include "creds/creds.h"
#include "deliver/wire.h"
#include "deliver/worker.h"
#include "queue/segment.h"

#define IDLE_MS 60000
#define WORKER_CHANNEL_FD 3
#define BUNDLES_MAX 16
#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

/* A CA bundle as it was when it was loaded. */
struct bundle {
	char *path; /* NULL: the system's */
	struct tls_client *tls;
	struct stat st;
};

struct parent {
	struct loop *loop;
	int channel;
	struct loop_watch *watch;
	struct loop_timer *idle;
	struct buf frame;
	struct bundle bundle[BUNDLES_MAX];
	size_t bundle_count;
	pid_t worker[SEGMENT_MAX]; /* by slot; 0: none */
	unsigned workers;
	struct sandbox *sandbox; /* of workers on this spool; NULL: none made yet */
	char *sandbox_dir;
	bool leaving;
	char program[PATH_MAX];
	struct stat program_st;
};

static bool same_file(const struct stat *a, const struct stat *b) {
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void remember_program(struct parent *p) {
	ssize_t n = readlink("/proc/self/exe", p->program, sizeof(p->program) - 1);
	p->program[n > 0 ? n : 0] = '\0';
	if (n > 0 && stat(p->program, &p->program_st) != 0)
		p->program[0] = '\0';
}

static bool program_changed(const struct parent *p) {
	struct stat st;
	if (!p->program[0])
		return false;
	return stat(p->program, &st) != 0 || !same_file(&st, &p->program_st);
}

static void report(struct parent *p, const struct wire_report *r) {
	AUTO_BUF struct buf line = BUF_INIT(PROC_FRAME_MAX);
	if (wire_report_write(&line, r) != 0)
		return;
	while (proc_send(p->channel, buf_span(&line), -1) != 0 && errno == EAGAIN) {
		struct pollfd fd = { .fd = p->channel, .events = POLLOUT };
		poll(&fd, 1, 1000);
	}
}

static void trouble(struct parent *p, unsigned slot, const char *words) {
	struct wire_report r = { .kind = WIRE_TROUBLE, .slot = slot };
	size_t n = strnlen(words, sizeof(r.text) - 1);
	memcpy(r.text, words, n);
	report(p, &r);
}

static void leave_if_idle(struct parent *p) {
	if (p->workers > 0)
		return;
	if (p->leaving || program_changed(p))
		loop_stop(p->loop, 0);
	else
		loop_timer_set(p->idle, IDLE_MS);
}

static void on_idle(void *ctx) {
	struct parent *p = ctx;
	if (p->workers == 0)
		loop_stop(p->loop, 0);
}

static void on_child(void *ctx, int signo) {
	struct parent *p = ctx;
	int status;
	(void)signo;
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		if (p->worker[i] == 0 ||
		    waitpid(p->worker[i], &status, WNOHANG) != p->worker[i])
			continue;
		struct wire_report r = { .kind = WIRE_EXITED,
					 .slot = i,
					 .status = status };
		p->worker[i] = 0;
		p->workers--;
		report(p, &r);
	}
	leave_if_idle(p);
}

static void start_leaving(struct parent *p) {
	p->leaving = true;
	loop_unwatch(p->watch);
	p->watch = NULL;
	leave_if_idle(p);
}

/* Workers finish what is in flight; we wait for them. */
static void on_term(void *ctx, int signo) {
	struct parent *p = ctx;
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		if (p->worker[i] > 0)
			kill(p->worker[i], signo);
	if (!p->leaving)
		start_leaving(p);
}

static struct bundle *find_bundle(struct parent *p, const char *path) {
	for (size_t i = 0; i < p->bundle_count; i++) {
		struct bundle *b = &p->bundle[i];
		if (path && b->path ? strcmp(path, b->path) == 0 : path == b->path)
			return b;
	}
	return NULL;
}

static void drop_bundle(struct parent *p, struct bundle *b) {
	tls_client_free(b->tls);
	free(b->path);
	*b = p->bundle[--p->bundle_count];
}

static int load_bundle(struct bundle *b, const char *path, struct err *err) {
	*b = (struct bundle){ .path = path ? span_dup(span_str(path)) : NULL };
	if (path && !b->path)
		return err_set(err, ERR_MEMORY, "out of memory");
	/* Looked at before it is read: a change in between is seen the next time. */
	if (stat(path ? path : SYSTEM_BUNDLE, &b->st) != 0)
		memset(&b->st, 0, sizeof(b->st));
	b->tls = tls_client_new(path, err);
	if (b->tls)
		return 0;
	free(b->path);
	return -1;
}

/* The trust anchors of a relay, loaded once and again when the file has changed. */
static int find_trust(struct parent *p, const struct config_relay *r,
		      const struct tls_client **ret, struct err *err) {
	struct bundle *b = find_bundle(p, r->ca);
	struct stat st;
	*ret = NULL;
	if (r->tls == CONFIG_TLS_NONE)
		return 0;
	if (b &&
	    (stat(r->ca ? r->ca : SYSTEM_BUNDLE, &st) != 0 || !same_file(&st, &b->st))) {
		drop_bundle(p, b);
		b = NULL;
	}
	if (!b) {
		if (p->bundle_count == BUNDLES_MAX)
			drop_bundle(p, &p->bundle[0]);
		b = &p->bundle[p->bundle_count];
		if (load_bundle(b, r->ca, err) != 0)
			return -1;
		p->bundle_count++;
	}
	*ret = b->tls;
	return 0;
}

static void drop_sandbox(struct parent *p) {
	sandbox_free(p->sandbox);
	free(p->sandbox_dir);
	p->sandbox = NULL;
	p->sandbox_dir = NULL;
}

/* What workers on a spool are put into; made once, since they come often. */
static int find_sandbox(struct parent *p, const struct wire_worker *w,
			const struct sandbox **ret, struct err *err) {
	const char *const writable[] = { w->dir };
	*ret = NULL;
	if (!w->sandbox)
		return 0;
	if (!p->sandbox || strcmp(p->sandbox_dir, w->dir) != 0) {
		drop_sandbox(p);
		p->sandbox_dir = span_dup(span_str(w->dir));
		if (p->sandbox_dir)
			p->sandbox = sandbox_new(writable, 1, SANDBOX_CONNECT, err);
		if (!p->sandbox)
			return err_prefix(err, "sandbox ('sandbox = off' does without)");
		log_info("workers are confined by %s", sandbox_words(p->sandbox));
	}
	*ret = p->sandbox;
	return 0;
}

_Noreturn static void be_worker(const struct wire_worker *w, int channel,
				const struct tls_client *tls,
				const struct sandbox *sandbox,
				const struct secret *secret, pid_t parent) {
	struct err err = ERR_INIT;
	proc_die_with(parent, SIGTERM);
	loop_signals_reset();
	signal(SIGPIPE, SIG_IGN);
	if (channel != WORKER_CHANNEL_FD && dup2(channel, WORKER_CHANNEL_FD) < 0)
		_exit(EXIT_FAILURE);
	closelog(); /* else syslog(3) would write to whatever gets its descriptor's number */
	if (sandbox && sandbox_enter(sandbox, &err) != 0) {
		log_error("sandbox: %s", err.msg);
		_exit(EXIT_FAILURE);
	}
	proc_close_from(WORKER_CHANNEL_FD + 1);
	_exit(worker_run(w, WORKER_CHANNEL_FD, tls, span_of(secret->p, secret->len)));
}

static int start(struct parent *p, const struct wire_worker *w, int channel,
		 struct err *err) {
	struct secret secret = { .p = NULL, .len = 0 };
	const struct tls_client *tls;
	const struct sandbox *sandbox;
	if (w->slot >= SEGMENT_MAX || p->worker[w->slot] != 0)
		return err_set(err, ERR_LIMIT, "there is a worker %u already", w->slot);
	if (find_trust(p, &w->relay, &tls, err) != 0 ||
	    find_sandbox(p, w, &sandbox, err) != 0)
		return -1;
	if (w->relay.login && w->relay.password &&
	    creds_fetch(span_str(w->relay.password), &secret, err) != 0)
		return -1;
	pid_t self = getpid();
	pid_t pid = fork();
	if (pid == 0)
		be_worker(w, channel, tls, sandbox, &secret, self);
	secret_release(&secret);
	if (pid < 0)
		return err_sys(err, "cannot start a worker");
	p->worker[w->slot] = pid;
	p->workers++;
	loop_timer_stop(p->idle);
	return 0;
}

static void take_frame(struct parent *p, int channel) {
	struct wire_worker w;
	struct err err = ERR_INIT;
	if (wire_worker_parse(buf_span(&p->frame), &w, &err) != 0) {
		log_error("a frame of the manager is not understood: %s", err.msg);
		return;
	}
	if (channel < 0)
		trouble(p, w.slot, "no channel came with the order");
	else if (start(p, &w, channel, &err) != 0)
		trouble(p, w.slot, err.msg);
	wire_worker_release(&w);
}

static void on_frame(void *ctx, int fd, short revents) {
	struct parent *p = ctx;
	int passed = -1;
	(void)revents;
	int r = proc_recv(fd, &p->frame, &passed);
	AUTO_FD int channel = passed;
	if (r > 0)
		take_frame(p, channel);
	else if (r == 0 || errno != EAGAIN)
		start_leaving(p);
}

static int prepare(struct parent *p) {
	p->loop = loop_new();
	if (!p->loop)
		return -1;
	p->watch = loop_watch(p->loop, p->channel, POLLIN, on_frame, p);
	p->idle = loop_timer(p->loop, IDLE_MS, on_idle, p);
	return p->watch && p->idle && loop_signal(p->loop, SIGCHLD, on_child, p) == 0 &&
			       loop_signal(p->loop, SIGTERM, on_term, p) == 0
		       ? 0
		       : -1;
}

int deliver_parent(int channel) {
	static struct parent p;
	p.channel = channel;
	buf_init(&p.frame, PROC_FRAME_MAX);
	remember_program(&p);
	int result = prepare(&p);
	if (result != 0)
		log_error("out of memory");
	else
		result = loop_run(p.loop);
	while (p.bundle_count > 0)
		drop_bundle(&p, &p.bundle[0]);
	drop_sandbox(&p);
	loop_timer_free(p.idle);
	loop_unwatch(p.watch);
	loop_free(p.loop);
	buf_release(&p.frame);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
