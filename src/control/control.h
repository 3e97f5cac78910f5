#ifndef NIGHTMAIL_CONTROL_CONTROL_H
#define NIGHTMAIL_CONTROL_CONTROL_H

/*
 * The control socket: a client sends one line of words (base/codec.h), the server answers
 * with JSON objects, one a line, and closes. The last line is {"ok":true} or
 * {"ok":false,"error":"..."}, the latter with "kind":"missing", "ambiguous" or "syntax"
 * where the request named a message wrongly. Requests:
 *
 *     list [id=ENDING...] [all=1]     one object a message (deliver/verb.h); all: dead too
 *     flush|hold|release|delete|bounce id=ENDING... | all=1
 *                                     {"id":...,"pending":false|true} each, true: it is being
 *                                     delivered, done after that; or {"id":...,"error":...}
 *     status                          one object: daemon, relays, counts
 *     reload                          {"complaint":...} for each error in the configuration
 *
 * Rights come from SO_PEERCRED: root and the spool's owner. Server and client side here.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"

#define CONTROL_REQUEST_MAX 65536u
#define CONTROL_CLIENTS_MAX 32u

struct control_server;
struct control_client; /* one accepted connection */

/* A request line (without LF) from a peer. The handler answers with control_answer() and ends
 * with control_end(); or installs a producer for long answers. */
typedef void control_request_fn(void *ctx, struct control_client *c, struct span line,
				uid_t uid);
/* Called when the client has room: append more to out; return false when nothing is left. */
typedef bool control_produce_fn(void *ctx, struct buf *out);
typedef void control_free_fn(void *ctx);

/* Listens at path (an old socket there is replaced; mode 0600, or 0660). The caller says by
 * its handler who may what. */
struct control_server *control_listen(struct loop *loop, const char *path, unsigned mode,
				      control_request_fn *fn, void *ctx, struct err *err);
void control_server_free(struct control_server *s);
void control_answer(struct control_client *c, struct span json_lines);
/* Long answers: produce is called until false, then free_fn(ctx), then the final line goes out. */
void control_stream(struct control_client *c, control_produce_fn *produce,
		    control_free_fn *free_fn, void *ctx);
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
/* True when a server accepts connections at path, from us or from others. */
bool control_reachable(const char *path);
/* Wakes a manager (datagram socket at rundir/wake): "there is new mail". Never blocks, never
 * fails: with nobody there nothing is lost. id may be empty. */
void control_wake(const char *wake_path, struct span id);

/* --- the other end of a wake-up --- */

/* Binds the datagram socket (an old one there is replaced), non-blocking. Returns it or -1. */
int control_wake_listen(const char *wake_path, struct err *err);
/* Takes one wake-up; the text of its ID is put into ret (at most max bytes, *ret_len; 0 when
 * it has none). False when none is waiting. */
bool control_wake_take(int fd, char *ret, size_t max, size_t *ret_len);

#endif
