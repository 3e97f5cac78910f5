#ifndef NIGHTMAIL_DELIVER_PARENT_SESSIONS_H
#define NIGHTMAIL_DELIVER_PARENT_SESSIONS_H

/*
 * The TLS sessions that workers can resume (net/tls_cache.h), in one cache for each relay and
 * destination, of which a worker has the one alone: whoever writes into a cache could put a session
 * of his own there, with a server's real certificate, and what is verified again when it is resumed
 * is that certificate. A worker that was taken over can so deceive others of its own relay
 * and destination, and nobody else.
 */

#include "net/tls_cache.h"

struct sessions;

struct sessions *sessions_new(void); /* NULL: out of memory */
void sessions_free(struct sessions *s);
/* That of a relay and a destination (NULL: the relay's own servers). NULL: none can be made, and
 * nothing is resumed. Where there are too many, the one that was looked for longest ago goes. */
struct tls_cache *sessions_find(struct sessions *s, const char *relay, const char *destination);
/* In a forked worker: lets go of all but one (NULL: of all). */
void sessions_keep(struct sessions *s, const struct tls_cache *mine);

#include "base/banned.h"

#endif
