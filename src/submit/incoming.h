#ifndef NIGHTMAIL_SUBMIT_INCOMING_H
#define NIGHTMAIL_SUBMIT_INCOMING_H

/*
 * A message in wire form that comes piece by piece from a user (a session, a dropped file)
 * on its way into the queue: the header is held back until it is whole, gets what it lacks
 * (mail/fixup.h), and then everything goes the given way.
 *
 *     incoming_init();
 *     incoming_sender(); incoming_recipient() for each;
 *     incoming_add() ...; incoming_end();
 *     way_commit(way) or, after an error, way_abort(way)
 *     incoming_clear(); for the next one, or incoming_release();
 */

#include <stdbool.h>

#include "base/buf.h"
#include "mail/addr.h"
#include "mail/eol.h"
#include "submit/way.h"

/* What the configuration says of this host, and who submits. */
struct submit_host {
	const char *hostname, *domain;
	const char *from; /* default sender, or NULL */
	uid_t uid;
	/* A client by TCP; NULL: a user of this machine, known by uid. */
	const char *client;   /* "its-name ([192.0.2.7])" */
	const char *protocol; /* "ESMTPS" */
	const char *who;      /* "user printer, TLS1.3" */
	const char *origin;   /* for the envelope; NULL: "local" */
};

struct incoming {
	const struct submit_host *host;
	struct way *way;
	struct envelope envelope; /* id and created are set by incoming_sender() */
	size_t to_cap;
	char from[ADDR_MAX + 1], envid[100], relay[WISHES_RELAY_SIZE]; /* what the envelope points to */
	struct buf held;                     /* until the envelope can be written */
	struct eol eol;
	bool begun;
	bool failed;
};

void incoming_init(struct incoming *m, const struct submit_host *host, struct way *way);
void incoming_release(struct incoming *m);
/* Forgets the envelope and the content. */
void incoming_clear(struct incoming *m);
/* Copies from, ret, envid, body_8bit, smtputf8 and requiretls of the envelope, and takes a new
 * ID. */
int incoming_sender(struct incoming *m, const struct envelope *e, struct err *err);
/* Adds a recipient; its spans are copied. */
int incoming_recipient(struct incoming *m, const struct envelope_recipient *to,
		       struct err *err);

/* Takes content. Line ends become CRLF. -1: ERR_SYNTAX (a NUL), ERR_LIMIT, or as way_write(). */
int incoming_add(struct incoming *m, struct span bytes, struct err *err);
/* All of it was added. */
int incoming_end(struct incoming *m, struct err *err);

#endif
