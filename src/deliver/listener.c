/*
 * Mail from users and from clients by TCP: each client gets a process of its own (so commits
 * run in parallel, and what a client sends is parsed where it can harm nobody); and drop/,
 * which is emptied here because only the spool's owner may tell whether a message is in the
 * queue already. Here the listener begins and ends, and hears how its sessions ended.
 */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/sharedmem.h"
#include "deliver/listener.h"

#define LOOK_MS 200
#define BOARD_SIZE (LISTEN_SLOTS * sizeof(_Atomic int64_t))
#define SPARE_SIZE ((LISTEN_SLOTS + 1) * sizeof(_Atomic int))

/* A session that was killed may have queued a message, and not yet have told so. */
static void look(void *ctx) {
	struct manager *m = ctx;
	m->listener->look_due = false;
	if (m->stopping)
		return;
	scan_names(m);
	manager_kick(m);
}

static void look_soon(struct listener *l) {
	if (l->look_due || !l->look)
		return;
	l->look_due = true;
	loop_timer_set(l->look, LOOK_MS);
}

void listener_reap(struct manager *m) {
	struct listener *l = m->listener;
	bool any = false;
	for (size_t i = 0; l && i < l->top; i++) {
		struct listen_slot *s = &l->slot[i];
		int status;
		if (s->pid == 0 || waitpid(s->pid, &status, WNOHANG) != s->pid)
			continue;
		if (WIFSIGNALED(status))
			look_soon(l);
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM &&
		    WTERMSIG(status) != SIGKILL)
			log_error("a session of uid %u ended: signal %d",
				  (unsigned)s->client.uid, WTERMSIG(status));
		s->pid = 0;
		listener_spare_forget(l, i);
		l->count--;
		any |= !s->client.tcp;
	}
	while (l && l->top > 0 && l->slot[l->top - 1].pid == 0)
		l->top--;
	if (any)
		listener_watch_users(l);
	if (m->stopping)
		manager_kick(m);
}

bool listener_serves(const struct manager *m) {
	return m->listener && m->listener->count > 0;
}

bool listener_counts(const struct manager *m) {
	const struct listener *l = m->listener;
	for (size_t i = 0; l && m->settings.user_limit.bytes > 0 && i < l->top; i++)
		if (l->slot[i].pid > 0 && l->slot[i].limited && !listener_spare_waits(l, i))
			return true;
	return false;
}

int listener_start(struct manager *m, struct err *err) {
	struct listener *l = m->listener = calloc(1, sizeof(*l));
	int spare_fd = -1;
	if (!l)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < LISTEN_SOCKETS; i++)
		l->socket[i].fd = -1;
	l->idle_fd = l->limits_fd = -1;
	m->limits = limit_new(&l->limits_fd);
	l->idle_since = l->board = sharedmem_new(BOARD_SIZE, &l->idle_fd);
	l->spare = sharedmem_new(SPARE_SIZE, &spare_fd);
	auto_close(&spare_fd);
	l->pause = loop_timer(m->loop, 0, listener_end_pause, l);
	l->look = loop_timer(m->loop, LOOK_MS, look, m);
	if (!m->limits || !l->idle_since || !l->spare || !l->pause || !l->look)
		return err_set(err, ERR_MEMORY, "out of memory");
	loop_timer_stop(l->pause);
	loop_timer_stop(l->look);
	if (listener_sockets_start(m, err) != 0)
		return -1;
	listener_settings(m);
	return 0;
}

void listener_settings(struct manager *m) {
	limit_set(m->limits, m->settings.user_limit.per_hour,
		  m->settings.user_limit.bytes);
	listener_spare_end(m->listener);
	listener_session_boxes(m);
	listener_sockets_update(m);
	m->drop_due = true; /* what was over the limit may not be any more */
}

void listener_stop(struct manager *m) {
	struct listener *l = m->listener;
	listener_sockets_close(l);
	loop_timer_free(l->pause);
	loop_timer_free(l->look);
	l->pause = l->look = NULL;
	for (size_t i = 0; i < l->top; i++)
		if (l->slot[i].pid > 0)
			kill(l->slot[i].pid, SIGTERM);
}

void listener_free(struct manager *m) {
	struct listener *l = m->listener;
	if (l) {
		listener_stop(m);
		pickup_release(&l->pickup);
		listener_spare_end(l);
		sharedmem_free((void *)(uintptr_t)l->spare, SPARE_SIZE);
		sharedmem_free(l->board, BOARD_SIZE);
		auto_close(&l->idle_fd);
		auto_close(&l->limits_fd);
		listener_session_boxes_free(l);
	}
	free(l);
	m->listener = NULL;
	limit_free(m->limits);
	m->limits = NULL;
}

static void dropped(void *ctx, const struct queue_id *id) {
	scan_note(ctx, id);
}

bool listener_pick_up(struct manager *m) {
	const struct settings *s = &m->settings;
	struct pickup *p = &m->listener->pickup;
	if (!m->drop_due)
		return false;
	p->queue = m->queue;
	p->place = (struct way_place){ s->dir, s->rundir, s->size_limit, s->reserve_bytes,
				       s->reserve_inodes,
				       s->long_lines == CONFIG_LONG_LINES_SEND };
	p->host = (struct submit_host){ .hostname = s->hostname,
					.domain = s->domain,
					.from = s->from };
	p->limits = m->limits;
	p->found = dropped;
	p->ctx = m;
	return m->drop_due = pickup_one(p);
}
