/*
 * Accepting: the file gets its name only when all of it is written, and the sender gets an
 * answer only when both are on the disk:
 *
 *     unnamed file, lock, write, link, fsync(file), fsync(directory), unlock
 *
 * The lock keeps everybody else away from a file that has a name and no promise yet. A
 * message that fits into the buffer is written in one piece; of a larger one the first
 * line, with length and checksum, is written last.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/file.h"
#include "queue/spool.h"

#define ONE_PIECE_MAX (256u << 10)
#define FIRST_ROOM (8u << 10) /* for the envelope and a message as most are */
#define CREATE_TRIES 10

struct queue_accept {
	struct queue *q;
	struct queue_id id;
	struct queue_id_text name;
	int fd;
	/* Its name so far, "" if unnamed. */
	char tmp[sizeof(SPOOL_TEMPORARY) + QUEUE_ID_LEN];
	struct buf buf; /* not written yet */
	uint64_t at;    /* where in the file the buffer belongs */
	struct first_line first;
};

static int create_named(struct queue_accept *a) {
	snprintf(a->tmp, sizeof(a->tmp), "%s%s", SPOOL_TEMPORARY, a->name.s);
	for (int i = 0; i < CREATE_TRIES; i++) {
		struct stat st;
		a->fd = file_openat(a->q->dir, a->tmp, O_RDWR | O_CREAT | O_EXCL,
				    a->q->mode);
		if (a->fd < 0)
			return -1;
		/* A sweep may have met the file before it was locked. */
		if (flock(a->fd, LOCK_EX | LOCK_NB) == 0 && fstat(a->fd, &st) == 0 &&
		    st.st_nlink > 0)
			return 0;
		auto_close(&a->fd);
		a->fd = -1;
		file_unlink(a->q->dir, a->tmp);
	}
	errno = EBUSY;
	return -1;
}

static int create(struct queue_accept *a) {
	if (!a->q->named) {
		a->fd = file_open_unnamed(a->q->queue, a->q->mode);
		if (a->fd >= 0)
			return flock(a->fd, LOCK_EX | LOCK_NB);
		if (errno != EOPNOTSUPP && errno != EISDIR)
			return -1;
		a->q->named = true;
	}
	return create_named(a);
}

static int put_envelope(struct queue_accept *a, const struct envelope *e) {
	static const char space[FIRST_LINE_LEN];
	buf_room(&a->buf, FIRST_ROOM);
	buf_addm(&a->buf, space, sizeof(space));
	if (envelope_write(e, &a->buf) != 0)
		return -1;
	a->first.envelope_len = a->buf.len - FIRST_LINE_LEN;
	a->first.crc = codec_crc32c(0, a->buf.data + FIRST_LINE_LEN,
				    a->first.envelope_len);
	return 0;
}

struct queue_accept *queue_accept_begin(struct queue *q, const struct envelope *e,
					struct err *err) {
	struct queue_accept *a = calloc(1, sizeof(*a));
	if (!a) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	a->q = q;
	a->id = e->id;
	a->name = queue_id_text(&e->id);
	a->fd = -1;
	buf_init(&a->buf, FIRST_LINE_LEN + ENVELOPE_MAX + ONE_PIECE_MAX);
	if (put_envelope(a, e) != 0 || a->first.envelope_len > ENVELOPE_MAX)
		err_set(err, ERR_LIMIT, "envelope larger than %u bytes", ENVELOPE_MAX);
	else if (create(a) != 0)
		err_sys(err, "%s/%s: cannot make a file", q->path, SPOOL_QUEUE);
	else
		return a;
	queue_accept_abort(a);
	return NULL;
}

static int write_error(const struct queue_accept *a, struct err *err) {
	return err_sys(err, "%s/%s/%s: cannot write", a->q->path, SPOOL_QUEUE, a->name.s);
}

static int flush(struct queue_accept *a) {
	if (file_pwrite_all(a->fd, a->buf.data, a->buf.len, (int64_t)a->at) != 0)
		return -1;
	a->at += a->buf.len;
	buf_reset(&a->buf);
	return 0;
}

int queue_accept_write(struct queue_accept *a, struct span wire, struct err *err) {
	a->first.crc = codec_crc32c(a->first.crc, wire.p, wire.len);
	a->first.message_len += wire.len;
	while (wire.len > 0) {
		struct span some = span_head(wire, ONE_PIECE_MAX);
		if (a->buf.len > 0 && a->buf.len + some.len > ONE_PIECE_MAX &&
		    flush(a) != 0)
			return write_error(a, err);
		if (buf_add(&a->buf, some) != 0)
			return err_set(err, ERR_MEMORY, "out of memory");
		wire = span_from(wire, some.len);
	}
	return 0;
}

uint64_t queue_accept_size(const struct queue_accept *a) {
	return a->first.message_len;
}

/* Everything into the file, the first line as the last thing. */
static int complete(struct queue_accept *a) {
	char line[FIRST_LINE_LEN];
	first_line_write(line, &a->first);
	if (a->at == 0) {
		memcpy(a->buf.data, line, sizeof(line));
		return flush(a);
	}
	if (a->buf.len > 0 && flush(a) != 0)
		return -1;
	return file_pwrite_all(a->fd, line, sizeof(line), 0);
}

static int give_name(struct queue_accept *a) {
	if (!a->tmp[0])
		return file_link_unnamed(a->fd, a->q->queue, a->name.s);
	if (file_rename_new(a->q->dir, a->tmp, a->q->queue, a->name.s) != 0)
		return -1;
	a->tmp[0] = '\0';
	return 0;
}

/* Under our name stands another file. One that is whole may have been left by a process that
 * died before its fsync, so it is made durable here. Returns 1 when it was put aside and
 * the name is free, 0 when it is a message, -1 on errors. */
static int settle_existing(struct queue_accept *a, struct err *err) {
	AUTO_FD int fd = queue_open_content(a->q, &a->id, false);
	struct stat st;
	struct queue_message m;
	enum queue_damage damage;
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) != 0)
		return write_error(a, err);
	int result = spool_read(fd, &st, &a->id, &m, &damage, err);
	if (result == 0) {
		result = spool_verify(fd, &m, a->name.s, err);
		queue_message_release(&m);
		damage = QUEUE_DAMAGED;
	}
	if (result == 0 && (file_fsync(fd) != 0 || file_fsync(a->q->queue) != 0))
		return write_error(a, err);
	if (result == 0)
		return 0;
	if (damage == QUEUE_SOUND || queue_bury_damaged(a->q, &a->id, err) != 0)
		return -1;
	return 1;
}

/* Links the file, puts a crash's remainder of this name aside first. */
static int take_name(struct queue_accept *a, struct err *err) {
	for (int tries = 0; give_name(a) != 0; tries++) {
		if (errno != EEXIST || tries == 2)
			return write_error(a, err);
		int settled = settle_existing(a, err);
		if (settled < 0)
			return -1;
		if (settled == 0) {
			errno = EEXIST;
			return err_sys(err, "%s", a->name.s);
		}
	}
	return 0;
}

/* After an error nobody may take the file for an accepted message. A descriptor whose fsync
 * failed tells nothing any more, so it is never tried again. */
static void take_back(struct queue_accept *a) {
	if (file_unlink(a->q->queue, a->name.s) != 0)
		file_truncate(a->fd, 0);
}

static int make_durable(struct queue_accept *a, struct err *err) {
	if (file_fsync(a->fd) == 0 && file_fsync(a->q->queue) == 0)
		return 0;
	err_sys(err, "%s/%s/%s: cannot make it durable", a->q->path, SPOOL_QUEUE,
		a->name.s);
	take_back(a);
	return -1;
}

/* The claim that the caller wants to keep; made before the name, because it may fail. It gets
 * a descriptor of its own for the same lock. */
static int prepare_claim(struct queue_accept *a, struct queue_claim **ret,
			 struct err *err) {
	struct stat st;
	enum queue_damage damage;
	int fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) != 0) {
		auto_close(&fd);
		return write_error(a, err);
	}
	*ret = claim_wrap(a->q, &a->id, fd, &st, &damage, err);
	return *ret ? 0 : -1;
}

int queue_accept_commit(struct queue_accept *a, struct queue_claim **ret_claim,
			struct err *err) {
	struct queue_claim *claim = NULL;
	int result = complete(a) != 0 ? write_error(a, err) : 0;
	if (result == 0 && ret_claim)
		result = prepare_claim(a, &claim, err);
	if (result == 0)
		result = take_name(a, err);
	if (result == 0)
		result = make_durable(a, err);
	queue_accept_abort(a);
	if (result == 0 && ret_claim)
		*ret_claim = claim;
	else
		queue_claim_release(claim);
	return result;
}

/* What has its final name has no temporary one; what has none vanishes with the descriptor. */
void queue_accept_abort(struct queue_accept *a) {
	if (!a)
		return;
	if (a->fd >= 0 && a->tmp[0])
		file_unlink(a->q->dir, a->tmp);
	auto_close(&a->fd);
	buf_release(&a->buf);
	free(a);
}
