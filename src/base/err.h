#ifndef NIGHTMAIL_BASE_ERR_H
#define NIGHTMAIL_BASE_ERR_H

/*
 * Why something failed, in words for the administrator. Functions return 0 or -1 and fill
 * a struct err that the caller owns (on its stack) and may pass as NULL. Never allocates,
 * because failing must not fail; a long message is cut. Messages are lower case, without
 * a full stop, and name the object first ("mx1.example: timed out after 30 s").
 */

enum err_kind {
	ERR_NONE,
	ERR_SYSTEM, /* a system call failed: err.sys holds errno */
	ERR_MEMORY,
	ERR_SYNTAX,  /* bytes do not follow their grammar */
	ERR_LIMIT,   /* a ceiling of ours was reached */
	ERR_MISSING, /* what was named is not there */
	ERR_DENIED,  /* not allowed, or not trusted */
	ERR_TIMEOUT,
	ERR_REMOTE, /* the other side broke off or misbehaved */
};

#define ERR_MSG_SIZE 232

struct err {
	enum err_kind kind;
	int sys; /* errno for ERR_SYSTEM, else 0 */
	char msg[ERR_MSG_SIZE];
};

#define ERR_INIT \
	{ .kind = ERR_NONE, .sys = 0, .msg = "" }

/* Fills *err (unless NULL) and returns -1, so that callers can return it at once. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Like err_set() with ERR_SYSTEM, taking errno; appends ": <strerror>" to the message. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<text>: " before the message that is there; returns -1. */
int err_prefix(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#include "base/banned.h"

#endif
