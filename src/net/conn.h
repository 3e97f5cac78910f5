#ifndef NIGHTMAIL_NET_CONN_H
#define NIGHTMAIL_NET_CONN_H

/*
 * A TCP stream, in clear or under TLS, non-blocking. Used by the poll loop of a worker:
 *
 *     conn_open()                      connects, trying each address in turn
 *     conn_start_tls()                 handshake + verification
 *     conn_write(), conn_read()        return what could be done now
 *     poll(conn_fd(c), conn_events(c)) until something can
 *
 * Deadlines are the caller's, except for conn_open and conn_start_tls, which wait themselves.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "net/addr.h"
#include "net/tls.h"

struct conn;

/*
 * Connects to the first address that answers, each given timeout_ms. source (may be NULL)
 * is the local address to bind. *ret_peer is the address that answered. Errors name every
 * address that was tried and why it failed ("192.0.2.1: connection refused"); kinds:
 * ERR_TIMEOUT, ERR_REMOTE, ERR_SYSTEM. TCP_NODELAY is on.
 */
struct conn *conn_open(const struct net_addrs *addrs, const struct net_addr *source,
		       int64_t timeout_ms, struct net_addr *ret_peer, struct err *err);
/* The same from the one of several local addresses, with blanks between them in text, that is of
 * the family; NULL: any. */
struct conn *conn_open_from(const struct net_addrs *addrs, const char *sources,
			    int64_t timeout_ms, struct net_addr *ret_peer, struct err *err);
/* Wraps a connected socket (accepted by a server); the conn owns it from now on, and sets it
 * non-blocking. */
struct conn *conn_adopt(int fd, struct err *err);
/* Closes without a word (TLS: tries one close_notify, never waits). NULL is fine. */
void conn_free(struct conn *c);

/* Client handshake; returns 0 when it is done and the policy is satisfied. On failure the
 * words say why ("certificate of mx1.example is for other.example"), the conn is unusable. */
int conn_start_tls(struct conn *c, const struct tls_client *tls,
		   const struct tls_policy *policy, int64_t timeout_ms, struct err *err);
/* Server handshake. */
int conn_accept_tls(struct conn *c, const struct tls_server *tls, int64_t timeout_ms,
		    struct err *err);

/* Reads up to len bytes. > 0: bytes; 0: nothing now; -1: ended: ERR_REMOTE with words ("closed
 * the connection", "connection reset by peer"). */
ssize_t conn_read(struct conn *c, void *p, size_t len, struct err *err);
/* Writes what the socket takes now: >= 0 bytes; -1 as above. */
ssize_t conn_write(struct conn *c, struct span data, struct err *err);

int conn_fd(const struct conn *c);
/* What TLS wants to be polled for besides POLLIN when a call returned 0 (POLLIN or POLLOUT). */
short conn_wants(const struct conn *c);
/* True when bytes were read already and poll would not tell. */
bool conn_pending(const struct conn *c);
/* Facts of the TLS session, or NULL in clear. */
const struct tls_info *conn_tls_info(const struct conn *c);
/* What was wrong with the server, also when conn_start_tls() failed. */
enum tls_fault conn_tls_fault(const struct conn *c);
/* Would the server have been accepted under that policy? Appends why not, as words go on after
 * "certificate of HOST "; ret_method as in tls_info. False in clear. */
bool conn_tls_check(const struct conn *c, const struct tls_policy *p,
		    char ret_method[TLS_METHOD_SIZE], struct buf *why);
/* The server's certificates as it sent them (DER, leaf first), at most max; 0 in clear. Valid as
 * long as the conn. */
size_t conn_tls_chain(const struct conn *c, struct span *ret, size_t max);
/* Appends the channel binding of the TLS session: tls-exporter (RFC 9266; TLS 1.3), or
 * tls-unique (RFC 5929; TLS 1.2 with the extended master secret). -1: it has none of that. */
int conn_tls_binding(const struct conn *c, bool exporter, struct buf *out);

#endif
