/*
 * One check: dns-check, then smtp-probe when somebody takes mail for the domain. Each is started
 * as the daemon's user with its output in a pipe; what it says counts only when it has ended by
 * itself and the pipe is empty.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/proc.h"
#include "deliver/state.h"

#define RUN_MS 180000
#define OUTPUT_MAX (1u << 20)
#define ARGS_MAX (16 + 2 * CONFIG_WATCH_IPS_MAX)
#define PRIORITY 10
#define CODE_MAX 3 /* ok, warning, failure, unknown; above: it could not do its work */

enum stage { STAGE_DNS, STAGE_PROBE };
static const char *const programs[] = {
	[STAGE_DNS] = "dns-check",
	[STAGE_PROBE] = "smtp-probe",
};

struct watch_run {
	struct manager *manager;
	char domain[256];
	enum stage stage;
	struct watch_round round;
	pid_t pid; /* 0: does not run */
	bool ended, late, too_much;
	int status;
	int fd; /* -1: closed */
	struct loop_watch *watch;
	struct loop_timer *timer;
	struct buf output;
};

static void advance(struct watch_run *r);

/* --- a process --- */

static void close_pipe(struct watch_run *r) {
	loop_unwatch(r->watch);
	r->watch = NULL;
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static void read_output(void *ctx, int fd, short revents) {
	struct watch_run *r = ctx;
	char piece[16384];
	ssize_t n;
	(void)revents;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		r->too_much |= buf_addm(&r->output, piece, (size_t)n) != 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close_pipe(r);
	if (r->ended)
		advance(r);
}

static void too_late(void *ctx) {
	struct watch_run *r = ctx;
	r->late = true;
	if (!r->ended) /* its number may be another's by now */
		kill(r->pid, SIGKILL);
	close_pipe(r); /* what it has started may hold the other end */
	if (r->ended)
		advance(r);
}

struct args {
	const char *at[ARGS_MAX];
	size_t count;
};

static void put(struct args *a, const char *word) {
	if (a->count + 1 < ARGS_MAX)
		a->at[a->count++] = word;
}

static void put_option(struct args *a, const char *name, const char *value) {
	if (!value)
		return;
	put(a, name);
	put(a, value);
}

/* What the two have in common; the configuration says through whom DNS is asked. */
static void put_common(struct args *a, const struct manager *m) {
	put_option(a, "--config", m->file);
	put_option(a, "--resolver", m->settings.resolver);
	put_option(a, "--trust-anchor", m->settings.trust_anchor);
	if (m->settings.sandbox != CONFIG_SANDBOX_OFF)
		put(a, "--sandbox");
	put(a, "--plain");
}

static int start(struct watch_run *r, const struct args *a, struct err *err) {
	int ends[2];
	buf_reset(&r->output);
	r->ended = r->late = r->too_much = false;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(err, "no pipe");
	r->pid = proc_spawn_to(a->at, ends[1], err);
	close(ends[1]);
	r->fd = ends[0];
	fcntl(r->fd, F_SETFL, O_NONBLOCK);
	if (r->pid < 0) {
		r->pid = 0;
		close_pipe(r);
		return -1;
	}
	/* mail comes first; where a sandbox forbids that, it goes without */
	setpriority(PRIO_PROCESS, (id_t)r->pid, PRIORITY);
	r->watch = loop_watch(r->manager->loop, r->fd, POLLIN, read_output, r);
	r->timer = loop_timer(r->manager->loop, RUN_MS, too_late, r);
	return r->watch && r->timer ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

/* --- the programs --- */

static int start_program(struct watch_run *r, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	struct buf ip[CONFIG_WATCH_IPS_MAX];
	const struct manager *m = r->manager;
	const struct config_watch *c = &m->settings.watch;
	struct args a = { .count = 0 };
	if (proc_program(programs[r->stage], &path, err) != 0)
		return err_prefix(err, "%s is not installed (package nightmail-tools)",
				  programs[r->stage]);
	put(&a, buf_str(&path));
	put_common(&a, m);
	for (size_t i = 0; i < c->ip_count; i++) {
		buf_init(&ip[i], 64);
		inet_addr_add(&ip[i], &c->ip[i]);
		if (r->stage == STAGE_DNS)
			put_option(&a, "--ip", buf_str(&ip[i]));
	}
	if (r->stage == STAGE_DNS) {
		put(&a, "--from-config");
		put(&a, "--zone");
		put(&a, r->domain);
	} else {
		put_option(&a, "--quit-after", "TLS");
		put_option(&a, "--timeout", "20");
		put_option(&a, "--mx", r->domain);
	}
	int ret = start(r, &a, err);
	for (size_t i = 0; i < c->ip_count; i++)
		buf_release(&ip[i]);
	return ret;
}

/* Why what it said does not count, or 0. */
static int judge(const struct watch_run *r, struct err *err) {
	AUTO_BUF struct buf words = BUF_INIT(200);
	const char *name = programs[r->stage];
	if (r->late)
		return err_set(err, ERR_TIMEOUT, "%s: not done within %d s", name,
			       RUN_MS / 1000);
	if (r->too_much)
		return err_set(err, ERR_LIMIT, "%s: more than %u bytes of output", name,
			       OUTPUT_MAX);
	if (WIFEXITED(r->status) && WEXITSTATUS(r->status) <= CODE_MAX)
		return 0;
	proc_status_words(r->status, &words);
	return err_set(err, ERR_REMOTE, "%s: %s; its own words are in the log", name,
		       buf_str(&words));
}

static void finish(struct watch_run *r) {
	struct manager *m = r->manager;
	m->watches.run = NULL;
	watch_over(m, r->domain, &r->round);
	watch_run_free(r);
}

static void fail(struct watch_run *r, const struct err *err) {
	char why[sizeof(err->msg)];
	snprintf(why, sizeof(why), "%s", err->msg);
	watch_round_release(&r->round);
	r->round.failed = why;
	finish(r);
}

static void after_dns(struct watch_run *r) {
	struct err err = ERR_INIT;
	if (judge(r, &err) != 0) {
		fail(r, &err);
		return;
	}
	if (watch_read_dns(buf_span(&r->output), &r->round, &err) != 0) {
		err_prefix(&err, "dns-check");
		fail(r, &err);
		return;
	}
	r->stage = STAGE_PROBE;
	r->round.probed = !watch_has_mx(&r->round,
					r->domain); /* there is nothing to see */
	if (r->round.probed) {
		finish(r);
		return;
	}
	if (start_program(r, &err) == 0)
		return;
	log_info("watch domain=%s its certificates are not looked at: %s", r->domain,
		 err.msg);
	finish(r);
}

/* Without it the certificates are as they were. */
static void after_probe(struct watch_run *r) {
	struct err err = ERR_INIT;
	size_t found = r->round.finding.count;
	if (judge(r, &err) != 0 ||
	    watch_read_probe(buf_span(&r->output), &r->round, &err) != 0) {
		log_info("watch domain=%s its certificates are not known: %s", r->domain,
			 err.msg);
		watch_items_truncate(&r->round.finding, found);
	}
	finish(r);
}

/* The program has ended and all it said was read. */
static void advance(struct watch_run *r) {
	loop_timer_free(r->timer);
	r->timer = NULL;
	r->pid = 0;
	if (r->stage == STAGE_DNS)
		after_dns(r);
	else
		after_probe(r);
}

struct watch_run *watch_run_start(struct manager *m, const char *domain,
				  struct err *err) {
	struct watch_run *r = calloc(1, sizeof(*r));
	if (!r) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	r->manager = m;
	r->fd = -1;
	snprintf(r->domain, sizeof(r->domain), "%s", domain);
	buf_init(&r->output, OUTPUT_MAX);
	if (start_program(r, err) == 0)
		return r;
	watch_run_free(r);
	return NULL;
}

const char *watch_run_domain(const struct watch_run *r) {
	return r->domain;
}

void watch_run_reap(struct watch_run *r) {
	if (r->pid <= 0 || r->ended || waitpid(r->pid, &r->status, WNOHANG) != r->pid)
		return;
	r->ended = true;
	if (r->fd < 0)
		advance(r);
}

void watch_run_free(struct watch_run *r) {
	if (!r)
		return;
	close_pipe(r);
	loop_timer_free(r->timer);
	if (r->pid > 0 && !r->ended) {
		kill(r->pid, SIGKILL);
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	watch_round_release(&r->round);
	buf_release(&r->output);
	free(r);
}
