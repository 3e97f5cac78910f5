#ifndef NIGHTMAIL_DELIVER_WORKER_STATE_H
#define NIGHTMAIL_DELIVER_WORKER_STATE_H

/*
 * Inside of a worker, for worker*.c only.
 *
 * A job is a message being delivered, a part one transaction of it (at most
 * WORKER_PART_RECIPIENTS recipients), a window the jobs whose intents are on disk. A
 * message with more recipients than WORKER_WINDOW_RECIPIENTS is delivered in slices: its
 * job stays claimed, and its next slice is the next window.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "deliver/outcome.h"
#include "deliver/rules.h"
#include "deliver/wire.h"
#include "deliver/worker.h"
#include "deliver/worker.h"
#include "mail/addr.h"
#include "mail/rewrite.h"
#include "net/conn.h"
#include "net/dns.h"
#include "queue/queue.h"
#include "queue/segment.h"
#include "route/target.h"
#include "smtp/auth.h"
#include "smtp/client.h"
#include "tlspolicy/decide.h"
#include "tlspolicy/tlsrpt.h"

#define WORKER_PART_RECIPIENTS 100u
#define WORKER_WINDOW_RECIPIENTS 1000u
#define WORKER_PARTS_MAX (WORKER_WINDOW_RECIPIENTS / WORKER_PART_RECIPIENTS)
#define WORKER_REPORT_EVERY_MS 100
#define WORKER_PIECE 65536u /* content is read and sent in pieces of this size */

struct worker;
struct worker_job;

enum worker_verdict {
	VERDICT_NONE, /* not tried, or no answer that counts */
	VERDICT_DELIVERED,
	VERDICT_LATER,
	VERDICT_HELD, /* a local name that nobody knows: waits for a person */
	VERDICT_FAILED,
	VERDICT_UNCERTAIN, /* everything was sent and the reply is lost */
};

struct worker_recipient {
	size_t index; /* in the envelope */
	enum worker_verdict verdict;
	bool accepted;   /* a RCPT for it had a 2xx */
	bool partly;     /* not all of its alias, and those have the message now */
	bool elsewhere;  /* some addresses of its alias have other lanes, and not the message yet */
	bool greylisted; /* LATER, and soon */
	bool put_off;    /* the server took no more recipients: another transaction */
	bool ours;       /* the words are ours, not the server's */
	struct mail_status status;
	size_t words, words_len; /* the reply, in job->words */
};

/* One address that a recipient becomes: most are one and the same, an alias may be many, and
 * two recipients may lead to the same address, which is sent once. */
struct worker_route {
	size_t to;   /* of job->to */
	size_t wire; /* of job->wire */
	bool accepted;
	bool done, lost; /* LMTP: answered after the content; and refused */
};

struct worker_part {
	struct smtp_transaction t; /* t.user is the part */
	struct worker_job *job;
	size_t first, count; /* of job->to */
	size_t first_route, routes, first_wire;
	bool expanded;       /* recipients and addresses are not one to one */
	int64_t begun_ms;    /* boot time; 0: not yet */
	bool pays_connect;   /* the first one on its connection */
	bool relay_fault;    /* a RCPT was refused as if the relay did not know us */
	size_t accepted;     /* addresses that the server took */
};

struct worker_job {
	struct queue_claim *claim;
	struct queue_id id;
	int64_t held_ms;
	char *except; /* addresses of these domains have to wait; or NULL */
	int64_t claimed_ms; /* boot time */

	/* The slice: first the recipients that go to the server, then those that cannot. */
	struct worker_recipient *to;
	struct smtp_recipient *wire;
	struct worker_route *route;
	char **owned; /* addresses in wire[] that are not the envelope's */
	size_t count, cap, sendable;
	size_t wires, wire_cap, routes, route_cap, owned_count, owned_cap;
	size_t next; /* index in the envelope where the next slice begins */
	bool more;   /* there is one */
	char *from;  /* as on the wire where it is not the envelope's; owned */
	struct buf head;   /* signatures, and the header where it is rewritten; or empty */
	uint64_t head_old; /* bytes of the file that it stands for */
	uint32_t head_crc; /* of the envelope and these bytes */
	struct buf small; /* the whole message where it was read with its header */
	char unsent_why[3 * ERR_MSG_SIZE];   /* not empty: this server cannot take it */
	unsigned unsent_detail;              /* of the status 5.6.N */
	char unsigned_why[2 * ERR_MSG_SIZE]; /* not empty: it cannot be signed, and waits */
	struct worker_part part[WORKER_PARTS_MAX];
	size_t parts, parts_begun, parts_done;
	bool settled; /* streamed, over, and recorded when the window is (worker_stream.c) */

	/* The attempt, over all slices. */
	bool later; /* some recipient is to be tried again */
	unsigned sent; /* recipients that the server took, or may have */
	size_t nameless; /* recipients that wait for their name to be known */
	size_t elsewhere; /* open recipients that have another lane, or go on there */
	size_t looked;    /* recipients of the envelope of which that is known */
	bool other_than_greylisted;
	int64_t greylist_ms;
	bool culprit; /* the connection was lost, or the relay refused us, over it */
	bool damaged; /* its bytes are not what was accepted */
	bool loops;   /* more Received fields than any way has */
	bool has_notice;
	struct queue_id notice;  /* tells the failures of this attempt */
	int64_t age_ms, wait_ms; /* as recorded */
	struct buf words;
};

struct worker_window {
	struct worker_job job[WIRE_WINDOW];
	size_t count, finished, settled;
	size_t kept; /* between two windows: jobs in front that have another slice */
	size_t parts;
	size_t begin; /* job whose parts begin next */
	size_t recipients;
	uint64_t bytes;
};

/* Why the relay must be left alone. */
struct worker_fault {
	bool set;
	enum smtp_stage stage;
	struct smtp_reply reply;
};

/* How the connection to w->host must be protected (worker_tls.c). */
struct worker_tls {
	char domain[256]; /* whose MX records led there, as the DNS has it; "": none did */
	struct tlspolicy_decision decision;
	struct dane_result dane;
	struct tls_policy policy;
	bool trusted; /* verified by a name that is not just what DNS said */
};

/* What the TLS report counts (worker_tlsrpt.c). */
struct worker_tlsrpt {
	struct tlsrptlog *log; /* NULL: nothing was counted yet */
	bool failed;           /* it could not be written, which was said */
	bool told;             /* the connection that is being made was counted */
	char from[64], to[64]; /* its addresses, or "" */
};

/* A connection for messages with REQUIRETLS (worker_requiretls.c). */
struct worker_strict {
	bool on;          /* the next one, for the message in front of the inbox */
	bool lacks_here;  /* this server is verified, and does not offer it */
	unsigned lacking; /* of the servers that were tried */
};

struct worker_auth; /* worker_connect.c */
struct worker_dkim; /* worker_dkim.c */

struct worker {
	const struct wire_worker *params;
	const struct tls_client *tls;
	struct worker_secret secret;
	struct queue *queue;
	struct segment *segment;

	/* the manager */
	int channel;
	bool channel_ended, channel_full;
	struct buf frame, reports;
	int64_t reported_ms;
	struct wire_message inbox[WIRE_BATCH];
	size_t inbox_first, inbox_count;

	/* DNS by nightmail-resolve; NULL until worker_dns() was called */
	struct dns *dns;

	struct worker_dkim *dkim; /* worker_dkim.c; NULL until something is to be signed */

	/* what addresses become */
	struct rules rules;
	struct buf sender; /* that of the message, rewritten, for the routes */

	/* the connection */
	struct conn *conn;
	struct smtp_client *client;
	struct worker_auth *auth;
	const char *host;               /* as configured */
	struct worker_tls tls_plan;     /* for that host */
	struct worker_strict strict;
	struct worker_tlsrpt tlsrpt;
	/* worker_sts.c: the policy of the destination */
	bool sts_asked, has_sts;
	struct sts_policy sts;
	struct buf sts_text;
	struct smtp_reply rcpt_refusal; /* of the part whose RCPTs are being answered */
	bool ready, quitting, told_up;
	bool told_weaker;       /* that it offers less than before */
	const char *best_offer; /* stronger than any before, or NULL */
	bool no_stream; /* replies were out of place on a connection of ours */
	char peer[300]; /* "mx1.example[192.0.2.1]" */
	uint16_t port;
	char tls_version[16];       /* or "none" */
	bool tls_resumed;
	char mechanism[32];         /* the mechanism of the login, or empty */
	struct smtp_extensions ext; /* at READY */
	size_t rcpt_max; /* addresses of a transaction, as found out; 0: not */
	int64_t connected_ms;       /* boot time of READY */
	int64_t connect_took_ms;
	unsigned begun_here;    /* transactions on this connection */
	unsigned accepted_here; /* recipients with 2xx on it */
	unsigned finished_here; /* transactions whose content was answered */
	bool silent;            /* an answer did not come in time */
	int64_t progress_ms;    /* last event, or last byte written */
	int64_t idle_since_ms;  /* 0: busy */

	/* the work */
	struct worker_window window;
	unsigned window_size;
	struct worker_part *sending;
	size_t sent_head; /* bytes of job->head */
	uint64_t sent_offset;
	uint32_t sent_crc;
	char *piece;      /* WORKER_PIECE bytes */
	unsigned refused; /* different senders refused in a row */
	char refused_sender[ADDR_MAX + 1];

	struct worker_fault fault; /* of the relay: the worker ends with `down` */
	bool has_answer;           /* why the destination cannot be reached: for its messages */
	struct smtp_reply answer;
	struct target targets;
	bool lmtp;
	bool implicit; /* TLS comes first on this connection */
	bool busy; /* 421, or the connection was lost, in mid-work: ends with `busy` */
	const char *busy_event; /* in short */
	char busy_words[SMTP_REPLY_TEXT_MAX];
	bool stopping;
	int64_t stop_ms; /* boot time by which it must be done */
	bool gave_up;    /* see worker_give_up() */
	bool over;
	int exit_code;
};

/* worker.c: the manager's side. */
void worker_report(struct worker *w, const struct wire_report *r);
/* For whoever watches: left out when the manager is behind, so that nothing waits for it. */
void worker_report_result(struct worker *w, const struct wire_report *r);
void worker_report_id(struct worker *w, enum wire_kind kind, const struct queue_id *id);
/* Sends what was collected, if the manager takes it now. */
void worker_send_reports(struct worker *w);
/* The disk does not take what must be recorded: the segment knows it; nothing more is done
 * here, and the manager replays the segment. */
void worker_give_up(struct worker *w, const struct err *why);

/* Reads a frame: messages handed over, or the end. */
void worker_hear(struct worker *w);
/* Begins nothing more; what is in flight has a bounded time. */
void worker_stop(struct worker *w);

/* May we log in, as to what it offered before (worker_offers.c)? */
bool worker_offers_enough(struct worker *w, const char *offered, struct err *err);

/* worker_connect.c */
/* Connects to the first host that is ready for mail. False: w->fault says why not, or we
 * are to leave. */
bool worker_connect(struct worker *w);
/* The handshake after STARTTLS. */
void worker_secure(struct worker *w);
/* The session is ready for transactions. */
void worker_ready(struct worker *w);
/* Closes without a word to the server. */
void worker_disconnect(struct worker *w);

/* worker_dns.c */
/* The worker's DNS, opened at the first call; NULL when params->resolve is false, or there is no
 * memory (which is logged). */
struct dns *worker_dns(struct worker *w);

/* worker_sts.c */
/* The MTA-STS policy of a domain, asked for once a connection; NULL: it has none. */
const struct sts_policy *worker_sts(struct worker *w, const char *domain);

/* worker_tls.c */
/* Decides how the connection to a host must be protected. signed_name: its name comes from an
 * administrator, or from DNS that was validated. False: it is not to be used now, w->fault says
 * why. */
bool worker_tls_plan(struct worker *w, const char *host, bool signed_name);

/* worker_requiretls.c */
/* May messages with REQUIRETLS go by this connection? */
bool worker_carries_requiretls(const struct worker *w);
/* True when the message must not go by this connection. */
bool worker_needs_strict(const struct worker *w, const struct worker_job *job);
/* Puts such a message in front of the inbox again, and ends the connection for it if nothing else
 * was claimed before. */
void worker_put_back(struct worker *w, struct worker_job *job);
/* The session is ready. False: it is not strict enough for what it was made for, and is ended. */
bool worker_strict_accepts(struct worker *w);
/* No server will do: answers the message in front. True when there is other mail. */
bool worker_strict_failed(struct worker *w, const struct worker_fault *worst);

/* worker_tlsrpt.c: what happens to the connection that is being made, once each; in this order */
void worker_tlsrpt_begin(struct worker *w);
/* The decision forbids it. */
void worker_tlsrpt_refused(struct worker *w);
void worker_tlsrpt_connected(struct worker *w);
/* TLS was tried; why: it was not done. */
void worker_tlsrpt_handshake(struct worker *w, bool done, const char *why);
/* There is no TLS: not offered (NULL), or refused so. */
void worker_tlsrpt_no_tls(struct worker *w, const struct smtp_reply *reply);
/* A policy was promised and cannot be had. */
void worker_tlsrpt_sts(struct worker *w, const char *domain, enum tlsrpt_result result,
		       const char *why);
/* Makes durable what was counted. */
void worker_tlsrpt_sync(struct worker *w);

/* worker_io.c */
/* Blocks SIGTERM except while waiting, where it means worker_stop(). */
void worker_signals(void);
/* Lets SIGTERM end the process at once, where nothing is claimed (true), or not (false). */
void worker_may_die(bool may);
/* Waits for the manager alone, at most so long. */
void worker_wait_channel(struct worker *w, int64_t most_ms);
/* One round: writes what the machine has, waits until something can be done or the time is
 * over, reads. */
void worker_wait(struct worker *w);
/* True when content may be given to the machine: little is waiting to leave. */
bool worker_wants_more(const struct worker *w);

/* worker_session.c */
/* The connection is of no more use: closes it, and what was not settled goes back. */
void worker_drop(struct worker *w);
/* Acts on everything that can be done without waiting. */
void worker_advance(struct worker *w);

/* worker_content.c */
/* Gives the next piece of the message that is being sent. False: none can be given now. */
bool worker_send_content(struct worker *w);

/* worker_window.c */
/* The window is over: puts the jobs that have another slice in front. */
void worker_keep_jobs(struct worker *w);
/* Claims messages of the inbox and makes the window's intents durable. */
void worker_next_window(struct worker *w);
/* The connection is gone: everything of the window that has no verdict goes back. */
void worker_abandon_window(struct worker *w);

/* worker_stream.c */
/* A transaction was sent and its reply is lost. */
void worker_lost(struct worker_part *part, const struct smtp_reply *reply);
/* The connection is over: what that means for the refusals of a window that was streamed, and
 * for streaming. */
void worker_judge_stream(struct worker *w, const struct smtp_reply *reply);
/* The connection is over: tells the manager if the server broke it while more than one message was
 * on the way. */
void worker_report_broken(struct worker *w, const struct smtp_reply *reply);
/* All transactions of a job were answered: records it, or leaves that to the window's end. */
void worker_settle(struct worker *w, struct worker_job *job);
/* Records what was left to the window's end, if that is reached. */
void worker_finish_settled(struct worker *w);
/* Ends the session ourselves: what was sent and not answered is in doubt. */
void worker_break_off(struct worker *w, const char *words);

/* worker_rules.c */
/* Reads the aliases, if they are not those that were read before. */
void worker_rules(struct worker *w);
void worker_rules_release(struct worker *w);

/* worker_route.c */
/* Finds the addresses of the job's recipients: sendable ones in front, with their parts. */
void worker_route_all(struct worker *w, struct worker_job *job);
/* What of an open recipient has its lane here. */
enum worker_here { HERE, HERE_AND_ELSEWHERE, ELSEWHERE };
/* Once a slice, before the others. */
void worker_route_begin(struct worker *w, const struct worker_job *job);
enum worker_here worker_route_here(struct worker *w, const struct worker_job *job,
				   size_t index);
/* Finds the reverse-path. -1: this server cannot take it, *ret_why says so. */
int worker_route_sender(struct worker *w, struct worker_job *job, struct smtp_reply *ret_why);
void worker_route_clear(struct worker_job *job);

/* worker_target.c */
/* The servers to try, in their order. False: w->fault or, for a lane of one destination,
 * w->answer says why there is none. */
bool worker_targets(struct worker *w, struct target *ret);

/* worker_local.c: relays that are no server */
/* True for these: everything that there is to do was done when it returns. */
bool worker_local(struct worker *w);
/* There is no server to ask, and nobody to wait for: answers what there is with `reply`. */
void worker_answer(struct worker *w, const struct smtp_reply *reply);

/* worker_lmtp.c */
/* The reply for one recipient after the content; wire: which address. */
void worker_lmtp_reply(struct worker *w, struct worker_part *part, size_t nth,
		       const struct smtp_reply *reply);
/* After the last one: that of everybody who had none yet. A message refused in the middle of its
 * content has no other. */
void worker_lmtp_done(struct worker *w, struct worker_part *part, const struct smtp_reply *last);

/* worker_header.c */
/* Rewrites the header of the message and signs it, once. -1: no memory. */
int worker_header(struct worker *w, struct worker_job *job);
/* Bytes of the message as it is sent. */
uint64_t worker_size(const struct worker_job *job);
/* Begins the content anew, or gives the next piece of a rewritten header: false when
 * that was all of it. */
void worker_header_begin(struct worker *w);
bool worker_header_piece(struct worker *w, struct span *ret);

/* worker_downgrade.c: for servers without SMTPUTF8 or 8BITMIME. 1: converted, 0: need not or
 * cannot be (then job->unsent_why says why), -1: no memory. */
/* Converts the header in place, with its bytes in out. */
int worker_downgrade_header(const struct worker *w, struct worker_job *job,
			    struct span *header, struct buf *out);
/* Appends the message with its body converted: this header, and the file from header_len on. */
int worker_downgrade(const struct worker *w, struct worker_job *job, struct span header,
		     size_t header_len, struct buf *out);
#define WORKER_CONVERTED_MAX (96u << 20)

/* worker_dkim.c */
/* Appends the signatures of a message with this header, as it is sent, whose body is `converted`
 * and that of the file from body_offset on (with the empty line). Nothing where nobody signs
 * for its author; where that is not possible, job->unsigned_why says why. -1: no memory. */
int worker_dkim_sign(struct worker *w, struct worker_job *job, struct span header,
		     uint64_t body_offset, struct span converted, struct buf *out);
void worker_dkim_free(struct worker_dkim *d); /* NULL is fine */

/* worker_slice.c */
/* Forgets the slice. */
void worker_slice_clear(struct worker_job *job);
/* Makes the next slice of the job: at most max recipients, and their transactions. */
int worker_slice(struct worker *w, struct worker_job *job, size_t max);
size_t worker_unsettled(const struct worker_job *job, size_t from);
void worker_job_release(struct worker_job *job);

/* worker_limit.c: how much a server takes at a time */
/* True when no other address fits into a transaction of the job. */
bool worker_part_is_full(const struct worker *w, const struct worker_job *job,
			 const struct worker_part *part, struct span address);
/* Transactions that the session may still begin. */
unsigned worker_session_left(const struct worker *w);
/* True when the refusal of an address only means that there were too many: its recipient
 * waits for the next transaction. */
bool worker_put_off(struct worker *w, struct worker_part *part, size_t wire,
		    const struct smtp_reply *reply);
/* All transactions of a slice are over: those put off become the next one. */
void worker_take_up(struct worker_job *job);

/* worker_verdict.c */
/* What happened to a whole transaction: to its recipients, or to those alone of which the
 * server took an address; who has a verdict that weighs as much keeps it. */
void worker_judge_part(struct worker_part *part, enum worker_verdict v, bool greylisted,
		       bool accepted_only, const struct smtp_reply *reply);
/* The server took, or refused, an address: all recipients that lead there are concerned. */
void worker_accept_address(struct worker_part *part, size_t wire);
void worker_refuse_address(struct worker_part *part, size_t wire, enum worker_verdict v,
			   bool greylisted, const struct smtp_reply *reply);
/* Notes a verdict with the words of its reply, unless there is one that weighs as much: of an
 * alias, one address that may have it or must be tried again counts more than one that failed.
 * False: the verdict stays as it was. */
bool worker_judge(struct worker_job *job, struct worker_recipient *to,
		  enum worker_verdict v, const struct smtp_reply *reply);

/* worker_record.c */
/* Records a slice that is over and reports the message, unless it has another slice and
 * the connection is there. */
void worker_finish(struct worker *w, struct worker_job *job);
/* Records a 2xx for the accepted recipients of a part. */
void worker_delivered(struct worker *w, struct worker_part *part,
		      const struct smtp_reply *reply);
/* Puts the runs of neighbouring recipients of [first, first+count) of job->to for which
 * pick() is true into ret (as many as count); returns how many. */
typedef bool worker_pick_fn(const struct worker_recipient *to);
size_t worker_ranges(const struct worker_job *job, size_t first, size_t count,
		     worker_pick_fn *pick, struct segment_range *ret);

/* worker_log.c */
/* One line for the log and one for the manager: what became of a recipient in this attempt. */
void worker_log_recipient(struct worker *w, const struct worker_job *job,
			  const struct worker_recipient *to);
void worker_log_relay(const struct worker *w, enum log_level level, const char *event,
		      struct span words);

#endif
