/*
 * nightmail-deliver's own process. It opens no connection itself: what it has is the CA
 * bundles, loaded once and shared by all workers it forks, and for moments one relay's
 * secret. It leaves when there is nothing to do, and when its program file was replaced,
 * so that an upgrade takes effect; the manager starts it again.
 */

#include "deliver/parent.h"

#include <errno.h>
#include <fcntl.h>
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
#include "deliver/maildir.h"
#include "deliver/parent_resolve.h"
#include "deliver/parent_secret.h"
#include "deliver/parent_sessions.h"
#include "deliver/parent_trust.h"
#include "deliver/wire.h"
#include "deliver/worker.h"
#include "queue/segment.h"

#define IDLE_MS 60000
#define WORKER_CHANNEL_FD 3
#define FIRST_FREE_FD 10

/* A worker that waits for its relay's secret. */
struct waiting {
	struct wire_worker w;
	int channel;
	struct waiting *next;
};

struct parent {
	struct loop *loop;
	int channel;
	struct loop_watch *watch;
	struct loop_timer *idle;
	struct buf frame;
	struct trusts *trusts;
	struct sessions *sessions;
	pid_t worker[SEGMENT_MAX]; /* by slot; 0: none */
	unsigned workers;
	struct sandbox *sandbox; /* of workers on this spool; NULL: none made yet */
	char *sandbox_dir;
	struct resolvers *resolvers;
	struct secrets *secrets;
	char *password[SEGMENT_MAX]; /* of a worker: the reference, if it was fetched */
	uint64_t serial[SEGMENT_MAX]; /* and which one it got */
	struct waiting *waiting;
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
	if (p->workers > 0 || p->waiting)
		return;
	if (p->leaving || program_changed(p))
		loop_stop(p->loop, 0);
	else
		loop_timer_set(p->idle, IDLE_MS);
}

static void on_idle(void *ctx) {
	struct parent *p = ctx;
	if (p->workers == 0 && !p->waiting)
		loop_stop(p->loop, 0);
}

/* A worker that was not let in says so here alone: to the manager it has ended as others do. */
static int judge_secret(struct parent *p, unsigned slot, int status) {
	bool refused = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_NOT_LET_IN;
	if (refused && p->password[slot])
		secrets_refused(p->secrets, p->password[slot], p->serial[slot]);
	free(p->password[slot]);
	p->password[slot] = NULL;
	return refused ? 0 : status;
}

static void on_child(void *ctx, int signo) {
	struct parent *p = ctx;
	int status;
	(void)signo;
	resolvers_reap(p->resolvers);
	secrets_reap(p->secrets);
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		if (p->worker[i] == 0 ||
		    waitpid(p->worker[i], &status, WNOHANG) != p->worker[i])
			continue;
		struct wire_report r = { .kind = WIRE_EXITED,
					 .slot = i,
					 .status = judge_secret(p, i, status) };
		p->worker[i] = 0;
		p->workers--;
		resolvers_worker_gone(p->resolvers, i);
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

static void waiting_free(struct waiting *one) {
	if (one->channel >= 0)
		close(one->channel);
	wire_worker_release(&one->w);
	free(one);
}

/* Those that have not begun never do. */
static void drop_waiting(struct parent *p) {
	while (p->waiting) {
		struct waiting *one = p->waiting;
		struct wire_report r = { .kind = WIRE_EXITED, .slot = one->w.slot };
		p->waiting = one->next;
		report(p, &r);
		waiting_free(one);
	}
}

/* Workers finish what is in flight; we wait for them. */
static void on_term(void *ctx, int signo) {
	struct parent *p = ctx;
	drop_waiting(p);
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		if (p->worker[i] > 0)
			kill(p->worker[i], signo);
	if (!p->leaving)
		start_leaving(p);
	else
		leave_if_idle(p);
}

static void drop_sandbox(struct parent *p) {
	sandbox_free(p->sandbox);
	free(p->sandbox_dir);
	p->sandbox = NULL;
	p->sandbox_dir = NULL;
}

static const char *maildir_of(const struct wire_worker *w) {
	const char *target;
	return config_way(&w->relay, &target) == CONFIG_WAY_MAILDIR ? target : NULL;
}

/* What workers on a spool are put into; made once, since they come often. */
static int find_sandbox(struct parent *p, const struct wire_worker *w,
			const struct sandbox **ret, struct err *err) {
	const char *maildir = maildir_of(w);
	const char *const writable[] = { w->dir, maildir };
	AUTO_BUF struct buf key = BUF_INIT(8192);
	*ret = NULL;
	if (maildir && maildir_make(maildir, err) != 0)
		return -1;
	if (!w->sandbox)
		return 0;
	buf_addf(&key, "%s\n%s", w->dir, maildir ? maildir : "");
	if (!p->sandbox || strcmp(p->sandbox_dir, buf_str(&key)) != 0) {
		drop_sandbox(p);
		p->sandbox_dir = span_dup(buf_span(&key));
		if (p->sandbox_dir)
			p->sandbox = sandbox_new(writable, maildir ? 2 : 1, SANDBOX_CONNECT,
						 NULL, err);
		if (!p->sandbox)
			return err_prefix(err, "sandbox ('sandbox = off' does without)");
		log_info("workers are confined by %s", sandbox_words(p->sandbox));
	}
	*ret = p->sandbox;
	return 0;
}

/* dns: the worker's end of its channel to nightmail-resolve, or -1. */
_Noreturn static void be_worker(const struct wire_worker *w, int channel, int dns,
				const struct tls_client *tls,
				const struct sandbox *sandbox,
				const struct creds_secret *secret, pid_t parent) {
	struct err err = ERR_INIT;
	proc_die_with(parent, SIGTERM);
	loop_signals_reset();
	signal(SIGPIPE, SIG_IGN);
	closelog(); /* else syslog(3) would write to whatever gets its descriptor's number */
	/* Out of the way of the numbers that both are to have. */
	int moved = dns >= 0 ? fcntl(dns, F_DUPFD, FIRST_FREE_FD) : -1;
	if (channel != WORKER_CHANNEL_FD && dup2(channel, WORKER_CHANNEL_FD) < 0)
		_exit(EXIT_FAILURE);
	if (dns >= 0 && (moved < 0 || dup2(moved, WORKER_DNS_FD) < 0))
		_exit(EXIT_FAILURE);
	if (sandbox && sandbox_enter(sandbox, &err) != 0) {
		log_error("sandbox: %s", err.msg);
		_exit(EXIT_FAILURE);
	}
	proc_close_from(dns >= 0 ? WORKER_DNS_FD + 1 : WORKER_CHANNEL_FD + 1);
	const struct worker_secret given = {
		.text = span_of(secret->secret.p, secret->secret.len),
		.token = secret->token,
		.expires_ms = secret->expires * 1000,
		.renewed = secret->renewed,
	};
	_exit(worker_run(w, WORKER_CHANNEL_FD, tls, &given));
}

/* 1: there, 0: it comes later. */
static int find_secret(struct parent *p, const struct wire_worker *w, struct creds_secret *ret,
		       struct err *err) {
	const char *ref = w->relay.login ? w->relay.password : NULL;
	*ret = (struct creds_secret){ .expires = 0 };
	if (!ref)
		return 1;
	if (creds_is_slow(span_str(ref)))
		return secrets_find(p->secrets, ref, ret, err);
	return creds_get(span_str(ref), false, ret, err) == 0 ? 1 : -1;
}

/* 1: started; 0: its secret comes later. */
static int start(struct parent *p, const struct wire_worker *w, int channel,
		 struct err *err) {
	struct creds_secret secret;
	struct tls_client *tls;
	const struct sandbox *sandbox;
	if (w->slot >= SEGMENT_MAX || p->worker[w->slot] != 0)
		return err_set(err, ERR_LIMIT, "there is a worker %u already", w->slot);
	if (trusts_find(p->trusts, &w->relay, &tls, err) != 0 ||
	    find_sandbox(p, w, &sandbox, err) != 0)
		return -1;
	int r = find_secret(p, w, &secret, err);
	if (r != 1)
		return r;
	AUTO_FD int dns = w->resolve ? resolvers_channel(p->resolvers, w, err) : -1;
	if (w->resolve && dns < 0) {
		secret_release(&secret.secret);
		return -1;
	}
	struct tls_cache *kept =
		tls ? sessions_find(p->sessions, w->relay.name, w->destination) : NULL;
	pid_t self = getpid();
	pid_t pid = fork();
	if (pid == 0)
		sessions_keep(p->sessions, kept);
	if (pid == 0 && tls)
		tls_client_resume(tls, kept);
	if (pid == 0)
		be_worker(w, channel, dns, tls, sandbox, &secret, self);
	secret_release(&secret.secret);
	if (pid < 0) {
		err_sys(err, "cannot start a worker");
		resolvers_worker_gone(p->resolvers, w->slot);
		return -1;
	}
	p->worker[w->slot] = pid;
	p->serial[w->slot] = secret.serial;
	p->password[w->slot] = w->relay.login && w->relay.password ? strdup(w->relay.password)
								   : NULL;
	p->workers++;
	loop_timer_stop(p->idle);
	return 1;
}

/* Takes the worker and its channel over. */
static int put_off(struct parent *p, struct wire_worker *w, int *channel, struct err *err) {
	struct waiting *later = calloc(1, sizeof(*later));
	if (!later)
		return err_set(err, ERR_MEMORY, "out of memory");
	*later = (struct waiting){ .w = *w, .channel = take_fd(channel), .next = p->waiting };
	*w = (struct wire_worker){ .slot = 0 };
	p->waiting = later;
	loop_timer_stop(p->idle);
	return 0;
}

static void try_worker(struct parent *p, struct wire_worker *w, int *channel) {
	struct err err = ERR_INIT;
	unsigned slot = w->slot;
	int r = start(p, w, *channel, &err);
	if (r < 0 || (r == 0 && put_off(p, w, channel, &err) != 0))
		trouble(p, slot, err.msg);
}

/* Those that wait for this one begin, or hear why not. */
static void on_secret(void *ctx, const char *ref, const struct err *error) {
	struct parent *p = ctx;
	struct waiting *all = p->waiting;
	p->waiting = NULL;
	while (all) {
		struct waiting *one = all;
		all = one->next;
		if (strcmp(one->w.relay.password, ref) != 0) {
			one->next = p->waiting;
			p->waiting = one;
			continue;
		}
		if (error)
			trouble(p, one->w.slot, error->msg);
		else
			try_worker(p, &one->w, &one->channel);
		waiting_free(one);
	}
	leave_if_idle(p);
}

static void take_frame(struct parent *p, int *channel) {
	struct wire_worker w;
	struct err err = ERR_INIT;
	if (wire_worker_parse(buf_span(&p->frame), &w, &err) != 0) {
		log_error("a frame of the manager is not understood: %s", err.msg);
		return;
	}
	if (*channel < 0)
		trouble(p, w.slot, "no channel came with the order");
	else
		try_worker(p, &w, channel);
	wire_worker_release(&w);
}

static void on_frame(void *ctx, int fd, short revents) {
	struct parent *p = ctx;
	int passed = -1;
	(void)revents;
	int r = proc_recv(fd, &p->frame, &passed);
	AUTO_FD int channel = passed;
	if (r > 0)
		take_frame(p, &channel);
	else if (r == 0 || errno != EAGAIN)
		start_leaving(p);
}

static int prepare(struct parent *p) {
	p->loop = loop_new();
	if (!p->loop)
		return -1;
	p->watch = loop_watch(p->loop, p->channel, POLLIN, on_frame, p);
	p->idle = loop_timer(p->loop, IDLE_MS, on_idle, p);
	p->resolvers = resolvers_new(p->loop);
	p->trusts = trusts_new();
	p->sessions = sessions_new();
	p->secrets = secrets_new(p->loop, on_secret, p);
	return p->watch && p->idle && p->resolvers && p->trusts && p->sessions && p->secrets &&
			       loop_signal(p->loop, SIGCHLD, on_child, p) == 0 &&
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
	trusts_free(p.trusts);
	sessions_free(p.sessions);
	secrets_free(p.secrets);
	drop_sandbox(&p);
	resolvers_free(p.resolvers);
	loop_timer_free(p.idle);
	loop_unwatch(p.watch);
	loop_free(p.loop);
	buf_release(&p.frame);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
