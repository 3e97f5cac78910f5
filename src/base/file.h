#ifndef NIGHTMAIL_BASE_FILE_H
#define NIGHTMAIL_BASE_FILE_H

/*
 * Every system call that changes or makes durable what is on disk goes through here, so
 * that tests can let the n-th one fail, end the process there, or record them all and
 * rebuild what a power cut may leave. Without a hook each function is the bare call plus
 * EINTR handling. Same return values and errno as the calls they wrap.
 *
 * All paths are relative to a directory descriptor (AT_FDCWD allowed). Every open uses
 * O_CLOEXEC.
 */

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum file_op {
	FILE_OPEN,     /* only opens that create (O_CREAT or O_TMPFILE) */
	FILE_WRITE,    /* pwrite: offset and data are given */
	FILE_TRUNCATE, /* offset is the new size */
	FILE_FSYNC,
	FILE_FDATASYNC,
	FILE_LINK,
	FILE_RENAME,
	FILE_UNLINK,
	FILE_MKDIR,
};

/* What a hook is told before the call is made. */
struct file_event {
	enum file_op op;
	int dirfd; /* directory of name */
	/* The (new) name; NULL for WRITE, TRUNCATE, the syncs, and OPEN of O_TMPFILE. */
	const char *name;
	int from_dirfd;   /* RENAME: directory of from */
	const char *from; /* RENAME: old name, else NULL */
	int fd;           /* the descriptor, -1 where there is none (yet) */
	int64_t offset;   /* WRITE, TRUNCATE */
	struct span data; /* WRITE */
};

/*
 * A hook returns 0 to let the call happen, an errno value to make it fail with that, or
 * FILE_SHORT to make a write (others ignore it) stop after half of its bytes; the wrapper
 * then goes on with the rest as after a real short write, which asks the hook again. It
 * may also not return (_exit). `done`, when set, is told the result afterwards: >= 0, or
 * -errno.
 */
#define FILE_SHORT (-1)
struct file_hook {
	int (*before)(void *ctx, const struct file_event *ev);
	void (*done)(void *ctx, const struct file_event *ev, int result);
	void *ctx;
};

/* Installs a hook for this process (inherited by fork); NULL removes it. */
void file_set_hook(const struct file_hook *hook);

/*
 * For whole programs under test: when the environment has NIGHTMAIL_FAULT=<n>:<what> the
 * n-th of these calls (from 1) of this process does `what`: exit (as kill -9 would),
 * EIO, ENOSPC or short. With a third part, <n>:<what>:<program>, only the program of that
 * name does. A forked child counts from 1 again. Called once by every main(); without the
 * variable, or in a set-id program, does nothing.
 */
void file_fault_from_env(void);

/* O_TRUNC is refused (EINVAL), since a hook would not see it: use file_truncate(). */
int file_openat(int dirfd, const char *name, int flags, mode_t mode);
/* An unnamed file in the directory (O_TMPFILE, O_RDWR); -1 with errno EOPNOTSUPP or EISDIR
 * where the file system cannot. */
int file_open_unnamed(int dirfd, mode_t mode);
/* Gives an unnamed file its name; EEXIST when the name is taken. */
int file_link_unnamed(int fd, int dirfd, const char *name);
/* Renames and never replaces (renameat2 RENAME_NOREPLACE); EEXIST when taken. */
int file_rename_new(int from_dirfd, const char *from, int to_dirfd, const char *to);
int file_rename(int from_dirfd, const char *from, int to_dirfd, const char *to);
int file_unlink(int dirfd, const char *name);
int file_mkdir(int dirfd, const char *name, mode_t mode);
int file_truncate(int fd, int64_t size);
int file_fsync(int fd);
int file_fdatasync(int fd);

/* Writes all bytes at the offset, going on after short writes. 0 or -1 with errno. */
int file_pwrite_all(int fd, const void *p, size_t len, int64_t offset);
/* Reads up to len bytes at the offset, less only at the end of the file. */
ssize_t file_pread_all(int fd, void *p, size_t len, int64_t offset);

/* Appends a whole file's content to out (its ceiling is the limit). A name that
 * is not there is ERR_MISSING, a file past the ceiling ERR_LIMIT; out is then unchanged. */
int file_read(int dirfd, const char *name, struct buf *out, struct err *err);
/* Replaces a file durably: temporary name, write, fsync, rename, fsync of directory.
 * The file gets exactly `mode`, whatever the umask is. */
int file_replace(int dirfd, const char *name, mode_t mode, struct span content,
		 struct err *err);
/* True for the name of a temporary file of file_replace(): a crash may leave one. */
bool file_is_temporary(const char *name);

/* Opens a directory (O_DIRECTORY|O_RDONLY). */
int file_opendir(int dirfd, const char *name);

#endif
