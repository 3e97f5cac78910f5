/*
 * What is known of each message, and the heap it is in. Every change of place goes through
 * here, so that "WAITING: in the heap of its lane" holds everywhere else.
 */

#include <stdlib.h>

#include "base/log.h"
#include "deliver/state.h"

static struct heap *heap_of(struct manager *m, const struct message *msg) {
	return msg->lane == LANE_CARE ? &m->care : &m->lanes.at[msg->lane]->heap;
}

void message_take(struct manager *m, struct message *msg, enum message_state state) {
	if (msg->state == MESSAGE_WAITING)
		heap_remove(heap_of(m, msg), msg);
	msg->state = (unsigned)state & 3u;
}

/* What its submitter has in the queue. */
static void count_in(struct manager *m, struct message *msg, const struct queue_message *q) {
	uint64_t kib = (q->content_len >> 10) + 1;
	msg->uid = q->env.uid;
	msg->kib = kib < UINT32_MAX ? (uint32_t)kib : UINT32_MAX;
	limit_queued(m->limits, msg->uid, (int64_t)msg->kib << 10);
}

static void drop_message(struct manager *m, struct message *msg) {
	limit_queued(m->limits, msg->uid, -((int64_t)msg->kib << 10));
	trouble_drop(&m->troubles, &msg->trouble);
	table_remove(&m->messages, msg);
}

struct lane *message_lane(const struct manager *m, const struct message *msg) {
	const struct lanes *l = &m->lanes;
	bool has = msg && msg->state != MESSAGE_HELD && msg->lane < l->end && l->at[msg->lane];
	return l->at[has ? msg->lane : 0];
}

/* lane: LANE_CARE, or its number. */
static void enter(struct manager *m, struct message *msg, uint16_t lane, int64_t due_ms) {
	if (msg->state == MESSAGE_WAITING)
		heap_remove(heap_of(m, msg), msg);
	msg->lane = lane;
	msg->due_ms = due_ms;
	msg->state = MESSAGE_WAITING;
	if (heap_push(heap_of(m, msg), msg) != 0) {
		/* No memory: not known any more, so the next look at the queue finds it anew. */
		drop_message(m, msg);
		log_error("out of memory: a message will be scheduled later");
	}
	manager_kick(m);
}

void message_enter(struct manager *m, struct message *msg, struct lane *lane, int64_t due_ms) {
	enter(m, msg, lane->number, due_ms);
	lane_touch(&m->lanes, lane);
}

void message_due(struct manager *m, struct message *msg, bool care, int64_t due_ms) {
	if (care)
		enter(m, msg, LANE_CARE, due_ms);
	else
		message_enter(m, msg, message_lane(m, msg), due_ms);
}

void message_forget(struct manager *m, struct message *msg) {
	message_take(m, msg, MESSAGE_HELD);
	drop_message(m, msg);
}

void message_gone(struct manager *m, struct message *msg, const char *outcome,
		  const struct queue_id *replacement) {
	events_gone(m, msg, outcome, replacement);
	message_forget(m, msg);
}

static bool notice_outstanding(const struct journal *j) {
	for (size_t i = 0; i < journal_notice_slots(j); i++)
		if (!j->notice[i].done)
			return true;
	return false;
}

/* Something that no worker does: a notice is to be made, the file to be moved or removed. */
static bool needs_care(const struct queue_message *q) {
	return notice_outstanding(&q->journal) || journal_finished(&q->journal);
}

/* A name that no settings of ours, or only replaced ones, were asked about. */
static bool may_have_a_name(const struct manager *m, const struct message *msg, bool fresh) {
	return msg->nameless && (fresh || msg->generation != m->generation);
}

/* For status: whether somebody will not get it, and which destination it waits for; a held
 * message waits for none. */
static void note_trouble(struct manager *m, struct message *msg, const struct queue_message *q) {
	trouble_drop(&m->troubles, &msg->trouble);
	for (size_t i = 0; i < q->journal.to_count; i++) {
		const struct journal_result *last = &q->journal.to[i].last;
		msg->failed |= last->state == RECIPIENT_FAILED;
		if (last->state == RECIPIENT_DEFERRED && msg->trouble == 0 &&
		    !q->journal.held)
			trouble_set(&m->troubles, &msg->trouble, q->env.to[i].address,
				    last->reply);
	}
}

/* What a new name is tried for is due at once. */
static void find_lane(struct manager *m, struct message *msg, const struct queue_message *q) {
	int64_t due_ms;
	struct lane *lane = place_message(m, msg, q, &due_ms);
	if (!lane)
		message_forget(m, msg); /* the next look at the queue finds it anew */
	else
		message_enter(m, msg, lane, q->journal.held ? clock_boot_ms() : due_ms);
}

/* Bounces come last: nobody waits for them. */
static enum heap_class class_of(const struct queue_message *q) {
	if (q->env.from.len == 0)
		return HEAP_BOUNCE;
	return q->env.priority == PRIORITY_HIGH  ? HEAP_HIGH
	       : q->env.priority == PRIORITY_LOW ? HEAP_LOW
						 : HEAP_NORMAL;
}

static uint16_t open_recipients(const struct journal *j) {
	size_t n = 0;
	for (size_t i = 0; i < j->to_count; i++)
		n += recipient_waits(j->to[i].last.state);
	return n < UINT16_MAX ? (uint16_t)n : UINT16_MAX;
}

/* fresh: of the time before us, when the configuration may have been another. */
static void place(struct manager *m, struct message *msg, const struct queue_message *q,
		  bool fresh) {
	struct moment now = clock_now();
	msg->null_sender = q->env.from.len == 0;
	msg->warned |= q->journal.delay_noticed;
	msg->attempted = q->journal.attempts > 0;
	msg->last = q->journal.last;
	msg->age_s = q->journal.age_ms > 0 ? (uint32_t)(q->journal.age_ms / 1000) : 0;
	msg->class = class_of(q) & 3;
	msg->open = open_recipients(&q->journal);
	msg->nameless = journal_waits_for_name(&q->journal);
	msg->owes = notice_outstanding(&q->journal);
	note_trouble(m, msg, q);
	msg->edited = (q->journal.edited || q->env.replaces) && !msg->edit_known;
	if (!fresh)
		msg->storm = journal_storm(&q->journal, NULL);
	bool flood = msg->storm && !q->journal.held;
	if (needs_care(q) || msg->edited || msg->digest || flood)
		message_due(m, msg, true, now.boot_ms);
	else if (q->journal.held && !may_have_a_name(m, msg, fresh))
		message_take(m, msg, MESSAGE_HELD);
	else
		find_lane(m, msg, q);
}

/* A bounce of the time before us may have an original that still asks for it: it must not
 * go before that is settled, or it would be made a second time. */
static bool must_wait(const struct manager *m, const struct queue_message *q) {
	return !m->bounces_free && span_eq(q->env.origin, SPAN("bounce"));
}

static void unreadable(struct manager *m, const struct queue_id *id, enum queue_damage damage,
	const struct err *err) {
	if (err->kind == ERR_MISSING)
		return;
	if (damage == QUEUE_SOUND)
		log_error("id=%s cannot be read: %s", queue_id_text(id).s, err->msg);
	else if (!queue_is_claimed(m->queue, id)) /* else somebody is writing it */
		care_bury_damaged(m, id, damage, err->msg);
}

void message_load(struct manager *m, const struct queue_id *id) {
	struct queue_message q;
	enum queue_damage damage = QUEUE_SOUND;
	struct err err = ERR_INIT;
	struct message *msg = table_find(&m->messages, id);
	if (queue_read(m->queue, id, false, &q, &damage, &err) != 0) {
		struct queue_id copy = *id; /* may point into the message that goes */
		if (msg && err.kind == ERR_MISSING) /* a worker's last word was lost */
			message_gone(m, msg, msg->failed ? "bounced" : "delivered", NULL);
		else if (msg && damage == QUEUE_DAMAGED)
			message_gone(m, msg, "dead", NULL);
		else if (msg)
			message_forget(m, msg);
		unreadable(m, &copy, damage, &err);
		return;
	}
	if (!msg && must_wait(m, &q)) {
		id_list_add(&m->late, id);
	} else if (!msg && storm_must_wait(m, &q)) {
		id_list_add(&m->uncounted, id);
	} else {
		bool fresh = !msg;
		if (fresh && (msg = table_add(&m->messages, id)) != NULL) {
			msg->state = MESSAGE_HELD;
			count_in(m, msg, &q);
			storm_note(m, msg, &q);
			if (q.env.created.wall_ms >= m->started.wall_ms)
				events_queued(m, msg, &q);
		}
		if (msg)
			place(m, msg, &q, fresh);
		else
			log_error("out of memory: a message will be scheduled later");
	}
	queue_message_release(&q);
}

static void try_name(void *ctx, struct message *msg) {
	if (msg->state == MESSAGE_HELD && msg->nameless)
		place_again(ctx, msg);
}

void messages_try_names(struct manager *m) {
	table_each(&m->messages, try_name, m);
	manager_kick(m);
}

int id_list_add(struct id_list *l, const struct queue_id *id) {
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		struct queue_id *grown = reallocarray(l->id, cap, sizeof(*grown));
		if (!grown)
			return -1;
		l->id = grown;
		l->cap = cap;
	}
	l->id[l->count++] = *id;
	return 0;
}

void id_list_release(struct id_list *l) {
	free(l->id);
	*l = (struct id_list){ .id = NULL };
}
