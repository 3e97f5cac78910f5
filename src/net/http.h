#ifndef NIGHTMAIL_NET_HTTP_H
#define NIGHTMAIL_NET_HTTP_H

/*
 * One HTTP request by nightmail-fetch, a process of its own that ends with it: no redirects, no
 * proxies, no cookies; https, and http to this machine alone. The request goes to it as lines
 * (values percent-encoded, base/codec.h) and ends with the body:
 *
 *     method POST
 *     url https://hook.example.org/mail
 *     header Content-Type:%20application/json     any number
 *     ca /etc/nightmail/hook-ca.pem               instead of the system's
 *     resolve 192.0.2.80                          the address, instead of asking DNS
 *     want content-type                           header field of the answer, any number
 *     timeout 30000                               for all of it, in ms
 *     max 65536                                   bytes of the answer's body; more is an error
 *     body 17
 *     (17 bytes)
 *
 * and the answer comes back as
 *
 *     status 200
 *     header content-type:%20text/plain
 *     body 5
 *     (5 bytes)
 *
 * or, when there was none, as "error KIND TEXT": timeout, tls, connect, resolve, limit, request.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define HTTP_HEADERS_MAX 16u
#define HTTP_BODY_MAX (1u << 20)
#define HTTP_TIMEOUT_MAX_MS 120000

struct http_request {
	struct span method, url;
	struct span header[HTTP_HEADERS_MAX], want[HTTP_HEADERS_MAX];
	size_t header_count, want_count;
	struct span ca, resolve; /* empty: the system's */
	int64_t timeout_ms;
	uint64_t max;
	struct span body;
	bool no_sandbox; /* the client's: nightmail-fetch gives nothing up */
	char *storage;   /* of a parsed one */
};

struct http_answer {
	int status;       /* 0: none, and `error` is set */
	struct err error; /* ERR_TIMEOUT, ERR_REMOTE, ERR_LIMIT, ERR_SYNTAX */
	struct span header[HTTP_HEADERS_MAX];
	size_t header_count;
	struct span body;
	char *storage;
};

/* --- the lines; pure --- */

int http_request_write(struct buf *out, const struct http_request *r);
/* 1: whole; 0: more bytes are needed; -1: not understood. */
int http_request_parse(struct span bytes, struct http_request *ret, struct err *err);
void http_request_release(struct http_request *r);
int http_answer_write(struct buf *out, const struct http_answer *a);
int http_answer_parse(struct span bytes, struct http_answer *ret, struct err *err);
void http_answer_release(struct http_answer *a);
/* True for a URL that may be asked for: https://, or http:// to this machine. */
bool http_url_ok(struct span url);

/* --- the client --- */

struct http_call;

/* Starts nightmail-fetch. The request is copied. */
struct http_call *http_begin(const struct http_request *r, struct err *err);
int http_fd(const struct http_call *c);
short http_events(const struct http_call *c);
/* Does what can be done now. 1: *ret is the answer (which may be an error), 0: not yet; -1: the
 * helper failed. */
int http_continue(struct http_call *c, struct http_answer *ret, struct err *err);
/* Ends it, whatever it does; the caller reaps the process. */
pid_t http_pid(const struct http_call *c);
void http_end(struct http_call *c);

/* Waits until then (clock_boot_ms()) for the answer, and ends the call and its process. */
int http_finish(struct http_call *c, int64_t until_ms, struct http_answer *ret, struct err *err);

/* Begins and finishes; at most the request's timeout and a second. */
int http_run(const struct http_request *r, struct http_answer *ret, struct err *err);

#endif
