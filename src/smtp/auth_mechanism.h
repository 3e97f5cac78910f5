#ifndef NIGHTMAIL_SMTP_AUTH_MECHANISM_H
#define NIGHTMAIL_SMTP_AUTH_MECHANISM_H

/* The client's mechanisms as data, and the two that libgsasl does not have. Inside of auth*.c
 * only. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum auth_needs { AUTH_NEEDS_PASSWORD, AUTH_NEEDS_TOKEN, AUTH_NEEDS_NOTHING };

struct auth_mechanism {
	const char *name;
	enum auth_needs needs;
	bool shows_secret;
	bool client_first;
	bool binds; /* -PLUS */
	bool utf8;  /* login and password must be */
};

/* By name, whatever the case; NULL: unknown. */
const struct auth_mechanism *auth_mechanism_find(struct span name);
/* The i-th, best first; NULL behind the last. */
const struct auth_mechanism *auth_mechanism_at(size_t i);

/* The message of a mechanism that needs a token (RFC 7628 section 3.1; XOAUTH2 is Google's).
 * -1: it does not fit. */
int auth_token_message(const struct auth_mechanism *m, const char *login, const char *token,
		       const char *host, unsigned port, struct buf *out);
/* What the server is answered when it says why not (RFC 7628 section 3.2.3). */
struct span auth_token_farewell(const struct auth_mechanism *m);

#include "base/banned.h"

#endif
