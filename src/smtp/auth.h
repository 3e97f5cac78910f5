#ifndef NIGHTMAIL_SMTP_AUTH_H
#define NIGHTMAIL_SMTP_AUTH_H

/*
 * SASL by libgsasl, for the client machine and for the server sides of sink and listener. The
 * order of the mechanisms is our own, best first:
 *
 *     a password    SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5
 *                   PLAIN LOGIN
 *     a token       OAUTHBEARER (RFC 7628) XOAUTH2
 *     only by name  EXTERNAL (the client certificate), GSSAPI (Kerberos tickets)
 *
 * No mechanism that shows a secret goes without TLS. -PLUS binds the login to the TLS channel
 * (RFC 5802, 9266): nobody in the middle can pass it on. SCRAM iteration counts over 1,000,000
 * are refused.
 */

#include "base/err.h"
#include "base/span.h"
#include "smtp/auth_users.h"
#include "smtp/client.h"

/* What -PLUS binds to (RFC 5929, 9266). */
enum smtp_auth_binding { SMTP_AUTH_TLS_EXPORTER, SMTP_AUTH_TLS_UNIQUE };
/* Appends the bytes of that binding. -1: the connection has none of that kind. */
typedef int smtp_auth_binding_fn(void *ctx, enum smtp_auth_binding kind, struct buf *out);

struct smtp_auth;

struct smtp_auth_options {
	const char *login;  /* NULL: none (EXTERNAL, GSSAPI) */
	struct span secret; /* password or token; p NULL: none */
	bool token;         /* the secret is an OAuth 2.0 access token */
	/* mechanisms to consider, in this order, separated by spaces; NULL for our list */
	const char *only;
	const char *host; /* of the server, for mechanisms that name it */
	unsigned port;    /* the same */
	smtp_auth_binding_fn *binding; /* NULL: no -PLUS */
	void *binding_ctx;
};

/* Strings are copied; the copy of the secret is wiped by smtp_auth_free(). */
struct smtp_auth *smtp_auth_new(const struct smtp_auth_options *o, struct err *err);
void smtp_auth_free(struct smtp_auth *a);
/* Checks a list of mechanisms as in `only`. ERR_SYNTAX names one that is not known. */
int smtp_auth_check_only(const char *only, struct err *err);
/* The strongest mechanism with a password of those offered, or NULL; only: as above, whatever the
 * order in it. */
const char *smtp_auth_best(const char *offered, const char *only);
/* True when a is weaker than b; an empty one is weaker than any. */
bool smtp_auth_is_weaker(struct span a, struct span b);
/* True when this mechanism needs neither password nor token. */
bool smtp_auth_needs_no_secret(struct span mechanism);
/* The ops of a struct smtp_auth; the ctx is the struct smtp_auth. */
extern const struct smtp_auth_ops smtp_auth_client_ops;

/* Server side, one exchange each. */
struct smtp_auth_server;
/* Mechanisms it offers, separated by spaces. */
const char *smtp_auth_server_mechanisms(bool tls);
/* Before the first step: what -PLUS binds to. */
void smtp_auth_server_bind(struct smtp_auth_server *a, smtp_auth_binding_fn *fn, void *ctx);
/* Accepts exactly this login and password. */
struct smtp_auth_server *smtp_auth_server_new(const char *mechanism, const char *login,
					      const char *password, struct err *err);
/* Accepts those of the table, which stays the caller's and lives longer. */
struct smtp_auth_server *smtp_auth_server_for(const char *mechanism,
					      const struct smtp_auth_users *users,
					      struct err *err);
/* Who logs in, as far as they have said; NULL: not yet. */
const char *smtp_auth_server_login(const struct smtp_auth_server *a);
/* One step: response from the client, raw (p NULL: none yet). Returns 1 accepted, 0 challenge appended: go on,
 * -1 refused. */
int smtp_auth_server_step(struct smtp_auth_server *a, struct span response,
			  struct buf *challenge);
void smtp_auth_server_free(struct smtp_auth_server *a);

#endif
