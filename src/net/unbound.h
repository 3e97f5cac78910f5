#ifndef NIGHTMAIL_NET_UNBOUND_H
#define NIGHTMAIL_NET_UNBOUND_H

/*
 * libunbound on a loop of ours: many questions at once, each answered by a callback. Inside of
 * net/; others use dns.h. There are no time limits here: who asks has a deadline and cancels.
 */

#include "base/loop.h"
#include "net/dns_backend.h"
#include "net/dns_unbound.h"

struct unbound;
struct unbound_question;

/* found is valid during the call; the question is gone after it. */
typedef void unbound_answer_fn(void *ctx, const struct dns_found *found);

/* To be called in the process that uses it (after fork). ERR_SYNTAX: not a server; ERR_MISSING,
 * ERR_SYSTEM: the trust anchor's file; ERR_MEMORY. */
struct unbound *unbound_open(struct loop *loop, const struct dns_unbound_options *o,
			     struct err *err);
/* name: checked (dns_name_parse). fn may be called before this returns, and then the result is
 * nothing to cancel. NULL: no memory, and fn is not called; *ret_asked tells the two apart. */
struct unbound_question *unbound_ask(struct unbound *u, const char *name,
				     enum dns_type type, unbound_answer_fn *fn, void *ctx,
				     bool *ret_asked);
/* Its callback is not called any more. */
void unbound_cancel(struct unbound_question *q);
/* Drops the cache, and reads /etc/resolv.conf anew where that names the servers. */
void unbound_renew(struct unbound *u);
/* "" or why the answers are not validated although a trust anchor is there. */
const char *unbound_warning(const struct unbound *u);
bool unbound_has_anchor(const struct unbound *u);
/* Cancels what is still asked. */
void unbound_close(struct unbound *u);

#include "base/banned.h"

#endif
