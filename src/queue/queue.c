/*
 * The spool as a place: made, opened, owned. A process that only accepts needs two opens;
 * dead/ is opened when somebody looks into it.
 */

#include "queue/queue.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "queue/drop.h"
#include "queue/spool.h"

static const char *const parts[] = { SPOOL_QUEUE, SPOOL_DELIVERED, SPOOL_DEAD, SPOOL_STS,
				    SPOOL_TLSRPT };
#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* File systems whose locks or names another machine, or a process, may take away. */
static const struct {
	unsigned long type;
	const char *name;
} refused[] = {
	{ 0x6969, "NFS" },      { 0x517b, "SMB" },      { 0xfe534d42, "SMB2" },
	{ 0xff534d42, "CIFS" }, { 0x65735546, "FUSE" }, { 0x01021997, "9p" },
};

/* How often queue_own() looks again when somebody's question has the lock for a moment. */
#define OWN_TRIES 25
#define OWN_PAUSE_NS 2000000

static int make_directory(const char *path, struct err *err) {
	if (file_mkdir(AT_FDCWD, path, 0700) != 0 && errno != EEXIST)
		return err_sys(err, "%s: cannot make the directory", path);
	return 0;
}

/* Makes the directories above as well. */
static int make_path(const char *dir, struct err *err) {
	AUTO_FREE char *path = strdup(dir);
	if (!path)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int result = make_directory(path, err);
		*slash = '/';
		if (result != 0)
			return -1;
	}
	return make_directory(path, err);
}

int queue_create(const char *dir, struct err *err) {
	if (dir[0] == '\0')
		return err_set(err, ERR_MISSING, "no spool directory given");
	if (make_path(dir, err) != 0)
		return -1;
	AUTO_FD int fd = file_opendir(AT_FDCWD, dir);
	AUTO_FD int above = fd < 0 ? -1 : file_opendir(fd, "..");
	if (above < 0)
		return err_sys(err, "%s: cannot open", dir);
	for (size_t i = 0; i < PARTS; i++)
		if (file_mkdir(fd, parts[i], 0700) != 0 && errno != EEXIST)
			return err_sys(err, "%s/%s: cannot make the directory", dir,
				       parts[i]);
	if (file_fsync(fd) != 0 || file_fsync(above) != 0)
		return err_sys(err, "%s: cannot make the directory durable", dir);
	return 0;
}

static int check_file_system(int fd, const char *dir, struct err *err) {
	struct statfs fs;
	if (fstatfs(fd, &fs) != 0)
		return err_sys(err, "%s: cannot ask for its file system", dir);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if ((unsigned long)fs.f_type == refused[i].type)
			return err_set(
				err, ERR_DENIED,
				"%s: is on %s, which cannot promise that mail stays; "
				"put the spool on a local disk",
				dir, refused[i].name);
	return 0;
}

static int open_missing(const char *dir, struct err *err) {
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(err, ERR_MISSING, "%s: no spool there", dir);
	return err_sys(err, "%s: cannot open the spool", dir);
}

struct queue *queue_open(const char *dir, struct err *err) {
	struct queue *q = calloc(1, sizeof(*q));
	if (!q) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	q->dir = q->queue = q->dead = q->lock = -1;
	q->mode = 0600;
	q->path = strdup(dir);
	q->dir = file_opendir(AT_FDCWD, dir);
	if (q->dir >= 0)
		q->queue = file_opendir(q->dir, SPOOL_QUEUE);
	int result = !q->path       ? err_set(err, ERR_MEMORY, "out of memory")
		     : q->queue < 0 ? open_missing(dir, err)
				    : check_file_system(q->queue, dir, err);
	if (result == 0)
		return q;
	queue_free(q);
	return NULL;
}

/* Closing never unlocks explicitly: a forked child that frees its copy must not take the
 * lock away from us. */
void queue_free(struct queue *q) {
	if (!q)
		return;
	int *const fds[] = { &q->lock, &q->dead, &q->queue, &q->dir };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		auto_close(fds[i]);
	free(q->path);
	free(q);
}

int spool_dead(struct queue *q, int *ret_dirfd, struct err *err) {
	if (q->dead < 0)
		q->dead = file_opendir(q->dir, SPOOL_DEAD);
	if (q->dead < 0)
		return err_sys(err, "%s/%s: cannot open", q->path, SPOOL_DEAD);
	*ret_dirfd = q->dead;
	return 0;
}

int spool_dirfd(struct queue *q, bool dead, int *ret_dirfd, struct err *err) {
	if (dead)
		return spool_dead(q, ret_dirfd, err);
	*ret_dirfd = q->queue;
	return 0;
}

/* "host bootid pid", for people and for whoever wants the spool too. */
static int write_owner(int fd) {
	char host[256] = "", text[320];
	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		memcpy(host, "?", 2);
	int n = snprintf(text, sizeof(text), "%s %08lx %ld\n", host,
			 (unsigned long)clock_boot_id(), (long)getpid());
	if (file_truncate(fd, 0) != 0)
		return -1;
	return file_pwrite_all(fd, text, (size_t)n, 0);
}

static pid_t read_owner(int fd) {
	char text[320];
	ssize_t n = file_pread_all(fd, text, sizeof(text), 0);
	struct span s = span_of(text, n > 0 ? (size_t)n : 0), word;
	uint64_t pid;
	if (!span_take_word(&s, &word) || !span_take_word(&s, &word) ||
	    !span_take_char(&s, ' ') || !span_take_uint(&s, INT32_MAX, &pid) || pid == 0)
		return -1;
	return (pid_t)pid;
}

/* Removes what died before it got its place. Whoever still writes one has it locked. */
static void sweep_one(const struct queue *q, const char *name) {
	AUTO_FD int fd = file_openat(q->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		file_unlink(q->dir, name);
}

static void sweep_temporaries(const struct queue *q) {
	int fd = file_opendir(q->dir, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		auto_close(&fd);
		return;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		struct span name = span_str(e->d_name);
		if (span_starts(name, SPAN(SPOOL_TEMPORARY)) ||
		    span_starts(name, SPAN(SPOOL_RELAYS ".")) ||
		    span_starts(name, SPAN(SPOOL_QUOTAS ".")) ||
		    span_starts(name, SPAN(SPOOL_ALERTS ".")) ||
		    span_starts(name, SPAN(SPOOL_WATCH ".")))
			sweep_one(q, e->d_name);
	}
	closedir(dir);
}

static int lock_with_patience(int fd) {
	for (int i = 0; i < OWN_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -1;
		nanosleep(&(struct timespec){ .tv_nsec = OWN_PAUSE_NS }, NULL);
	}
	errno = EWOULDBLOCK;
	return -1;
}

int queue_own(struct queue *q, struct err *err) {
	if (q->lock >= 0)
		return 0;
	AUTO_FD int fd = file_openat(q->dir, SPOOL_LOCK, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return err_sys(err, "%s/%s: cannot open", q->path, SPOOL_LOCK);
	bool locked = lock_with_patience(fd) == 0;
	if (!locked && errno == EWOULDBLOCK)
		return err_set(err, ERR_DENIED, "%s: process %ld has this spool", q->path,
			       (long)read_owner(fd));
	if (!locked || write_owner(fd) != 0)
		return err_sys(err, "%s/%s: cannot take it", q->path, SPOOL_LOCK);
	q->lock = take_fd(&fd);
	sweep_temporaries(q);
	if (drop_settle(q, err) == 0)
		return 0;
	auto_close(&q->lock);
	q->lock = -1;
	return -1;
}

bool queue_may_own(const struct queue *q) {
	struct stat st;
	return geteuid() == 0 || (fstat(q->dir, &st) == 0 && st.st_uid == geteuid());
}

int queue_sync(struct queue *q, struct err *err) {
	if (file_fsync(q->queue) != 0)
		return err_sys(err, "%s/%s: cannot make names durable", q->path,
			       SPOOL_QUEUE);
	return 0;
}

int queue_space(const struct queue *q, uint64_t bytes, uint64_t reserve_bytes,
		uint64_t reserve_inodes, struct err *err) {
	struct statfs fs;
	if (reserve_bytes == 0 && reserve_inodes == 0)
		return 0;
	if (fstatfs(q->queue, &fs) != 0)
		return err_sys(err, "%s: cannot ask for free space", q->path);
	uint64_t free_bytes, need;
	if (__builtin_mul_overflow((uint64_t)fs.f_bavail, (uint64_t)fs.f_bsize,
				   &free_bytes))
		free_bytes = UINT64_MAX;
	if (__builtin_add_overflow(bytes, reserve_bytes, &need))
		need = UINT64_MAX;
	if (reserve_bytes > 0 && free_bytes < need)
		return err_set(err, ERR_LIMIT,
			       "%s: %llu MiB free, %llu MiB must stay free", q->path,
			       (unsigned long long)(free_bytes >> 20),
			       (unsigned long long)(reserve_bytes >> 20));
	/* btrfs makes inodes as it needs them and says 0 of 0. */
	if (fs.f_files > 0 && (uint64_t)fs.f_ffree < reserve_inodes)
		return err_set(err, ERR_LIMIT,
			       "%s: %llu inodes free, %llu must stay free", q->path,
			       (unsigned long long)fs.f_ffree,
			       (unsigned long long)reserve_inodes);
	return 0;
}
