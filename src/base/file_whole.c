/*
 * Whole small files: read into a buffer, or replaced so that after a power cut either the
 * old or the new content stands under the name, never a mixture.
 */

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

#define TEMPORARY ".new-"
#define READ_STEP 16384

static int fail_on(struct err *err, const char *name) {
	enum err_kind kind = errno == ENOENT ? ERR_MISSING : ERR_SYSTEM;
	err_sys(err, "%s", name);
	if (err)
		err->kind = kind;
	return -1;
}

static int too_large(const struct buf *out, const char *name, struct err *err) {
	return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", name, out->max);
}

/* Reads into what room the ceiling leaves; one byte more shows that the file is too large.
 * step: how much at a time. */
static int read_all(int fd, const char *name, size_t step, struct buf *out,
		    struct err *err) {
	for (;;) {
		size_t left = out->max - out->len;
		size_t want = left < step ? left : step;
		char beyond = 0;
		char *room = want ? buf_room(out, want) : &beyond;
		if (!room)
			return err_set(err, ERR_MEMORY, "%s: out of memory", name);
		ssize_t n = read(fd, room, want ? want : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_on(err, name);
		if (n == 0)
			return 0;
		if (want == 0)
			return too_large(out, name, err);
		buf_grew(out, (size_t)n);
	}
}

int file_read(int dirfd, const char *name, struct buf *out, struct err *err) {
	AUTO_FD int fd = file_openat(dirfd, name, O_RDONLY, 0);
	if (fd < 0)
		return fail_on(err, name);
	size_t before = out->len, step = READ_STEP;
	struct stat st;
	if (fstat(fd, &st) == 0 && st.st_size > 0) { /* what the kernel makes up has none */
		if ((uint64_t)st.st_size > out->max - before)
			return too_large(out, name, err);
		if (st.st_size < READ_STEP)
			step = (size_t)st.st_size + 1;
	}
	if (read_all(fd, name, step, out, err) == 0)
		return 0;
	buf_truncate(out, before);
	return -1;
}

/* A name left by a process that died while it had our pid is in nobody's use. */
static int create_temporary(int dirfd, const char *name) {
	int fd = file_openat(dirfd, name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 && errno == EEXIST && file_unlink(dirfd, name) == 0)
		fd = file_openat(dirfd, name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	return fd;
}

static int write_durably(int fd, mode_t mode, struct span content) {
	if (fchmod(fd, mode) != 0 || file_pwrite_all(fd, content.p, content.len, 0) != 0)
		return -1;
	return file_fsync(fd);
}

static int sync_directory_of(int dirfd, const char *name) {
	const char *slash = strrchr(name, '/');
	AUTO_FREE char *path = NULL;
	if (slash)
		path = slash == name ? strdup("/")
				     : strndup(name, (size_t)(slash - name));
	AUTO_FD int dir = slash && !path ? -1 : file_opendir(dirfd, path ? path : ".");
	return dir < 0 ? -1 : file_fsync(dir);
}

bool file_is_temporary(const char *name) {
	const char *at = NULL, *next = name;
	while ((next = strstr(next, TEMPORARY)) != NULL)
		at = next += strlen(TEMPORARY);
	return at && at[0] != '\0' && strspn(at, "0123456789") == strlen(at);
}

int file_replace(int dirfd, const char *name, mode_t mode, struct span content,
		 struct err *err) {
	AUTO_BUF struct buf tmp = BUF_INIT(4096);
	if (buf_addf(&tmp, "%s" TEMPORARY "%d", name, (int)getpid()) != 0)
		return err_set(err, ERR_LIMIT, "%s: name too long", name);
	AUTO_FD int fd = create_temporary(dirfd, buf_str(&tmp));
	if (fd < 0)
		return fail_on(err, buf_str(&tmp));
	if (write_durably(fd, mode, content) != 0 ||
	    file_rename(dirfd, buf_str(&tmp), dirfd, name) != 0) {
		fail_on(err, buf_str(&tmp));
		file_unlink(dirfd, buf_str(&tmp));
		return -1;
	}
	if (sync_directory_of(dirfd, name) != 0)
		return err_sys(err, "%s: cannot make its directory durable", name);
	return 0;
}
