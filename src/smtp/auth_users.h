#ifndef NIGHTMAIL_SMTP_AUTH_USERS_H
#define NIGHTMAIL_SMTP_AUTH_USERS_H

/*
 * The password file of the listener. A line is a login, a colon, and
 *
 *     the password                             as it is, or behind {PLAIN}
 *     {SCRAM-SHA-256}COUNT,SALT,STORED,SERVER  the keys of RFC 5802 in base64, as
 *     {SCRAM-SHA-1}COUNT,SALT,STORED,SERVER    gsasl --mkpasswd prints them
 *
 * Empty lines and those that begin with # say nothing. A login may have one line of each kind.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

enum smtp_auth_hash { SMTP_AUTH_SHA1, SMTP_AUTH_SHA256, SMTP_AUTH_HASHES };

struct smtp_auth_keys {
	char count[12]; /* iterations, as text; empty: no such keys */
	char *salt, *stored, *server; /* base64 */
};

struct smtp_auth_user {
	char *login;
	char *password; /* or NULL */
	struct smtp_auth_keys keys[SMTP_AUTH_HASHES];
};

struct smtp_auth_users {
	struct smtp_auth_user *user;
	size_t count;
};

#define SMTP_AUTH_USERS_MAX 1000
#define SMTP_AUTH_USERS_BYTES (1u << 20) /* of the file */

/* Words of errors begin with the line's number and never hold a password. ERR_SYNTAX,
 * ERR_LIMIT, ERR_MEMORY. */
int smtp_auth_users_parse(struct span text, struct smtp_auth_users *ret, struct err *err);
/* Wipes and frees. */
void smtp_auth_users_release(struct smtp_auth_users *u);
/* NULL: there is none of that name. */
const struct smtp_auth_user *smtp_auth_users_find(const struct smtp_auth_users *u,
						  const char *login);
/* Mechanisms that every one of them can use, best first. */
const char *smtp_auth_users_mechanisms(const struct smtp_auth_users *u);

#endif
