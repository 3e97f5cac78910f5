/*
 * Making notices by the order of notify.h. Whatever step a crash cuts off, the journal still
 * asks for the notice and the next round finds its file there already (EEXIST) or makes it;
 * it cannot have been delivered meanwhile, because it stays claimed until the original
 * says that it exists, or is gone.
 */

#include "deliver/notify.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "deliver/storm.h"
#include "mail/dsn_write.h"
#include "mail/header.h"

#define REPLY_MAX 1024u
#define RECORDS_MAX (64u << 20)
#define HEAD_MAX (64u << 20)
/* More of an original than this is not returned: then its header alone is. */
#define ORIGINAL_MAX 102400u

static bool wants(unsigned notify, unsigned what) {
	return notify == 0 ? what != NOTIFY_SUCCESS : (notify & what) != 0;
}

/* How many more notices the journal can ask for: settled ones make room. */
static size_t notice_room(const struct journal *j) {
	size_t n = journal_notice_slots(j), room = JOURNAL_NOTICES_MAX - n;
	for (size_t i = 0; i < n; i++)
		room += j->notice[i].done;
	return room;
}

/* The status in "550 5.1.1 no such user"; where there is none, x.0.0 of the class. */
static struct mail_status reply_status(struct span reply, unsigned klass) {
	struct mail_status s;
	struct span in = reply;
	uint64_t code;
	if (mail_status_take(&in, &s))
		return s;
	if (span_take_uint(&in, 599, &code) && span_take_char(&in, ' ') &&
	    mail_status_take(&in, &s))
		return s;
	return (struct mail_status){ .klass = klass };
}

/* "mx1.example[192.0.2.1]" without the address. */
static struct span host_name(struct span host) {
	return span_head(host, span_find(host, '['));
}

static struct dsn_recipient describe(const struct queue_message *m, size_t i,
				     const struct settings *settings,
				     const struct moment *now) {
	const struct journal_recipient *r = &m->journal.to[i];
	struct dsn_recipient d = {
		.address = m->env.to[i].address,
		.orcpt = m->env.to[i].orcpt,
		.remote = host_name(r->last.host),
		.reply = r->last.reply,
		.is_remote = r->last.host.len > 0,
		.last_attempt_s = r->wall_ms / 1000,
	};
	unsigned klass = 4;
	if (r->last.state == RECIPIENT_FAILED) {
		d.action = DSN_FAILED;
		klass = 5;
	} else if (r->last.state == RECIPIENT_DELIVERED) {
		d.action = DSN_RELAYED;
		klass = 2;
	} else {
		int64_t left = settings->lifetime_ms -
			       journal_age_ms(&m->journal, now, 0);
		d.action = DSN_DELAYED;
		d.retry_until_s = (now->wall_ms + (left > 0 ? left : 0)) / 1000;
	}
	d.status = reply_status(d.reply, klass);
	return d;
}

/* Which recipients the notice tells of. */
static size_t pick(const struct queue_message *m, const struct queue_id *notice,
		   bool delayed, const struct settings *settings,
		   struct dsn_recipient *ret) {
	struct moment now = clock_now();
	size_t n = 0;
	for (size_t i = 0; i < m->env.to_count; i++) {
		const struct journal_recipient *r = &m->journal.to[i];
		bool told = delayed ? recipient_waits(r->last.state) &&
					      wants(m->env.to[i].notify, NOTIFY_DELAY)
				    : queue_id_cmp(&r->notice, notice) == 0;
		if (told)
			ret[n++] = describe(m, i, settings, &now);
	}
	return n;
}

/* Reads what of the original goes back: all of a short one that is wanted, else the header. */
static int read_original(struct queue_claim *c, bool full, struct buf *out,
			 struct err *err) {
	const struct queue_message *m = queue_claim_message(c);
	size_t len = m->content_len < ORIGINAL_MAX ? (size_t)m->content_len
						   : ORIGINAL_MAX;
	char *room = buf_room(out, len);
	if (!room)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (queue_claim_content(c, 0, room, len, err) != 0)
		return -1;
	buf_grew(out, len);
	if (full)
		return 0;
	size_t head = header_block_len(buf_span(out));
	if (head == len &&
	    len < m->content_len) /* a very long header: whole lines of it */
		while (head > 0 && out->data[head - 1] != '\n')
			head--;
	buf_truncate(out, head);
	return 0;
}

static int write_notice(struct queue *q, struct queue_claim *c, const struct envelope *e,
			const struct dsn_params *p, const struct dsn_recipient *r,
			size_t count, struct queue_claim **ret, struct err *err) {
	AUTO_BUF struct buf head = BUF_INIT(HEAD_MAX);
	AUTO_BUF struct buf original = BUF_INIT(ORIGINAL_MAX);
	AUTO_BUF struct buf tail = BUF_INIT(REPLY_MAX);
	if (dsn_write_head(&head, p, r, count) != 0 || dsn_write_tail(&tail, p) != 0)
		return err_set(err, ERR_MEMORY, "cannot write the notice");
	if (read_original(c, p->return_full, &original, err) != 0)
		return -1;
	struct queue_accept *a = queue_accept_begin(q, e, err);
	if (!a)
		return -1;
	if (queue_accept_write(a, buf_span(&head), err) != 0 ||
	    queue_accept_write(a, buf_span(&original), err) != 0 ||
	    queue_accept_write(a, buf_span(&tail), err) != 0) {
		queue_accept_abort(a);
		return -1;
	}
	return queue_accept_commit(a, ret, err);
}

/* A bounce or a delay notice. EEXIST: its file is there already. */
static int make_report(struct queue *q, struct queue_claim *c,
		       const struct settings *settings, size_t index,
		       struct queue_claim **ret, struct err *err) {
	const struct queue_message *m = queue_claim_message(c);
	const struct queue_id *id = &m->journal.notice[index].id;
	bool delayed = m->journal.notice[index].delayed;
	struct queue_id_text text = queue_id_text(id),
			     original = queue_id_text(&m->env.id);
	AUTO_FREE struct dsn_recipient *r = calloc(m->env.to_count, sizeof(*r));
	if (!r)
		return err_set(err, ERR_MEMORY, "out of memory");
	size_t count = pick(m, id, delayed, settings, r);
	bool full = !delayed && span_eq_nocase(m->env.ret, SPAN("FULL")) &&
		    m->content_len <= ORIGINAL_MAX && count > 0 &&
		    r[0].action == DSN_FAILED;
	struct envelope_recipient to = { .address = m->env.from };
	struct envelope e = {
		.id = *id,
		.created = clock_now(),
		.uid = geteuid(),
		.origin = SPAN("bounce"),
		.body_8bit = m->env.body_8bit || m->env.smtputf8,
		.smtputf8 = m->env.smtputf8,
		.requiretls = m->env.requiretls, /* RFC 8689 section 5 */
		.to = &to,
		.to_count = 1,
	};
	struct dsn_params p = {
		.id = span_str(text.s),
		.host = span_str(settings->domain),
		.to = m->env.from,
		.envid = m->env.envid,
		.original_id = span_str(original.s),
		.arrival_s = m->env.created.wall_ms / 1000,
		.now_s = e.created.wall_ms / 1000,
		.return_full = full,
		.original_utf8 = m->env.smtputf8,
	};
	if (count == 0) /* delayed, and delivered meanwhile: nothing to tell */
		return 0;
	return write_notice(q, c, &e, &p, r, count, ret, err);
}

/* Accepts one notice. *ret: its claim; NULL when its file is there already. */
static int make_notice(struct queue *q, struct queue_claim *c,
		       const struct settings *settings, size_t index,
		       struct queue_claim **ret, struct err *err) {
	const struct journal *j = &queue_claim_message(c)->journal;
	struct queue_id_text original = queue_id_text(&queue_claim_message(c)->env.id);
	struct err why = ERR_INIT;
	bool digest = j->notice[index].digest;
	*ret = NULL;
	int r = digest ? storm_make_digest(q, c, settings, &j->notice[index].id, ret, &why)
		       : make_report(q, c, settings, index, ret, &why);
	if (r == 0 || why.sys == EEXIST)
		return 0;
	if (err)
		*err = why;
	return err_prefix(err, "id=%s: no %s could be queued", original.s,
			  digest ? "digest of its storm" : "notice to the sender");
}

/* True when nothing will remain once the notices that are asked for exist. */
static bool settled(const struct journal *j) {
	for (size_t i = 0; i < j->to_count; i++)
		if (recipient_waits(j->to[i].last.state))
			return false;
	return true;
}

/* The second half: records that the notices exist, or removes the message. Frees the claim. */
static int close_original(struct queue *q, struct queue_claim *c, bool *ret_finished,
			  struct err *err) {
	const struct journal *j = &queue_claim_message(c)->journal;
	*ret_finished = settled(j);
	if (*ret_finished) {
		struct err why = ERR_INIT;
		if (queue_claim_remove(c, err) != 0)
			return -1;
		/* The name is gone, so the notices must go, whether that is durable or not. */
		if (queue_sync(q, &why) != 0)
			log_error("%s", why.msg);
		return 0;
	}
	AUTO_BUF struct buf records = BUF_INIT(RECORDS_MAX);
	for (size_t i = 0; i < journal_notice_slots(j); i++)
		if (!j->notice[i].done)
			journal_add_noticed(&records, &j->notice[i].id);
	int r = records.len ? queue_claim_append(c, buf_span(&records), true, err) : 0;
	queue_claim_release(c);
	return r;
}

/* Notices whose original could not be closed must not go: they are made again later. */
static void take_back(struct queue *q, struct queue_claim **made, size_t count) {
	for (size_t i = 0; i < count; i++)
		if (made[i])
			queue_claim_remove(made[i], NULL);
	queue_sync(q, NULL);
}

int notify_settle(struct queue *q, struct queue_claim *c, const struct settings *settings,
		  notify_made_fn *fn, void *ctx, bool *ret_finished, struct err *err) {
	struct queue_claim *made[JOURNAL_NOTICES_MAX] = { NULL };
	struct queue_id id[JOURNAL_NOTICES_MAX];
	const struct journal *j = &queue_claim_message(c)->journal;
	size_t count = journal_notice_slots(j);
	bool asked[JOURNAL_NOTICES_MAX] = { false };
	bool finished = false;
	for (size_t i = 0; i < count; i++) {
		id[i] = j->notice[i].id;
		asked[i] = !j->notice[i].done;
		if (asked[i] && make_notice(q, c, settings, i, &made[i], err) != 0) {
			take_back(q, made, i);
			queue_claim_release(c);
			return -1;
		}
	}
	if (close_original(q, c, &finished, err) != 0) {
		take_back(q, made, count);
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		queue_claim_release(made[i]);
		if (asked[i] && fn)
			fn(ctx, &id[i]);
	}
	*ret_finished = finished;
	return 0;
}

/* "5.4.7 too old (the last answer of mx.example[192.0.2.1] was: 450 4.2.0 busy)" */
static void add_last_answer(struct buf *out, const char *reply,
			    const struct journal_result *last) {
	buf_adds(out, reply);
	if (last->reply.len && last->host.len) {
		buf_adds(out, " (the last answer of ");
		buf_add(out, span_head(last->host, REPLY_MAX / 4));
		buf_adds(out, " was: ");
	} else if (last->reply.len) {
		buf_adds(out, " (last: ");
	}
	if (last->reply.len) {
		buf_add(out, span_head(last->reply, REPLY_MAX / 2));
		buf_addc(out, ')');
	}
}

static int record_failures(struct queue_claim *c, struct span records, const bool *failed,
			   notify_failed_fn *fn, void *ctx, struct err *err) {
	const struct queue_message *m = queue_claim_message(c);
	if (records.len == 0)
		return 0;
	if (queue_claim_append(c, records, true, err) != 0)
		return -1;
	for (size_t i = 0; fn && i < m->env.to_count; i++)
		if (failed[i])
			fn(ctx, m, i);
	return 0;
}

static bool keep_none(void *ctx, const struct queue_message *m, size_t recipient) {
	(void)ctx, (void)m, (void)recipient;
	return false;
}

int notify_fail_rest(struct queue_claim *c, const char *reply, notify_failed_fn *fn,
		     void *ctx, bool *ret_bury, struct err *err) {
	return notify_fail_some(c, reply, keep_none, fn, ctx, ret_bury, err);
}

int notify_fail_some(struct queue_claim *c, const char *reply, notify_keep_fn *keep,
		     notify_failed_fn *fn, void *ctx, bool *ret_bury, struct err *err) {
	const struct queue_message *m = queue_claim_message(c);
	AUTO_FREE bool *fails = calloc(m->env.to_count, sizeof(*fails));
	AUTO_BUF struct buf records = BUF_INIT(RECORDS_MAX);
	struct queue_id notice = queue_id_notice(&m->env.id, m->journal.notices);
	struct moment now = clock_now();
	*ret_bury = m->env.from.len == 0;
	if (*ret_bury)
		return 0;
	if (!fails)
		return err_set(err, ERR_MEMORY, "out of memory");
	bool room = notice_room(&m->journal) > 0;
	for (size_t i = 0; i < m->env.to_count; i++) {
		const struct journal_recipient *r = &m->journal.to[i];
		AUTO_BUF struct buf words = BUF_INIT(REPLY_MAX);
		if (!recipient_waits(r->last.state) || keep(ctx, m, i))
			continue;
		fails[i] = true;
		add_last_answer(&words, reply, &r->last);
		struct journal_result failed = {
			.state = RECIPIENT_FAILED,
			.reply = buf_span(&words),
		};
		bool told = room && wants(m->env.to[i].notify, NOTIFY_FAILURE);
		journal_add_result(&records, &now, i, 1, &failed, told ? &notice : NULL);
	}
	if (buf_failed(&records))
		return err_set(err, ERR_MEMORY, "out of memory");
	return record_failures(c, buf_span(&records), fails, fn, ctx, err);
}

int notify_delay(struct queue_claim *c, bool *ret_wanted, struct err *err) {
	const struct queue_message *m = queue_claim_message(c);
	AUTO_BUF struct buf record = BUF_INIT(REPLY_MAX);
	struct moment now = clock_now();
	bool wanted = false;
	/* The last place is kept for the bounce that may follow. */
	if (m->env.from.len && !m->journal.delay_noticed && notice_room(&m->journal) > 1)
		for (size_t i = 0; i < m->env.to_count && !wanted; i++)
			wanted = recipient_waits(m->journal.to[i].last.state) &&
				 wants(m->env.to[i].notify, NOTIFY_DELAY);
	*ret_wanted = wanted;
	if (!wanted)
		return 0;
	struct queue_id notice = queue_id_notice(&m->env.id, m->journal.notices);
	journal_add_delayed(&record, &now, &notice);
	return queue_claim_append(c, buf_span(&record), true, err);
}
