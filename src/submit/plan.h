#ifndef NIGHTMAIL_SUBMIT_PLAN_H
#define NIGHTMAIL_SUBMIT_PLAN_H

/*
 * Everything a session of the daemon must know, as plain data: made by the daemon, used in the
 * process it forks, and as lines of words by nightmail-session, which goes on under TLS in
 * that process's place. It holds no secret.
 */

#include "submit/session.h"

#define PLAN_MAX 65000u /* bytes as words: they fit into a pipe */

struct plan {
	char *dir, *rundir;
	char *hostname, *domain, *from; /* from may be NULL, as all below */
	char *address;                  /* of a client by TCP */
	char *who;                      /* what its rights come from: "uid 1000" */
	char *certificate, *key, *users;
	uint64_t size_limit, reserve_bytes, reserve_inodes;
	uint64_t keep_long_lines, lenient_newlines; /* booleans */
	uint64_t sandbox;                           /* a boolean; base/sandbox.h */
	uint64_t uid, limited;                      /* limited: user-limit holds for it */
	uint64_t recipients_max, errors_max, timeout_ms;
	uint64_t right; /* enum session_right */
	uint64_t slot;  /* in the daemon's board of idle sessions */
};

/* Appends one line. */
int plan_write(const struct plan *p, struct buf *out);
/* Parses it; *ret owns copies. ERR_SYNTAX, ERR_MEMORY. */
int plan_parse(struct span line, struct plan *ret, struct err *err);
void plan_release(struct plan *p);

/* What the process has besides the plan. */
struct plan_means {
	int fd; /* the client */
	const struct session_io *io;
	const char *tls;
	const struct session_auth *auth;
	struct limit_table *limits; /* used when the plan says so */
	_Atomic int64_t *idle_since;
	int (*start_tls)(void *ctx, struct err *err);
	void *start_tls_ctx;
	/* Waits for another client of the same uid, in the place of the one that has gone; false:
	 * none came. NULL: there is only one. */
	bool (*next)(void *ctx);
	void *next_ctx;
};

/* Serves the client, and those that `next` brings. On -1 the last has got no reply yet. */
int plan_serve(const struct plan *p, const struct plan_means *means, struct err *err);

#endif
