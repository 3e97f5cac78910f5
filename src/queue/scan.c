/*
 * Walking the names of a spool, and finding the one that a person means.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "queue/spool.h"

#define ENDING_MIN 4

static const char *const state_names[] = {
	[QUEUE_QUEUED] = "queued",     [QUEUE_ACTIVE] = "active",
	[QUEUE_DEFERRED] = "deferred", [QUEUE_HELD] = "held",
	[QUEUE_DEAD] = "dead",
};

const char *queue_state_name(enum queue_state s) {
	return state_names[s];
}

bool spool_name_id(const char *name, struct queue_id *ret) {
	return queue_id_parse(span_str(name), ret) &&
	       strcmp(queue_id_text(ret).s, name) == 0;
}

int queue_scan(struct queue *q, bool dead, queue_scan_fn *fn, void *ctx,
	       struct err *err) {
	const char *part = dead ? SPOOL_DEAD : SPOOL_QUEUE;
	AUTO_FD int fd = file_opendir(q->dir, part);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "%s/%s: cannot open", q->path, part);
	take_fd(&fd);
	int result = 0;
	errno = 0;
	for (struct dirent *e = readdir(dir); e && result == 0; e = readdir(dir)) {
		struct queue_id id;
		if (spool_name_id(e->d_name, &id))
			result = fn(ctx, &id);
		errno = 0;
	}
	if (result == 0 && errno != 0)
		result = err_sys(err, "%s/%s: cannot read", q->path, part);
	closedir(dir);
	return result;
}

/* Claiming takes the same lock exclusively, so a shared try tells and hardly disturbs. */
bool queue_is_claimed(struct queue *q, const struct queue_id *id) {
	AUTO_FD int fd = queue_open_content(q, id, false);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

struct finder {
	struct span ending;
	struct queue_id found;
	bool in_dead, found_dead;
	unsigned count;
	queue_pick_fn *pick; /* NULL: all */
	void *ctx;
};

static int look_at(void *ctx, const struct queue_id *id) {
	struct finder *f = ctx;
	struct queue_id_text name = queue_id_text(id);
	if (!span_ends_nocase(span_str(name.s), f->ending))
		return 0;
	if (f->count > 0 && queue_id_cmp(&f->found, id) == 0)
		return 0;
	if (f->pick && !f->pick(f->ctx, id, f->in_dead))
		return 0;
	f->found = *id;
	f->found_dead = f->in_dead;
	f->count++;
	return 0;
}

static bool is_id_ending(struct span s) {
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVabcdefghijklmnopqrstuv";
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || !strchr(digits, s.p[i]))
			return false;
	return s.len >= ENDING_MIN && s.len <= QUEUE_ID_LEN;
}

/* A whole ID: no walk through all names. */
static int find_whole(struct queue *q, struct finder *f, struct err *err) {
	int dead;
	if (spool_dead(q, &dead, err) != 0)
		return -1;
	const int dirfds[] = { q->queue, dead };
	for (unsigned i = 0; i < 2 && f->count == 0; i++) {
		f->found_dead = i == 1;
		f->count = faccessat(dirfds[i], queue_id_text(&f->found).s, F_OK,
				     AT_SYMLINK_NOFOLLOW) == 0 &&
			   (!f->pick || f->pick(f->ctx, &f->found, f->found_dead));
	}
	return 0;
}

/* All names that end so are counted. */
static int find_ending(struct queue *q, struct finder *f, struct err *err) {
	if (queue_scan(q, false, look_at, f, err) != 0)
		return -1;
	f->in_dead = true;
	return queue_scan(q, true, look_at, f, err);
}

int queue_find(struct queue *q, struct span ending, struct queue_id *ret, bool *ret_dead,
	       struct err *err) {
	return queue_find_if(q, ending, NULL, NULL, ret, ret_dead, err);
}

int queue_find_if(struct queue *q, struct span ending, queue_pick_fn *fn, void *ctx,
		  struct queue_id *ret, bool *ret_dead, struct err *err) {
	struct finder f = { .ending = ending, .pick = fn, .ctx = ctx };
	if (!is_id_ending(ending))
		return err_set(err, ERR_SYNTAX,
			       "a queue id has %d to %d characters 0-9 and A-V",
			       ENDING_MIN, QUEUE_ID_LEN);
	bool whole = queue_id_parse(ending, &f.found);
	if ((whole ? find_whole(q, &f, err) : find_ending(q, &f, err)) != 0)
		return -1;
	if (f.count == 0)
		return err_set(err, ERR_MISSING, "%.*s: no such message", (int)ending.len,
			       ending.p);
	if (f.count > 1)
		return err_set(err, ERR_LIMIT,
			       "%.*s: %u messages end so; give more characters",
			       (int)ending.len, ending.p, f.count);
	*ret = f.found;
	*ret_dead = f.found_dead;
	return 0;
}
