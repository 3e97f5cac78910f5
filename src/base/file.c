/*
 * The durable file operations, each one behind the hook: ask() before the call, told()
 * after it. The hook sees what is about to happen in enough detail to replay it. The
 * fault injector for whole programs, at the end, is one such hook.
 */

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

static struct file_hook hook;

void file_set_hook(const struct file_hook *h) {
	hook = h ? *h : (struct file_hook){ .before = NULL };
}

/* True when the call may happen; false with errno set when the hook lets it fail. */
static bool ask(const struct file_event *ev, bool *ret_short) {
	int verdict = hook.before ? hook.before(hook.ctx, ev) : 0;
	*ret_short = verdict == FILE_SHORT;
	if (verdict <= 0)
		return true;
	if (hook.done)
		hook.done(hook.ctx, ev, -verdict);
	errno = verdict;
	return false;
}

static void told(const struct file_event *ev, ssize_t result) {
	int saved = errno;
	if (hook.done)
		hook.done(hook.ctx, ev, result < 0 ? -saved : (int)result);
	errno = saved;
}

static struct file_event event(enum file_op op, int dirfd, const char *name, int fd) {
	return (struct file_event){
		.op = op,
		.dirfd = dirfd,
		.name = name,
		.from_dirfd = -1,
		.fd = fd,
	};
}

/* Makes one call between ask() and told(), again when a signal broke it off. */
#define HOOKED(ev, call)                          \
	do {                                      \
		bool short_;                      \
		if (!ask(&(ev), &short_))         \
			return -1;                \
		int r_;                           \
		do                                \
			r_ = (call);              \
		while (r_ < 0 && errno == EINTR); \
		told(&(ev), r_);                  \
		return r_;                        \
	} while (0)

static int open_bare(int dirfd, const char *name, int flags, mode_t mode) {
	int fd;
	do
		fd = openat(dirfd, name, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int file_openat(int dirfd, const char *name, int flags, mode_t mode) {
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	if (flags & O_TRUNC) {
		errno = EINVAL;
		return -1;
	}
	if (!unnamed && !(flags & O_CREAT))
		return open_bare(dirfd, name, flags, 0);
	struct file_event ev = event(FILE_OPEN, dirfd, unnamed ? NULL : name, -1);
	HOOKED(ev, open_bare(dirfd, name, flags, mode));
}

int file_open_unnamed(int dirfd, mode_t mode) {
	return file_openat(dirfd, ".", O_TMPFILE | O_RDWR, mode);
}

/* Linking by descriptor is the cheaper way, and needs a capability before Linux 6.10. */
static int link_bare(int fd, int dirfd, const char *name) {
	if (linkat(fd, "", dirfd, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT && errno != EPERM)
		return -1;
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW);
}

int file_link_unnamed(int fd, int dirfd, const char *name) {
	struct file_event ev = event(FILE_LINK, dirfd, name, fd);
	HOOKED(ev, link_bare(fd, dirfd, name));
}

static int rename_with(int from_dirfd, const char *from, int to_dirfd, const char *to,
		       unsigned flags) {
	struct file_event ev = event(FILE_RENAME, to_dirfd, to, -1);
	ev.from_dirfd = from_dirfd;
	ev.from = from;
	HOOKED(ev, renameat2(from_dirfd, from, to_dirfd, to, flags));
}

int file_rename_new(int from_dirfd, const char *from, int to_dirfd, const char *to) {
	return rename_with(from_dirfd, from, to_dirfd, to, RENAME_NOREPLACE);
}

int file_rename(int from_dirfd, const char *from, int to_dirfd, const char *to) {
	return rename_with(from_dirfd, from, to_dirfd, to, 0);
}

int file_unlink(int dirfd, const char *name) {
	struct file_event ev = event(FILE_UNLINK, dirfd, name, -1);
	HOOKED(ev, unlinkat(dirfd, name, 0));
}

int file_mkdir(int dirfd, const char *name, mode_t mode) {
	struct file_event ev = event(FILE_MKDIR, dirfd, name, -1);
	HOOKED(ev, mkdirat(dirfd, name, mode));
}

int file_truncate(int fd, int64_t size) {
	struct file_event ev = event(FILE_TRUNCATE, -1, NULL, fd);
	ev.offset = size;
	HOOKED(ev, ftruncate(fd, size));
}

int file_fsync(int fd) {
	struct file_event ev = event(FILE_FSYNC, -1, NULL, fd);
	HOOKED(ev, fsync(fd));
}

int file_fdatasync(int fd) {
	struct file_event ev = event(FILE_FDATASYNC, -1, NULL, fd);
	HOOKED(ev, fdatasync(fd));
}

int file_pwrite_all(int fd, const void *p, size_t len, int64_t offset) {
	struct span rest = span_of(p, len);
	while (rest.len > 0) {
		struct file_event ev = event(FILE_WRITE, -1, NULL, fd);
		ev.offset = offset;
		ev.data = rest;
		bool cut;
		if (!ask(&ev, &cut))
			return -1;
		ssize_t n = pwrite(fd, rest.p, cut ? (rest.len + 1) / 2 : rest.len,
				   offset);
		told(&ev, n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : EIO;
			return -1;
		}
		rest = span_from(rest, (size_t)n);
		offset += n;
	}
	return 0;
}

ssize_t file_pread_all(int fd, void *p, size_t len, int64_t offset) {
	size_t have = 0;
	while (have < len) {
		ssize_t n = pread(fd, (char *)p + have, len - have,
				  offset + (int64_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int file_opendir(int dirfd, const char *name) {
	return open_bare(dirfd, name, O_DIRECTORY | O_RDONLY, 0);
}

/*
 * Fault injection for whole programs. The count is kept per process, so a forked worker
 * begins at 1 again: every process of the program under test meets the same fault.
 */
static const struct {
	const char *word;
	int verdict;
} faults[] = {
	{ "exit", 0 },
	{ "EIO", EIO },
	{ "ENOSPC", ENOSPC },
	{ "short", FILE_SHORT },
};

static struct {
	uint64_t at;
	uint64_t count;
	int verdict;
	pid_t pid;
} fault;

static int fault_before(void *ctx, const struct file_event *ev) {
	(void)ctx;
	(void)ev;
	if (fault.pid != getpid()) {
		fault.pid = getpid();
		fault.count = 0;
	}
	if (++fault.count != fault.at)
		return 0;
	if (fault.verdict == 0)
		kill(fault.pid, SIGKILL);
	return fault.verdict;
}

void file_fault_from_env(void) {
	struct span s = span_str(secure_getenv("NIGHTMAIL_FAULT"));
	if (!span_take_uint(&s, UINT32_MAX, &fault.at) || !span_take_char(&s, ':'))
		return;
	struct span word = span_head(s, span_find(s, ':'));
	s = span_from(s, word.len + 1);
	if (s.len > 0 && !span_eq(s, span_str(program_invocation_short_name)))
		return;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (!span_eq(word, span_str(faults[i].word)))
			continue;
		fault.verdict = faults[i].verdict;
		file_set_hook(&(struct file_hook){ .before = fault_before });
	}
}
