#ifndef NIGHTMAIL_DELIVER_WIRE_H
#define NIGHTMAIL_DELIVER_WIRE_H

/*
 * Frames between the manager (nightmaild), nightmail-deliver and its workers: each frame is
 * one or more lines of words (base/codec.h) over a SOCK_SEQPACKET pair (base/proc.h).
 *
 * manager -> nightmail-deliver (its descriptor 3)
 *     worker slot=N dir=SPOOL helo=NAME retry_min_ms= retry_max_ms= domain= refused=N refused_from=
 *            sandbox=0|1 resolve=0|1 resolver= trust_anchor= dkim=
 *            hostname= root= from= envelope_from= masquerade= aliases=PATH
 *            relay=NAME host=H host=H... port= tls= login= password= ca= pin= cert= cert_key= min_tls=
 *            priority= auth= source=
 *            auth_seen=HOST MECH... auth_hold=0|1 tls_optional=0|1
 *            per_connection= stream=0|1 alone=0|1 connect_ms= reply_ms= data_ms= idle_ms=
 *            destination=DOMAIN relays=NAMES route=RULE route=RULE...
 *                                   with the worker's end of a new pair passed along
 *     end of file: leave when the last worker has left
 * nightmail-deliver -> manager
 *     exited slot=N status=WAITSTATUS
 *     trouble slot=N text=WORDS     no worker could be started (CA bundle, fork, password...)
 * manager -> worker
 *     message id=ID held_ms=N except=DOMAINS   deliver it; at most WIRE_BATCH unanswered at a
 *                                   time; held_ms of the time since its last record do not make it
 *                                   older; addresses of these domains have to wait, as if they had
 *                                   another lane
 *     end of file: finish what is in flight, record it, leave
 * worker -> manager
 *     up host=HOST[ADDR] tls=VERSION cipher=... auth=MECH verified=0|1 auth_host=HOST
 *            auth_best=MECH name=HOST cert_from=SECONDS cert_until=SECONDS
 *                                   ready for mail; the certificate's dates where they count
 *     down stage=NAME code=N text=WORDS words=SUMMARY       hold the relay; the worker leaves
 *     busy text=WORDS words=SUMMARY 421 or a broken connection in mid-work: fewer connections,
 *                                   the worker leaves
 *     done id=ID sent=N             settled and removed; sent: recipients that the server took
 *     later id=ID wait_ms=N age_ms=N recorded=0|1 sent=N   deferred; the record is in its journal, or
 *                                   (0) only here: the relay's fault, or the disk is full
 *     notice id=ID sent=N           failures (or success reports) were recorded that want a
 *                                   notice; the manager makes it
 *     held id=ID sent=N             what is open waits for a person, and its journal says why
 *     back id=ID                    not tried
 *     elsewhere id=ID sent=N        what could be done here is done and recorded; the recipients
 *                                   that are open have other lanes
 *     skip id=ID why=busy|gone|damaged|loop
 *     window                        a window of messages went out cleanly
 *     result id=ID state=delivered|deferred|failed from= to= host= text=REPLY dsn= queue_ms=
 *            connect_ms= send_ms=   what became of one recipient in this attempt: for whoever
 *                                   watches; what counts is said by the lines above,
 *                                   and these may be left out
 *     token-over                    the token was refused at login: the worker leaves, the next one
 *                                   gets another token
 *     no-stream text=WORDS          replies were out of place: the relay is not streamed to
 *     broken text=WORDS             the connection broke, unasked, with mail on the way that was
 *                                   not alone
 *     unsigned name=DOMAIN+SELECTOR text=WORDS   mail cannot be signed with that key, and waits;
 *                                   without words: it can
 *     refused count=N text=SENDER   different senders refused in a row at MAIL, the last of them
 * Every message handed over is answered by exactly one of done, later, notice, held, back,
 * skip, elsewhere, unless the worker dies.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "config/settings.h"
#include "mail/addr.h"
#include "queue/id.h"

#define WIRE_BATCH 64u  /* messages a worker may have */
#define WIRE_WINDOW 32u /* messages of one window of intents */
#define WIRE_WINDOW_BYTES (1u << 20)

/* What a worker must know; spans of an owned storage when parsed. */
struct wire_worker {
	unsigned slot; /* worker number = segment number */
	char *dir, *helo, *domain;
	/* how addresses are rewritten; NULL: not so (mail/rewrite.h) */
	char *hostname, *root, *from, *envelope_from, *masquerade, *aliases;
	int64_t retry_min_ms, retry_max_ms;
	int64_t idle_ms;  /* leave after so long without work */
	unsigned refused; /* different senders refused in a row so far */
	char *refused_from; /* the last of them */
	bool sandbox;       /* base/sandbox.h */
	/* nightmail-resolve is needed: for MX and SRV, or since a resolver is configured */
	bool resolve;
	char *resolver, *trust_anchor; /* of the configuration, or NULL */
	char *dkim; /* "domain selector key-file" for each key that signs, or NULL */
	bool stream; /* smtp/client.h; relay.stream is not passed */
	bool alone;  /* each message waits for the reply to the one before */
	char *auth_seen; /* what its servers have offered (deliver/offers.h), or NULL */
	bool auth_hold;  /* relay.downgrade is hold */
	bool tls_optional; /* all its mail has "TLS-Required: No" (RFC 8689) */
	/* who gets mail by which relay; relays NULL: all by this one */
	struct route_rule *route;
	size_t route_count;
	char *relays;      /* names of all, with blanks between them */
	char *destination; /* the one domain of this lane, or NULL */
	struct config_relay relay;
};

int wire_worker_write(struct buf *out, const struct wire_worker *w);
int wire_worker_parse(struct span line, struct wire_worker *ret, struct err *err);
void wire_worker_release(struct wire_worker *w);

/* Worker -> manager lines, parsed. */
enum wire_kind {
	WIRE_UP,
	WIRE_DOWN,
	WIRE_BUSY,
	WIRE_TOKEN_OVER,
	WIRE_DONE,
	WIRE_LATER,
	WIRE_NOTICE,
	WIRE_HELD,
	WIRE_BACK,
	WIRE_SKIP,
	WIRE_ELSEWHERE,
	WIRE_WINDOW_CLEAN,
	WIRE_REFUSED,
	WIRE_NO_STREAM,
	WIRE_BROKEN,
	WIRE_UNSIGNED,
	WIRE_RESULT,
	WIRE_EXITED,
	WIRE_TROUBLE
};
enum wire_skip { WIRE_SKIP_BUSY, WIRE_SKIP_GONE, WIRE_SKIP_DAMAGED, WIRE_SKIP_LOOP };

struct wire_report {
	enum wire_kind kind;
	unsigned slot;      /* EXITED, TROUBLE */
	int status;         /* EXITED: wait status */
	struct queue_id id; /* DONE, LATER, NOTICE, HELD, BACK, SKIP, RESULT */
	int64_t wait_ms, age_ms;
	bool recorded;
	unsigned sent;      /* DONE, LATER, NOTICE, HELD, ELSEWHERE: recipients that the server took */
	enum wire_skip why;
	unsigned count;                                /* REFUSED */
	int code;                                      /* DOWN */
	bool verified, resumed;                        /* UP; resumed: the TLS session */
	char host[300], tls[16], cipher[64], auth[32]; /* UP */
	char auth_host[256], auth_best[32]; /* UP: a server and what it offers; empty: as before */
	char name[256]; /* UP: of the server, as it is configured or DNS has it; UNSIGNED */
	/* UP: how long its certificate holds, seconds since 1970; 0: that does not matter */
	int64_t cert_from_s, cert_until_s;
	char stage[16], words[96], text[512]; /* DOWN, BUSY, TROUBLE, REFUSED, NO_STREAM, BROKEN, RESULT; raw bytes */
	char state[16], dsn[16], from[ADDR_MAX + 1], to[ADDR_MAX + 1]; /* RESULT, and host */
	int64_t queue_ms, connect_ms, send_ms;
};

/* A message that is handed over. */
struct wire_message {
	struct queue_id id;
	int64_t held_ms;
	char *except; /* domains in lower case with blanks between them, or NULL; owned when taken */
};

/* Appends a `message` line. */
int wire_message_write(struct buf *out, const struct wire_message *m);
/* Takes one `message` line off a frame. 1, 0 at the end, -1: not understood. */
int wire_message_take(struct span *frame, struct wire_message *ret);

/* Appends the line of a report. */
int wire_report_write(struct buf *out, const struct wire_report *r);
/* Takes one line off a frame. 1, 0 at the end, -1: not understood. */
int wire_report_take(struct span *frame, struct wire_report *ret);

#endif
