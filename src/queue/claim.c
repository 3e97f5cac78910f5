/*
 * Claims: the lock on a message's file, and what only its holder may do. The lock is on the
 * open file, so the kernel takes it back from a process that dies. A name can change hands
 * between open and lock; therefore, once locked, the name must still be this file.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "queue/spool.h"

/* Somebody who only asks whether a file is locked has it locked for microseconds. */
#define LOCK_TRIES 3

static int gone(struct err *err, const char *name) {
	return err_set(err, ERR_MISSING, "%s: no such message", name);
}

static int lock_now(int fd) {
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -1;
		sched_yield();
	}
	errno = EWOULDBLOCK;
	return -1;
}

int spool_lock_file(int dirfd, const char *name, int *ret_fd, struct stat *ret_st,
		    struct err *err) {
	AUTO_FD int fd = file_openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat there;
	if (fd < 0 && errno == ENOENT)
		return gone(err, name);
	if (fd < 0)
		return err_sys(err, "%s: cannot open", name);
	if (lock_now(fd) != 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_DENIED, "%s: somebody else works on it",
				       name);
		return err_sys(err, "%s: cannot lock", name);
	}
	if (fstat(fd, ret_st) != 0)
		return err_sys(err, "%s: cannot lock", name);
	if (fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
	    there.st_ino != ret_st->st_ino || there.st_dev != ret_st->st_dev)
		return gone(err, name);
	*ret_fd = take_fd(&fd);
	return 0;
}

struct queue_claim *claim_wrap(struct queue *q, const struct queue_id *id, int fd,
			       const struct stat *st, enum queue_damage *ret_damage,
			       struct err *err) {
	struct queue_claim *c = malloc(sizeof(*c));
	if (!c)
		err_set(err, ERR_MEMORY, "out of memory");
	if (!c || spool_read(fd, st, id, &c->m, ret_damage, err) != 0) {
		close(fd);
		free(c);
		return NULL;
	}
	c->q = q;
	c->name = queue_id_text(id);
	c->fd = fd;
	c->size = (uint64_t)st->st_size;
	c->st = *st;
	return c;
}

struct queue_claim *claim_take(struct queue *q, const struct queue_id *id, bool dead,
			       enum queue_damage *ret_damage, struct err *err) {
	int dirfd, fd;
	struct stat st;
	enum queue_damage unused;
	if (!ret_damage)
		ret_damage = &unused;
	*ret_damage = QUEUE_SOUND;
	if (spool_dirfd(q, dead, &dirfd, err) != 0 ||
	    spool_lock_file(dirfd, queue_id_text(id).s, &fd, &st, err) != 0)
		return NULL;
	return claim_wrap(q, id, fd, &st, ret_damage, err);
}

bool spool_may_remove(const struct queue_message *m) {
	for (size_t i = 0; i < m->journal.to_count; i++)
		if (m->journal.to[i].last.state == RECIPIENT_FAILED &&
		    m->env.from.len == 0)
			return false;
	return journal_finished(&m->journal);
}

/* A process that died may have written what we read and not made it durable. Before others
 * are told of it, or names are dropped because of it, it has to be. */
static int make_durable(struct queue_claim *c, struct err *err) {
	if (file_fdatasync(c->fd) != 0 ||
	    (c->st.st_nlink > 1 && file_fsync(c->q->queue) != 0))
		return err_sys(err, "%s: cannot make it durable", c->name.s);
	return 0;
}

static bool has_outstanding_notice(const struct journal *j) {
	for (unsigned i = 0; i < j->notices && i < JOURNAL_NOTICES_MAX; i++)
		if (!j->notice[i].done)
			return true;
	return false;
}

/* A move between queue/ and dead/ that a crash broke off left two names of one file, or a
 * record that says where it belongs. What the journal says last holds. */
static int finish_move(struct queue_claim *c, struct err *err) {
	if (c->m.journal.dead_reason[0]) {
		if (spool_to_dead(c->q, c->fd, &c->st, c->name.s, err) != 0)
			return -1;
		return gone(err, c->name.s);
	}
	int dead;
	struct stat there;
	if (spool_dead(c->q, &dead, err) != 0)
		return -1;
	if (fstatat(dead, c->name.s, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
	    there.st_ino != c->st.st_ino)
		return 0;
	if (file_unlink(dead, c->name.s) != 0 || file_fsync(dead) != 0)
		return err_sys(err, "%s/%s: cannot remove the second name", SPOOL_DEAD,
			       c->name.s);
	return 0;
}

struct queue_claim *queue_claim(struct queue *q, const struct queue_id *id,
				enum queue_damage *ret_damage, struct err *err) {
	struct queue_claim *c = claim_take(q, id, false, ret_damage, err);
	if (!c)
		return NULL;
	bool moving = c->st.st_nlink > 1 || c->m.journal.dead_reason[0];
	int result = 0;
	if (moving || has_outstanding_notice(&c->m.journal))
		result = make_durable(c, err);
	if (result == 0 && moving)
		result = finish_move(c, err);
	if (result == 0)
		return c;
	queue_claim_release(c);
	return NULL;
}

struct queue_message *queue_claim_message(struct queue_claim *c) {
	return &c->m;
}

void queue_claim_release(struct queue_claim *c) {
	if (!c)
		return;
	queue_message_release(&c->m);
	close(c->fd);
	free(c);
}

static uint64_t journal_start(const struct queue_claim *c) {
	return c->m.content_offset + c->m.content_len;
}

/* The journal as it would be with the records behind it. */
static int try_records(struct queue_claim *c, struct span records, struct journal *ret,
		       struct err *err) {
	const struct journal *old = &c->m.journal;
	AUTO_FREE char *bytes = malloc(old->valid + records.len + 1);
	if (!bytes)
		return err_set(err, ERR_MEMORY, "%s: out of memory", c->name.s);
	ssize_t n = file_pread_all(c->fd, bytes, old->valid, (int64_t)journal_start(c));
	if (n != (ssize_t)old->valid)
		return err_sys(err, "%s: cannot read the journal", c->name.s);
	if (records.len > 0)
		memcpy(bytes + old->valid, records.p, records.len);
	size_t len = old->valid + records.len;
	struct span all = span_of(bytes, len);
	struct moment start = envelope_start(&c->m.env);
	if (journal_parse(all, old->to_count, &start, ret) != 0)
		return err_set(err, ERR_MEMORY, "%s: out of memory", c->name.s);
	if (ret->valid == len)
		return 0;
	journal_release(ret);
	return err_set(err, ERR_LIMIT, "%s: the journal cannot take these records",
		       c->name.s);
}

/* True for records that another file (a segment, a notice) relies on from now on. */
static bool must_last(const struct journal *before, const struct journal *after) {
	for (size_t i = 0; i < after->to_count; i++) {
		const struct journal_recipient *a = &after->to[i], *b = &before->to[i];
		if (a->maybe_twice != b->maybe_twice)
			return true;
		if (a->last.state != b->last.state &&
		    a->last.state >= RECIPIENT_DELIVERED)
			return true;
	}
	return after->notices != before->notices;
}

/* Bytes behind the last valid record are what a crash left. They must be gone for certain
 * before anything follows, else they could come back to life behind the new records. */
static int cut_tail(struct queue_claim *c, uint64_t end) {
	if (c->size == end)
		return 0;
	if (file_truncate(c->fd, (int64_t)end) != 0 || file_fdatasync(c->fd) != 0)
		return -1;
	c->size = end;
	return 0;
}

int queue_claim_append(struct queue_claim *c, struct span records, bool sync,
		       struct err *err) {
	uint64_t end = journal_start(c) + c->m.journal.valid;
	struct journal after;
	if (try_records(c, records, &after, err) != 0)
		return -1;
	if (must_last(&c->m.journal, &after))
		sync = true;
	int result = cut_tail(c, end);
	if (result == 0) {
		c->size = end + records.len;
		result = file_pwrite_all(c->fd, records.p, records.len, (int64_t)end);
	}
	if (result == 0 && sync)
		result = file_fdatasync(c->fd);
	if (result != 0) {
		err_sys(err, "%s: cannot write the journal", c->name.s);
		journal_release(&after);
		if (file_truncate(c->fd, (int64_t)end) == 0)
			c->size = end;
		return -1;
	}
	journal_release(&c->m.journal);
	c->m.journal = after;
	return 0;
}

int queue_claim_remove(struct queue_claim *c, struct err *err) {
	int result = 0;
	if (file_unlink(c->q->queue, c->name.s) != 0 && errno != ENOENT)
		result = err_sys(err, "%s: cannot remove", c->name.s);
	queue_claim_release(c);
	return result;
}

int queue_claim_verify(struct queue_claim *c, struct err *err) {
	return spool_verify(c->fd, &c->m, c->name.s, err);
}

int queue_claim_content(struct queue_claim *c, uint64_t offset, void *p, size_t len,
			struct err *err) {
	uint64_t max = c->m.content_len;
	if (offset > max || len > max - offset)
		return err_set(err, ERR_SYNTAX, "%s: the message ends before", c->name.s);
	ssize_t n = file_pread_all(c->fd, p, len,
				   (int64_t)(c->m.content_offset + offset));
	if (n < 0)
		return err_sys(err, "%s: cannot read", c->name.s);
	if ((size_t)n < len)
		return err_set(err, ERR_SYNTAX, "%s: the file ends within the message",
			       c->name.s);
	return 0;
}
