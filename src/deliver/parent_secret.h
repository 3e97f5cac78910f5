#ifndef NIGHTMAIL_DELIVER_PARENT_SECRET_H
#define NIGHTMAIL_DELIVER_PARENT_SECRET_H

/*
 * Secrets that other processes are asked for: commands, the keyring, tokens that have to be
 * refreshed. Each is fetched by a process of its own, so that the parent goes on meanwhile, and
 * kept for a while, so that not every worker asks anew. They are kept in memory that a fork does
 * not pass on (MADV_WIPEONFORK): a worker has the one secret it was given.
 */

#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"
#include "creds/creds.h"

struct secrets;

/* Told when what secrets_find() had to wait for is there, or why it is not (error, else NULL). */
typedef void secrets_ready_fn(void *ctx, const char *ref, const struct err *error);

/* NULL: no memory. */
struct secrets *secrets_new(struct loop *loop, secrets_ready_fn *fn, void *ctx);
/* 1: *ret is a copy, owned by the caller; 0: it is being fetched. */
int secrets_find(struct secrets *s, const char *ref, struct creds_secret *ret, struct err *err);
/* A server did not take the one of that serial number. What came after it stays: others who had it
 * have said so already. */
void secrets_refused(struct secrets *s, const char *ref, uint64_t serial);
/* After SIGCHLD. */
void secrets_reap(struct secrets *s);
/* Ends what is under way, but for tokens, whose process goes on alone until they are kept; and
 * wipes. NULL is fine. */
void secrets_free(struct secrets *s);

#include "base/banned.h"

#endif
