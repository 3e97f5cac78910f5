#ifndef NIGHTMAIL_SMTP_SERVER_H
#define NIGHTMAIL_SMTP_SERVER_H

/*
 * The server side of SMTP as a machine without I/O (RFC 5321, 1870, 2920, 3207, 3461, 4954,
 * 6152, 6531, 8689, and CHUNKING of 3030 without BINARYMIME). Bytes from the client go in, bytes for the client come out, events ask the
 * caller, who decides what is accepted:
 *
 *     s = smtp_server_new(&params)
 *     loop:
 *       write smtp_server_output(s); smtp_server_sent(s, n)
 *       read bytes; smtp_server_input(s, bytes)
 *       while ((ev = smtp_server_next(s, &note)) != SMTP_SERVER_NONE) act on it
 *
 * Events marked (answer) stop the machine until smtp_server_answer(). Only CRLF.CRLF ends
 * data; a bare CR or LF inside is told in the note of DATA_END, NUL likewise; the end of
 * input inside DATA discards the message. A chunk of BDAT is content whatever it looks like,
 * and one that is refused is swallowed. What stands behind the end of data in one flight is
 * read as commands only after EHLO; after HELO the session ends there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct smtp_server;

struct smtp_server_params {
	const char *host;      /* our name; these strings live as long as the machine */
	uint64_t size_max;     /* bytes; announced by SIZE */
	size_t recipients_max; /* a transaction; over it 452 4.5.3 */
	unsigned errors_max;   /* bad commands until 421 and close */
	unsigned idle_max;     /* NOOP, RSET and the like between messages until 421; 0: any */
	bool offer_starttls;
	bool require_tls;  /* MAIL before STARTTLS: 530 5.7.0 */
	bool require_auth; /* MAIL before AUTH: 530 5.7.0 */
	/* Mechanisms offered without and under TLS, separated by spaces, or NULL. */
	const char *auth_clear, *auth_tls;
	bool tls; /* the connection is TLS from the start */
	bool pipelining, eightbitmime, smtputf8, dsn, chunking; /* extensions to offer */
	bool requiretls; /* offers REQUIRETLS (RFC 8689) under TLS */
	bool lenient_newlines; /* a bare CR or LF in content is no flaw (and ends nothing) */
	bool local_names; /* MAIL and RCPT may have a name without a domain */
};

enum smtp_server_event {
	SMTP_SERVER_NONE,
	/* (answer) note.text is the client's name, note.esmtp tells EHLO; 0 accepts. */
	SMTP_SERVER_HELO,
	/* Output was filled with 220: drain it, do the handshake, then tls_done(). */
	SMTP_SERVER_WANT_TLS,
	/* (smtp_server_auth_*) A new exchange: note.text mechanism (upper case), note.data
	 * initial response (p NULL: none). Later steps: note.text is empty, note.data the
	 * response to the last challenge. A new one replaces one that the client cancelled. */
	SMTP_SERVER_AUTH,
	/* (answer) note.path and the parameters. */
	SMTP_SERVER_MAIL,
	/* (answer) note.path, notify, orcpt. */
	SMTP_SERVER_RCPT,
	/* (answer) DATA: 354 on 0. The first BDAT of a message: its chunk follows on 0, else the
	 * transaction is over. */
	SMTP_SERVER_DATA,
	/* note.data: content, dots unstuffed, CRLF as it came. */
	SMTP_SERVER_CONTENT,
	/* (answer) The message is complete; note.flaw tells what is wrong with it. */
	SMTP_SERVER_DATA_END,
	/* RSET, EHLO, or a transaction that broke: forget the envelope. */
	SMTP_SERVER_RESET,
	/* Output holds 221: drain it and close. */
	SMTP_SERVER_QUIT,
	/* Output may hold 421 or 554: drain it and close. */
	SMTP_SERVER_CLOSE,
};

enum smtp_server_flaw {
	SMTP_FLAW_NONE,
	SMTP_FLAW_BARE_NEWLINE,
	SMTP_FLAW_NUL,
	SMTP_FLAW_TOO_BIG,
};

struct smtp_server_note {
	struct span text;
	struct span data;
	struct span path; /* MAIL, RCPT: without brackets; empty: null */
	uint64_t size;    /* MAIL SIZE=, 0 none */
	bool esmtp, body_8bit, smtputf8, requiretls;
	struct span ret, envid, notify, orcpt; /* decoded xtext; empty: none */
	enum smtp_server_flaw flaw;
};

struct smtp_server *smtp_server_new(const struct smtp_server_params *params);
void smtp_server_free(struct smtp_server *s);
int smtp_server_input(struct smtp_server *s, struct span bytes);
struct span smtp_server_output(const struct smtp_server *s);
void smtp_server_sent(struct smtp_server *s, size_t n);
/* Spans in the note are valid until the next call of any function. */
enum smtp_server_event smtp_server_next(struct smtp_server *s,
					struct smtp_server_note *ret);

/* Answers the pending event: code 0 gives the usual positive reply; else "code text" goes
 * out (text begins with the enhanced status). 421 also ends the session. With a code >= 400 it
 * also refuses WANT_TLS (the 220 is taken back out of the output, which must not have been
 * sent since; the session goes on in clear) and AUTH (instead of smtp_server_auth_*). */
void smtp_server_answer(struct smtp_server *s, int code, const char *text);
/* SMTP_SERVER_AUTH: send a challenge (334 and base64), accept (235), or refuse (535; another
 * refusal by smtp_server_answer(), whose code 0 does nothing here). */
void smtp_server_auth_challenge(struct smtp_server *s, struct span challenge);
void smtp_server_auth_done(struct smtp_server *s, bool accepted);
void smtp_server_tls_done(struct smtp_server *s);

#endif
