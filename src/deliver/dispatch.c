/*
 * Handing over. A worker gets at most WIRE_BATCH messages, in shares when several workers are at
 * work, and one alone while nothing has succeeded yet or when a worker has crashed with it.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "base/proc.h"
#include "deliver/state.h"

#define REFILL_AT (WIRE_BATCH / 2)
#define BUSY_CLAIM_MS 1000
#define EXCEPT_MAX (PROC_FRAME_MAX / 3)
#define LONG_MS 10000 /* a wait that mail which has other lanes, too, is placed anew for */
#define MOVE_EVERY_MS 60000

static void add_line(struct buf *frame, const struct lane *lane, const struct message *msg,
		     const struct moment *now, struct buf *except) {
	struct wire_message h = { .id = msg->id };
	if (lane->state.relay[0])
		h.held_ms = relaystate_overlap_ms(&lane->state, &msg->last, now);
	if (except->len > 0)
		h.except = buf_take(except);
	wire_message_write(frame, &h);
	free(h.except);
}

/* How many messages this worker should have in all, now. */
static unsigned share_of(const struct manager *m, const struct slot *s, int64_t now_ms) {
	unsigned workers = 0, has = 0;
	if (breaker_careful(&s->lane->breaker))
		return 1;
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		const struct slot *other = &m->slot[i];
		if (!other->manager || other->lane != s->lane || !other->up ||
		    other->fd < 0)
			continue;
		workers++;
		has += other->count;
	}
	if (workers <= 1)
		return WIRE_BATCH;
	size_t due = heap_count_due(&s->lane->heap, now_ms,
				    (size_t)workers * WIRE_BATCH);
	size_t share = (due + has + workers - 1) / workers;
	return share < WIRE_BATCH ? (unsigned)share : WIRE_BATCH;
}

static struct message *next_for(const struct slot *s, int64_t now_ms) {
	struct message *msg = heap_next(&s->lane->heap, now_ms);
	if (!msg || s->alone || (msg->suspect && s->count > 0))
		return NULL;
	return msg;
}

/* Mail for later is looked at again when it comes to the front: its time may have come. */
static void look_at_scheduled(struct manager *m, struct lane *lane, int64_t now_ms) {
	const struct message *msg;
	while ((msg = heap_next(&lane->heap, now_ms)) != NULL && msg->scheduled) {
		struct queue_id id = msg->id;
		message_load(m, &id);
		msg = table_find(&m->messages, &id);
		if (msg && msg->scheduled && msg->due_ms <= now_ms)
			return; /* not read now */
	}
}

/* True when nothing of this lane may go now: a rate or quota is used up, or nothing is due that
 * does not wait for something of the kind. */
static bool may_not_go(struct manager *m, struct lane *lane, const struct moment *now) {
	look_at_scheduled(m, lane, now->boot_ms);
	const struct message *msg = heap_next(&lane->heap, now->boot_ms);
	return !msg || msg->scheduled || throttling_wait_ms(m, lane, now) > 0 ||
	       throttling_sift(m, lane, now);
}

static void feed(struct manager *m, struct slot *s, const struct moment *now) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	unsigned before = s->count, share;
	struct message *msg;
	if (s->count > REFILL_AT || !next_for(s, now->boot_ms))
		return;
	share = share_of(m, s, now->boot_ms);
	while (s->count < share && frame.len < PROC_FRAME_MAX / 2 &&
	       !may_not_go(m, s->lane, now) && (msg = next_for(s, now->boot_ms)) != NULL) {
		AUTO_BUF struct buf except = BUF_INIT(EXCEPT_MAX);
		throttling_take(m, s->lane, msg, now, &except);
		heap_served(&s->lane->heap, msg, now->boot_ms);
		message_take(m, msg, MESSAGE_ACTIVE);
		msg->slot = (uint8_t)s->number;
		msg->generation = m->generation;
		s->alone = msg->suspect;
		s->message[s->count++] = msg;
		events_started(m, msg, s->lane);
		add_line(&frame, s->lane, msg, now, &except);
	}
	bool saved = throttling_commit(m) == 0;
	if (s->count == before || (saved && proc_send(s->fd, buf_span(&frame), -1) == 0))
		return;
	s->alone = false;
	while (s->count > before) { /* it is leaving; its end is seen by its channel */
		msg = s->message[--s->count];
		throttling_settled(m, msg, false, 0);
		message_enter(m, msg, s->lane, now->boot_ms + BUSY_CLAIM_MS);
	}
	s->up &= !saved;
}

static bool is_starting(const struct slot *s, const struct lane *lane) {
	return s->manager && s->lane == lane && s->fd >= 0 && !s->up && !s->excused;
}

/* Starts workers for what no worker could take: as many as may be, one for a message. */
static void start_more(struct manager *m, struct lane *lane, int64_t now_ms) {
	size_t starting = 0;
	for (unsigned i = 0; i < SEGMENT_MAX && lane->open > 0; i++)
		starting += is_starting(&m->slot[i], lane);
	while (lane->open < breaker_connections(&lane->breaker, now_ms) &&
	       now_ms >= lane->restart_at_ms &&
	       heap_count_due(&lane->heap, now_ms, starting + 1) > starting) {
		unsigned before = lane->open;
		pool_start(m, lane);
		if (lane->open == before)
			return;
		starting++;
	}
}

struct dispatching {
	struct manager *manager;
	struct moment now;
};

/* Returns when to look at this lane again, if nothing happens before. */
static int64_t dispatch_lane(void *ctx, struct lane *lane, bool *ret_dropped) {
	struct manager *m = ((struct dispatching *)ctx)->manager;
	const struct moment *now = &((struct dispatching *)ctx)->now;
	const struct message *top = heap_top(&lane->heap);
	if (lane_is_direct(lane) && !top && lane->slots == 0) {
		/* That it does not work is known until somebody would try again. */
		if (lane_is_held(lane) && lane->breaker.probe_at_ms > now->boot_ms)
			return lane->breaker.probe_at_ms;
		lane_drop(&m->lanes, lane);
		*ret_dropped = true;
		return NEVER_MS;
	}
	if (!lane->config)
		return NEVER_MS;
	for (unsigned i = 0; i < SEGMENT_MAX && lane->open > 0; i++) {
		struct slot *s = &m->slot[i];
		if (s->manager && s->lane == lane && s->up && s->fd >= 0)
			feed(m, s, now);
	}
	bool waits = may_not_go(m, lane, now);
	top = heap_top(&lane->heap);
	if (!top)
		return place_seed(m, lane, now->boot_ms);
	if (top->due_ms > now->boot_ms)
		return top->due_ms;
	int64_t wait = throttling_wait_ms(m, lane, now);
	bool begins = wait >= LONG_MS && lane->limited_ms < now->boot_ms + LONG_MS;
	lane->limited_ms = now->boot_ms + wait;
	if (begins && now->boot_ms >= lane->moved_ms) {
		lane->moved_ms = now->boot_ms + MOVE_EVERY_MS;
		place_lane_waits(m, lane);
	}
	if (waits)
		return lane->limited_ms;
	start_more(m, lane, now->boot_ms);
	if (lane->restart_at_ms > now->boot_ms)
		return lane->restart_at_ms;
	if (lane_is_held(lane) && lane->open == 0)
		return lane->breaker.probe_at_ms;
	return NEVER_MS; /* a worker's report comes first */
}

/* Where there is one lane, what is new begins there. */
bool dispatch_can_take(const struct manager *m, int64_t now_ms) {
	const struct lane *lane = m->lanes.at[0];
	return m->replayed && !m->blocked && now_ms >= m->paused_until_ms &&
	       (!m->placing.plain ||
		(lane->config &&
		 (!lane_is_held(lane) || now_ms >= lane->breaker.probe_at_ms)));
}

int64_t dispatch(struct manager *m, int64_t now_ms) {
	struct dispatching d = { m, clock_now() };
	if (!m->replayed || m->blocked || m->stopping)
		return NEVER_MS;
	if (now_ms < m->paused_until_ms)
		return m->paused_until_ms;
	return lanes_look(&m->lanes, now_ms, dispatch_lane, &d);
}
