#ifndef NIGHTMAIL_CREDS_OAUTH2_LOGIN_H
#define NIGHTMAIL_CREDS_OAUTH2_LOGIN_H

/*
 * How a person lets this machine send in their name: on another device (RFC 8628), or in a browser
 * on this one that comes back to a port of the loopback (RFC 8252), bound to this program by a
 * secret of the moment (PKCE, RFC 7636). Both fill in the tokens of *t, whose other members say
 * who asks.
 */

#include "creds/oauth2.h"

/* Tells the person where to go; code is NULL where the URL says all. */
typedef void oauth2_tell_fn(void *ctx, const char *url, const char *code);

/* Returns when the person has agreed (0), refused, or let the time pass. */
int oauth2_login_device(struct oauth2_tokens *t, const char *device_url, oauth2_tell_fn *tell,
			void *ctx, struct err *err);
int oauth2_login_browser(struct oauth2_tokens *t, const char *auth_url, oauth2_tell_fn *tell,
			 void *ctx, struct err *err);

/* --- pure --- */

/* The value of a key in the query of "GET /?code=...&state=... HTTP/1.1", decoded and appended;
 * false: it has none. */
bool oauth2_query(struct span request_line, const char *key, struct buf *out);
/* RFC 7636 section 4.2, S256. False: out of memory. */
bool oauth2_challenge(struct span verifier, struct buf *out);

#endif
