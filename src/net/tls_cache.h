#ifndef NIGHTMAIL_NET_TLS_CACHE_H
#define NIGHTMAIL_NET_TLS_CACHE_H

/*
 * TLS sessions that can be resumed, in memory shared with forked children and nowhere else: they
 * are secrets. What is found here proves little: who resumes a session verifies the server again,
 * and finds only sessions of the same server, port, policy and trust. That the server has the key
 * of its certificate was proved to whoever put the session here, so all who can must be trusted
 * with that (deliver/parent_sessions.h).
 *
 * Nobody waits for anybody: there is no lock, an entry that two processes wrote at once does not
 * add up and counts as none.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "net/tls.h"

struct tls_cache;

struct tls_cache_key {
	uint8_t byte[TLS_HASH_SIZE];
};

/* NULL with errno. */
struct tls_cache *tls_cache_new(void);
void tls_cache_free(struct tls_cache *c);
/* What sessions under a policy are kept by; trust: whose authorities and certificates. False:
 * they are not kept (a policy without a port). */
bool tls_cache_key(uint64_t trust, const struct tls_policy *p, struct tls_cache_key *ret);
/* Keeps a session (opaque bytes); one that is too long is not. */
void tls_cache_put(struct tls_cache *c, const struct tls_cache_key *k, struct span session);
/* Appends the newest one and forgets it: a ticket is used once (RFC 8446 appendix C.4). False:
 * none. A secret: buf_wipe(). */
bool tls_cache_take(struct tls_cache *c, const struct tls_cache_key *k, struct buf *out);

#include "base/banned.h"

#endif
