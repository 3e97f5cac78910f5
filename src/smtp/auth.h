#ifndef NIGHTMAIL_SMTP_AUTH_H
#define NIGHTMAIL_SMTP_AUTH_H

/*
 * SASL by libgsasl, for the client machine and for the server sides of sink and listener. Our own ordered
 * list of mechanisms (best first): SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN; no
 * mechanism that shows the password (PLAIN, LOGIN) without TLS. SCRAM iteration counts over
 * 1,000,000 are refused.
 */

#include "base/err.h"
#include "base/span.h"
#include "smtp/auth_users.h"
#include "smtp/client.h"

struct smtp_auth;

/*
 * login and password are copied; the copy of the password is wiped by smtp_auth_free().
 * only: mechanisms to consider, in this order, separated by spaces; NULL for our list.
 * host: name of the server (for mechanisms that bind to it).
 */
struct smtp_auth *smtp_auth_new(const char *login, struct span password, const char *only,
				const char *host, struct err *err);
void smtp_auth_free(struct smtp_auth *a);
/* The ops of a struct smtp_auth; the ctx is the struct smtp_auth. */
extern const struct smtp_auth_ops smtp_auth_client_ops;

/* Server side, one exchange each. */
struct smtp_auth_server;
/* Mechanisms it offers, separated by spaces. */
const char *smtp_auth_server_mechanisms(bool tls);
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
