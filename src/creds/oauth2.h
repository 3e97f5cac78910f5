#ifndef NIGHTMAIL_CREDS_OAUTH2_H
#define NIGHTMAIL_CREDS_OAUTH2_H

/*
 * OAuth 2.0 (RFC 6749) as a client: access tokens from a file that holds the refresh token, which
 * nightmail login got, or names the entry of the desktop's keyring that does. The file is JSON,
 * 0600, in a directory of its own. One process at a time refreshes, under a lock beside the file.
 *
 * Many servers give a new refresh token each time and forget the old one, so that each is the
 * only one there is: it is kept before anything else is done with the answer, and goes into the
 * file when the keyring does not take it. What the file holds is in force, whatever the keyring
 * has.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "creds/creds.h"
#include "net/http.h"

#define OAUTH2_TOKEN_MAX (16u << 10)
#define OAUTH2_FILE_MAX (4 * OAUTH2_TOKEN_MAX)

struct oauth2_tokens {
	char *relay;     /* whose they are */
	char *client_id, *client_secret; /* the latter "" when it has none */
	char *token_url, *scope;
	char *ca;        /* PEM file, "": the system's */
	char *access;
	char *refresh;   /* "": in the keyring, and not fetched */
	char *keyring;   /* its entry there; "": the file holds it */
	bool in_keyring; /* what `refresh` holds is there; not in the file */
	int64_t refresh_at, expires;      /* of the access token, seconds since 1970 */
	int64_t grant_from, grant_until;  /* of the refresh token; 0: nobody knows */
};

void oauth2_release(struct oauth2_tokens *t); /* wipes */
/* The file; pure. */
int oauth2_parse(struct span json, struct oauth2_tokens *ret, struct err *err);
int oauth2_write(struct buf *out, const struct oauth2_tokens *t);
/*
 * Keeps the tokens of a new login, under the lock; makes the directory of the file as well. Where
 * t->keyring names an entry the refresh token goes there; when that does not work it goes into
 * the file, t->keyring is "" and *ret_why says why.
 */
int oauth2_store(const char *path, struct oauth2_tokens *t, struct err *ret_why,
		 struct err *err);
/* Can they be had? Appends where the refresh token is. ERR_MISSING: there are none; ERR_DENIED:
 * the keyring is locked, or the file is open to others. */
int oauth2_find(const char *path, struct buf *where, struct err *err);
/* Removes them, from the keyring too. ERR_MISSING: there are none. */
int oauth2_forget(const char *path, struct err *err);

/*
 * A valid access token, refreshed when its time is nearly over, or with `fresh`: when a server did
 * not take it. ERR_MISSING and ERR_DENIED name the command that helps; while the token server
 * cannot be reached, or the keyring is locked, a token that is still valid will do.
 */
int oauth2_fetch(const char *path, bool fresh, struct secret *ret, int64_t *ret_expires,
		 struct err *err);

/* --- inside of oauth2*.c --- */

/* The i-th text and its name in the file; NULL behind the last. */
char **oauth2_member(struct oauth2_tokens *t, size_t i, const char **ret_key);
/* Wipes and frees; it is NULL then. */
void oauth2_wipe(char **text);

/* --- oauth2_keep.c: under the lock --- */

/* Waits for the lock; it goes with the descriptor. */
int oauth2_lock(const char *path, struct err *err);
int oauth2_load(const char *path, struct oauth2_tokens *ret, struct err *err);
/* Fills in t->refresh from the keyring where it is there. */
int oauth2_recall(struct oauth2_tokens *t, struct err *err);
/* Keeps what is new in the keyring where it belongs there, and writes the file. */
int oauth2_keep(const char *path, struct oauth2_tokens *t, struct err *ret_why,
		struct err *err);
/* Writes the file as things are: without the refresh token where the keyring has it. */
int oauth2_write_file(const char *path, struct oauth2_tokens *t, struct err *err);
/* The words for no tokens at all. */
int oauth2_none(const char *path, struct err *err);

/* --- oauth2.c --- */

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
