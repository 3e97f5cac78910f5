#ifndef NIGHTMAIL_CLI_SINK_SESSION_H
#define NIGHTMAIL_CLI_SINK_SESSION_H

/* One session of the sink: sink_session.c moves bytes and time, sink_events.c decides. */

#include "cli/sink.h"
#include "net/conn.h"
#include "smtp/auth.h"

struct sink_session {
	const struct sink *sink;
	struct conn *conn;
	struct smtp_server *smtp;
	struct smtp_auth_server *auth; /* NULL between exchanges */
	struct sink_message message;
	struct sink_facts facts;
	struct buf peer, helo;
	char auth_name[32], mechanism[32];
	bool content_began;
	bool over; /* nothing more is read */
	bool last; /* took the last message of --max */
};

/* sink_session.c: tells an event of this session; words may be NULL. */
void sink_session_tell(struct sink_session *s, const char *name, const char *stage,
		       int code, const char *words);
/* Sends the machine's replies, late if so told. */
void sink_session_flush(struct sink_session *s);
/* Lets the client read our last words: closing with its bytes unread would reset the
 * connection and could take them away. */
void sink_session_linger(struct sink_session *s);
/* Does the handshake; false ends the session. */
bool sink_session_accept_tls(struct sink_session *s);

/* sink_events.c: applies a --close-at: replies to what came before go out, then nothing. */
bool sink_session_closes(struct sink_session *s, enum sink_stage stage,
			 struct span address);
void sink_session_event(struct sink_session *s, enum smtp_server_event event,
			const struct smtp_server_note *note);

#endif
