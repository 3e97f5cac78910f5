/*
 * The rate is kept as one number a user, the time at which all messages so far would have
 * come at an even rate: it moves on by an hour / limit with each message, and may be at most
 * an hour ahead of the clock. So the first hour's allowance may come at once, and nothing
 * ever needs to be reset.
 */

#include "submit/limit.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sharedmem.h"

#define USERS_MAX 1024u
#define HOUR_US (3600 * INT64_C(1000000))
#define LAST_PERSON 0x7fffffffu /* above are clients of the listener */

struct user_count {
	_Atomic uint64_t uid; /* + 1; 0: free */
	_Atomic int64_t even_us;
	_Atomic int64_t bytes;
};

struct limit_table {
	_Atomic unsigned per_hour;
	_Atomic uint64_t bytes;
	struct user_count user[USERS_MAX];
};

struct limit_table *limit_new(int *ret_fd) {
	int fd;
	struct limit_table *t = sharedmem_new(sizeof(*t), &fd);
	if (t && ret_fd)
		*ret_fd = fd;
	else if (t)
		close(fd);
	return t;
}

struct limit_table *limit_open(int fd) {
	return sharedmem_open(fd, sizeof(struct limit_table));
}

void limit_free(struct limit_table *t) {
	sharedmem_free(t, sizeof(*t));
}

void limit_set(struct limit_table *t, unsigned per_hour, uint64_t bytes) {
	t->per_hour = per_hour;
	t->bytes = bytes;
}

static int64_t now_us(void) {
	return clock_boot_ms() * 1000;
}

static bool is_idle(const struct user_count *u, int64_t now) {
	return u->bytes <= 0 && u->even_us <= now;
}

/* The user's entry; with `make` also a new one, else NULL when there is none. With all taken by
 * others who are busy it is shared with one of them: stricter, never laxer. */
static struct user_count *entry(struct limit_table *t, uid_t uid, bool make) {
	int64_t now = now_us();
	struct user_count *idle = NULL;
	for (unsigned i = 0; i < USERS_MAX; i++) {
		struct user_count *u = &t->user[(uid + i) % USERS_MAX];
		if (u->uid == (uint64_t)uid + 1)
			return u;
		if (!idle && (u->uid == 0 || is_idle(u, now)))
			idle = u;
		if (u->uid == 0)
			break;
	}
	if (!make)
		return NULL;
	if (!idle)
		return &t->user[uid % USERS_MAX];
	idle->even_us = 0;
	idle->bytes = 0;
	idle->uid = (uint64_t)uid + 1;
	return idle;
}

static const struct user_count *look_up(const struct limit_table *t, uid_t uid) {
	for (unsigned i = 0; i < USERS_MAX; i++) {
		const struct user_count *u = &t->user[(uid + i) % USERS_MAX];
		if (u->uid == (uint64_t)uid + 1)
			return u;
		if (u->uid == 0)
			return NULL;
	}
	return &t->user[uid % USERS_MAX];
}

void limit_know(struct limit_table *t, uid_t uid) {
	entry(t, uid, true);
}

int limit_may(const struct limit_table *t, uid_t uid, uint64_t bytes, struct err *err) {
	const struct user_count *u = look_up(t, uid);
	unsigned per_hour = t->per_hour;
	uint64_t most = t->bytes;
	char who[32] = "this client";
	if (!u)
		return 0;
	if (uid <= LAST_PERSON)
		snprintf(who, sizeof(who), "uid %u", (unsigned)uid);
	if (per_hour > 0 && u->even_us - now_us() > HOUR_US - HOUR_US / per_hour)
		return err_set(
			err, ERR_TIMEOUT,
			"%s has sent %u messages within an hour, "
			"the limit of user-limit in nightmail.conf; try again later",
			who, per_hour);
	int64_t queued = u->bytes;
	if (most > 0 && bytes + (uint64_t)(queued > 0 ? queued : 0) > most)
		return err_set(err, ERR_TIMEOUT,
			       "%lld KiB of %s wait in the queue, near the "
			       "limit of user-limit in nightmail.conf; try again later",
			       (long long)(queued / 1024), who);
	return 0;
}

void limit_took(struct limit_table *t, uid_t uid) {
	struct user_count *u = entry(t, uid, false);
	unsigned per_hour = t->per_hour;
	if (!u || per_hour == 0)
		return;
	int64_t now = now_us(), old = u->even_us, next;
	do
		next = (old > now ? old : now) + HOUR_US / per_hour;
	while (!atomic_compare_exchange_weak(&u->even_us, &old, next));
}

void limit_queued(struct limit_table *t, uid_t uid, int64_t bytes) {
	struct user_count *u = entry(t, uid, bytes > 0);
	if (u)
		u->bytes += bytes;
}
