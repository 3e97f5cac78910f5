/*
 * The process nightmail-deliver: started when the first worker is wanted, leaves by itself
 * when idle, and is let go at a reload. It forks the workers and tells how each ended; when
 * it dies itself nobody does, and its workers leave on their own.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/proc.h"
#include "deliver/state.h"

#define FRAMES_A_ROUND 64

void deliverer_close(struct deliverer *d) {
	if (d->fd < 0)
		return;
	loop_unwatch(d->watch);
	close(d->fd);
	d->fd = -1;
	manager_kick(d->manager);
}

static void deliverer_frame(struct manager *m, struct span frame) {
	struct wire_report r;
	int got;
	while ((got = wire_report_take(&frame, &r)) == 1) {
		struct slot *s = r.slot < SEGMENT_MAX ? &m->slot[r.slot] : NULL;
		if ((r.kind != WIRE_EXITED && r.kind != WIRE_TROUBLE) || !s ||
		    !s->manager)
			continue;
		s->exited = true;
		if (r.kind == WIRE_EXITED) {
			s->status = r.status;
		} else {
			s->excused = true;
			if (s->lane)
				relay_failed(m, s->lane, "no delivery can be started",
					     r.text);
		}
		m->finish_at_ms = 0;
	}
	if (got < 0)
		log_error("nightmail-deliver sent a line that is not understood");
}

static void deliverer_event(void *ctx, int fd, short revents) {
	struct deliverer *d = ctx;
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	int r = 1;
	(void)revents;
	for (int i = 0; i < FRAMES_A_ROUND && (r = proc_recv(fd, &frame, NULL)) == 1; i++)
		deliverer_frame(d->manager, buf_span(&frame));
	if (r == 0 || (r < 0 && errno != EAGAIN))
		deliverer_close(d);
	manager_kick(d->manager);
}

static struct deliverer *start_deliverer(struct manager *m, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	int pair[2];
	if (proc_helper("nightmail-deliver", &path, err) != 0 ||
	    proc_channel(pair, err) != 0)
		return NULL;
	const char *argv[1 + LOG_OPTIONS_MAX] = { buf_str(&path) };
	log_options(argv + 1);
	struct deliverer *d = calloc(1, sizeof(*d));
	pid_t pid = d ? proc_spawn(argv, pair[1], err) : -1;
	close(pair[1]);
	if (pid > 0)
		d->watch = loop_watch(m->loop, pair[0], POLLIN, deliverer_event, d);
	if (pid <= 0 ||
	    !d->watch) { /* without its channel the process leaves by itself */
		close(pair[0]);
		free(d);
		return NULL;
	}
	d->manager = m;
	d->pid = pid;
	d->fd = pair[0];
	d->next = m->deliverers;
	m->deliverers = d;
	return d;
}

struct deliverer *deliverer_current(struct manager *m, struct err *err) {
	for (struct deliverer *d = m->deliverers; d; d = d->next)
		if (!d->leaving && !d->reaped && d->fd >= 0)
			return d;
	return start_deliverer(m, err);
}

static void deliverer_died(struct manager *m, struct deliverer *d) {
	AUTO_BUF struct buf words = BUF_INIT(256);
	if (!crash_is(d->status))
		return;
	proc_status_words(d->status, &words);
	log_error("nightmail-deliver ended: %s", buf_str(&words));
	crash_count(m);
	for (size_t i = 0; i < m->lanes.end; i++)
		if (m->lanes.at[i])
			crash_put_off(m->lanes.at[i]);
}

/* Its workers are told by PDEATHSIG; nobody will say how they ended. */
static void orphan_slots(struct manager *m, const struct deliverer *d) {
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		if (!m->slot[i].manager || m->slot[i].by != d)
			continue;
		m->slot[i].by = NULL;
		m->slot[i].excused |= !m->slot[i].exited;
		m->slot[i].exited = true;
	}
	m->finish_at_ms = 0;
}

void deliverer_reap(struct manager *m) {
	for (struct deliverer *d = m->deliverers; d; d = d->next)
		if (!d->reaped && waitpid(d->pid, &d->status, WNOHANG) == d->pid)
			d->reaped = true;
	manager_kick(m);
}

/* A process is forgotten when it is reaped and everything it said was read. */
void deliverer_forget(struct manager *m) {
	struct deliverer **at = &m->deliverers, *d;
	while ((d = *at) != NULL) {
		if (!d->reaped || d->fd >= 0) {
			at = &d->next;
			continue;
		}
		deliverer_died(m, d);
		orphan_slots(m, d);
		*at = d->next;
		free(d);
	}
}
