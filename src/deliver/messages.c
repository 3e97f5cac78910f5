/*
 * What is known of each message, and the heap it is in. Every change of place goes through
 * here, so that "WAITING: in the heap of its lane" holds everywhere else.
 */

#include <stdlib.h>

#include "base/log.h"
#include "deliver/state.h"

static struct heap *heap_of(struct manager *m, const struct message *msg) {
	return msg->lane == LANE_CARE ? &m->care : &m->relay[msg->lane].heap;
}

void message_take(struct manager *m, struct message *msg, enum message_state state) {
	if (msg->state == MESSAGE_WAITING)
		heap_remove(heap_of(m, msg), msg);
	msg->state = (uint8_t)state;
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

void message_due(struct manager *m, struct message *msg, bool care, int64_t due_ms) {
	if (msg->state == MESSAGE_WAITING)
		heap_remove(heap_of(m, msg), msg);
	msg->lane = care ? LANE_CARE : 0;
	msg->due_ms = due_ms;
	msg->state = MESSAGE_WAITING;
	if (heap_push(heap_of(m, msg), msg) != 0) {
		/* No memory: not known any more, so the next look at the queue finds it anew. */
		drop_message(m, msg);
		log_error("out of memory: a message will be scheduled later");
	}
	manager_kick(m);
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
	size_t n = j->notices < JOURNAL_NOTICES_MAX ? j->notices : JOURNAL_NOTICES_MAX;
	for (size_t i = 0; i < n; i++)
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

/* fresh: of the time before us, when the configuration may have been another. */
static void place(struct manager *m, struct message *msg, const struct queue_message *q,
		  bool fresh) {
	struct moment now = clock_now();
	msg->null_sender = q->env.from.len == 0;
	msg->warned |= q->journal.delay_noticed;
	msg->attempted = q->journal.attempts > 0;
	msg->last = q->journal.last;
	msg->nameless = journal_waits_for_name(&q->journal);
	msg->owes = notice_outstanding(&q->journal);
	note_trouble(m, msg, q);
	msg->edited = (q->journal.edited || q->env.replaces) && !msg->edit_known;
	if (!fresh)
		msg->storm = journal_storm(&q->journal, NULL);
	bool flood = msg->storm && !q->journal.held;
	if (needs_care(q) || msg->edited || msg->digest || flood)
		message_due(m, msg, true, now.boot_ms);
	else if (may_have_a_name(m, msg, fresh))
		message_due(m, msg, false, now.boot_ms);
	else if (q->journal.held)
		message_take(m, msg, MESSAGE_HELD);
	else
		message_due(m, msg, false, now.boot_ms + journal_due_ms(&q->journal, &now));
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
		message_due(ctx, msg, false, clock_boot_ms());
}

void messages_try_names(struct manager *m) {
	table_each(&m->messages, try_name, m);
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
