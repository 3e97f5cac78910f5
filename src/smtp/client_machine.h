#ifndef NIGHTMAIL_SMTP_CLIENT_MACHINE_H
#define NIGHTMAIL_SMTP_CLIENT_MACHINE_H

/*
 * Inside of the client machine, for client*.c only.
 *
 * Everything the machine wrote that a server must answer stands in one ring, oldest first;
 * a reply takes the oldest command and goes to that command's handler. This is the whole
 * of reply matching, with PIPELINING or without.
 *
 * A flight is a transaction under way. They stand in a ring too, oldest first; the last one
 * is `cur` until all of its content was given. With DATA there are at most two, since the
 * content of `cur` waits for a reply behind the last one of the flight before it.
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
	SMTP_COMMAND_BDAT, /* with its content */
	SMTP_COMMAND_QUIT,
};

struct smtp_command {
	enum smtp_command_kind kind;
	uint64_t end;               /* position in the output behind its last byte */
	struct smtp_flight *flight; /* of MAIL, RCPT, DATA, DOT, BDAT */
};

struct smtp_flight {
	const struct smtp_transaction *t;
	bool mail_written, data_written; /* data: DATA or BDAT */
	size_t rcpt_written, rcpt_answered, accepted;
	size_t content_answered; /* LMTP: replies after the content */
	unsigned waiting;        /* commands without a reply */
	bool content;            /* 354 came, or BDAT was written: content may be given */
	bool answered;           /* streamed, and over; told when the next reply fits */
	uint64_t given;          /* streamed: bytes of content */
	bool line_start;         /* of the content: a dot here is stuffed */
	uint64_t dot_end;        /* position behind the final dot or chunk; 0: not written */
	enum smtp_stage refused; /* SMTP_STAGE_CONNECT: not refused */
	struct smtp_reply refusal; /* answered: the last reply if it was not refused before */
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

	struct smtp_flight flights[SMTP_CLIENT_FLIGHTS_MAX], *cur;
	unsigned flight_first, flight_count;
	unsigned flights_told; /* at the end of the session */
	const struct smtp_flight *last_flight; /* of `last` */
	bool need_rset, streams;

	bool tls, handshake, ready, want_quit, ended;
	struct smtp_reply end; /* of smtp_client_eof() */
	bool closing, closed;
	bool out_of_step; /* a reply is missing, or there is one too many */
	struct smtp_client_note last;
};

/* A handler of one kind of reply (c->reply): returns the event it makes, or NONE. */
typedef enum smtp_client_event smtp_reply_fn(struct smtp_client *c, struct smtp_flight *f,
					     struct smtp_client_note *note);

/* The i-th oldest flight; the oldest one whose content was given, or NULL. */
struct smtp_flight *smtp_client_flight(struct smtp_client *c, unsigned i);
struct smtp_flight *smtp_client_old(struct smtp_client *c);
/* Forgets a flight, the oldest or the youngest one. */
void smtp_client_forget_flight(struct smtp_client *c, const struct smtp_flight *f);

/* client.c: writing. */
void smtp_client_add(struct smtp_client *c, struct span bytes);
/* Ends the line and queues the command. Returns the position behind it. */
uint64_t smtp_client_command(struct smtp_client *c, enum smtp_command_kind kind,
			     struct smtp_flight *f);
/* Another reply to the command that was answered just now is to come, before all others. */
void smtp_client_expect_again(struct smtp_client *c, enum smtp_command_kind kind,
			      struct smtp_flight *f);

/* client_end.c */
/* Ends the session: the next events are DONE of a transaction refused already, and CLOSED. */
void smtp_client_close(struct smtp_client *c, enum smtp_stage stage,
		       const struct smtp_reply *why);
/* The same with a parting QUIT: the server keeps the protocol, but there is nothing to do. */
void smtp_client_leave(struct smtp_client *c, enum smtp_stage stage,
		       const struct smtp_reply *why);
/* The same for a server that breaks the protocol. */
void smtp_client_broken(struct smtp_client *c, enum smtp_stage stage, const char *fmt,
			...) __attribute__((format(printf, 3, 4)));

/* The next event of a session that is over. */
enum smtp_client_event smtp_client_ending(struct smtp_client *c,
					  struct smtp_client_note *note);

/* client_session.c */
smtp_reply_fn smtp_client_on_greeting, smtp_client_on_ehlo, smtp_client_on_helo,
	smtp_client_on_starttls, smtp_client_on_auth;
void smtp_client_forget_auth(struct smtp_client *c);
/* Reads one line of an EHLO reply, behind its code; the first line is not one of them. */
void smtp_extensions_line(struct smtp_extensions *e, struct span line);

/* client_transaction.c */
smtp_reply_fn smtp_client_on_rset, smtp_client_on_mail, smtp_client_on_rcpt,
	smtp_client_on_data, smtp_client_on_dot;
/* LMTP: more than this recipient of the flight, or NULL, wait for a reply to the content. */
bool smtp_client_has_recipients_left(const struct smtp_client *c, const struct smtp_flight *f);
/* Writes what may be written now of the current envelope. */
void smtp_client_pump(struct smtp_client *c);
/* True when the current transaction was refused and no reply of it is outstanding: fills
 * the note of its DONE. */
bool smtp_client_take_refused(struct smtp_client *c, struct smtp_client_note *note);

/* client_stream.c */
smtp_reply_fn smtp_client_on_bdat;
/* Writes BDAT for the current envelope, unless it must wait: then false. */
bool smtp_client_say_bdat(struct smtp_client *c, struct smtp_flight *f);
/* True when content is wanted now: fills the note. */
bool smtp_client_want_chunk(struct smtp_client *c, struct smtp_client_note *note);
/* Takes content that follows BDAT. */
int smtp_client_chunk(struct smtp_client *c, struct span wire, bool last);
/* True when the reply just taken cannot be one to a command of that kind; then the session
 * is over. */
bool smtp_client_is_out_of_place(struct smtp_client *c, enum smtp_command_kind kind,
				 struct smtp_flight *f);
/* True when the oldest flight is over and no reply that contradicts can come any more: fills the
 * note of its DONE. */
bool smtp_client_take_answered(struct smtp_client *c, struct smtp_client_note *note);
/* The reply behind it fits: the event of its DONE, or NONE. */
enum smtp_client_event smtp_client_confirm(struct smtp_client *c,
					   struct smtp_client_note *note);
/* The replies were out of place: the last one that was taken, too. */
void smtp_client_doubt_answered(struct smtp_client *c);

#endif
