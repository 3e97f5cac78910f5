/*
 * Into dead/ and back. A file gets its second name, durably, before it loses the first, so
 * that no crash can leave it with none; two names of one file are mended by the journal's
 * last word (claim.c).
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/file.h"
#include "queue/spool.h"

#define RECORD_MAX 4096

/* Gives the file a name in dirfd. One that it has there already is as good. */
static int add_name(int fd, const struct stat *st, int dirfd, const char *name) {
	struct stat there;
	if (file_link_unnamed(fd, dirfd, name) != 0) {
		if (errno != EEXIST ||
		    fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) != 0)
			return -1;
		if (there.st_ino != st->st_ino || there.st_dev != st->st_dev) {
			errno = EEXIST;
			return -1;
		}
	}
	return file_fsync(dirfd);
}

static int drop_name(int dirfd, const char *name) {
	if (file_unlink(dirfd, name) != 0 && errno != ENOENT)
		return -1;
	return file_fsync(dirfd);
}

int spool_to_dead(struct queue *q, int fd, const struct stat *st, const char *name,
		  struct err *err) {
	int dead;
	if (spool_dead(q, &dead, err) != 0)
		return -1;
	if (add_name(fd, st, dead, name) != 0 || drop_name(q->queue, name) != 0)
		return err_sys(err, "%s: cannot move to %s/", name, SPOOL_DEAD);
	return 0;
}

int queue_claim_bury(struct queue_claim *c, const char *reason, int64_t keep_ms,
		     struct err *err) {
	AUTO_BUF struct buf record = BUF_INIT(RECORD_MAX);
	struct moment now = clock_now();
	int result;
	if (journal_add_dead(&record, &now, reason, keep_ms) != 0)
		result = err_set(err, ERR_LIMIT, "%s: reason too long", c->name.s);
	else
		result = queue_claim_append(c, buf_span(&record), true, err);
	if (result == 0)
		result = spool_to_dead(c->q, c->fd, &c->st, c->name.s, err);
	queue_claim_release(c);
	return result;
}

/* The ID of a notice is made again when the first try left a remainder; when the second
 * leaves one as well, the older remainder makes room. */
static void drop_older_remainder(struct queue *q, const struct queue_id *id,
				 const struct stat *st) {
	struct queue_message m;
	enum queue_damage damage;
	struct stat older;
	AUTO_FD int fd = queue_open_content(q, id, true);
	if (fd < 0 || fstat(fd, &older) != 0 || older.st_ino == st->st_ino)
		return;
	if (spool_read(fd, &older, id, &m, &damage, NULL) == 0)
		queue_message_release(&m);
	else if (damage != QUEUE_SOUND)
		file_unlink(q->dead, queue_id_text(id).s);
}

int queue_bury_damaged(struct queue *q, const struct queue_id *id, struct err *err) {
	struct queue_id_text name = queue_id_text(id);
	AUTO_FD int fd = -1;
	struct stat st;
	if (spool_lock_file(q->queue, name.s, &fd, &st, err) != 0)
		return -1;
	drop_older_remainder(q, id, &st);
	return spool_to_dead(q, fd, &st, name.s, err);
}

int queue_dead_remove(struct queue *q, const struct queue_id *id, struct err *err) {
	struct queue_id_text name = queue_id_text(id);
	AUTO_FD int fd = -1;
	struct stat st;
	int dead;
	if (spool_dead(q, &dead, err) != 0 ||
	    spool_lock_file(dead, name.s, &fd, &st, err) != 0)
		return -1;
	if (drop_name(dead, name.s) != 0)
		return err_sys(err, "%s/%s: cannot remove", SPOOL_DEAD, name.s);
	return 0;
}

int queue_dead_revive(struct queue *q, const struct queue_id *id, struct err *err) {
	AUTO_BUF struct buf record = BUF_INIT(RECORD_MAX);
	struct moment now = clock_now();
	struct queue_claim *c = claim_take(q, id, true, NULL, err);
	if (!c)
		return -1;
	int result = journal_add_revived(&record, &now) != 0
			     ? err_set(err, ERR_MEMORY, "out of memory")
			     : queue_claim_append(c, buf_span(&record), true, err);
	if (result == 0 && (add_name(c->fd, &c->st, q->queue, c->name.s) != 0 ||
			    drop_name(q->dead, c->name.s) != 0))
		result = err_sys(err, "%s: cannot move to %s/", c->name.s, SPOOL_QUEUE);
	queue_claim_release(c);
	return result;
}
