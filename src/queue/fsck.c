/*
 * The whole spool, read and compared with what it should be. Every message is looked at
 * under its lock; one that somebody works on is left to them, since who delivers it
 * verifies it as well.
 */

#include "queue/fsck.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/file.h"
#include "queue/segment_record.h"
#include "queue/spool.h"

struct check {
	struct queue *q;
	bool repair;
	fsck_fn *fn;
	void *ctx;
	struct fsck_report report;
};

static void say(const struct check *k, const char *name, const char *words) {
	k->fn(k->ctx, name, words);
}

/* Says whether a repair worked; in both cases the check goes on. */
static void repaired(struct check *k, const char *name, int result,
		     const struct err *err) {
	if (result == 0)
		k->report.repaired++;
	else
		say(k, name, err->msg);
}

static void put_aside(struct check *k, const struct queue_id *id) {
	struct err err = ERR_INIT;
	int result = queue_bury_damaged(k->q, id, &err);
	repaired(k, queue_id_text(id).s, result, &err);
}

static void check_unreadable(struct check *k, const struct queue_id *id,
			     enum queue_damage damage, const struct err *err) {
	if (err->kind == ERR_MISSING)
		return;
	if (err->kind == ERR_DENIED) {
		k->report.sound++;
		return;
	}
	say(k, queue_id_text(id).s, err->msg);
	if (damage == QUEUE_SOUND) {
		k->report.strangers++;
		return;
	}
	k->report.incomplete += damage == QUEUE_INCOMPLETE;
	k->report.damaged += damage == QUEUE_DAMAGED;
	if (k->repair)
		put_aside(k, id);
}

static void cut_tail(struct check *k, struct queue_claim *c) {
	struct err err = ERR_INIT;
	int result = queue_claim_append(c, span_of(NULL, 0), true, &err);
	repaired(k, c->name.s, result, &err);
}

/* What a sound message may still have wrong. Frees the claim. */
static void check_sound(struct check *k, struct queue_claim *c) {
	struct err err = ERR_INIT;
	struct queue_id_text name = c->name;
	uint64_t end = c->m.content_offset + c->m.content_len + c->m.journal.valid;
	k->report.sound++;
	if (c->size > end) {
		k->report.journal_tails++;
		say(k, name.s, "bytes of a record that was never completed at the end");
		if (k->repair)
			cut_tail(k, c);
	}
	bool moving = c->m.journal.dead_reason[0] || c->st.st_nlink > 1;
	bool finished = !moving && spool_may_remove(&c->m);
	if (moving)
		say(k, name.s, "a move between queue/ and dead/ was not finished");
	if (finished) {
		k->report.finished++;
		say(k, name.s, "finished, and still there");
	}
	if (!k->repair || !(moving || finished)) {
		queue_claim_release(c);
		return;
	}
	if (finished) {
		repaired(k, name.s, queue_claim_remove(c, &err), &err);
		return;
	}
	struct queue_id id = c->m.env.id;
	queue_claim_release(c);
	c = queue_claim(k->q, &id, NULL, &err); /* finishes the move */
	repaired(k, name.s, c || err.kind == ERR_MISSING ? 0 : -1, &err);
	queue_claim_release(c);
}

static int check_queued(void *ctx, const struct queue_id *id) {
	struct check *k = ctx;
	struct err err = ERR_INIT;
	enum queue_damage damage;
	struct queue_claim *c = claim_take(k->q, id, false, &damage, &err);
	if (c && queue_claim_verify(c, &err) == 0) {
		check_sound(k, c);
		return 0;
	}
	if (c && err.kind == ERR_SYNTAX)
		damage = QUEUE_DAMAGED;
	queue_claim_release(c);
	check_unreadable(k, id, damage, &err);
	return 0;
}

static int check_dead(void *ctx, const struct queue_id *id) {
	struct check *k = ctx;
	(void)id;
	k->report.dead++;
	return 0;
}

static void check_segment(struct check *k, unsigned number) {
	struct err err = ERR_INIT;
	struct segment_content c;
	AUTO_FD int fd = -1;
	if (segment_lock(k->q, number, false, &fd, &err) != 0) {
		if (err.kind == ERR_MISSING)
			return;
		k->report.segments++;
		if (err.kind != ERR_DENIED)
			say(k, SPOOL_DELIVERED, err.msg);
		return;
	}
	k->report.segments++;
	if (segment_content_read(fd, number, &c, &err) != 0) {
		say(k, SPOOL_DELIVERED, err.msg);
		return;
	}
	if (c.count > 0 && c.records[0].kind != SEGMENT_SETTLED)
		say(k, SPOOL_DELIVERED, "a completion journal was not replayed yet");
	free(c.records);
}

static bool is_segment_name(const char *name) {
	uint64_t number;
	char again[16];
	if (!span_uint(span_str(name), SEGMENT_MAX - 1, &number))
		return false;
	snprintf(again, sizeof(again), "%u", (unsigned)number);
	return strcmp(again, name) == 0;
}

static bool is_spool_name(const char *name) {
	static const char *const names[] = { SPOOL_QUEUE, SPOOL_DEAD,   SPOOL_DELIVERED,
					     SPOOL_LOCK,  SPOOL_RELAYS, SPOOL_DROP,
					     SPOOL_QUOTAS, SPOOL_ALERTS, SPOOL_LAST_RESORT,
					     SPOOL_WATCH,
					     SPOOL_STS,    SPOOL_TLSRPT, "run" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return span_starts(span_str(name), SPAN(SPOOL_TEMPORARY));
}

static bool is_message_name(const char *name) {
	struct queue_id id;
	return spool_name_id(name, &id);
}

static int check_strangers(struct check *k, const char *part,
			   bool (*known)(const char *name), struct err *err) {
	AUTO_FD int fd = file_opendir(k->q->dir, part);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "%s/%s: cannot open", k->q->path, part);
	take_fd(&fd);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    known(e->d_name))
			continue;
		k->report.strangers++;
		say(k, e->d_name, "does not belong here");
	}
	closedir(dir);
	return 0;
}

int queue_fsck(struct queue *q, bool repair, fsck_fn *fn, void *ctx,
	       struct fsck_report *ret, struct err *err) {
	struct check k = { .q = q, .repair = repair, .fn = fn, .ctx = ctx };
	unsigned busy;
	if (repair && segment_replay_all(q, &busy, err) != 0)
		return -1;
	for (unsigned i = 0; i < SEGMENT_MAX; i++)
		check_segment(&k, i);
	if (queue_scan(q, false, check_queued, &k, err) != 0 ||
	    queue_scan(q, true, check_dead, &k, err) != 0 ||
	    check_strangers(&k, ".", is_spool_name, err) != 0 ||
	    check_strangers(&k, SPOOL_QUEUE, is_message_name, err) != 0 ||
	    check_strangers(&k, SPOOL_DEAD, is_message_name, err) != 0 ||
	    check_strangers(&k, SPOOL_DELIVERED, is_segment_name, err) != 0)
		return -1;
	if (k.report.repaired > 0 && queue_sync(q, err) != 0)
		return -1;
	*ret = k.report;
	return 0;
}
