/*
 * Picking up. The copy in queue/ stays claimed until the file in drop/ is gone for certain:
 * before that nobody may deliver it, or a crash could send it a second time.
 */

#include "submit/pickup.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "queue/drop.h"
#include "submit/envelope_words.h"

#define STEP 65536u

static int copy_envelope(struct incoming *m, const struct drop_file *f, struct err *err) {
	const struct envelope *e = &f->m.env;
	if (submit_envelope_check(e, err) != 0 || incoming_sender(m, e, err) != 0)
		return -1;
	for (size_t i = 0; i < e->to_count; i++)
		if (incoming_recipient(m, &e->to[i], err) != 0)
			return -1;
	m->envelope.id = e->id;
	m->envelope.created = e->created;
	return 0;
}

static int copy_content(struct incoming *m, const struct drop_file *f, struct err *err) {
	AUTO_FREE char *bytes = malloc(STEP);
	if (!bytes)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (uint64_t at = 0; at < f->m.content_len;) {
		uint64_t left = f->m.content_len - at;
		size_t n = left < STEP ? (size_t)left : STEP;
		if (drop_content(f, at, bytes, n, err) != 0 ||
		    incoming_add(m, span_of(bytes, n), err) != 0)
			return -1;
		at += n;
	}
	return incoming_end(m, err);
}

static void log_taken(const struct drop_file *f) {
	const struct envelope *e = &f->m.env;
	AUTO_BUF struct buf line = BUF_INIT(4096);
	buf_addf(&line, "id=%s", queue_id_text(&e->id).s);
	log_field_addr(&line, "from", e->from);
	log_field_int(&line, "size", (int64_t)f->m.content_len);
	log_field_int(&line, "nrcpt", (int64_t)e->to_count);
	log_field_int(&line, "uid", (int64_t)f->uid);
	log_field(&line, "via", SPAN("drop"));
	log_field(&line, "status", SPAN("queued"));
	log_info("%s", buf_str(&line));
}

/* Makes the copy; *ret_claim is NULL when it was there already. */
static int copy(const struct pickup *p, const struct drop_file *f,
		struct queue_claim **ret_claim, struct err *err) {
	struct submit_host host = p->host;
	struct incoming m;
	struct err why = ERR_INIT;
	struct way *way = way_open_queue(&p->place, p->queue, WAY_QUEUE_BORROW, err);
	if (!way)
		return -1;
	host.uid = f->uid;
	incoming_init(&m, &host, way);
	*ret_claim = NULL;
	int result = copy_envelope(&m, f, &why);
	if (result == 0)
		result = copy_content(&m, f, &why);
	if (result == 0)
		result = way_commit_claimed(way, ret_claim, &why);
	if (result != 0 && why.kind == ERR_SYSTEM && why.sys == EEXIST)
		result = 0;
	if (result != 0 && err)
		*err = why;
	incoming_release(&m);
	way_free(way);
	return result;
}

static bool stays(const struct queue_id *id, const struct err *why) {
	log_error("id=%s stays in drop/: %s", queue_id_text(id).s, why->msg);
	return false;
}

/* A message that can never be accepted is for a person to see. */
static bool bury(const struct pickup *p, const struct queue_id *id,
		 const struct err *why) {
	struct err err = ERR_INIT;
	if (drop_bury(p->queue, id, p->place.size_limit, &err) != 0)
		return stays(id, &err);
	log_error("id=%s dropped file moved to dead/: %s", queue_id_text(id).s, why->msg);
	return true;
}

static bool discard(const struct pickup *p, const struct queue_id *id,
		    const struct err *why) {
	struct err err = ERR_INIT;
	if (drop_remove(p->queue, id, &err) != 0)
		return stays(id, &err);
	log_error("id=%s dropped file removed, it was never acknowledged: %s",
		  queue_id_text(id).s, why->msg);
	return true;
}

static bool is_allowed(const struct pickup *p, const struct queue_id *id,
		       const struct drop_file *f) {
	struct err err = ERR_INIT;
	if (!p->limits)
		return true;
	limit_know(p->limits, f->uid);
	if (limit_may(p->limits, f->uid, (uint64_t)f->st.st_size, &err) == 0)
		return true;
	log_debug("id=%s stays in drop/: %s", queue_id_text(id).s, err.msg);
	return false;
}

/* The message in queue/ may go once the file in drop/ cannot come back. */
static bool let_go(struct pickup *p) {
	struct err err = ERR_INIT;
	if (drop_remove(p->queue, &p->kept_id, &err) != 0) {
		log_error(
			"id=%s is not delivered before its file in drop/ is removed: %s",
			queue_id_text(&p->kept_id).s, err.msg);
		return false;
	}
	pickup_release(p);
	p->found(p->ctx, &p->kept_id);
	return true;
}

/* The file is checked: copies it and removes it. */
static bool take_in(struct pickup *p, const struct queue_id *id, struct drop_file *f) {
	struct queue_claim *claim = NULL;
	struct err err = ERR_INIT;
	if (copy(p, f, &claim, &err) != 0) {
		if (err.kind != ERR_SYNTAX && err.kind != ERR_LIMIT)
			return stays(id, &err);
		drop_release(f); /* its lock would be in the way */
		return bury(p, id, &err);
	}
	log_taken(f);
	if (p->limits && claim)
		limit_took(p->limits, f->uid);
	p->kept = claim;
	p->kept_id = *id;
	return let_go(p);
}

struct search {
	struct pickup *p;
	bool found;
};

/* Returns true when something was done. */
static bool look_at(void *ctx, const struct queue_id *id) {
	struct search *s = ctx;
	struct drop_file f;
	struct err err = ERR_INIT;
	enum drop_fate fate = drop_take(s->p->queue, id, s->p->place.size_limit, &f,
					&err);
	if (fate == DROP_TAKEN)
		fate = is_allowed(s->p, id, &f) ? drop_read(&f, id, &err) : DROP_BUSY;
	if (fate == DROP_TAKEN)
		s->found = take_in(s->p, id, &f);
	drop_release(&f);
	switch (fate) {
	case DROP_RUBBISH:
		s->found = discard(s->p, id, &err);
		break;
	case DROP_DAMAGED:
		s->found = bury(s->p, id, &err);
		break;
	case DROP_TROUBLE:
		stays(id, &err);
		break;
	case DROP_TAKEN:
	case DROP_BUSY:
		break;
	}
	return s->found || s->p->kept;
}

void pickup_release(struct pickup *p) {
	queue_claim_release(p->kept);
	p->kept = NULL;
}

bool pickup_one(struct pickup *p) {
	struct search s = { .p = p };
	struct err err = ERR_INIT;
	if (p->kept)
		return let_go(p);
	if (drop_each(p->queue, look_at, &s, &err) != 0)
		log_error("%s", err.msg);
	return s.found;
}
