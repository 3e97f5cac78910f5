#ifndef NIGHTMAIL_SMTP_CLIENT_MACHINE_H
#define NIGHTMAIL_SMTP_CLIENT_MACHINE_H

/*
 * Inside of the client machine, for client*.c only.
 *
 * Everything the machine wrote that a server must answer stands in one ring, oldest first;
 * a reply takes the oldest command and goes to that command's handler. This is the whole
 * of reply matching, with PIPELINING or without.
 *
 * A flight is a transaction under way. There are at most two: `old`, whose content was
 * given and whose final reply is awaited, and `cur` behind it (its DATA is answered after
 * the final reply of `old`, so a third one cannot begin before `old` is gone).
 */

#include "smtp/client.h"

enum smtp_command_kind {
	SMTP_COMMAND_GREETING, /* answers nothing, but is awaited */
	SMTP_COMMAND_EHLO,
	SMTP_COMMAND_HELO,
	SMTP_COMMAND_STARTTLS,
	SMTP_COMMAND_AUTH, /* AUTH and each response to a challenge */
	SMTP_COMMAND_RSET,
	SMTP_COMMAND_MAIL,
	SMTP_COMMAND_RCPT,
	SMTP_COMMAND_DATA,
	SMTP_COMMAND_DOT,
	SMTP_COMMAND_QUIT,
};

struct smtp_command {
	enum smtp_command_kind kind;
	uint64_t end;               /* position in the output behind its last byte */
	struct smtp_flight *flight; /* of MAIL, RCPT, DATA, DOT */
};

struct smtp_flight {
	const struct smtp_transaction *t;
	bool mail_written, data_written;
	size_t rcpt_written, rcpt_answered, accepted;
	unsigned waiting;        /* commands without a reply */
	bool content;            /* 354 came: content may be given */
	bool line_start;         /* of the content: a dot here is stuffed */
	uint64_t dot_end;        /* position behind the final dot; 0: not written */
	enum smtp_stage refused; /* SMTP_STAGE_CONNECT: not refused */
	struct smtp_reply refusal;
};

/* SASL in progress. */
struct smtp_client_auth {
	const char *mechanism;
	struct buf delayed; /* initial response too long for the AUTH line */
	bool has_delayed;
	bool cancelled; /* "*" was sent: whatever comes, it is over */
	unsigned steps;
	struct smtp_reply why; /* of the cancellation */
	bool accepted;
};

struct smtp_client {
	struct smtp_client_params params;
	struct smtp_extensions ext;
	struct smtp_client_auth auth;

	struct buf in;
	size_t in_taken;
	struct smtp_reply_parser parser;
	struct smtp_reply reply;
	struct span raw; /* lines just parsed, for what is cut or joined in the reply */

	struct buf out;
	size_t out_taken;
	uint64_t sent;      /* bytes that left in all */
	struct buf scratch; /* a command being made */
	bool secret_out;    /* out holds a secret: wipe it when drained */

	struct smtp_command ring[SMTP_CLIENT_COMMANDS_MAX];
	unsigned first, waiting;

	struct smtp_flight flights[2], *cur, *old;
	bool need_rset;

	bool tls, handshake, ready, want_quit, ended;
	struct smtp_reply end; /* of smtp_client_eof() */
	bool closing, closed;
	bool out_of_step; /* a reply is missing, or there is one too many */
	struct smtp_client_note last;
};

/* A handler of one kind of reply (c->reply): returns the event it makes, or NONE. */
typedef enum smtp_client_event smtp_reply_fn(struct smtp_client *c, struct smtp_flight *f,
					     struct smtp_client_note *note);

/* client.c: writing and ending. */
void smtp_client_add(struct smtp_client *c, struct span bytes);
/* Ends the line and queues the command. Returns the position behind it. */
uint64_t smtp_client_command(struct smtp_client *c, enum smtp_command_kind kind,
			     struct smtp_flight *f);
/* Ends the session: the next events are DONE of a transaction refused already, and CLOSED. */
void smtp_client_close(struct smtp_client *c, enum smtp_stage stage,
		       const struct smtp_reply *why);
/* The same with a parting QUIT: the server keeps the protocol, but there is nothing to do. */
void smtp_client_leave(struct smtp_client *c, enum smtp_stage stage,
		       const struct smtp_reply *why);
/* The same for a server that breaks the protocol. */
void smtp_client_broken(struct smtp_client *c, enum smtp_stage stage, const char *fmt,
			...) __attribute__((format(printf, 3, 4)));

/* client_session.c */
smtp_reply_fn smtp_client_on_greeting, smtp_client_on_ehlo, smtp_client_on_helo,
	smtp_client_on_starttls, smtp_client_on_auth;
void smtp_client_forget_auth(struct smtp_client *c);
/* Reads one line of an EHLO reply, behind its code; the first line is not one of them. */
void smtp_extensions_line(struct smtp_extensions *e, struct span line);

/* client_transaction.c */
smtp_reply_fn smtp_client_on_rset, smtp_client_on_mail, smtp_client_on_rcpt,
	smtp_client_on_data, smtp_client_on_dot;
/* Writes what may be written now of the current envelope. */
void smtp_client_pump(struct smtp_client *c);
/* True when the current transaction was refused and no reply of it is outstanding: fills
 * the note of its DONE. */
bool smtp_client_take_refused(struct smtp_client *c, struct smtp_client_note *note);

#endif
