/*
 * A disk that forgets. Operations are recorded as they happen; a cut keeps those that an
 * fsync made durable, and of each later one, independently of all others:
 *
 *   a write      nothing, its first half, its size with zeros, or all of it
 *   a truncate   nothing or all
 *   a name       as before or as after (link, unlink, rename within a directory)
 *
 * fsync of a file keeps its bytes and size but no name; fsync of a directory keeps the names
 * in it. A rename between directories is two names that change independently.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "lib/crash.h"

#define INODES_MAX 64
#define OPS_MAX 512
#define NAMES_MAX 128

static const char *const directories[] = { ".", "queue", "dead", "delivered", "drop" };
#define DIRECTORIES 5
#define ARENA_SIZE (32u << 20)

enum kind { WRITE, TRUNCATE, SYNC, NAME, UNNAME, SYNC_NAMES };

struct op {
	enum kind kind;
	unsigned inode, dir;
	int64_t offset;
	char *data;
	size_t len;
	char name[64];
	char old_name[64]; /* NAME by rename: what goes at the same moment */
};

struct bytes {
	char *p;
	size_t len;
};

struct name {
	unsigned dir, inode;
	char name[64];
};

struct crash_disk {
	struct crash_run *run;
	ino_t dir_ino[DIRECTORIES];
	ino_t ino[INODES_MAX]; /* which file has the number now */
	struct bytes base[INODES_MAX];
	unsigned inodes;
	struct name name[NAMES_MAX]; /* at the start */
	unsigned names;
	struct name now[NAMES_MAX]; /* as the running program sees them */
	unsigned names_now;
	struct op op[OPS_MAX];
	unsigned ops;
	unsigned begins[OPS_MAX]; /* first entry of each file operation */
	unsigned operations;
	unsigned die_at;
	size_t used;
	char arena[ARENA_SIZE]; /* the bytes; all of this is shared with children */
};

static char *allot(struct crash_disk *d, size_t len) {
	if (len > ARENA_SIZE - d->used)
		abort();
	d->used += len;
	return d->arena + d->used - len;
}

static unsigned dir_of(const struct crash_disk *d, ino_t ino) {
	for (unsigned i = 0; i < DIRECTORIES; i++)
		if (d->dir_ino[i] == ino)
			return i;
	abort();
}

static ino_t ino_of(int fd, bool *ret_is_dir) {
	struct stat st;
	if (fstat(fd, &st) != 0)
		abort();
	*ret_is_dir = S_ISDIR(st.st_mode);
	return st.st_ino;
}

static unsigned inode_of(const struct crash_disk *d, ino_t ino) {
	for (unsigned i = d->inodes; i-- > 0;)
		if (d->ino[i] == ino)
			return i;
	abort();
}

static unsigned new_inode(struct crash_disk *d, ino_t ino) {
	if (d->inodes == INODES_MAX)
		abort();
	d->ino[d->inodes] = ino;
	return d->inodes++;
}

static void set_name(struct name *names, unsigned *count, unsigned dir, const char *name,
		     unsigned inode) {
	unsigned i = 0;
	while (i < *count && (names[i].dir != dir || strcmp(names[i].name, name) != 0))
		i++;
	if (i == NAMES_MAX)
		abort();
	if (i == *count)
		++*count;
	names[i].dir = dir;
	names[i].inode = inode;
	snprintf(names[i].name, sizeof(names[i].name), "%s", name);
}

static bool drop_name(struct name *names, unsigned *count, unsigned dir, const char *name,
		      unsigned *ret_inode) {
	for (unsigned i = 0; i < *count; i++) {
		if (names[i].dir != dir || strcmp(names[i].name, name) != 0)
			continue;
		*ret_inode = names[i].inode;
		names[i] = names[--*count];
		return true;
	}
	return false;
}

static struct op *add(struct crash_disk *d, enum kind kind) {
	if (d->ops == OPS_MAX)
		abort();
	struct op *op = &d->op[d->ops++];
	op->kind = kind;
	return op;
}

/* "delivered/3" below the spool is "3" in delivered/. */
static unsigned split(const struct crash_disk *d, int dirfd, const char **name) {
	bool is_dir;
	unsigned dir = dir_of(d, ino_of(dirfd, &is_dir));
	const char *slash = strchr(*name, '/');
	for (unsigned i = 1; slash && dir == 0 && i < DIRECTORIES; i++)
		if (strncmp(*name, directories[i], (size_t)(slash - *name)) == 0) {
			*name = slash + 1;
			return i;
		}
	return dir;
}

static void named(struct crash_disk *d, unsigned dir, const char *name, unsigned inode) {
	struct op *op = add(d, NAME);
	op->dir = dir;
	op->inode = inode;
	snprintf(op->name, sizeof(op->name), "%s", name);
	set_name(d->now, &d->names_now, dir, name, inode);
}

static void unnamed(struct crash_disk *d, unsigned dir, const char *name) {
	struct op *op = add(d, UNNAME);
	op->dir = dir;
	snprintf(op->name, sizeof(op->name), "%s", name);
	if (!drop_name(d->now, &d->names_now, dir, name, &op->inode))
		abort();
}

static void renamed(struct crash_disk *d, const struct file_event *ev) {
	const char *from = ev->from, *to = ev->name;
	unsigned from_dir = split(d, ev->from_dirfd, &from),
		 dir = split(d, ev->dirfd, &to), inode;
	if (from_dir != dir) {
		unnamed(d, from_dir, from);
		named(d, dir, to, d->op[d->ops - 1].inode);
		return;
	}
	if (!drop_name(d->now, &d->names_now, dir, from, &inode))
		abort();
	named(d, dir, to, inode);
	snprintf(d->op[d->ops - 1].old_name, sizeof(d->op[0].old_name), "%s", from);
}

static void opened(struct crash_disk *d, const struct file_event *ev, int fd) {
	bool is_dir;
	ino_t ino = ino_of(fd, &is_dir);
	if (!ev->name) {
		new_inode(d, ino);
		return;
	}
	const char *name = ev->name;
	unsigned dir = split(d, ev->dirfd, &name);
	for (unsigned i = 0; i < d->names_now; i++)
		if (d->now[i].dir == dir && strcmp(d->now[i].name, name) == 0)
			return;
	named(d, dir, name, new_inode(d, ino));
}

static void changed(struct crash_disk *d, const struct file_event *ev, int result) {
	bool is_dir;
	ino_t ino = ino_of(ev->fd, &is_dir);
	enum kind kind = ev->op == FILE_WRITE      ? WRITE
			 : ev->op == FILE_TRUNCATE ? TRUNCATE
			 : is_dir                  ? SYNC_NAMES
						   : SYNC;
	struct op *op = add(d, kind);
	if (is_dir)
		op->dir = dir_of(d, ino);
	else
		op->inode = inode_of(d, ino);
	op->offset = ev->offset;
	if (kind != WRITE)
		return;
	op->len = (size_t)result;
	op->data = allot(d, op->len);
	memcpy(op->data, ev->data.p, op->len);
}

static void done(void *ctx, const struct file_event *ev, int result) {
	struct crash_disk *d = ctx;
	if (result < 0)
		return;
	const char *name = ev->name;
	switch (ev->op) {
	case FILE_OPEN:
		opened(d, ev, result);
		break;
	case FILE_WRITE:
	case FILE_TRUNCATE:
	case FILE_FSYNC:
	case FILE_FDATASYNC:
		changed(d, ev, result);
		break;
	case FILE_LINK: {
		bool is_dir;
		unsigned dir = split(d, ev->dirfd, &name);
		named(d, dir, name, inode_of(d, ino_of(ev->fd, &is_dir)));
		break;
	}
	case FILE_RENAME:
		renamed(d, ev);
		break;
	case FILE_UNLINK: {
		unsigned dir = split(d, ev->dirfd, &name);
		unnamed(d, dir, name);
		break;
	}
	case FILE_MKDIR:
		abort();
	}
	d->begins[++d->operations] = d->ops;
	if (d->run)
		d->run->operations = d->operations;
	if (d->operations == d->die_at)
		_exit(CRASH_DIED);
}

static void read_file(struct crash_disk *d, int dirfd, unsigned dir, const char *name) {
	AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		abort();
	unsigned inode = new_inode(d, st.st_ino);
	struct bytes *b = &d->base[inode];
	b->len = (size_t)st.st_size;
	b->p = allot(d, b->len);
	if (file_pread_all(fd, b->p, b->len, 0) != st.st_size)
		abort();
	set_name(d->name, &d->names, dir, name, inode);
}

static void read_directory(struct crash_disk *d, unsigned dir) {
	char path[8192];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", d->run->dir, directories[dir]);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fdopendir(fd);
	if (!stream || fstat(fd, &st) != 0)
		abort();
	d->dir_ino[dir] = st.st_ino;
	for (struct dirent *e = readdir(stream); e; e = readdir(stream))
		if (fstatat(fd, e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			read_file(d, fd, dir, e->d_name);
	closedir(stream);
}

struct crash_disk *crash_disk_new(void) {
	struct crash_disk *d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d == MAP_FAILED)
		abort();
	return d;
}

void crash_disk_record(struct crash_disk *d, struct crash_run *run) {
	d->run = run;
	run->operations = 0;
	for (unsigned i = 0; i < DIRECTORIES; i++)
		read_directory(d, i);
	memcpy(d->now, d->name, sizeof(d->now));
	d->names_now = d->names;
	file_set_hook(&(struct file_hook){ .done = done, .ctx = d });
}

void crash_disk_die_at(struct crash_disk *d, unsigned operation) {
	d->die_at = operation;
}

void crash_disk_go_on(struct crash_disk *d) {
	d->run = NULL;
	d->die_at = 0;
	file_set_hook(&(struct file_hook){ .done = done, .ctx = d });
}

unsigned crash_disk_operations(const struct crash_disk *d) {
	return d->operations;
}

void crash_disk_free(struct crash_disk *d) {
	munmap(d, sizeof(*d));
}

/* --- what is left --- */

static bool is_durable(const struct crash_disk *d, unsigned i, unsigned end) {
	const struct op *op = &d->op[i];
	bool is_name = op->kind == NAME || op->kind == UNNAME;
	for (unsigned k = i + 1; k < end; k++)
		if (is_name ? d->op[k].kind == SYNC_NAMES && d->op[k].dir == op->dir
			    : d->op[k].kind == SYNC && d->op[k].inode == op->inode)
			return true;
	return false;
}

static unsigned choices(const struct crash_disk *d, unsigned i, unsigned end) {
	if (d->op[i].kind == SYNC || d->op[i].kind == SYNC_NAMES || is_durable(d, i, end))
		return 1;
	return d->op[i].kind == WRITE ? 4 : 2;
}

static size_t combinations(const struct crash_disk *d, unsigned end, size_t ceiling) {
	size_t n = 1;
	for (unsigned i = 0; i < end && n <= ceiling; i++)
		n *= choices(d, i, end);
	return n;
}

size_t crash_disk_states(const struct crash_disk *d, unsigned cut, size_t max) {
	size_t n = combinations(d, d->begins[cut], max);
	return n < max ? n : max;
}

static uint64_t next_random(uint64_t *seed) {
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static void grow(struct bytes *b, size_t len) {
	if (len <= b->len)
		return;
	b->p = realloc(b->p, len + 1);
	memset(b->p + b->len, 0, len - b->len);
	b->len = len;
}

/* Choice 0 is all, 1 nothing, 2 half, 3 the size with zeros. */
static void apply_data(struct bytes *b, const struct op *op, size_t choice) {
	size_t at = (size_t)op->offset;
	if (choice == 1)
		return;
	if (op->kind == TRUNCATE) {
		grow(b, at);
		b->len = at;
		return;
	}
	size_t len = choice == 2 ? op->len / 2 : op->len;
	grow(b, at + len);
	if (choice == 3)
		memset(b->p + at, 0, len);
	else
		memcpy(b->p + at, op->data, len);
}

static void apply_name(struct name *names, unsigned *count, const struct op *op) {
	unsigned unused;
	if (op->kind == NAME)
		set_name(names, count, op->dir, op->name, op->inode);
	else
		drop_name(names, count, op->dir, op->name, &unused);
	if (op->old_name[0])
		drop_name(names, count, op->dir, op->old_name, &unused);
}

static void make_file(const struct bytes *b, const char *path) {
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t used = b->len;
	while (used > 0 && b->p[used - 1] == 0)
		used--;
	if (fd < 0 || file_pwrite_all(fd, b->p, used, 0) != 0 ||
	    ftruncate(fd, (off_t)b->len) != 0)
		abort();
}

static void path_of(const struct name *n, const char *dir, char *out, size_t size) {
	snprintf(out, size, "%s/%s/%s", dir, directories[n->dir], n->name);
}

static void make_names(const struct name *names, unsigned count,
		       const struct bytes *inodes, const char *dir) {
	char path[8192], other[8192];
	const struct name *first[INODES_MAX] = { NULL };
	for (unsigned i = 0; i < DIRECTORIES; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, directories[i]);
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			abort();
	}
	for (unsigned i = 0; i < count; i++) {
		const struct name *n = &names[i];
		path_of(n, dir, path, sizeof(path));
		if (!first[n->inode]) {
			first[n->inode] = n;
			make_file(&inodes[n->inode], path);
			continue;
		}
		path_of(first[n->inode], dir, other, sizeof(other));
		if (link(other, path) != 0)
			abort();
	}
}

void crash_disk_make(const struct crash_disk *d, unsigned cut, size_t state, size_t max,
		     const char *dir) {
	unsigned end = d->begins[cut], count = d->names;
	struct name names[NAMES_MAX];
	struct bytes inodes[INODES_MAX] = { { NULL, 0 } };
	bool all = combinations(d, end, max) <= max;
	uint64_t seed = cut * UINT64_C(1000003) + state * UINT64_C(7919) + 1;
	memcpy(names, d->name, sizeof(names));
	for (unsigned i = 0; i < d->inodes; i++)
		if (d->base[i].len > 0) {
			grow(&inodes[i], d->base[i].len);
			memcpy(inodes[i].p, d->base[i].p, d->base[i].len);
		}
	for (unsigned i = 0; i < end; i++) {
		unsigned n = choices(d, i, end);
		size_t choice = all ? state % n : next_random(&seed) % n;
		if (all)
			state /= n;
		if (d->op[i].kind == WRITE || d->op[i].kind == TRUNCATE)
			apply_data(&inodes[d->op[i].inode], &d->op[i], choice);
		else if ((d->op[i].kind == NAME || d->op[i].kind == UNNAME) &&
			 choice == 0)
			apply_name(names, &count, &d->op[i]);
	}
	make_names(names, count, inodes, dir);
	for (unsigned i = 0; i < d->inodes; i++)
		free(inodes[i].p);
}
