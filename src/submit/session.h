#ifndef NIGHTMAIL_SUBMIT_SESSION_H
#define NIGHTMAIL_SUBMIT_SESSION_H

/*
 * One SMTP session: the server machine (smtp/server.h) joined to a client and to a way into
 * the queue. Runs in a process of its own and may wait.
 *
 * 250 for the content means queued, durably. The end of input within a message discards it.
 * At SIGTERM the message in hand is finished, if that does not take long, and then the client
 * gets a 421; at SIGUSR1 a session without a message in hand makes room for another client.
 */

#include <stdatomic.h>
#include <sys/types.h>

#include "submit/incoming.h"
#include "submit/limit.h"
#include "submit/way.h"

/* How bytes go under TLS; without it plain read(2) and write(2) do. */
struct session_io {
	void *ctx;
	/* > 0 bytes; 0: nothing can be done before `wants`; -1: the connection is over. */
	ssize_t (*read)(void *ctx, char *p, size_t len);
	ssize_t (*write)(void *ctx, struct span bytes);
	short (*wants)(void *ctx); /* events of poll(2) */
};

enum session_auth_result {
	SESSION_AUTH_GO_ON,
	SESSION_AUTH_YES,
	SESSION_AUTH_NO,
	SESSION_AUTH_CANNOT
};

/* Who may log in, and how. */
struct session_auth {
	const char *mechanisms; /* separated by spaces */
	void *ctx;
	/* One step; a mechanism (not empty) begins a new exchange. Adds the challenge on GO_ON;
	 * *ret_login is set on YES, and on NO where it is known (else NULL). */
	enum session_auth_result (*step)(void *ctx, struct span mechanism,
					 struct span response, struct buf *challenge,
					 const char **ret_login);
};

enum session_right {
	SESSION_MAY,      /* send without a login */
	SESSION_AFTER_AUTH,
	SESSION_MAY_NOT,
};

struct session_params {
	int in, out;                 /* may be the same */
	const struct session_io *io; /* or NULL */
	const struct submit_host *host;
	struct way *way;
	uint64_t size_limit;
	const char *wake_path;      /* the daemon's, or NULL */
	int wake_fd;                /* of control_wake_socket() */
	const char *via;            /* for the log; NULL: do not log */
	struct limit_table *limits; /* or NULL */

	size_t recipients_max; /* of a message */
	unsigned errors_max;
	int64_t timeout_ms; /* for a command; content must come at 500 bytes a second */
	bool lenient_newlines;

	/* Clients that come by TCP; address NULL: the others. */
	const char *address;
	enum session_right right;
	const char *tls; /* "TLS1.3" when the connection is under it; NULL: in clear */
	const struct session_auth *auth; /* or NULL */
	/* Goes on elsewhere under TLS: returns only when that cannot be, with the reason. The
	 * client has not yet seen the 220. NULL: STARTTLS is not offered. */
	int (*start_tls)(void *ctx, struct err *err);
	void *start_tls_ctx;
	bool greeted_before; /* it was, before TLS */

	/* Boot time in ms since when there is no message in hand; 0: there is. NULL: nobody asks. */
	_Atomic int64_t *idle_since;
};

#define SESSION_TIMEOUT_MS 300000 /* RFC 5321 section 4.5.3.2.7 */
#define SESSION_ERRORS_MAX 20

/* Returns when the client has gone or was sent away: 0, or -1 when the process cannot work. */
int session_run(const struct session_params *p, struct err *err);
/* True when this process was told to end, or to make room: it serves nobody else. */
bool session_is_unwanted(void);

/* The uid of a client that is no user of this machine: above those that users have, and the
 * same for the same name ("user:printer", "tcp:192.0.2.7"). */
uid_t session_client_uid(struct span name);

#endif
