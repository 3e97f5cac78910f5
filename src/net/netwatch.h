#ifndef NIGHTMAIL_NET_NETWATCH_H
#define NIGHTMAIL_NET_NETWATCH_H

/*
 * Tells when it is worth trying again what failed for want of a network: a link came up, a new
 * address, a default route (rtnetlink(7)), or the machine woke from suspend. libc only; nothing
 * is polled.
 */

#include "base/err.h"
#include "base/loop.h"

struct netwatch;

/* What happens together is one call, NETWATCH_SETTLE_MS after the first of it; why: words for
 * the log ("a default route is there"). */
#define NETWATCH_SETTLE_MS 500
typedef void netwatch_fn(void *ctx, const char *why);

/* What the kernel does not let us watch is left out. NULL: no memory. */
struct netwatch *netwatch_new(struct loop *loop, netwatch_fn *fn, void *ctx,
			      struct err *err);
void netwatch_free(struct netwatch *w); /* NULL is fine */

#include "base/banned.h"

#endif
