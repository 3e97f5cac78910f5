#ifndef NIGHTMAIL_SUBMIT_SESSION_STATE_H
#define NIGHTMAIL_SUBMIT_SESSION_STATE_H

/* One session: session.c moves bytes and time, session_events.c decides. */

#include "smtp/server.h"
#include "submit/session.h"

struct session {
	const struct session_params *params;
	struct smtp_server *smtp;
	struct incoming message;
	uint64_t declared;  /* SIZE of MAIL */
	uint64_t bytes;     /* of content so far */
	bool content;       /* a message is half taken */
	struct err trouble; /* why it cannot be; kind ERR_NONE: nothing yet */
	bool over;          /* nothing more is read */
};

void session_event(struct session *s, enum smtp_server_event event,
		   const struct smtp_server_note *note);
/* Drops the transaction and what was written of it. */
void session_forget(struct session *s);

#endif
