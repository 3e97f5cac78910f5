/*
 * The start after a crash, and the comparison of the spool with what the world knows.
 */

#include <errno.h>
#include <stdlib.h>

#include "lib/crash.h"
#include "lib/spool.h"
#include "queue/segment.h"
#include "queue/spool.h"

#define IDS_MAX 256

struct ids {
	size_t count;
	struct queue_id id[IDS_MAX];
};

static int collect(void *ctx, const struct queue_id *id) {
	struct ids *all = ctx;
	if (all->count == IDS_MAX)
		abort();
	all->id[all->count++] = *id;
	return 0;
}

/* Makes a notice that is outstanding; *ret is its claim, NULL when it was there. */
static int make_notice(struct queue *q, const struct queue_id *id,
		       struct queue_claim **ret, struct err *err) {
	struct err why = ERR_INIT;
	struct envelope e = spool_envelope(*id, 1);
	struct queue_accept *a = queue_accept_begin(q, &e, err);
	free(e.to);
	if (!a)
		return -1;
	if (queue_accept_write(a, SPAN("notice\r\n"), err) != 0) {
		queue_accept_abort(a);
		return -1;
	}
	if (queue_accept_commit(a, ret, &why) == 0 || why.sys == EEXIST)
		return 0;
	if (err)
		*err = why;
	return -1;
}

static int make_notices(struct queue *q, struct queue_claim *c, struct err *err) {
	const struct journal *j = &queue_claim_message(c)->journal;
	for (unsigned i = 0; i < j->notices && i < JOURNAL_NOTICES_MAX; i++) {
		AUTO_BUF struct buf record = BUF_INIT(4096);
		struct queue_claim *made = NULL;
		if (j->notice[i].done)
			continue;
		if (make_notice(q, &j->notice[i].id, &made, err) != 0)
			return -1;
		journal_add_noticed(&record, &j->notice[i].id);
		int result = queue_claim_append(c, buf_span(&record), true, err);
		queue_claim_release(made);
		if (result != 0)
			return -1;
	}
	return 0;
}

static int recover_one(struct queue *q, const struct queue_id *id, struct err *err) {
	struct err why = ERR_INIT;
	enum queue_damage damage;
	struct queue_claim *c = queue_claim(q, id, &damage, &why);
	if (!c && why.kind == ERR_MISSING)
		return 0;
	if (c && queue_claim_verify(c, &why) != 0) {
		damage = QUEUE_DAMAGED;
		queue_claim_release(c);
		c = NULL;
	}
	if (!c && damage != QUEUE_SOUND)
		return queue_bury_damaged(q, id, err);
	if (!c) {
		if (err)
			*err = why;
		return -1;
	}
	if (make_notices(q, c, err) != 0) {
		queue_claim_release(c);
		return -1;
	}
	if (spool_may_remove(queue_claim_message(c)))
		return queue_claim_remove(c, err);
	queue_claim_release(c);
	return 0;
}

int crash_recover(const char *dir, struct err *err) {
	struct ids all = { .count = 0 };
	unsigned busy = 0;
	struct queue *q = queue_open(dir, err);
	if (!q)
		return -1;
	int result = queue_own(q, err);
	if (result == 0)
		result = segment_replay_all(q, &busy, err);
	if (result == 0 && busy > 0)
		result = err_set(err, ERR_DENIED, "segments are locked");
	if (result == 0)
		queue_claim_release(spool_pick_up(q));
	if (result == 0)
		result = queue_scan(q, false, collect, &all, err);
	for (size_t i = 0; i < all.count && result == 0; i++)
		result = recover_one(q, &all.id[i], err);
	if (result == 0)
		result = queue_sync(q, err);
	queue_free(q);
	return result;
}

/* --- comparing --- */

struct view {
	struct queue *q;
	const struct crash_marks *marks;
	unsigned until;
	struct buf *problems;
	unsigned message;
	struct queue_id id;
	struct queue_message m;
	bool in_queue, in_dead, sound_in_dead;
	bool notice; /* its bounce is in queue/ */
};

static void problem(struct view *v, const char *words) {
	buf_addf(v->problems, "message %u: %s\n", v->message, words);
}

static bool marked(const struct view *v, enum crash_what what) {
	for (unsigned i = 0; i < v->marks->count; i++) {
		const struct crash_mark *m = &v->marks->mark[i];
		if (m->what == what && m->message == v->message && m->at <= v->until)
			return true;
	}
	return false;
}

static bool marked_recipient(const struct view *v, enum crash_what what, size_t n) {
	for (unsigned i = 0; i < v->marks->count; i++) {
		const struct crash_mark *m = &v->marks->mark[i];
		if (m->what == what && m->message == v->message && m->at <= v->until &&
		    n >= m->first && n < m->first + m->count)
			return true;
	}
	return false;
}

static void check_recipient(struct view *v, size_t n) {
	const struct journal_recipient *to = &v->m.journal.to[n];
	bool sent = marked_recipient(v, CRASH_SENT, n);
	bool refused = marked_recipient(v, CRASH_REFUSED, n);
	switch (to->last.state) {
	case RECIPIENT_DELIVERED:
		if (!sent)
			problem(v,
				"a recipient counts as delivered and was never sent to");
		break;
	case RECIPIENT_FAILED:
		if (!refused)
			problem(v, "a recipient counts as failed and was never refused");
		if (!v->notice)
			problem(v, "a recipient failed and the sender is not told");
		break;
	case RECIPIENT_PENDING:
	case RECIPIENT_DEFERRED:
		if (sent && !to->maybe_twice)
			problem(v, "would go twice without a flag");
		if (v->notice && v->m.journal.notices == 0)
			problem(v, "the sender is told of a failure that is tried again");
		break;
	}
}

static void check_queued(struct view *v) {
	struct err err = ERR_INIT;
	bool held = v->m.journal.held;
	struct queue_claim *c = queue_claim(v->q, &v->id, NULL, &err);
	if (!c || queue_claim_verify(c, &err) != 0)
		problem(v, err.msg);
	queue_claim_release(c);
	for (size_t i = 0; i < v->m.journal.to_count; i++)
		check_recipient(v, i);
	if (marked(v, CRASH_DELETED))
		problem(v, "was deleted and is back");
	if (marked(v, CRASH_BURIED) && !marked(v, CRASH_REVIVING))
		problem(v, "was buried and is back");
	if (held && !marked(v, CRASH_HOLDING))
		problem(v, "is held by nobody");
	if (held && marked(v, CRASH_RELEASED))
		problem(v, "was released and is held");
	if (!held && marked(v, CRASH_HELD) && !marked(v, CRASH_RELEASING))
		problem(v, "was held and is free");
}

/* Neither in queue/ nor in dead/: everybody must have been served, or told. */
static void check_absent(struct view *v) {
	if (marked(v, CRASH_DELETING))
		return;
	for (size_t i = 0; i < 2; i++)
		if (!marked_recipient(v, CRASH_SENT, i) &&
		    !(marked_recipient(v, CRASH_REFUSED, i) && v->notice)) {
			problem(v, "is LOST");
			return;
		}
}

static void look(struct view *v) {
	struct queue_message m;
	struct queue_id notice = queue_id_notice(&v->id, 0);
	enum queue_damage damage;
	v->notice = queue_read(v->q, &notice, false, &m, NULL, NULL) == 0;
	if (v->notice)
		queue_message_release(&m);
	v->sound_in_dead = queue_read(v->q, &v->id, true, &m, &damage, NULL) == 0;
	v->in_dead = v->sound_in_dead || damage != QUEUE_SOUND;
	if (v->sound_in_dead)
		queue_message_release(&m);
	v->in_queue = queue_read(v->q, &v->id, false, &v->m, NULL, NULL) == 0;
}

static void check_message(struct view *v, unsigned message) {
	v->message = message;
	v->id = spool_id(message);
	look(v);
	bool acked = marked(v, CRASH_ACKED);
	if (v->in_queue && v->sound_in_dead)
		problem(v, "is in queue/ and in dead/");
	if (v->in_queue)
		check_queued(v);
	else if (acked && !v->in_dead)
		check_absent(v);
	else if (acked && (!v->sound_in_dead || !marked(v, CRASH_BURYING)))
		problem(v, "was acknowledged and is in dead/");
	else if (acked && marked(v, CRASH_DELETED))
		problem(v, "was deleted and is in dead/");
	else if (acked && marked(v, CRASH_REVIVED))
		problem(v, "was revived and is in dead/");
	if (v->in_queue)
		queue_message_release(&v->m);
}

void crash_check(const char *dir, const struct crash_marks *marks, unsigned until,
		 struct buf *problems) {
	struct err err = ERR_INIT;
	struct ids all = { .count = 0 };
	for (int i = 0; i < 2; i++) {
		if (crash_recover(dir, &err) != 0) {
			buf_addf(problems, "the start fails: %s\n", err.msg);
			return;
		}
		struct view v = { .marks = marks, .until = until, .problems = problems };
		v.q = queue_open(dir, &err);
		for (unsigned message = 1; message <= 6; message++)
			check_message(&v, message);
		all.count = 0;
		queue_scan(v.q, false, collect, &all, &err);
		if (all.count > 7)
			buf_addf(problems, "%zu files in queue/\n", all.count);
		queue_free(v.q);
	}
}
