#ifndef NIGHTMAIL_SUBMIT_SESSION_H
#define NIGHTMAIL_SUBMIT_SESSION_H

/*
 * One SMTP session with somebody on this machine, whose uid is known: the server machine
 * (smtp/server.h) joined to two descriptors and to a way into the queue. Runs in a process of
 * its own and may wait. SIGTERM is blocked except while waiting for the client, when nothing
 * is half done: then the client gets a 421.
 *
 * 250 for the content means queued, durably. The end of input within a message discards it.
 */

#include "submit/limit.h"
#include "submit/incoming.h"
#include "submit/way.h"

struct session_params {
	int in, out; /* may be the same */
	const struct submit_host *host;
	struct way *way;
	uint64_t size_limit;
	const char *wake_path;      /* the daemon's, or NULL */
	const char *via;            /* for the log; NULL: do not log */
	struct limit_table *limits; /* or NULL */
};

/* Returns when the client has gone or was sent away: 0, or -1 when the process cannot work. */
int session_run(const struct session_params *p, struct err *err);

#endif
