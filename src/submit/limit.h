#ifndef NIGHTMAIL_SUBMIT_LIMIT_H
#define NIGHTMAIL_SUBMIT_LIMIT_H

/*
 * What one user, or client of the listener, may submit: so many messages an hour, so many bytes in the queue at a time.
 * One table in memory that the daemon shares with its sessions. The daemon alone makes
 * entries and counts queued bytes; sessions count messages, without locks, so that one which
 * dies takes nothing with it. Queued bytes are counted when the daemon has seen the message:
 * parallel sessions of one user may pass that limit by one message each.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct limit_table;

/* NULL: no memory. *ret_fd (may be NULL) is for limit_open() in another program. */
struct limit_table *limit_new(int *ret_fd);
/* NULL: that is no such memory. */
struct limit_table *limit_open(int fd);
void limit_free(struct limit_table *t);
/* 0 for either: no limit. */
void limit_set(struct limit_table *t, unsigned per_hour, uint64_t bytes);

/* Makes the user's entry; the daemon calls it before it starts a session. */
void limit_know(struct limit_table *t, uid_t uid);
/* May this user submit so many bytes now? 0, or -1 with ERR_TIMEOUT and words. */
int limit_may(const struct limit_table *t, uid_t uid, uint64_t bytes, struct err *err);
/* A message of this user was queued. */
void limit_took(struct limit_table *t, uid_t uid);
/* Bytes of this user came into the queue, or left it (negative). */
void limit_queued(struct limit_table *t, uid_t uid, int64_t bytes);

#endif
