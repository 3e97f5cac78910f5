#ifndef NIGHTMAIL_SUBMIT_FLIGHT_H
#define NIGHTMAIL_SUBMIT_FLIGHT_H

/*
 * A short message and all of its commands in one go, to a server that is known to be the
 * daemon: EHLO, MAIL, RCPT and BDAT leave together, and the replies are told apart by their
 * place. With several recipients the content waits until all of them are accepted, because
 * the server would take it for those that are.
 */

#include "smtp/client.h"

#define FLIGHT_CONTENT_MAX 65536u
#define FLIGHT_RECIPIENTS_MAX 1000u

struct flight {
	int fd;
	const char *path; /* for words */
	const char *helo; /* NULL: was said on this connection before */
	const struct smtp_transaction *t;
	struct span content;
	int timeout_ms;
};

enum flight_end {
	FLIGHT_QUEUED,  /* *ret is the reply to the content */
	FLIGHT_REFUSED, /* *ret is the first refusal */
	/* The server was leaving or had no session free: nothing of it was taken, so that it may
	 * fly again on another connection. *ret is a 421 of the server or of ours. */
	FLIGHT_NOT_TAKEN,
	FLIGHT_BROKEN, /* nobody knows; err says why */
};

/* The connection stays open on FLIGHT_QUEUED only; closing is the caller's. */
enum flight_end flight_run(const struct flight *f, struct smtp_reply *ret,
			   struct err *err);

#endif
