/*
 * Workers. Each has a channel to us, and the segment of its number. A worker is over when its
 * channel is at its end and its parent has said how it ended (or is gone itself). Then its
 * segment is replayed, and only then are the messages it had looked at again: what was
 * delivered is gone by then, what may have been is flagged.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/proc.h"
#include "deliver/state.h"

#define IDLE_MS 5000
#define IDLE_DIRECT_MS 1000 /* others may wait for its slot */
#define REPLAY_BUSY_MS 100
#define REPLAY_TROUBLE_MS 5000
#define FRAMES_A_ROUND 64
#define SLOTS_KEPT (SEGMENT_MAX / 4) /* for relays with hosts of their own */
#define SLOT_WAIT_MS 250
#define ORDERS_WAIT_MS 20

/* The lane may be dropped from now on. */
static void leave_lane(struct slot *s) {
	if (s->lane) {
		s->lane->slots--;
		lane_touch(&s->manager->lanes, s->lane);
	}
	s->lane = NULL;
}

static void close_slot(struct slot *s) {
	if (s->fd < 0)
		return;
	loop_unwatch(s->watch);
	close(s->fd);
	s->fd = -1;
	if (s->lane) {
		s->lane->open--;
		lane_touch(&s->manager->lanes, s->lane);
	}
	s->manager->finish_at_ms = 0;
	manager_kick(s->manager);
}

static void slot_event(void *ctx, int fd, short revents) {
	struct slot *s = ctx;
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	struct wire_report report;
	int r = 1;
	(void)revents;
	for (int i = 0; i < FRAMES_A_ROUND && (r = proc_recv(fd, &frame, NULL)) == 1;
	     i++) {
		struct span rest = buf_span(&frame);
		int got;
		while ((got = wire_report_take(&rest, &report)) == 1)
			dispatch_report(s->manager, s, &report);
		if (got < 0)
			log_error("a worker sent a line that is not understood");
	}
	if (r == 0 || (r < 0 && errno != EAGAIN))
		close_slot(s);
	manager_kick(s->manager);
}

static bool needs_dns(const struct config_relay *r) {
	enum config_way way = config_way(r, NULL);
	return way == CONFIG_WAY_MX || way == CONFIG_WAY_SRV || r->tls == CONFIG_TLS_DANE;
}

/* What signs, as wire.h has it. */
static void add_dkim(const struct settings *s, struct buf *out) {
	for (size_t i = 0; i < s->dkim_count; i++)
		for (size_t k = 0; k < s->dkim[i].key.count; k++)
			buf_addf(out, "%s %s %s ", s->dkim[i].domain,
				 s->dkim[i].selector.word[k], s->dkim[i].key.word[k]);
}

static int send_worker(struct manager *m, struct deliverer *d, const struct slot *s,
		       int pass_fd, struct err *err) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	AUTO_BUF struct buf dkim = BUF_INIT(PROC_FRAME_MAX);
	add_dkim(&m->settings, &dkim);
	struct wire_worker w = {
		.slot = s->number,
		.dir = m->settings.dir,
		.helo = m->settings.helo,
		.domain = m->settings.domain,
		.hostname = m->settings.hostname,
		.sandbox = m->settings.sandbox == CONFIG_SANDBOX_AUTO,
		.resolve = m->settings.resolver != NULL || needs_dns(s->lane->config),
		.resolver = m->settings.resolver,
		.trust_anchor = m->settings.trust_anchor,
		.root = m->settings.root,
		.from = m->settings.from,
		.envelope_from = m->settings.envelope_from,
		.masquerade = m->settings.masquerade,
		.aliases = m->settings.aliases,
		.dkim = dkim.data,
		.retry_min_ms = m->settings.retry_min_ms,
		.retry_max_ms = m->settings.retry_max_ms,
		.idle_ms = lane_is_direct(s->lane) ? IDLE_DIRECT_MS : IDLE_MS,
		.refused = s->lane->refused,
		.refused_from = s->lane->refused_from,
		.destination = lane_is_direct(s->lane) ? s->lane->destination : NULL,
		.tls_optional = s->lane->tls_optional,
		.stream = relay_may_stream(s->lane),
		.alone = relay_goes_alone(s->lane),
		.auth_seen = s->lane->state.offers[0] ? s->lane->state.offers : NULL,
		.auth_hold = s->lane->config->downgrade == CONFIG_DOWNGRADE_HOLD,
		.relay = *s->lane->config,
	};
	if (!m->placing.plain || config_is_per_domain(s->lane->config)) {
		w.route = m->settings.route;
		w.route_count = m->settings.route_count;
		w.relays = m->placing.relays.data;
	}
	if (wire_worker_write(&frame, &w) != 0)
		return err_set(err, ERR_LIMIT, "the settings of relay %s are too long",
			       s->lane->relay);
	if (proc_send(d->fd, buf_span(&frame), pass_fd) != 0)
		return err_sys(err, "nightmail-deliver does not take orders");
	return 0;
}

static int open_slot(struct manager *m, struct slot *s, struct lane *lane,
		     struct err *err) {
	struct deliverer *d = deliverer_current(m, err);
	int pair[2];
	if (!d || proc_channel(pair, err) != 0)
		return -1;
	*s = (struct slot){
		.number = (unsigned)(s - m->slot), .lane = lane, .by = d, .fd = pair[0]
	};
	int sent = send_worker(m, d, s, pair[1], err);
	close(pair[1]);
	if (sent != 0 && err->sys == EPIPE)
		deliverer_close(d); /* it has just left; the next try starts another */
	if (sent == 0)
		s->watch = loop_watch(m->loop, pair[0], POLLIN, slot_event, s);
	if (!s->watch) {
		close(pair[0]);
		return -1;
	}
	s->manager = m;
	lane->open++;
	lane->slots++;
	breaker_started(&lane->breaker, clock_boot_ms());
	return 0;
}

static unsigned free_slots(const struct manager *m) {
	unsigned n = 0;
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		n += m->slot[i].manager == NULL;
	return n;
}

void pool_start(struct manager *m, struct lane *lane) {
	struct err err = ERR_INIT;
	unsigned i = 0;
	while (i < SEGMENT_MAX && m->slot[i].manager)
		i++;
	if (i == SEGMENT_MAX || (lane_is_direct(lane) && free_slots(m) <= SLOTS_KEPT)) {
		lane->restart_at_ms = clock_boot_ms() + SLOT_WAIT_MS;
		return;
	}
	if (open_slot(m, &m->slot[i], lane, &err) == 0)
		return;
	if (err.sys == EAGAIN) { /* it has more orders than it came to read: many start at once */
		lane->restart_at_ms = clock_boot_ms() + ORDERS_WAIT_MS;
		return;
	}
	crash_put_off(lane);
	if (err.sys == EPIPE)
		manager_kick(m); /* no fault of the relay */
	else
		relay_failed(m, lane, "no delivery can be started", err.msg);
}

void pool_let_go(struct manager *m) {
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		struct slot *s = &m->slot[i];
		if (!s->manager)
			continue;
		s->excused = true;
		if (s->fd >= 0) {
			shutdown(s->fd, SHUT_WR);
			if (s->lane)
				s->lane->open--;
		}
		leave_lane(s);
	}
	for (struct deliverer *d = m->deliverers; d; d = d->next) {
		d->leaving = true;
		if (d->fd >= 0)
			shutdown(d->fd, SHUT_WR);
	}
}

bool pool_empty(const struct manager *m) {
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		if (m->slot[i].manager)
			return false;
	return true;
}

/* Which message a worker stumbled over: the only one it had, or one of several, which are
 * then delivered one by one. */
static void blame(const struct slot *s) {
	for (unsigned i = 0; i < s->count; i++) {
		s->message[i]->suspect = true;
		s->message[i]->crashes++;
	}
}

static void judge_end(struct manager *m, struct slot *s) {
	AUTO_BUF struct buf words = BUF_INIT(256);
	bool killed = WIFSIGNALED(s->status) && !crash_is(s->status);
	if (crash_is(s->status)) {
		proc_status_words(s->status, &words);
		log_error(
			"a worker for relay %s ended: %s; it had %u messages, which are tried again",
			s->lane ? s->lane->name : "(replaced)", buf_str(&words),
			s->count);
		crash_count(m);
		if (crash_is_fault(s->status))
			blame(s);
	}
	if (s->lane && s->token_over)
		s->lane->restart_at_ms = 0;
	if (s->lane && (crash_is(s->status) || killed || (!s->up && !s->excused)))
		crash_put_off(s->lane);
}

/* Gives back what an ended worker had, each as its record says now. */
static void free_slot(struct manager *m, struct slot *s) {
	judge_end(m, s);
	for (unsigned i = 0; i < s->count; i++) {
		struct message *msg = s->message[i];
		struct queue_id id = msg->id;
		throttling_forget(m, msg);
		uint8_t crashes = msg->crashes;
		message_load(m, &id);
		msg = table_find(&m->messages, &id);
		if (msg && msg->verb)
			dispatch_verb(m, msg);
		else if (msg && crashes >= 2)
			message_due(m, msg, true, clock_boot_ms());
	}
	leave_lane(s);
	s->manager = NULL;
	manager_kick(m);
}

/* Returns when to come again. */
static int64_t finish_slot(struct manager *m, struct slot *s, int64_t now_ms) {
	struct err err = ERR_INIT;
	if (segment_replay(m->queue, s->number, &err) == 0) {
		free_slot(m, s);
		return NEVER_MS;
	}
	if (err.kind == ERR_DENIED)
		return now_ms + REPLAY_BUSY_MS;
	log_error(
		"the completion journal %u cannot be replayed: %s; nothing is delivered until it is",
		s->number, err.msg);
	m->blocked = true;
	return now_ms + REPLAY_TROUBLE_MS;
}

int64_t pool_finish(struct manager *m, int64_t now_ms) {
	deliverer_forget(m);
	if (now_ms < m->finish_at_ms)
		return m->finish_at_ms;
	int64_t next = NEVER_MS;
	m->blocked = false;
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		struct slot *s = &m->slot[i];
		if (!s->manager || s->fd >= 0 || !s->exited)
			continue;
		int64_t again = finish_slot(m, s, now_ms);
		next = again < next ? again : next;
	}
	return m->finish_at_ms = next;
}

void pool_free(struct manager *m) {
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		if (m->slot[i].manager)
			close_slot(&m->slot[i]);
	while (m->deliverers) {
		struct deliverer *next = m->deliverers->next;
		deliverer_close(m->deliverers);
		free(m->deliverers);
		m->deliverers = next;
	}
}
