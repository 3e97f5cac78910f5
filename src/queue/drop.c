/*
 * drop/, seen from both sides; see drop.h. Nothing in it is trusted: what a file is comes
 * from fstat of the open descriptor, what it says from a check of every byte, and whose it
 * is from its owner, never from its content.
 */

#include "queue/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "queue/spool.h"

#define SPOOL_DROP "drop"
#define DROP_MODE 01770
#define FILE_MODE 0440
#define COPY_STEP 65536

int drop_create(const char *dir, gid_t group, struct err *err) {
	AUTO_FD int spool = file_opendir(AT_FDCWD, dir);
	if (spool < 0)
		return err_sys(err, "%s: cannot open", dir);
	if (file_mkdir(spool, SPOOL_DROP, 0700) != 0 && errno != EEXIST)
		return err_sys(err, "%s/%s: cannot make the directory", dir, SPOOL_DROP);
	AUTO_FD int fd = openat(spool, SPOOL_DROP,
				O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st, there;
	if (fd >= 0 && fstat(spool, &st) == 0 && fstat(fd, &there) == 0 &&
	    there.st_gid == group && there.st_uid == st.st_uid &&
	    (there.st_mode & 07777) == DROP_MODE)
		return 0; /* changing owners is not allowed to every daemon */
	if (fd < 0 || fstat(spool, &st) != 0 || fchown(fd, st.st_uid, group) != 0 ||
	    fchmod(fd, DROP_MODE) != 0 || file_fsync(spool) != 0)
		return err_sys(err, "%s/%s: cannot give it to group %u", dir, SPOOL_DROP,
			       (unsigned)group);
	return 0;
}

bool drop_group(const char *dir, gid_t *ret) {
	AUTO_FD int spool = file_opendir(AT_FDCWD, dir);
	struct stat st;
	if (spool < 0 || fstatat(spool, SPOOL_DROP, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	*ret = st.st_gid;
	return true;
}

static int open_refused(const char *dir, struct err *err) {
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(err, ERR_MISSING, "%s/%s: is not there", dir, SPOOL_DROP);
	if (errno == EACCES)
		return err_set(err, ERR_DENIED, "%s/%s: not allowed in there", dir,
			       SPOOL_DROP);
	return err_sys(err, "%s/%s: cannot open", dir, SPOOL_DROP);
}

/* Reading the directory is needed for its fsync. */
static int open_drop(const struct queue *q) {
	return openat(q->dir, SPOOL_DROP,
		      O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

struct queue *drop_open(const char *dir, struct err *err) {
	struct queue *q = calloc(1, sizeof(*q));
	AUTO_FD int spool = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (q)
		*q = (struct queue){ .dir = -1,
				     .queue = -1,
				     .dead = -1,
				     .lock = -1,
				     .path = strdup(dir),
				     .mode = FILE_MODE };
	if (!q || !q->path) {
		queue_free(q);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	q->queue = spool < 0 ? -1
			     : openat(spool, SPOOL_DROP,
				      O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (q->queue >= 0)
		q->dir = fcntl(q->queue, F_DUPFD_CLOEXEC, 0);
	if (q->dir >= 0)
		return q;
	open_refused(dir, err);
	queue_free(q);
	return NULL;
}

static DIR *list(int dirfd) {
	AUTO_FD int fd = dirfd < 0 ? -1 : fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir)
		take_fd(&fd);
	return dir;
}

/* True when the message is in queue/, whole; it is durable then. */
static bool stands_in_queue(struct queue *q, const struct queue_id *id) {
	struct queue_message m;
	struct stat st;
	enum queue_damage damage;
	AUTO_FD int fd = queue_open_content(q, id, false);
	if (fd < 0 || fstat(fd, &st) != 0 ||
	    spool_read(fd, &st, id, &m, &damage, NULL) != 0)
		return false;
	bool whole = spool_verify(fd, &m, queue_id_text(id).s, NULL) == 0;
	queue_message_release(&m);
	return whole && file_fsync(fd) == 0 && file_fsync(q->queue) == 0;
}

int drop_settle(struct queue *q, struct err *err) {
	AUTO_FD int fd = open_drop(q);
	unsigned settled = 0;
	if (fd < 0 && errno == ENOENT)
		return 0;
	DIR *dir = list(fd);
	if (!dir)
		return err_sys(err, "%s/%s: cannot read", q->path, SPOOL_DROP);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		struct queue_id one;
		if (spool_name_id(e->d_name, &one) && stands_in_queue(q, &one) &&
		    file_unlink(fd, e->d_name) == 0)
			settled++;
	}
	closedir(dir);
	if (settled > 0 && file_fsync(fd) != 0)
		return err_sys(err, "%s/%s: cannot make it durable", q->path, SPOOL_DROP);
	return 0;
}

/* A name that is no ID: a file that lost its writer before it got one, or rubbish. */
static void sweep(int dirfd, const char *name) {
	AUTO_FD int fd = file_openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
		return;
	file_unlink(dirfd, name);
}

int drop_each(struct queue *q, drop_fn *fn, void *ctx, struct err *err) {
	AUTO_FD int fd = open_drop(q);
	bool stop = false;
	if (fd < 0 && errno == ENOENT)
		return 0;
	DIR *dir = list(fd);
	if (!dir)
		return err_sys(err, "%s/%s: cannot read", q->path, SPOOL_DROP);
	for (struct dirent *e = readdir(dir); e && !stop; e = readdir(dir)) {
		struct queue_id id;
		if (spool_name_id(e->d_name, &id))
			stop = fn(ctx, &id);
		else if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			sweep(fd, e->d_name);
	}
	closedir(dir);
	return 0;
}

/* Opens the file of a name, locked. */
static enum drop_fate open_file(struct queue *q, const struct queue_id *id,
				uint64_t size_max, int *ret_fd, struct stat *ret_st,
				struct err *err) {
	struct queue_id_text name = queue_id_text(id);
	AUTO_FD int dirfd = open_drop(q);
	AUTO_FD int fd = dirfd < 0 ? -1
				   : file_openat(dirfd, name.s,
						 O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (dirfd < 0 || (fd < 0 && errno != ELOOP && errno != ENXIO)) {
		enum drop_fate fate = errno == ENOENT ? DROP_BUSY : DROP_TROUBLE;
		err_sys(err, "%s/%s: cannot open", SPOOL_DROP, name.s);
		return fate;
	}
	if (fd < 0 || fstat(fd, ret_st) != 0 || !S_ISREG(ret_st->st_mode) ||
	    ret_st->st_nlink != 1) {
		err_set(err, ERR_SYNTAX, "%s/%s: not a regular file of one name",
			SPOOL_DROP, name.s);
		return DROP_RUBBISH;
	}
	if ((uint64_t)ret_st->st_size > size_max + ENVELOPE_MAX + FIRST_LINE_LEN) {
		err_set(err, ERR_LIMIT, "%s/%s: %lld bytes are too many", SPOOL_DROP,
			name.s, (long long)ret_st->st_size);
		return DROP_RUBBISH;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		err_set(err, ERR_DENIED, "%s/%s: is being written", SPOOL_DROP, name.s);
		return DROP_BUSY;
	}
	/* It may have grown, or got its name, while it was not ours. */
	if (fstat(fd, ret_st) != 0 || ret_st->st_nlink != 1) {
		err_set(err, ERR_MISSING, "%s/%s: is gone", SPOOL_DROP, name.s);
		return DROP_BUSY;
	}
	*ret_fd = take_fd(&fd);
	return DROP_TAKEN;
}

static enum drop_fate judge(enum queue_damage damage) {
	switch (damage) {
	case QUEUE_INCOMPLETE: /* unlocked and short: its writer died before it promised */
		return DROP_RUBBISH;
	case QUEUE_DAMAGED:
		return DROP_DAMAGED;
	case QUEUE_SOUND:
		break;
	}
	return DROP_TROUBLE;
}

enum drop_fate drop_take(struct queue *q, const struct queue_id *id, uint64_t size_max,
			 struct drop_file *ret, struct err *err) {
	struct drop_file f = { .fd = -1 };
	enum drop_fate fate = open_file(q, id, size_max, &f.fd, &f.st, err);
	f.uid = f.st.st_uid;
	*ret = f;
	return fate;
}

enum drop_fate drop_read(struct drop_file *f, const struct queue_id *id,
			 struct err *err) {
	enum queue_damage damage = QUEUE_SOUND;
	struct err why = ERR_INIT;
	if (spool_read(f->fd, &f->st, id, &f->m, &damage, &why) != 0) {
		if (err)
			*err = why;
		return judge(damage);
	}
	if (spool_verify(f->fd, &f->m, queue_id_text(id).s, &why) == 0)
		return DROP_TAKEN;
	if (err)
		*err = why;
	return why.kind == ERR_SYNTAX ? DROP_DAMAGED : DROP_TROUBLE;
}

int drop_content(const struct drop_file *f, uint64_t offset, void *p, size_t len,
		 struct err *err) {
	ssize_t n = file_pread_all(f->fd, p, len,
				   (int64_t)(f->m.content_offset + offset));
	if (n < 0)
		return err_sys(err, "cannot read the dropped file");
	return (size_t)n == len
		       ? 0
		       : err_set(err, ERR_SYNTAX, "the dropped file became shorter");
}

void drop_release(struct drop_file *f) {
	queue_message_release(&f->m);
	auto_close(&f->fd);
	f->fd = -1;
}

int drop_remove(struct queue *q, const struct queue_id *id, struct err *err) {
	struct queue_id_text name = queue_id_text(id);
	AUTO_FD int dirfd = open_drop(q);
	if (dirfd < 0 || (file_unlink(dirfd, name.s) != 0 && errno != ENOENT) ||
	    file_fsync(dirfd) != 0)
		return err_sys(err, "%s/%s: cannot remove", SPOOL_DROP, name.s);
	return 0;
}

static int copy_bytes(int from, int to, uint64_t len) {
	AUTO_FREE char *p = malloc(COPY_STEP);
	for (uint64_t at = 0; p && at < len;) {
		ssize_t n = file_pread_all(from, p, COPY_STEP, (int64_t)at);
		if (n <= 0)
			return (int)n;
		if (file_pwrite_all(to, p, (size_t)n, (int64_t)at) != 0)
			return -1;
		at += (uint64_t)n;
	}
	return p ? 0 : -1;
}

int drop_bury(struct queue *q, const struct queue_id *id, uint64_t size_max,
	      struct err *err) {
	struct queue_id_text name = queue_id_text(id);
	AUTO_FD int from = -1;
	AUTO_FD int to = -1;
	struct stat st;
	int dead;
	if (open_file(q, id, size_max, &from, &st, err) != DROP_TAKEN ||
	    spool_dead(q, &dead, err) != 0)
		return -1;
	/* A copy that a crash left is begun again. */
	if (file_unlink(dead, name.s) == 0 || errno == ENOENT)
		to = file_openat(dead, name.s, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (to < 0 || copy_bytes(from, to, (uint64_t)st.st_size) != 0 ||
	    file_fsync(to) != 0 || file_fsync(dead) != 0)
		return err_sys(err, "%s/%s: cannot copy to %s/", SPOOL_DROP, name.s,
			       SPOOL_DEAD);
	return drop_remove(q, id, err);
}
