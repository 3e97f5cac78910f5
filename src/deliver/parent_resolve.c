/*
 * Keeps the resolving end of every worker's channel open as well. When nightmail-resolve dies,
 * the next one gets these ends and says so on them; questions that the dead one had not read
 * are still there. One that dies as soon as it is started is not started for ever: its
 * channels are closed, and whoever asks on them hears at once that nobody is there.
 */

#include "deliver/parent_resolve.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "queue/segment.h"

#define PROGRAM "nightmail-resolve"
#define RESOLVERS_MAX 4u
#define YOUNG_MS 1000
#define YOUNG_DEATHS_MAX 3u

struct resolver {
	struct resolvers *all;
	pid_t pid; /* 0: none runs */
	int control;
	char *server, *anchor;
	bool sandbox, used;
	int64_t started_ms;
	unsigned young_deaths; /* in a row */
	struct loop_timer *again;
};

struct resolvers {
	struct loop *loop;
	struct resolver at[RESOLVERS_MAX];
	struct {
		int fd; /* 0: none */
		struct resolver *by;
	} worker[SEGMENT_MAX];
};

static void drop_channels(struct resolvers *r, const struct resolver *by) {
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		if (r->worker[i].fd > 0 && r->worker[i].by == by)
			resolvers_worker_gone(r, i);
}

static bool has_channels(const struct resolver *s) {
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		if (s->all->worker[i].fd > 0 && s->all->worker[i].by == s)
			return true;
	return false;
}

static int hand_over(const struct resolver *s, int fd, struct err *err) {
	if (proc_send(s->control, SPAN("channel\n"), fd) == 0)
		return 0;
	return err_sys(err, PROGRAM " does not take a channel");
}

static int start(struct resolver *s, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096), server = BUF_INIT(128),
			    anchor = BUF_INIT(4200);
	const char *argv[4 + LOG_OPTIONS_MAX];
	size_t n = 0;
	int pair[2];
	buf_addf(&server, "--server=%s", s->server ? s->server : "");
	buf_addf(&anchor, "--trust-anchor=%s", s->anchor ? s->anchor : "");
	if (proc_helper(PROGRAM, &path, err) != 0 || proc_channel(pair, err) != 0)
		return -1;
	argv[n++] = buf_str(&path);
	if (s->server)
		argv[n++] = buf_str(&server);
	if (s->anchor)
		argv[n++] = buf_str(&anchor);
	if (!s->sandbox)
		argv[n++] = "--no-sandbox";
	log_options(argv + n);
	s->pid = proc_spawn(argv, pair[1], err);
	close(pair[1]);
	if (s->pid < 0) {
		s->pid = 0;
		close(pair[0]);
		return -1;
	}
	s->control = pair[0];
	s->started_ms = clock_boot_ms();
	return 0;
}

static void restart(void *ctx) {
	struct resolver *s = ctx;
	struct err err = ERR_INIT;
	if (s->pid > 0 || !has_channels(s))
		return;
	int result = start(s, &err);
	for (unsigned i = 0; i < SEGMENT_MAX && result == 0; i++)
		if (s->all->worker[i].fd > 0 && s->all->worker[i].by == s)
			result = hand_over(s, s->all->worker[i].fd, &err);
	if (result == 0)
		return;
	log_error("%s", err.msg);
	drop_channels(s->all, s);
}

static bool same(const char *a, const char *b) {
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Nobody asks it any more. */
static void clear(struct resolver *s) {
	if (s->pid > 0) {
		close(s->control);
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	loop_timer_free(s->again);
	free(s->server);
	free(s->anchor);
	*s = (struct resolver){ .all = s->all };
}

static bool copy_text(const char *s, char **ret) {
	*ret = s ? span_dup(span_str(s)) : NULL;
	return !s || *ret;
}

static int fill(struct resolver *s, const struct wire_worker *w, struct err *err) {
	bool good = copy_text(w->resolver, &s->server) &&
		    copy_text(w->trust_anchor, &s->anchor);
	s->sandbox = w->sandbox;
	s->used = true;
	s->again = loop_timer(s->all->loop, 0, restart, s);
	if (!good || !s->again) {
		clear(s);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	loop_timer_stop(s->again);
	return 0;
}

/* The one with the worker's settings; else one that nobody uses is given up for it. */
static struct resolver *find(struct resolvers *r, const struct wire_worker *w,
			     struct err *err) {
	struct resolver *idle = NULL;
	for (size_t i = 0; i < RESOLVERS_MAX; i++) {
		struct resolver *s = &r->at[i];
		if (s->used && same(s->server, w->resolver) &&
		    same(s->anchor, w->trust_anchor) && s->sandbox == w->sandbox)
			return s;
		if (!s->used || (!has_channels(s) && (!idle || idle->used)))
			idle = s;
	}
	if (!idle) {
		err_set(err, ERR_LIMIT, "too many different resolvers are in use");
		return NULL;
	}
	clear(idle);
	return fill(idle, w, err) == 0 ? idle : NULL;
}

int resolvers_channel(struct resolvers *r, const struct wire_worker *w, struct err *err) {
	int pair[2];
	struct resolver *s = find(r, w, err);
	if (!s)
		return -1;
	s->young_deaths = 0;
	resolvers_reap(r); /* it may just have left */
	if ((s->pid == 0 && start(s, err) != 0) || proc_channel(pair, err) != 0)
		return -1;
	if (hand_over(s, pair[0], err) != 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	r->worker[w->slot].fd = pair[0];
	r->worker[w->slot].by = s;
	return pair[1];
}

void resolvers_worker_gone(struct resolvers *r, unsigned slot) {
	if (r->worker[slot].fd > 0)
		close(r->worker[slot].fd);
	r->worker[slot].fd = 0;
}

static void ended(struct resolver *s, int status) {
	AUTO_BUF struct buf words = BUF_INIT(128);
	bool young = clock_boot_ms() - s->started_ms < YOUNG_MS;
	close(s->control);
	s->pid = 0;
	if (status != 0) {
		proc_status_words(status, &words);
		log_error(PROGRAM ": %s", buf_str(&words));
	}
	s->young_deaths = young ? s->young_deaths + 1 : 0;
	if (s->young_deaths >= YOUNG_DEATHS_MAX)
		drop_channels(s->all, s);
	else
		loop_timer_set(s->again, young ? YOUNG_MS / 2 : 0);
}

void resolvers_reap(struct resolvers *r) {
	int status;
	for (size_t i = 0; i < RESOLVERS_MAX; i++)
		if (r->at[i].pid > 0 && waitpid(r->at[i].pid, &status, WNOHANG) > 0)
			ended(&r->at[i], status);
}

struct resolvers *resolvers_new(struct loop *loop) {
	struct resolvers *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->loop = loop;
	for (size_t i = 0; i < RESOLVERS_MAX; i++)
		r->at[i].all = r;
	return r;
}

void resolvers_free(struct resolvers *r) {
	if (!r)
		return;
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		resolvers_worker_gone(r, i);
	for (size_t i = 0; i < RESOLVERS_MAX; i++)
		clear(&r->at[i]);
	free(r);
}
