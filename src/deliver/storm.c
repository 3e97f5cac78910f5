/*
 * What storm control reads and writes of one message. Only the first part of a message is
 * looked at: for its subject, and for the excerpt in the digest.
 */

#include "deliver/storm.h"

#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "mail/digest.h"
#include "mail/header.h"

#define HEAD_MAX (16u << 10)
#define RECORD_MAX 512u
#define DIGEST_MAX (1u << 20)

/* The message's first bytes. */
static int read_head(struct queue *q, const struct queue_message *m, struct buf *out,
		     struct err *err) {
	size_t len = m->content_len < HEAD_MAX ? (size_t)m->content_len : HEAD_MAX;
	AUTO_FD int fd = queue_open_content(q, &m->env.id, false);
	char *room = buf_room(out, len);
	if (fd < 0)
		return err_sys(err, "cannot read the message");
	if (!room)
		return err_set(err, ERR_MEMORY, "out of memory");
	ssize_t n = file_pread_all(fd, room, len, (int64_t)m->content_offset);
	if (n < 0)
		return err_sys(err, "cannot read the message");
	buf_grew(out, (size_t)n);
	return 0;
}

static void add_subject(struct buf *out, struct span content) {
	struct header_field f;
	if (header_find(span_head(content, header_block_len(content)), "Subject", &f))
		header_unfold(f.value, out);
}

int storm_key_of(struct queue *q, const struct queue_message *m, struct storm_key *ret,
		 struct err *err) {
	AUTO_BUF struct buf head = BUF_INIT(HEAD_MAX), subject = BUF_INIT(HEAD_MAX);
	if (read_head(q, m, &head, err) != 0)
		return -1;
	add_subject(&subject, buf_span(&head));
	*ret = storm_key(m->env.uid, m->env.from, buf_span(&subject));
	return 0;
}

int storm_record_hold(struct queue_claim *c, const struct queue_id *storm,
		      struct err *err) {
	AUTO_BUF struct buf record = BUF_INIT(RECORD_MAX), reason = BUF_INIT(RECORD_MAX);
	struct moment now = clock_now();
	buf_addf(&reason, JOURNAL_STORM "%s", queue_id_text(storm).s);
	if (journal_add_hold(&record, &now, buf_str(&reason)) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	/* A power cut that loses it lets one more message of the storm go, no harm; waiting for
	 * the disk would let a storm stop all other mail. */
	return queue_claim_append(c, buf_span(&record), false, err);
}

int storm_record_digest(struct queue_claim *c, int64_t held, const struct queue_id *last,
			struct err *err) {
	const struct queue_message *m = queue_claim_message(c);
	AUTO_BUF struct buf record = BUF_INIT(RECORD_MAX);
	struct queue_id notice = queue_id_notice(&m->env.id, m->journal.notices), storm;
	struct moment now = clock_now();
	if (!journal_storm(&m->journal, &storm) ||
	    queue_id_cmp(&storm, &m->env.id) != 0 || m->journal.digest.asked)
		return 0;
	if (journal_add_digest(&record, &now, &notice, held, last) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	return queue_claim_append(c, buf_span(&record), true, err);
}

static struct digest_sample sample(const struct queue_id *id,
				   const struct queue_id_text *text,
				   const struct buf *content) {
	return (struct digest_sample){
		.id = span_str(text->s),
		.queued_s = queue_id_us(id) / 1000000,
		.content = buf_span(content),
	};
}

/* The beginning of the storm's last message, nothing when it is gone. */
static void read_last(struct queue *q, const struct queue_id *id, struct buf *out) {
	struct queue_message m;
	if (queue_read(q, id, false, &m, NULL, NULL) != 0)
		return;
	if (read_head(q, &m, out, NULL) != 0)
		buf_reset(out);
	queue_message_release(&m);
}

static int accept_digest(struct queue *q, const struct queue_message *m,
			 const struct queue_id *notice, struct span content,
			 struct queue_claim **ret, struct err *err) {
	AUTO_FREE struct envelope_recipient *to = calloc(m->env.to_count, sizeof(*to));
	if (!to)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < m->env.to_count; i++)
		to[i].address = m->env.to[i].address;
	struct envelope e = {
		.id = *notice,
		.created = clock_now(),
		.uid = geteuid(),
		.origin = SPAN("bounce"),
		.smtputf8 = m->env.smtputf8,
		.to = to,
		.to_count = m->env.to_count,
	};
	struct queue_accept *a = queue_accept_begin(q, &e, err);
	if (!a)
		return -1;
	if (queue_accept_write(a, content, err) != 0) {
		queue_accept_abort(a);
		return -1;
	}
	return queue_accept_commit(a, ret, err);
}

int storm_make_digest(struct queue *q, struct queue_claim *c,
		      const struct settings *settings, const struct queue_id *notice,
		      struct queue_claim **ret, struct err *err) {
	const struct queue_message *m = queue_claim_message(c);
	const struct queue_id *id = &m->env.id, *last = &m->journal.digest.last;
	struct queue_id_text text = queue_id_text(notice), first_text = queue_id_text(id),
			     last_text = queue_id_text(last);
	AUTO_BUF struct buf head = BUF_INIT(HEAD_MAX), tail = BUF_INIT(HEAD_MAX);
	AUTO_BUF struct buf subject = BUF_INIT(HEAD_MAX), out = BUF_INIT(DIGEST_MAX);
	if (read_head(q, m, &head, err) != 0)
		return -1;
	add_subject(&subject, buf_span(&head));
	read_last(q, last, &tail);
	struct digest_params p = {
		.id = span_str(text.s),
		.host = span_str(settings->domain),
		.storm = span_str(first_text.s),
		.to = m->env.to[0].address,
		.from = m->env.from,
		.subject = buf_span(&subject),
		.uid = m->env.uid,
		.held = m->journal.digest.held,
		.limit = settings->storm_limit.count,
		.window_ms = settings->storm_limit.window_ms,
		.keep_ms = STORM_KEEP_MS,
		.now_s = clock_wall_ms() / 1000,
		.first = sample(id, &first_text, &head),
		.last = sample(last, &last_text, &tail),
	};
	if (digest_write(&out, &p) != 0)
		return err_set(err, ERR_MEMORY, "cannot write the digest");
	return accept_digest(q, m, notice, buf_span(&out), ret, err);
}

/* Between boots wall time is all there is. */
bool storm_is_stale(const struct moment *since, const struct moment *now) {
	int64_t waited = since->boot_id == now->boot_id ? clock_elapsed_ms(since, now)
							: now->wall_ms - since->wall_ms;
	return waited >= STORM_KEEP_MS;
}
