/*
 * Reading the queue: the completion journals first, then the names, then, some at a time
 * and while mail flows already, each file's record. Later names come by wake-ups (wake.c);
 * once a minute all names are compared with what is known, because a wake-up may be lost.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "deliver/state.h"

#define BATCH 200u
#define ORPHANS_EVERY_MS 100
#define TROUBLE_EVERY_MS 5000
#define INCOMPLETE_KEEP_MS (36 * 3600 * 1000LL)
#define STUCK_MS (30 * 24 * 3600 * 1000LL)

int64_t scan_replay(struct manager *m, int64_t now_ms) {
	struct err err = ERR_INIT;
	unsigned busy = 0;
	if (m->replayed)
		return NEVER_MS;
	if (now_ms < m->replay_at_ms)
		return m->replay_at_ms;
	if (segment_replay_all(m->queue, &busy, &err) != 0) {
		log_error("the completion journals cannot be replayed: %s; nothing is delivered "
			  "until they are", err.msg);
		return m->replay_at_ms = now_ms + TROUBLE_EVERY_MS;
	}
	if (busy > 0) {
		log_debug("%u workers of an earlier nightmaild are at work still", busy);
		return m->replay_at_ms = now_ms + ORPHANS_EVERY_MS;
	}
	m->replayed = true;
	scan_names(m);
	daily_work(m);
	return NEVER_MS;
}

static int note_name(void *ctx, const struct queue_id *id) {
	struct manager *m = ctx;
	if (!table_find(&m->messages, id))
		id_list_add(&m->pending, id);
	return 0;
}

void scan_note(struct manager *m, const struct queue_id *id) {
	note_name(m, id);
	manager_kick(m);
}

void scan_names(struct manager *m) {
	struct err err = ERR_INIT;
	int64_t start = clock_boot_ms();
	if (!m->replayed)
		return;
	m->names_due = false;
	if (queue_scan(m->queue, false, note_name, m, &err) != 0)
		log_error("the queue cannot be read: %s", err.msg);
	m->rescanned_ms = clock_boot_ms();
	m->rescan_cost_ms = m->rescanned_ms - start;
	manager_kick(m);
}

bool scan_step(struct manager *m) {
	if (!m->replayed)
		return false;
	for (unsigned i = 0; i < BATCH && m->pending.count > 0; i++) {
		struct queue_id id = m->pending.id[--m->pending.count];
		if (!table_find(&m->messages, &id))
			message_load(m, &id);
	}
	if (m->pending.count > 0)
		return true;
	id_list_release(&m->pending);
	if (!m->scanned)
		log_info("in the queue: %zu", m->messages.count + m->late.count);
	m->scanned = true;
	return false;
}

/* Removes one file from dead/ when its time is over. What cannot be read was never
 * acknowledged, or stays until a person has seen it. */
static int sweep(void *ctx, const struct queue_id *id) {
	struct manager *m = ctx;
	struct queue_message q;
	enum queue_damage damage = QUEUE_SOUND;
	struct err err = ERR_INIT;
	int64_t now = clock_wall_ms();
	bool over = false;
	if (queue_read(m->queue, id, true, &q, &damage, NULL) == 0) {
		over = q.journal.dead_keep_ms > 0 &&
		       now - q.journal.dead_wall_ms >= q.journal.dead_keep_ms;
		queue_message_release(&q);
	} else if (damage == QUEUE_INCOMPLETE) {
		over = now - queue_id_us(id) / 1000 >= INCOMPLETE_KEEP_MS;
	}
	if (over && queue_dead_remove(m->queue, id, &err) != 0)
		log_error("id=%s cannot be removed from dead/: %s", queue_id_text(id).s, err.msg);
	return 0;
}

static void bury_stuck(struct manager *m, struct lane *lane) {
	struct moment now = clock_now();
	if (!lane->state.held || lane_is_direct(lane))
		return;
	for (size_t i = 0; i < lane->heap.count;) {
		struct message *msg = heap_nth(&lane->heap, i);
		if (relaystate_overlap_ms(&lane->state, &msg->last, &now) < STUCK_MS) {
			i++;
			continue;
		}
		msg->stuck = true;
		message_due(m, msg, true, now.boot_ms); /* another takes its place in the heap */
	}
}

void scan_hourly(struct manager *m) {
	struct err err = ERR_INIT;
	if (!m->replayed)
		return;
	if (queue_scan(m->queue, true, sweep, m, &err) != 0)
		log_error("dead/ cannot be read: %s", err.msg);
	for (size_t i = 0; i < m->lanes.end; i++)
		if (m->lanes.at[i])
			bury_stuck(m, m->lanes.at[i]);
}
