/*
 * Replay: what a worker's completion journal says and its messages do not say yet is put
 * into the messages. A delivery becomes a result; an intent without an outcome means that a
 * copy may have gone out, and becomes a flag. Messages are read first and claimed only when
 * there is something to record, so that mail other workers have is left alone. Doing it
 * twice changes nothing.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "queue/segment_record.h"

#define RECORDS_MAX (64u << 20)
#define LOG_LINE_MAX 16384u

/* What the segment says of one recipient of one message. */
enum mark { MARK_NONE, MARK_OPEN, MARK_DELIVERED };

#define LOST_REPLY "250 accepted; the reply was lost in a crash"

static const struct journal_result delivered_result = {
	.state = RECIPIENT_DELIVERED,
	.reply = { LOST_REPLY, sizeof(LOST_REPLY) - 1 },
	.host = { "", 0 },
};

static size_t marks_needed(const struct segment_record *r, size_t n) {
	size_t max = 0;
	for (size_t i = 0; i < n; i++)
		if ((size_t)r[i].range.first + r[i].range.count > max)
			max = (size_t)r[i].range.first + r[i].range.count;
	return max;
}

/* Plays the records of one message over its marks; true when something is left to settle. */
static bool play(const struct segment_record *r, size_t n, uint8_t *marks, size_t count) {
	for (size_t i = 0; i < n; i++)
		for (size_t k = r[i].range.first;
		     k < (size_t)r[i].range.first + r[i].range.count; k++) {
			if (r[i].kind == SEGMENT_DELIVERED)
				marks[k] = MARK_DELIVERED;
			else if (marks[k] != MARK_DELIVERED)
				marks[k] = r[i].kind == SEGMENT_INTENT ? MARK_OPEN
								       : MARK_NONE;
		}
	for (size_t k = 0; k < count; k++)
		if (marks[k] != MARK_NONE)
			return true;
	return false;
}

/* The mark when the message does not have it yet. */
static enum mark news(const struct journal *j, const uint8_t *marks, size_t count,
		      size_t k) {
	if (k >= count || marks[k] == MARK_NONE)
		return MARK_NONE;
	const struct journal_recipient *to = &j->to[k];
	if (to->last.state == RECIPIENT_DELIVERED || to->last.state == RECIPIENT_FAILED ||
	    (marks[k] == MARK_OPEN && to->maybe_twice))
		return MARK_NONE;
	return (enum mark)marks[k];
}

/* Appends what is new to the message, in runs of recipients. */
static int add_news(const struct journal *j, const uint8_t *marks, size_t count,
		    struct buf *out) {
	struct moment now = clock_now();
	size_t run;
	for (size_t k = 0; k < j->to_count; k += run) {
		enum mark m = news(j, marks, count, k);
		run = 1;
		while (k + run < j->to_count && news(j, marks, count, k + run) == m)
			run++;
		if (m == MARK_DELIVERED)
			journal_add_result(out, &now, k, run, &delivered_result, NULL);
		else if (m == MARK_OPEN)
			journal_add_maybe_twice(out, k, run);
	}
	return buf_failed(out) ? -1 : 0;
}

/* True when everybody has the message, so that its file needs no more records. */
static bool all_delivered(const struct journal *j, const uint8_t *marks, size_t count) {
	for (size_t k = 0; k < j->to_count; k++)
		if (j->to[k].last.state != RECIPIENT_DELIVERED &&
		    news(j, marks, count, k) != MARK_DELIVERED)
			return false;
	for (unsigned i = 0; i < j->notices && i < JOURNAL_NOTICES_MAX; i++)
		if (!j->notice[i].done)
			return false;
	return true;
}

/* The worker's own line for it is missing: it ended before. */
static void tell(const struct queue_message *m, const uint8_t *marks, size_t count) {
	for (size_t k = 0; k < m->journal.to_count; k++) {
		AUTO_BUF struct buf line = BUF_INIT(LOG_LINE_MAX);
		enum mark mark = news(&m->journal, marks, count, k);
		if (mark == MARK_NONE)
			continue;
		buf_addf(&line, "id=%s", queue_id_text(&m->env.id).s);
		log_field_addr(&line, "from", m->env.from);
		log_field_addr(&line, "to", m->env.to[k].address);
		log_field(&line, "status",
			  mark == MARK_DELIVERED ? SPAN("sent") : SPAN("unknown"));
		if (mark == MARK_OPEN || m->journal.to[k].maybe_twice)
			log_field(&line, "possibly-twice", SPAN("yes"));
		log_field(&line, "reply",
			  mark == MARK_DELIVERED ? SPAN(LOST_REPLY)
						 : SPAN("none was seen before the worker "
							"ended"));
		log_info("%s", buf_str(&line));
	}
}

/* Does it under the claim. A full disk can stop the record, but not the removal. */
static int record(struct queue *q, const struct queue_id *id, const uint8_t *marks,
		  size_t count, struct err *err) {
	struct err why = ERR_INIT;
	AUTO_BUF struct buf records = BUF_INIT(RECORDS_MAX);
	struct queue_claim *c = claim_take(q, id, false, NULL, &why);
	if (!c && why.kind == ERR_MISSING)
		return 0;
	if (!c && why.kind == ERR_DENIED) {
		errno = EAGAIN;
		return err_sys(err, "%s: the completion journal waits for it",
			       queue_id_text(id).s);
	}
	if (!c) {
		if (err)
			*err = why;
		return -1;
	}
	const struct journal *j = &queue_claim_message(c)->journal;
	tell(queue_claim_message(c), marks, count);
	if (all_delivered(j, marks, count))
		return queue_claim_remove(c, err);
	int result = add_news(j, marks, count, &records) != 0
			     ? err_set(err, ERR_MEMORY, "out of memory")
			     : 0;
	if (result == 0 && records.len > 0)
		result = queue_claim_append(c, buf_span(&records), true, err);
	queue_claim_release(c);
	return result;
}

/* The message says it already; but the worker may have died before that was on the disk. */
static int make_durable(struct queue *q, const struct queue_id *id, struct err *err) {
	AUTO_FD int fd = queue_open_content(q, id, false);
	if (fd < 0 ? errno != ENOENT : file_fdatasync(fd) != 0)
		return err_sys(err, "%s: cannot make it durable", queue_id_text(id).s);
	return 0;
}

/* A file that cannot be read as a message takes no record, and is never delivered. */
static int settle_message(struct queue *q, const struct segment_record *r, size_t n,
			  struct err *err) {
	const struct queue_id *id = &r[0].range.id;
	struct queue_message m;
	struct err why = ERR_INIT;
	AUTO_BUF struct buf records = BUF_INIT(RECORDS_MAX);
	size_t count = marks_needed(r, n);
	AUTO_FREE uint8_t *marks = calloc(count + 1, 1);
	if (!marks)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (!play(r, n, marks, count))
		return 0;
	if (queue_read(q, id, false, &m, NULL, &why) != 0) {
		if (why.kind == ERR_MISSING || why.kind == ERR_SYNTAX ||
		    why.kind == ERR_LIMIT)
			return 0;
		if (err)
			*err = why;
		return -1;
	}
	bool needed = all_delivered(&m.journal, marks, count) ||
		      add_news(&m.journal, marks, count, &records) != 0 ||
		      records.len > 0;
	queue_message_release(&m);
	return needed ? record(q, id, marks, count, err) : make_durable(q, id, err);
}

static int by_message(const void *a, const void *b) {
	const struct segment_record *x = a, *y = b;
	int order = queue_id_cmp(&x->range.id, &y->range.id);
	return order ? order : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static int settle_messages(struct queue *q, struct segment_content *c, struct err *err) {
	size_t n;
	qsort(c->records, c->count, sizeof(*c->records), by_message);
	for (size_t i = 0; i < c->count; i += n) {
		const struct segment_record *r = &c->records[i];
		n = 1;
		while (i + n < c->count &&
		       queue_id_cmp(&r[n].range.id, &r[0].range.id) == 0)
			n++;
		if (r[0].kind != SEGMENT_SETTLED && settle_message(q, r, n, err) != 0)
			return -1;
	}
	return 0;
}

static int mark_settled(int fd, unsigned number, uint32_t generation, struct err *err) {
	char bytes[SEGMENT_RECORD_LEN];
	struct segment_record settled = {
		.kind = SEGMENT_SETTLED,
		.generation = generation,
		.wall_ms = clock_wall_ms(),
	};
	segment_record_write(bytes, &settled);
	if (file_pwrite_all(fd, bytes, sizeof(bytes), 0) != 0)
		return err_sys(err, "%s/%u: cannot write", SPOOL_DELIVERED, number);
	return 0;
}

int segment_settle(struct queue *q, int fd, unsigned number, uint32_t *ret_generation,
		   struct err *err) {
	struct segment_content c;
	if (segment_content_read(fd, number, &c, err) != 0)
		return -1;
	AUTO_FREE struct segment_record *records = c.records;
	*ret_generation = c.generation;
	if (c.count == 0 || (c.count == 1 && records[0].kind == SEGMENT_SETTLED))
		return 0;
	if (settle_messages(q, &c, err) != 0 || queue_sync(q, err) != 0)
		return -1;
	*ret_generation = c.generation + 1;
	return mark_settled(fd, number, c.generation + 1, err);
}

int segment_replay(struct queue *q, unsigned number, struct err *err) {
	struct err why = ERR_INIT;
	uint32_t generation;
	AUTO_FD int fd = -1;
	if (segment_lock(q, number, false, &fd, &why) == 0)
		return segment_settle(q, fd, number, &generation, err);
	if (why.kind == ERR_MISSING)
		return 0;
	if (err)
		*err = why;
	return -1;
}

int segment_replay_all(struct queue *q, unsigned *ret_busy, struct err *err) {
	unsigned busy = 0;
	for (unsigned i = 0; i < SEGMENT_MAX; i++) {
		struct err why = ERR_INIT;
		if (segment_replay(q, i, &why) == 0)
			continue;
		if (why.kind != ERR_DENIED) {
			if (err)
				*err = why;
			return -1;
		}
		busy++;
	}
	*ret_busy = busy;
	return 0;
}
