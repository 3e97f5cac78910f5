#ifndef NIGHTMAIL_SUBMIT_SESSION_STATE_H
#define NIGHTMAIL_SUBMIT_SESSION_STATE_H

/* One session: session.c moves bytes and time, session_events.c decides, session_client.c
 * knows who the client is. */

#include "mail/addr.h"
#include "smtp/server.h"
#include "submit/session.h"

#define SESSION_LOGIN_MAX 255

struct session {
	const struct session_params *params;
	struct submit_host host; /* as params say, and what is learned of the client */
	struct smtp_server *smtp;
	struct incoming message;
	uint64_t declared;  /* SIZE of MAIL */
	uint64_t bytes;     /* of content so far */
	bool in_hand;       /* between MAIL and the end of its data */
	bool content;       /* a message is half taken */
	struct err trouble; /* why it cannot be; kind ERR_NONE: nothing yet */
	bool over;          /* nothing more is read */
	size_t longest_read;
	int64_t deadline_ms, stop_ms; /* boot time; stop_ms 0: nobody told us to stop */

	bool esmtp;
	unsigned failed_logins;
	char helo[256];
	char login[SESSION_LOGIN_MAX + 1]; /* empty: none */
	char trace[400], who[400], origin[300]; /* what host points to */
};

/* session.c: sends what the machine has said so far, but for its last `keep` bytes. */
void session_flush(struct session *s, size_t keep);
/* Waits without listening to the client. */
void session_pause(struct session *s, int64_t ms);

void session_event(struct session *s, enum smtp_server_event event,
		   const struct smtp_server_note *note);
/* Drops the transaction and what was written of it. */
void session_forget(struct session *s);

/* session_client.c: fills host with what is known of the client by now. */
void session_client_known(struct session *s);
/* "ESMTPSA" */
const char *session_protocol(const struct session *s);
/* Adds the fields of a client by TCP to a log line. */
void session_client_log(const struct session *s, struct buf *line);
/* Logs a reply that tells a client no. */
void session_refusal_log(const struct session *s, int code, const char *text);
void session_auth_event(struct session *s, const struct smtp_server_note *note);
void session_tls_event(struct session *s);

#endif
