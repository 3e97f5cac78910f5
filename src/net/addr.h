#ifndef NIGHTMAIL_NET_ADDR_H
#define NIGHTMAIL_NET_ADDR_H

/* Network addresses and name look-up. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct net_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

#define NET_ADDRS_MAX 32

struct net_addrs {
	struct net_addr at[NET_ADDRS_MAX];
	size_t count;
};

/* Looks a host name or address literal up (getaddrinfo: blocking; the order is the system's,
 * RFC 6724). Up to NET_ADDRS_MAX addresses. ERR_MISSING: no such host or no address;
 * ERR_TIMEOUT: the resolver could not answer now (temporary); ERR_SYSTEM. */
int net_lookup(const char *host, uint16_t port, struct net_addrs *ret, struct err *err);

/* Appends "192.0.2.1" or "2001:db8::1" (v4-mapped addresses as v4). */
int net_addr_add(struct buf *out, const struct net_addr *a);
uint16_t net_addr_port(const struct net_addr *a);
/* True for 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104. */
bool net_addr_is_loopback(const struct net_addr *a);

/* Parses "127.0.0.1:25", "[::1]:25" (port 0 allowed). */
int net_addr_parse(struct span s, struct net_addr *ret, struct err *err);

/* True when the text is an IPv4 or IPv6 literal. */
bool net_is_literal(const char *host);

#endif
