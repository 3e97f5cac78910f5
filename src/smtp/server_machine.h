#ifndef NIGHTMAIL_SMTP_SERVER_MACHINE_H
#define NIGHTMAIL_SMTP_SERVER_MACHINE_H

/*
 * Inside of the server machine, for server*.c only. server.c moves bytes and answers events,
 * server_command.c has the verbs, server_params.c the parameters of MAIL and RCPT,
 * server_data.c the content, server_chunk.c that of BDAT.
 */

#include "smtp/server.h"

enum smtp_server_state {
	SMTP_SERVER_STATE_COMMAND,
	SMTP_SERVER_STATE_ANSWER, /* `pending` waits for the caller */
	SMTP_SERVER_STATE_AUTH, /* a challenge was sent: the next line is the response */
	SMTP_SERVER_STATE_DATA,
	SMTP_SERVER_STATE_CHUNK,
	SMTP_SERVER_STATE_HANDSHAKE,
	SMTP_SERVER_STATE_CLOSED,
};

struct smtp_server {
	struct smtp_server_params params;
	struct buf in, out;
	size_t in_taken, out_taken;
	struct buf decoded; /* what spans of a note point into, when not into `in` */

	enum smtp_server_state state;
	enum smtp_server_event pending;
	bool tls, greeted, authenticated;
	bool ehlo;           /* the pending HELO is an EHLO */
	bool esmtp;          /* the last one that was accepted was */
	bool mail, smtputf8; /* a transaction is open; with SMTPUTF8 */
	size_t recipients;
	unsigned errors, idle;
	bool too_long;            /* the rest of this line is thrown away */
	bool want_reset, closing; /* events to come */

	bool line_start;  /* of the content: a dot here is special */
	uint64_t content; /* bytes of it so far */
	enum smtp_server_flaw flaw;

	struct {
		bool begun;    /* the open message comes by BDAT */
		bool pending;  /* the DATA that waits for its answer is a BDAT */
		bool last;     /* of this chunk */
		bool refused;  /* this chunk is swallowed */
		bool after_cr; /* the last byte of content was a CR */
		uint64_t left; /* bytes of this chunk to come */
	} chunk;
};

/* server.c */
void smtp_server_reply(struct smtp_server *s, const char *line);
/* The same for a command that was wrong: too many of them end the session. */
enum smtp_server_event smtp_server_complain(struct smtp_server *s, const char *line);
/* Stops until the caller answers; returns ev. */
enum smtp_server_event smtp_server_ask(struct smtp_server *s, enum smtp_server_event ev);
/* Bytes that came and were not taken yet. */
struct span smtp_server_left(const struct smtp_server *s);
/* Mechanisms offered now, or NULL. */
const char *smtp_server_mechanisms(const struct smtp_server *s);

/* server_command.c: one line, without its end. */
enum smtp_server_event smtp_server_command(struct smtp_server *s, struct span line,
					   struct smtp_server_note *note);
enum smtp_server_event smtp_server_auth_response(struct smtp_server *s, struct span line,
						 struct smtp_server_note *note);

/* server_params.c: NULL, or the reply that refuses them. */
const char *smtp_server_mail_params(struct smtp_server *s, struct span in,
				    struct smtp_server_note *note);
const char *smtp_server_rcpt_params(struct smtp_server *s, struct span in,
				    struct smtp_server_note *note);

/* server_data.c */
void smtp_server_data_begin(struct smtp_server *s);
void smtp_server_flaw(struct smtp_server *s, enum smtp_server_flaw flaw);
/* Counts n bytes of content; false when they are too many to be given out, and the session
 * ends when far more are sent than could ever be taken. */
bool smtp_server_count(struct smtp_server *s, uint64_t n);
enum smtp_server_event smtp_server_data(struct smtp_server *s,
					struct smtp_server_note *note);

/* server_chunk.c */
enum smtp_server_event smtp_server_bdat(struct smtp_server *s, struct span args,
					struct smtp_server_note *note);
/* The caller's answer to the first chunk. */
void smtp_server_chunk_answer(struct smtp_server *s, bool accepted);
enum smtp_server_event smtp_server_chunk(struct smtp_server *s,
					 struct smtp_server_note *note);

#endif
