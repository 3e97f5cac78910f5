/* Files in a Maildir, as https://cr.yp.to/proto/maildir.html has them, made durable. */

#include "deliver/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/file.h"

#define NAME_SIZE 256u
#define OUT_MAX 65536u

struct maildir {
	int tmp, new_, fd;
	char name[NAME_SIZE];
	struct buf out;
	int64_t offset;
	bool cr; /* a CR that may belong to a line end */
};

static int make_folder(int dirfd, const char *name, const char *path, struct err *err) {
	struct stat st;
	if (file_mkdir(dirfd, name, 0700) == 0 ||
	    (errno == EEXIST && fstatat(dirfd, name, &st, 0) == 0 && S_ISDIR(st.st_mode)))
		return 0;
	return err_sys(err, "cannot make the folder %s of the maildir %s", name, path);
}

/* The folder above it, for its name in there. One that we may not read is not ours to make durable. */
static int sync_above(const char *path, struct err *err) {
	struct span above = span_str(path);
	while (above.len > 1 && above.p[above.len - 1] == '/')
		above.len--;
	while (above.len > 1 && above.p[above.len - 1] != '/')
		above.len--;
	AUTO_FREE char *name = span_dup(above);
	AUTO_FD int dir = name ? file_opendir(AT_FDCWD, name) : -1;
	if (dir < 0 && name && errno == EACCES)
		return 0;
	return dir >= 0 && file_fsync(dir) == 0
		       ? 0
		       : err_sys(err, "cannot sync the folder of the maildir %s", path);
}

/* All is synced each time: what is there may have been made just before a crash. */
int maildir_make(const char *path, struct err *err) {
	static const char *const folders[] = { "tmp", "new", "cur" };
	if (geteuid() == 0)
		return err_set(err, ERR_DENIED,
			       "a maildir (%s) is not written as root; let nightmaild run as a "
			       "user who may write there",
			       path);
	if (file_mkdir(AT_FDCWD, path, 0700) != 0 && errno != EEXIST)
		return err_sys(err, "cannot make the maildir %s", path);
	AUTO_FD int dir = file_opendir(AT_FDCWD, path);
	if (dir < 0)
		return err_sys(err, "cannot open the maildir %s", path);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (make_folder(dir, folders[i], path, err) != 0)
			return -1;
	if (file_fsync(dir) != 0)
		return err_sys(err, "cannot sync the maildir %s", path);
	return sync_above(path, err);
}

static int open_folders(struct maildir *m, const char *path, struct err *err) {
	AUTO_FD int dir = file_opendir(AT_FDCWD, path);
	m->tmp = dir < 0 ? -1 : file_opendir(dir, "tmp");
	m->new_ = dir < 0 ? -1 : file_opendir(dir, "new");
	return m->tmp >= 0 && m->new_ >= 0
		       ? 0
		       : err_sys(err, "cannot open the maildir %s", path);
}

struct maildir *maildir_begin(const char *path, const char *name, struct err *err) {
	struct maildir *m = calloc(1, sizeof(*m));
	if (!m) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	m->tmp = m->new_ = m->fd = -1;
	buf_init(&m->out, 2 * OUT_MAX);
	snprintf(m->name, sizeof(m->name), "%s", name);
	if (open_folders(m, path, err) != 0) {
		maildir_abort(m);
		return NULL;
	}
	file_unlink(m->tmp, m->name); /* what a crash left */
	m->fd = file_openat(m->tmp, m->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (m->fd >= 0)
		return m;
	err_sys(err, "cannot write into the maildir %s", path);
	maildir_abort(m);
	return NULL;
}

static int flush(struct maildir *m, struct err *err) {
	if (buf_failed(&m->out))
		return err_set(err, ERR_MEMORY, "out of memory");
	if (m->out.len > 0 && file_pwrite_all(m->fd, m->out.data, m->out.len, m->offset) != 0)
		return err_sys(err, "cannot write into the maildir");
	m->offset += (int64_t)m->out.len;
	buf_reset(&m->out);
	return 0;
}

/* CRLF becomes LF; a CR that stands alone stays. */
static void add(struct maildir *m, struct span s) {
	while (s.len > 0) {
		if (m->cr && s.p[0] != '\n')
			buf_addc(&m->out, '\r');
		m->cr = false;
		size_t n = span_find(s, '\r');
		buf_add(&m->out, span_head(s, n));
		m->cr = n < s.len;
		s = span_from(s, n + m->cr);
	}
}

int maildir_write(struct maildir *m, struct span wire, struct err *err) {
	while (wire.len > 0) {
		struct span piece = span_head(wire, OUT_MAX);
		wire = span_from(wire, piece.len);
		add(m, piece);
		if (m->out.len >= OUT_MAX && flush(m, err) != 0)
			return -1;
	}
	return 0;
}

static int make_durable(struct maildir *m, struct err *err) {
	if (m->cr)
		buf_addc(&m->out, '\r');
	if (flush(m, err) != 0)
		return -1;
	if (file_fsync(m->fd) != 0)
		return err_sys(err, "cannot write into the maildir");
	if (file_rename_new(m->tmp, m->name, m->new_, m->name) != 0 && errno != EEXIST)
		return err_sys(err, "cannot move a message to new/ of the maildir");
	if (file_fsync(m->new_) != 0)
		return err_sys(err, "cannot sync new/ of the maildir");
	return 0;
}

int maildir_commit(struct maildir *m, struct err *err) {
	int r = make_durable(m, err);
	maildir_abort(m); /* where the file was there already, ours goes */
	return r;
}

void maildir_abort(struct maildir *m) {
	if (!m)
		return;
	if (m->fd >= 0) {
		close(m->fd);
		file_unlink(m->tmp, m->name);
	}
	if (m->tmp >= 0)
		close(m->tmp);
	if (m->new_ >= 0)
		close(m->new_);
	buf_release(&m->out);
	free(m);
}
