/* Editing by replacing; see verb_edit.h. */

#include "deliver/verb_edit.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/codec.h"
#include "mail/addr.h"

#define COPY_STEP 65536u
#define RECORDS_MAX (16u << 20)

/* --- the words of a request --- */

void verb_edit_release(struct verb_edit *e) {
	buf_release(&e->storage);
}

/* Decodes an address; "<a@b>" is one, too. The storage never moves: it has its room. */
static int take_address(struct verb_edit *e, struct span coded, struct span *ret,
			struct err *err) {
	size_t begin = e->storage.len;
	struct addr parts;
	if (codec_percent_decode(&e->storage, coded) != 0)
		return err_set(err, ERR_SYNTAX, "an address is not understood");
	struct span a = span_trim(span_of(e->storage.data + begin, e->storage.len - begin));
	if (a.len >= 2 && a.p[0] == '<' && a.p[a.len - 1] == '>')
		a = span_of(a.p + 1, a.len - 2);
	*ret = a;
	return a.len == 0 ? 0 : addr_parse(a, ADDR_SUBMITTED, &parts, err);
}

static int add_change(struct verb_edit *e, struct span old, bool is_removal, struct err *err) {
	struct verb_change *c = &e->change[e->count];
	if (e->count == VERB_CHANGES_MAX)
		return err_set(err, ERR_SYNTAX, "more than %u changes at a time",
			       VERB_CHANGES_MAX);
	c->new = is_removal ? span_of(NULL, 0) : SPAN("");
	if (take_address(e, old, &c->old, err) != 0)
		return -1;
	if (c->old.len == 0)
		return err_set(err, ERR_SYNTAX, "an empty address");
	e->count++;
	return 0;
}

static int finish_change(struct verb_edit *e, struct span new, struct err *err) {
	struct verb_change *c = e->count > 0 ? &e->change[e->count - 1] : NULL;
	if (!c || !c->new.p || c->new.len > 0)
		return err_set(err, ERR_SYNTAX, "a new address without the old one");
	if (take_address(e, new, &c->new, err) != 0)
		return -1;
	return c->new.len > 0 ? 0 : err_set(err, ERR_SYNTAX, "an empty address");
}

/* When it goes, and by which relay. */
static bool take_treatment(struct verb_edit *e, struct span key, struct span value) {
	uint64_t at;
	if (span_eq(key, SPAN("relay")) && (wishes_is_relay(value) || span_eq(value, SPAN("%")))) {
		e->has_relay = true;
		snprintf(e->relay, sizeof(e->relay), "%.*s",
			 value.p[0] == '%' ? 0 : (int)value.len, value.p);
		return true;
	}
	if (span_eq(key, SPAN("at")) && span_uint(value, INT64_MAX / 2, &at)) {
		e->has_at = true;
		e->at_ms = (int64_t)at;
		return true;
	}
	if (!span_eq(key, SPAN("priority")) || !priority_parse(value, &e->priority))
		return false;
	e->has_priority = true;
	return true;
}

static int take_word(struct verb_edit *e, struct span key, struct span value,
		     struct err *err) {
	if (!value.p)
		return err_set(err, ERR_SYNTAX, "a word of the request is not understood");
	if (span_eq(key, SPAN("to")))
		return add_change(e, value, false, err);
	if (span_eq(key, SPAN("new")))
		return finish_change(e, value, err);
	if (span_eq(key, SPAN("remove")))
		return add_change(e, value, true, err);
	if (take_treatment(e, key, value))
		return 0;
	if (!span_eq(key, SPAN("from")) || e->has_from)
		return err_set(err, ERR_SYNTAX, "a word of the request is not understood");
	e->has_from = true;
	return take_address(e, value, &e->from, err);
}

int verb_edit_parse(struct span words, struct verb_edit *ret, struct err *err) {
	struct span key, value;
	*ret = (struct verb_edit){ .count = 0 };
	buf_init(&ret->storage, words.len + 1);
	if (!buf_room(&ret->storage, words.len))
		return err_set(err, ERR_MEMORY, "out of memory");
	while (codec_word_take(&words, &key, &value))
		if (take_word(ret, key, value, err) != 0)
			return -1;
	for (size_t i = 0; i < ret->count; i++)
		if (ret->change[i].new.p && ret->change[i].new.len == 0)
			return err_set(err, ERR_SYNTAX, "an old address without a new one");
	if (ret->count == 0 && !ret->has_from && !ret->has_relay && !ret->has_at &&
	    !ret->has_priority)
		return err_set(err, ERR_SYNTAX, "what is to be changed?");
	return 0;
}

/* --- the new envelope --- */

static bool is_listed(const struct envelope *e, struct span address) {
	for (size_t i = 0; i < e->to_count; i++)
		if (span_eq_nocase(e->to[i].address, address))
			return true;
	return false;
}

static const struct verb_change *find_change(const struct verb_edit *edit,
					     struct span address) {
	for (size_t i = 0; i < edit->count; i++)
		if (span_eq_nocase(edit->change[i].old, address))
			return &edit->change[i];
	return NULL;
}

/* Every change must be one of somebody who waits. */
static int check_changes(const struct verb_edit *edit, const struct queue_message *m,
			 struct err *err) {
	for (size_t k = 0; k < edit->count; k++) {
		struct span old = edit->change[k].old;
		size_t i = 0;
		while (i < m->env.to_count &&
		       !(recipient_waits(m->journal.to[i].last.state) &&
			 span_eq_nocase(m->env.to[i].address, old)))
			i++;
		if (i == m->env.to_count)
			return err_set(err, ERR_SYNTAX,
				       "%.*s: no recipient of this message that still waits",
				       (int)span_head(old, ADDR_MAX).len, old.p);
	}
	return 0;
}

/* e->to has room for all recipients of the old one. */
static int make_envelope(const struct verb_edit *edit, const struct queue_message *m,
			 struct envelope *e, struct err *err) {
	e->id = queue_id_new();
	e->created = clock_now();
	e->replaces = true;
	e->replaced = m->env.id;
	e->to_count = 0;
	if (edit->has_from)
		e->from = edit->from;
	if (edit->has_relay)
		e->relay = span_str(edit->relay);
	if (edit->has_at)
		e->at_ms = edit->at_ms;
	if (edit->has_priority)
		e->priority = edit->priority;
	for (size_t i = 0; i < m->env.to_count; i++) {
		struct envelope_recipient to = m->env.to[i];
		const struct verb_change *c = find_change(edit, to.address);
		if (!recipient_waits(m->journal.to[i].last.state) || (c && !c->new.p))
			continue;
		if (c)
			to = (struct envelope_recipient){ .address = c->new,
							  .notify = to.notify };
		if (!is_listed(e, to.address))
			e->to[e->to_count++] = to;
		e->smtputf8 |= addr_is_utf8(to.address);
	}
	e->smtputf8 |= addr_is_utf8(e->from);
	if (e->to_count == 0)
		return err_set(err, ERR_SYNTAX,
			       "no recipient would be left; delete the message instead");
	return 0;
}

/* --- the order of verb_edit.h --- */

static int copy_content(struct queue_claim *old, struct queue_accept *a, struct err *err) {
	char piece[COPY_STEP];
	uint64_t left = queue_claim_message(old)->content_len, at = 0;
	while (left > 0) {
		size_t len = left < sizeof(piece) ? (size_t)left : sizeof(piece);
		if (queue_claim_content(old, at, piece, len, err) != 0 ||
		    queue_accept_write(a, span_of(piece, len), err) != 0)
			return -1;
		at += len;
		left -= len;
	}
	return 0;
}

static int record_edit(struct queue_claim *old, const struct queue_id *new, struct err *err) {
	AUTO_BUF struct buf record = BUF_INIT(256);
	journal_add_edited(&record, new);
	return queue_claim_append(old, buf_span(&record), true, err);
}

static void carry_recipient(struct buf *out, const struct journal *from, size_t old,
			    size_t new) {
	if (from->to[old].maybe_twice)
		journal_add_maybe_twice(out, new, 1);
	for (size_t i = 0; i < from->reached_count; i++)
		if (from->reached[i].to == old)
			journal_add_reached(out, new, from->reached[i].address);
}

/* Step 3: what must not be forgotten of the old message. A crash may have left a part of these
 * records; all of them again say the same. */
static int carry_over(struct queue_claim *old, struct queue_claim *new, struct err *err) {
	AUTO_BUF struct buf records = BUF_INIT(RECORDS_MAX);
	const struct queue_message *m = queue_claim_message(old);
	const struct queue_message *n = queue_claim_message(new);
	struct moment now = clock_now();
	for (size_t k = 0; k < n->env.to_count; k++)
		for (size_t i = 0; i < m->env.to_count; i++)
			if (span_eq(m->env.to[i].address, n->env.to[k].address) &&
			    recipient_waits(m->journal.to[i].last.state))
				carry_recipient(&records, &m->journal, i, k);
	if (m->journal.held && !journal_waits_for_name(&m->journal))
		journal_add_hold(&records, &now, m->journal.hold_reason);
	if (buf_failed(&records))
		return err_set(err, ERR_MEMORY, "out of memory");
	return records.len ? queue_claim_append(new, buf_span(&records), true, err) : 0;
}

/* Steps 3 to 5. Frees both claims. */
static int take_place(struct queue *q, struct queue_claim *old, struct queue_claim *new,
		      struct err *err) {
	int r = carry_over(old, new, err);
	if (r == 0)
		r = queue_claim_remove(old, err);
	else
		queue_claim_release(old);
	if (r == 0)
		r = queue_sync(q, err);
	queue_claim_release(new);
	return r;
}

static int replace(struct queue *q, const struct verb_edit *edit, struct queue_claim **old,
		   struct queue_id *ret_new, struct err *err) {
	const struct queue_message *m = queue_claim_message(*old);
	struct envelope e = m->env;
	struct queue_claim *new = NULL;
	AUTO_FREE struct envelope_recipient *to = calloc(m->env.to_count, sizeof(*to));
	if (!to)
		return err_set(err, ERR_MEMORY, "out of memory");
	e.to = to;
	if (make_envelope(edit, m, &e, err) != 0 || queue_claim_verify(*old, err) != 0)
		return -1;
	struct queue_accept *a = queue_accept_begin(q, &e, err);
	if (!a)
		return -1;
	if (copy_content(*old, a, err) != 0 || record_edit(*old, &e.id, err) != 0) {
		queue_accept_abort(a);
		return -1;
	}
	*ret_new = e.id;
	if (queue_accept_commit(a, &new, err) != 0)
		return -1;
	return take_place(q, take_ptr(old), new, err);
}

/* Notices that are asked for are made first: they need the old message. */
static int check_notices(const struct journal *j, struct err *err) {
	for (size_t i = 0; i < journal_notice_slots(j); i++)
		if (!j->notice[i].done)
			return err_set(err, ERR_DENIED,
				       "a notice to its sender is being made; try again");
	return 0;
}

int verb_edit(struct queue *q, const struct verb_edit *edit, enum verb_by by,
	      const struct queue_id *id, struct queue_id *ret_new, struct err *err) {
	bool replaced = false;
	if (verb_edit_finish(q, id, err) != 0)
		return -1;
	struct queue_claim *old = queue_claim(q, id, NULL, err);
	if (!old)
		return -1;
	if (verb_edit_settle(q, old, &replaced, err) != 0)
		return -1;
	if (replaced)
		return err_set(err, ERR_MISSING, "%s: no such message any more; it was edited",
			       queue_id_text(id).s);
	const struct queue_message *m = queue_claim_message(old);
	int r = verb_check_hold(by, &m->journal, err);
	if (r == 0)
		r = check_notices(&m->journal, err);
	if (r == 0)
		r = check_changes(edit, m, err);
	if (r == 0)
		r = replace(q, edit, &old, ret_new, err);
	queue_claim_release(old);
	return r;
}

/* --- after a crash --- */

static bool replaces(const struct queue_message *m, const struct queue_id *old) {
	return m->env.replaces && queue_id_cmp(&m->env.replaced, old) == 0;
}

/* The new message lies in dead/: a person moved it there meanwhile. */
static bool is_dead(struct queue *q, const struct queue_id *id, const struct queue_id *old) {
	struct queue_message m;
	if (queue_read(q, id, true, &m, NULL, NULL) != 0)
		return false;
	bool found = replaces(&m, old);
	queue_message_release(&m);
	return found;
}

int verb_edit_settle(struct queue *q, struct queue_claim *old, bool *ret_replaced,
		     struct err *err) {
	const struct queue_message *m = queue_claim_message(old);
	struct queue_id id = m->env.id, new_id = m->journal.replacement;
	enum queue_damage damage = QUEUE_SOUND;
	struct err why = ERR_INIT;
	*ret_replaced = false;
	if (!m->journal.edited)
		return 0;
	struct queue_claim *new = queue_claim(q, &new_id, &damage, &why);
	if (new && replaces(queue_claim_message(new), &id)) {
		if (take_place(q, old, new, err) != 0)
			return -1;
		*ret_replaced = true;
		return 0;
	}
	queue_claim_release(new);
	bool dead = why.kind == ERR_MISSING && is_dead(q, &new_id, &id);
	if (new || damage != QUEUE_SOUND || (why.kind == ERR_MISSING && !dead))
		return 0; /* it was never made */
	if (!dead) {
		queue_claim_release(old);
		return err_set(err, why.kind, "%s", why.msg);
	}
	if (queue_claim_remove(old, err) != 0 || queue_sync(q, err) != 0)
		return -1;
	*ret_replaced = true;
	return 0;
}

int verb_edit_is_free(struct queue *q, const struct queue_message *m, struct err *err) {
	struct queue_message old;
	struct err why = ERR_INIT;
	if (!m->env.replaces)
		return 1;
	if (queue_read(q, &m->env.replaced, false, &old, NULL, &why) != 0) {
		if (why.kind == ERR_MISSING) /* and it must not come back by a power cut */
			return queue_sync(q, err) == 0 ? 1 : -1;
		if (err)
			*err = why;
		return -1;
	}
	bool waits_for_it = old.journal.edited &&
			    queue_id_cmp(&old.journal.replacement, &m->env.id) == 0;
	queue_message_release(&old);
	return !waits_for_it;
}

int verb_edit_finish(struct queue *q, const struct queue_id *id, struct err *err) {
	struct queue_message m;
	struct err why = ERR_INIT;
	bool replaced;
	if (queue_read(q, id, false, &m, NULL, NULL) != 0)
		return 0; /* its claim says why */
	struct queue_id old_id = m.env.replaced;
	int r = verb_edit_is_free(q, &m, err);
	queue_message_release(&m);
	if (r != 0)
		return r > 0 ? 0 : -1;
	struct queue_claim *old = queue_claim(q, &old_id, NULL, &why);
	if (!old && why.kind == ERR_MISSING)
		return 0;
	if (!old)
		return err_set(err, why.kind, "%s", why.msg);
	if (verb_edit_settle(q, old, &replaced, err) != 0)
		return -1;
	if (!replaced)
		queue_claim_release(old);
	return 0;
}
