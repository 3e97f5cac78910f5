#ifndef NIGHTMAIL_CREDS_OAUTH2_H
#define NIGHTMAIL_CREDS_OAUTH2_H

/*
 * OAuth 2.0 (RFC 6749) as a client: access tokens from a file that holds the refresh token, which
 * nightmail login got. The file is JSON, 0600, in a directory of its own, and is written before
 * a token is used: many servers give a new refresh token each time and forget the old one. One
 * process at a time refreshes, under a lock beside the file.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "creds/creds.h"
#include "net/http.h"

#define OAUTH2_TOKEN_MAX (16u << 10)

struct oauth2_tokens {
	char *relay;     /* whose they are */
	char *client_id, *client_secret; /* the latter "" when it has none */
	char *token_url, *scope;
	char *ca;        /* PEM file, "": the system's */
	char *access, *refresh;
	int64_t refresh_at, expires; /* seconds since 1970 */
};

void oauth2_release(struct oauth2_tokens *t); /* wipes */
/* The file; pure. */
int oauth2_parse(struct span json, struct oauth2_tokens *ret, struct err *err);
int oauth2_write(struct buf *out, const struct oauth2_tokens *t);
/* Makes the directory of the file as well. */
int oauth2_store(const char *path, const struct oauth2_tokens *t, struct err *err);

/*
 * A valid access token, refreshed when its time is nearly over, or with `fresh`: when a server did
 * not take it. ERR_MISSING and ERR_DENIED name the command that helps; while the token server
 * cannot be reached a token that is still valid will do.
 */
int oauth2_fetch(const char *path, bool fresh, struct secret *ret, int64_t *ret_expires,
		 struct err *err);

/* --- inside of oauth2*.c --- */

/* The i-th text and its name in the file; NULL behind the last. */
char **oauth2_member(struct oauth2_tokens *t, size_t i, const char **ret_key);
/* Wipes and frees; it is NULL then. */
void oauth2_wipe(char **text);

/* Appends key=value of application/x-www-form-urlencoded, with & in between. */
void oauth2_form_add(struct buf *out, const char *key, struct span value);
/* Asks; the answer's JSON, when it is an object. *ret_status is its HTTP status. */
struct json_t;
int oauth2_post(const char *url, const char *ca, struct span form, int *ret_status,
		struct json_t **ret, struct err *err);
/* Takes the tokens of an answer over; a refresh token that it does not name stays. */
int oauth2_take(struct oauth2_tokens *t, const struct json_t *answer, int64_t now,
		struct err *err);
/* The member as text, "" when there is none. */
const char *oauth2_text(const struct json_t *o, const char *key);

#endif
