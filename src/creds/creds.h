#ifndef NIGHTMAIL_CREDS_CREDS_H
#define NIGHTMAIL_CREDS_CREDS_H

/*
 * Where secrets come from. The configuration holds a reference, never the secret:
 *     file:PATH         first line of a file that only its owner (us or root) may read
 *     command:WORDS     first line a command prints (split at blanks, quotes "..." and '...'
 *                       group; no shell; 30 s)
 *     credential:NAME   $CREDENTIALS_DIRECTORY/NAME (systemd LoadCredential=)
 *     keyring:ENTRY     the desktop's keyring (creds/keyring.h)
 *     oauth2:FILE       an access token by the refresh token in that file (creds/oauth2.h)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/user.h"

#define SECRET_MAX 4096

/* Bytes that are wiped on release, and never logged. */
struct secret {
	char *p;
	size_t len;
};

void secret_release(struct secret *s);

enum creds_kind {
	CREDS_NONE,
	CREDS_FILE,
	CREDS_COMMAND,
	CREDS_CREDENTIAL,
	CREDS_KEYRING,
	CREDS_OAUTH2
};

struct creds_secret {
	struct secret secret;
	bool token;      /* an access token of OAuth 2.0 */
	int64_t expires; /* seconds since 1970; 0: it does not */
	bool renewed;    /* in place of one that a server did not take */
	uint64_t serial; /* of deliver/parent_secret.h */
};

/* Parses the scheme. ERR_SYNTAX explains: a literal password is refused. *ret_rest is what
 * follows the colon. */
int creds_parse(struct span ref, enum creds_kind *ret_kind, struct span *ret_rest,
		struct err *err);

/*
 * Fetches the secret. A file must be regular, not readable by group or others (group read
 * is fine when the group is the process's own and the owner is root), owned by us or root;
 * symbolic links are followed, the file that is opened is checked. The secret must be
 * UTF-8 without control characters and not empty. Errors name the reference and the cure,
 * never the content.
 */
int creds_fetch(struct span ref, struct secret *ret, struct err *err);
/* The same with what else is known. fresh: a server did not take the last one. */
int creds_get(struct span ref, bool fresh, struct creds_secret *ret, struct err *err);
/* True when other processes are asked for it, which may take a while. */
bool creds_is_slow(struct span ref);
/* True for a reference to access tokens. */
bool creds_is_token(struct span ref);

/*
 * Says what would keep a user from fetching a file: secret, as far as its name, owner and mode
 * tell; nothing is opened. ERR_MISSING: there is no such file; ERR_DENIED: the rights, with the
 * cure. 0 also for other references and for a file that the caller cannot look at.
 */
int creds_check(struct span ref, const struct user *reader, struct err *err);

/* The whole of a file of secrets, at most max bytes, under the same rights. */
int creds_read(const char *path, size_t max, struct secret *ret, struct err *err);

#endif
