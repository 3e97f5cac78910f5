#ifndef NIGHTMAIL_DELIVER_WIRE_H
#define NIGHTMAIL_DELIVER_WIRE_H

/*
 * Frames between the manager (nightmaild), nightmail-deliver and its workers: each frame is
 * one or more lines of words (base/codec.h) over a SOCK_SEQPACKET pair (base/proc.h).
 *
 * manager -> nightmail-deliver (its descriptor 3)
 *     worker slot=N dir=SPOOL helo=NAME retry_min_ms= retry_max_ms= domain= refused=N refused_from=
 *            hostname= root= from= envelope_from= masquerade= aliases=PATH
 *            relay=NAME host=H host=H... port= tls= login= password= ca= auth= source=
 *            per_connection= connect_ms= reply_ms= data_ms= idle_ms=
 *                                   with the worker's end of a new pair passed along
 *     end of file: leave when the last worker has left
 * nightmail-deliver -> manager
 *     exited slot=N status=WAITSTATUS
 *     trouble slot=N text=WORDS     no worker could be started (CA bundle, fork, password...)
 * manager -> worker
 *     message id=ID held_ms=N       deliver it; at most WIRE_BATCH unanswered at a time; held_ms
 *                                   of the time since its last record do not make it older
 *     end of file: finish what is in flight, record it, leave
 * worker -> manager
 *     up host=HOST[ADDR] tls=VERSION cipher=... auth=MECH verified=0|1   ready for mail
 *     down stage=NAME code=N text=WORDS words=SUMMARY       hold the relay; the worker leaves
 *     busy text=WORDS               421 or a broken connection in mid-work: fewer connections,
 *                                   the worker leaves
 *     done id=ID                    settled and removed
 *     later id=ID wait_ms=N age_ms=N recorded=0|1   deferred; the record is in its journal, or
 *                                   (0) only here: the relay's fault, or the disk is full
 *     notice id=ID                  failures (or success reports) were recorded that want a
 *                                   notice; the manager makes it
 *     held id=ID                    what is open waits for a person, and its journal says why
 *     back id=ID                    not tried
 *     skip id=ID why=busy|gone|damaged
 *     window                        a window of messages went out cleanly
 *     result id=ID state=delivered|deferred|failed from= to= host= text=REPLY dsn= queue_ms=
 *            connect_ms= send_ms=   what became of one recipient in this attempt: for whoever
 *                                   watches; what counts is said by the lines above,
 *                                   and these may be left out
 *     refused count=N text=SENDER   different senders refused in a row at MAIL, the last of them
 * Every message handed over is answered by exactly one of done, later, notice, held, back, skip,
 * unless the worker dies.
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
	WIRE_DONE,
	WIRE_LATER,
	WIRE_NOTICE,
	WIRE_HELD,
	WIRE_BACK,
	WIRE_SKIP,
	WIRE_WINDOW_CLEAN,
	WIRE_REFUSED,
	WIRE_RESULT,
	WIRE_EXITED,
	WIRE_TROUBLE
};
enum wire_skip { WIRE_SKIP_BUSY, WIRE_SKIP_GONE, WIRE_SKIP_DAMAGED };

struct wire_report {
	enum wire_kind kind;
	unsigned slot;      /* EXITED, TROUBLE */
	int status;         /* EXITED: wait status */
	struct queue_id id; /* DONE, LATER, NOTICE, HELD, BACK, SKIP, RESULT */
	int64_t wait_ms, age_ms;
	bool recorded;
	enum wire_skip why;
	unsigned count;                                /* REFUSED */
	int code;                                      /* DOWN */
	bool verified;                                 /* UP */
	char host[300], tls[16], cipher[64], auth[32]; /* UP */
	char stage[16], words[96], text[512]; /* DOWN, BUSY, TROUBLE, REFUSED, RESULT; raw bytes */
	char state[16], dsn[16], from[ADDR_MAX + 1], to[ADDR_MAX + 1]; /* RESULT, and host */
	int64_t queue_ms, connect_ms, send_ms;
};

/* Appends a `message` line: hands a message over. */
int wire_message_write(struct buf *out, const struct queue_id *id, int64_t held_ms);
/* Takes one `message` line off a frame. 1, 0 at the end, -1: not understood. */
int wire_message_take(struct span *frame, struct queue_id *ret_id, int64_t *ret_held_ms);

/* Appends the line of a report. */
int wire_report_write(struct buf *out, const struct wire_report *r);
/* Takes one line off a frame. 1, 0 at the end, -1: not understood. */
int wire_report_take(struct span *frame, struct wire_report *ret);

#endif
