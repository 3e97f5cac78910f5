#ifndef NIGHTMAIL_CONTROL_CONTROL_H
#define NIGHTMAIL_CONTROL_CONTROL_H

/*
 * The control socket: a client sends one line of words (base/codec.h), the server answers
 * with JSON objects, one a line, and closes. The last line is {"ok":true} or
 * {"ok":false,"error":"..."}, the latter with "kind":"missing", "ambiguous", "syntax" or
 * "denied" where it is the request that is wrong. Requests:
 *
 *     list [id=ENDING...] [all=1]     one object a message (deliver/verb.h); all: dead too
 *     show id=ENDING [body=1]         the object of list with uid, origin and journal[{time,
 *                                     what,to,recipients,relay,host,reply,wait,reason}], then
 *                                     {"content":BASE64} pieces, in order: the header, or all
 *                                     of the message
 *     flush|hold|release|delete|bounce id=ENDING... | all=1
 *                                     {"id":...,"pending":false|true} each, true: it is being
 *                                     delivered, done after that; or {"id":...,"error":...};
 *                                     with "why" when what is flushed must wait nevertheless,
 *                                     with "purged":true when it was deleted from dead/, for
 *                                     good; release: an error for what is not held;
 *                                     id= and all=1: those of them that are there still
 *     edit id=ENDING [to=OLD new=NEW]... [remove=ADDRESS]... [from=ADDRESS]
 *          [relay=NAME|%] [at=WALL_MS|0] [priority=high|normal|low]
 *                                     {"id":OLDID,"new":NEWID,"pending":false}: the message as
 *                                     NEWID, for whoever has not got it yet; {"pending":true}
 *                                     without "new" as above; from=% is the null sender
 *     status                          one object, see below
 *     events [id=ENDING] [format=words]
 *                                     one object an event until the client closes, see below
 *     reload                          {"complaint":...} for each error in the configuration
 *     watch [domain=NAME] [now=1]     one object for each domain of [watch], see below; now=1:
 *                                     checks them at once
 *     limits relay=NAME [domain=NAME]...   what was used of the relay's rates and quotas, and of
 *                                     those for these domains, see below
 *     trust relay=NAME                forgets which login mechanisms it has offered
 *
 * events: {"event":WHAT,"time":SECONDS.mmm, ...}, with what is known of "id","uid","from",
 * "to","recipients","size","relay","host","reply","status","next","by","new","outcome":
 *
 *     following the first line, but with id=: everything from now on will be told
 *     queued    it came: from, to (the first), recipients, size
 *     started   a worker has it, for relay
 *     delivered, deferred, bounced    one recipient each: from, to, host, reply; delivered also
 *               with "queue_ms","connect_ms","send_ms"
 *     waits     it was tried and will be again: next (seconds since 1970)
 *     held, released, flushed, deleted, edited     by: "admin", "user" or "daemon"
 *     expired   its lifetime is over; reply
 *     dead      it went to dead/; reply says why
 *     gone      it is not in the queue any more: outcome delivered, bounced, deleted, edited,
 *               dead, removed (by hand); reply; edited: new, the ID it goes on by. Always the
 *               last event of a message
 *     relay-held (relay, reply, next), relay-ok (relay), reload
 *
 * With id= the events of that message and of relays come, after one {"event":"state",
 * "state":...} with what list says of it in short, and {"ok":true} follows its `gone`. A
 * message that left a moment ago is remembered: its `gone` comes at once. A client that does
 * not read gets an error and is closed: `too slow`. format=words: the same as words,
 * "delivered time=... id=...".
 *
 * status: {"pid","version","since","now","admin":bool,"stopping":bool,"complaint":TEXT|null,
 * "paused_until":SECONDS|null,"workers":N,"queue":DIR,
 * "waiting","active","held": counts,
 * "states":{"queued","active","deferred","held","dead": {"count","oldest","next"}},
 * "relays":[{"name","state":"unknown|up|held","connections","connections_max","messages",
 *   "words": why it is held in short,"reason": in full,"since","next" (those four only while
 *   held),"waits": for which rate or quota, a sentence, if it does,"hosts":[...],"host","tls","cipher","auth","last_success","last_failure",
 *   "last_reply": of any kind,"failure": what was said at the last failure}],
 * "destinations":[{"domain","waiting","next","reply"}], the 20 with most deferred messages,
 * "warnings":[TEXT...], what is wrong besides (deliver/alert.h),
 * "since_start":{"queued","delivered","deferred","bounced"} (recipients; queued: messages),
 * "minutes":[[SECONDS,queued,delivered,deferred,bounced]...] of the last hour and "hours" of
 * the last two days, newest last, those with anything only}. Times are seconds since 1970 or
 * null. An ordinary user gets neither "dead", "queue", "messages", "hosts", "host", "reason",
 * "auth", "last_reply", "failure" nor the last five members, and counts of their own mail only.
 *
 * watch: {"domain","verdict":"ok|warn|fail|unknown","checked","running":bool,"next","why"} as in
 * "watch":[...] of status for administrators, and "silent": checks in a row that did not tell
 * all,"changed","change": when and what,"findings":[{"severity","id","subject","text"}],
 * "records":[{"name","type","value":TEXT|null}]}. For administrators.
 *
 * limits: {"domain":NAME|null,"kind":"rate|hour|day","limit":N,"per":SECONDS, "warmup":bool (the
 * day's limit is that of the warm-up),"used":N (recipients; not of a rate),"waits":bool,"next":
 * SECONDS|null (until when mail waits, or the window is open)} for each. For administrators.
 *
 * Rights come from SO_PEERCRED. Root, the spool's owner and, of a system's daemon, members of
 * the owner's group may do everything. Other users see and change their own mail: any other
 * message is "missing" to them. What an administrator holds stays as it is for its sender.
 * Limits: see below. Server and client side here.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"

#define CONTROL_REQUEST_MAX 65536u
#define CONTROL_CLIENTS_MAX 96u  /* connections at a time; more administrators wait */
#define CONTROL_RESERVED 32u     /* of them for administrators alone; others are sent away */
#define CONTROL_CLIENTS_A_USER 16u
#define CONTROL_FOLLOW_MAX (512u << 10) /* events that wait for a client; more: too slow */

struct control_server;
struct control_client; /* one accepted connection */

/* Who asks. */
struct control_peer {
	uid_t uid;
	bool admin; /* root, the server's user, or a member of its administrators' group */
};

/* A request line (without LF) from a peer. The handler answers with control_answer() and ends
 * with control_end(); or installs a producer for long answers; or lets the client follow. */
typedef void control_request_fn(void *ctx, struct control_client *c, struct span line,
				const struct control_peer *peer);
/* Called when the client has room: append more to out; return false when nothing is left. */
typedef bool control_produce_fn(void *ctx, struct buf *out);
typedef void control_free_fn(void *ctx);

#define CONTROL_NO_GROUP ((gid_t)-1)
struct control_rules {
	unsigned mode;     /* of the socket: 0600, or 0666 when everybody may ask */
	gid_t admin_group; /* its members are administrators; CONTROL_NO_GROUP: nobody more */
};

/* Listens at path (an old socket there is replaced). What other users than administrators ask
 * for takes at most a fifth of the server's time, and they are told no more while much of it was
 * not read; a client has half a minute to say what it wants. */
struct control_server *control_listen(struct loop *loop, const char *path,
				      const struct control_rules *rules,
				      control_request_fn *fn, void *ctx, struct err *err);
void control_server_free(struct control_server *s);
void control_answer(struct control_client *c, struct span json_lines);
/* Long answers: produce is called until false, then free_fn(ctx), then the final line goes out. */
void control_stream(struct control_client *c, control_produce_fn *produce,
		    control_free_fn *free_fn, void *ctx);
/* The client stays until it closes or control_end(); then free_fn(ctx), never from within
 * control_push(). */
void control_follow(struct control_client *c, control_free_fn *free_fn, void *ctx);
/* More for one that follows. When too much waits already it is told so and closed instead. */
void control_push(struct control_client *c, struct span lines);
/* Sends {"ok":true} (error NULL) or the error, and closes. */
void control_end(struct control_client *c, const char *error);
/* The word for a kind of error that goes over the socket; NULL: none does. */
const char *control_kind_name(enum err_kind kind);
/* Ends with an error whose kind the client gets as well. */
void control_fail(struct control_client *c, const struct err *err);

/* --- client side, blocking, with a time limit between bytes --- */

/* Sends a request and calls fn for each answer line until the end; fn returns non-zero to
 * stop. 0: {"ok":true} came; -1: ERR_MISSING no server, or no such message; ERR_LIMIT, several
 * messages are meant; ERR_SYNTAX; ERR_DENIED; ERR_REMOTE. The words are the server's. */
typedef int control_line_fn(void *ctx, struct span json_line);
int control_ask(const char *path, struct span request, int64_t timeout_ms,
		control_line_fn *fn, void *ctx, struct err *err);
/* The same for who waits for more than the answer: connects, sends the request, and returns the
 * descriptor (non-blocking), or -1. */
int control_open(const char *path, struct span request, int64_t timeout_ms, struct err *err);
/* Is this line the last one? Then *ret_last, and 0 or -1 as control_ask() returns. */
int control_verdict(struct span line, bool *ret_last, struct err *err);
/* True when a server accepts connections at path, from us or from others. */
bool control_reachable(const char *path);
/* Wakes a manager (datagram socket at rundir/wake): "there is new mail". Never blocks, never
 * fails: with nobody there nothing is lost. id may be empty. */
void control_wake(const char *wake_path, struct span id);
/* The same for those who do it often, by a socket they keep; -1: none can be made now. */
int control_wake_socket(void);
void control_wake_by(int fd, const char *wake_path, struct span id);

/* --- the other end of a wake-up --- */

/* Binds the datagram socket (an old one there is replaced), non-blocking. Returns it or -1. */
int control_wake_listen(const char *wake_path, struct err *err);
/* Takes one wake-up; the text of its ID is put into ret (at most max bytes, *ret_len; 0 when
 * it has none). False when none is waiting. */
bool control_wake_take(int fd, char *ret, size_t max, size_t *ret_len);

#endif
