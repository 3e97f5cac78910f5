#ifndef NIGHTMAIL_SMTP_CLIENT_H
#define NIGHTMAIL_SMTP_CLIENT_H

/*
 * The client side of SMTP (RFC 5321, 1870, 2920, 3030, 3207, 3461, 4954, 6152, 6531, 9422) as a
 * machine without I/O: bytes from the server go in, bytes for the server come out, events
 * say what happened. The caller owns socket, TLS, time-outs.
 *
 *     c = smtp_client_new(&params)
 *     loop:
 *       write smtp_client_output(c); smtp_client_sent(c, n)
 *       read bytes; smtp_client_input(c, bytes)
 *       while ((ev = smtp_client_next(c, &note)) != SMTP_CLIENT_NONE) act on it
 *
 * A session: greeting, EHLO (HELO when EHLO is refused with 5xx), STARTTLS and EHLO again
 * when params.starttls wants it, AUTH when params.auth is set, then READY. Then
 * transactions: smtp_client_begin() any time after READY when smtp_client_may_begin().
 * With PIPELINING, MAIL RCPT… DATA leave in one flight, and the next transaction may begin
 * as soon as all content of the one before was given (its envelope goes behind the content,
 * RFC 2920 section 3.1: nothing of it depends on the reply, since a refused message changes
 * nothing for the next). At most SMTP_CLIENT_COMMANDS_MAX commands wait for replies.
 *
 * Streaming: with params.stream, PIPELINING and CHUNKING (RFC 3030) a transaction is RSET, MAIL,
 * RCPT…, BDAT with all of the content, and the next one begins without waiting for any reply;
 * at most SMTP_CLIENT_FLIGHTS_MAX are under way. Only a message over SMTP_CLIENT_BLIND_MAX bytes
 * waits for the answers to its recipients. Replies are matched by position, so everything
 * that shows them to be out of place ends the session and sets smtp_client_out_of_step(): a
 * refused RSET, a command that the server does not know or finds out of order, a content taken
 * for nobody, a reply too many. An end of a transaction is told only when the reply behind it
 * fits too, or none is outstanding.
 *
 * smtp_client_sent() must have been told of all that was written before bytes that came later
 * go in: a reply to a command that has not left is a server out of step. After CLOSED the
 * output may hold a last QUIT: write it if that works without waiting.
 *
 * LMTP (params.lmtp) is the same with LHLO, and a reply for each recipient after the content; DATA
 * waits for the answers to all of them, since nobody may be left to answer for it. The next
 * envelope waits for the last of those replies: when one is missing, the answer to a MAIL must not
 * be taken for it.
 *
 * Facts learned before TLS are forgotten after it; bytes that arrive between the 220 for
 * STARTTLS and the handshake end the session (injection). The machine never writes a
 * secret or a transaction in clear when params.starttls is SMTP_STARTTLS_REQUIRED.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "smtp/reply.h"

#define SMTP_CLIENT_COMMANDS_MAX 256
#define SMTP_CLIENT_FLIGHTS_MAX 32
#define SMTP_CLIENT_BLIND_MAX (1u << 20)

enum smtp_starttls {
	SMTP_STARTTLS_NEVER, /* tls none, or the connection is TLS already */
	SMTP_STARTTLS_IF_OFFERED,
	SMTP_STARTTLS_REQUIRED, /* no STARTTLS offered: the session ends, nothing was sent */
};

/* Where a session or a transaction ended. */
enum smtp_stage {
	SMTP_STAGE_CONNECT, /* used by callers for what comes before (DNS, TCP) */
	SMTP_STAGE_GREETING,
	SMTP_STAGE_EHLO,
	SMTP_STAGE_TLS,
	SMTP_STAGE_AUTH,
	SMTP_STAGE_MAIL,
	SMTP_STAGE_RCPT,
	SMTP_STAGE_DATA, /* the DATA command */
	/* After 354: content sent or being sent; the outcome is unknown when the connection
	 * ends after the final dot. */
	SMTP_STAGE_CONTENT,
	SMTP_STAGE_QUIT,
};
const char *smtp_stage_name(enum smtp_stage s);

/* Extension keywords of EHLO that matter to a caller. */
struct smtp_extensions {
	bool esmtp, pipelining, eightbitmime, smtputf8, dsn, starttls, size, enhanced,
		chunking, requiretls;
	uint64_t size_max; /* bytes, 0: none given */
	/* LIMITS (RFC 9422): transactions of a session, recipients and their domains of a
	 * transaction; 0: no limit given */
	unsigned mail_max, rcpt_max, rcpt_domain_max;
	char auth[256]; /* mechanisms offered, upper case, separated by one space */
};

/* One side of SASL, given by the caller (smtp/auth.h has the real one). */
struct smtp_auth_ops {
	/* Chooses a mechanism among the offered ones (as in smtp_extensions.auth). Returns its
	 * name (valid until finish) or NULL with words. */
	const char *(*choose)(void *ctx, const char *offered, bool tls, struct err *err);
	/* One step: challenge as the server sent it (decoded; p NULL for the initial response).
	 * Appends the raw response; *ret_has is false when there is none (an initial response
	 * that the mechanism does not have). -1: give up (sends "*"). */
	int (*step)(void *ctx, struct span challenge, struct buf *response, bool *ret_has,
		    struct err *err);
	/* Called at 235: 0 when the mechanism is satisfied too (SCRAM proves the server), else -1. */
	int (*finish)(void *ctx, struct err *err);
};

struct smtp_client_params {
	const char *helo; /* our name; must live as long as the machine */
	enum smtp_starttls starttls;
	bool tls;                         /* the connection is TLS from the start */
	bool stream;                      /* where the server can */
	bool lmtp;                        /* RFC 2033 */
	const struct smtp_auth_ops *auth; /* NULL: no AUTH */
	void *auth_ctx;
};

struct smtp_recipient {
	struct span address; /* as it goes on the wire, without brackets */
	struct span notify;  /* "SUCCESS,FAILURE" or empty */
	struct span orcpt; /* "rfc822;bob@example.org" (xtext is ours to make) or empty */
};

/* An envelope; everything it points to must live until its SMTP_CLIENT_DONE. */
struct smtp_transaction {
	struct span from; /* empty: null reverse-path */
	const struct smtp_recipient *to;
	size_t to_count;
	uint64_t size;     /* bytes of the message in wire form, for SIZE= and BDAT */
	bool body_8bit;    /* BODY=8BITMIME when offered */
	bool smtputf8;     /* the caller checked that it is offered */
	bool requiretls;   /* the caller checked that it is offered and TLS verified */
	struct span ret;   /* "FULL", "HDRS" or empty */
	struct span envid; /* decoded or empty */
	void *user;        /* the caller's */
};

enum smtp_client_event {
	/* Nothing (more) happened. */
	SMTP_CLIENT_NONE,
	/* Do the handshake, then smtp_client_tls_done(). */
	SMTP_CLIENT_WANT_TLS,
	/* Transactions may begin. */
	SMTP_CLIENT_READY,
	/* note.transaction, .recipient, .reply, .stage: RCPT. With params.lmtp also CONTENT, after
	 * the content, for every recipient that was accepted but the last: .recipient counts those
	 * alone. The reply for the last one is that of DONE. */
	SMTP_CLIENT_RECIPIENT,
	/* Give note.transaction's content by smtp_client_content(). */
	SMTP_CLIENT_WANT_CONTENT,
	/* note.transaction is over: .stage says at which command, .reply its reply (2xx at
	 * CONTENT: accepted for the recipients that had 2xx). */
	SMTP_CLIENT_DONE,
	/* Streaming, before CLOSED: note.transaction was sent whole and its reply not seen, as
	 * that of an older one. */
	SMTP_CLIENT_LOST,
	/* The session is over, nothing follows: .stage, .reply (why); .transaction is the
	 * oldest one that had no DONE, or NULL (those begun behind it are undone too);
	 * .uncertain: its final dot was sent, its reply not seen. */
	SMTP_CLIENT_CLOSED,
};

struct smtp_client_note {
	const struct smtp_transaction *transaction;
	size_t recipient;
	enum smtp_stage stage;
	struct smtp_reply reply;
	bool uncertain;
};

struct smtp_client;

/* NULL when out of memory. */
struct smtp_client *smtp_client_new(const struct smtp_client_params *params);
void smtp_client_free(struct smtp_client *c);

/* Bytes from the server. -1 only when out of memory (then close). */
int smtp_client_input(struct smtp_client *c, struct span bytes);
/* The connection ended (EOF or error; words for people): yields CLOSED. */
void smtp_client_eof(struct smtp_client *c, const char *words);
/* The same after a reply did not come in time. It may have been lost, and those behind it
 * taken for answers to something else: no refusal of the current transaction counts. */
void smtp_client_timeout(struct smtp_client *c, const char *words);
/* The caller ends the session (words for people): replies that were not taken yet count as not
 * seen. */
void smtp_client_abort(struct smtp_client *c, const char *words);
/* What to send now; valid until the next call of another function. */
struct span smtp_client_output(const struct smtp_client *c);
void smtp_client_sent(struct smtp_client *c, size_t n);
enum smtp_client_event smtp_client_next(struct smtp_client *c,
					struct smtp_client_note *ret);

/* The handshake succeeded; the machine says EHLO again. */
void smtp_client_tls_done(struct smtp_client *c);

const struct smtp_extensions *smtp_client_extensions(const struct smtp_client *c);
/* True when smtp_client_begin() would be taken now. */
bool smtp_client_may_begin(const struct smtp_client *c);
/* True when transactions are streamed on this session. */
bool smtp_client_streams(const struct smtp_client *c);
/* True when a reply was missing or out of place. */
bool smtp_client_out_of_step(const struct smtp_client *c);
/* Begins a transaction. -1 with ERR_LIMIT when SIZE forbids it (nothing was sent). */
int smtp_client_begin(struct smtp_client *c, const struct smtp_transaction *t,
		      struct err *err);
/* Gives content in wire form after WANT_CONTENT, in pieces of any size; dots are stuffed
 * here. last: ends with the final dot (the content must end in CRLF or be empty). Streamed, it
 * must be as long as the transaction said. -1: no memory, or another length. Keep the output
 * drained: it is not bounded by us. */
int smtp_client_content(struct smtp_client *c, struct span wire, bool last);
/* Says QUIT once nothing is in flight. */
void smtp_client_quit(struct smtp_client *c);
/* The stage the session is in: what a time-out or a lost connection is blamed on. */
enum smtp_stage smtp_client_stage(const struct smtp_client *c);
/* Mechanism that succeeded, or NULL. */
const char *smtp_client_auth_mechanism(const struct smtp_client *c);

#endif
