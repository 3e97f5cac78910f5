#ifndef NIGHTMAIL_DELIVER_PARENT_RESOLVE_H
#define NIGHTMAIL_DELIVER_PARENT_RESOLVE_H

/*
 * nightmail-resolve for the workers of a parent: started for the first worker that needs it, one
 * for each resolver and trust anchor of the configuration, and started again when it dies, on
 * the same channels, so that a worker need not know.
 */

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "deliver/wire.h"

struct resolvers;

/* NULL: no memory. */
struct resolvers *resolvers_new(struct loop *loop);
/* Makes the channel of a worker. Returns the worker's end, owned by the caller, or -1. */
int resolvers_channel(struct resolvers *r, const struct wire_worker *w, struct err *err);
/* The worker of that slot has ended. */
void resolvers_worker_gone(struct resolvers *r, unsigned slot);
/* After SIGCHLD. */
void resolvers_reap(struct resolvers *r);
/* Ends them. NULL is fine. */
void resolvers_free(struct resolvers *r);

#include "base/banned.h"

#endif
