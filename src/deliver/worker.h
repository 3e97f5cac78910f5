#ifndef NIGHTMAIL_DELIVER_WORKER_H
#define NIGHTMAIL_DELIVER_WORKER_H

/*
 * A worker: one process with one connection to one relay. It takes messages from the
 * manager, delivers them in windows, writes down what happened, and reports.
 *
 * What is on disk at each moment, so that the process may be killed anywhere:
 *
 *   window begins    intents of all its recipients, durable
 *   2xx              `delivered` in the segment, then the file is removed (all recipients are
 *                    settled) or its journal is extended
 *   refusal          results and attempt in the message's journal, then the intent is void
 *   reply lost       `maybe twice` in the journal, then the intent is void
 *   not sent         the intent is void
 */

#include "base/span.h"
#include "deliver/wire.h"
#include "net/tls.h"

/* With params->resolve, the descriptor that nightmail-resolve answers (net/dns_channel.h). */
#define WORKER_DNS_FD 4

/* Exit code of a worker whose login the server refused; 0 for everybody but its parent. */
#define WORKER_NOT_LET_IN 2

struct worker_secret {
	struct span text; /* password or token; empty: none */
	bool token;
	int64_t expires_ms; /* of a token, since 1970; 0: it does not */
	bool renewed;       /* of a token: the one before was refused */
};

/*
 * Delivers until the manager closes `channel`, SIGTERM comes, there was no work for
 * params->idle_ms, or the relay must be left alone; with a token that is over it connects no
 * more. tls may be NULL when params->relay.tls is
 * none. Returns the exit code of the process: 0, or 1 when the segment must be replayed
 * before anything it stands for is tried again.
 */
int worker_run(const struct wire_worker *params, int channel,
	       const struct tls_client *tls, const struct worker_secret *secret);

#endif
