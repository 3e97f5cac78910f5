#ifndef NIGHTMAIL_BASE_INET_H
#define NIGHTMAIL_BASE_INET_H

/*
 * IP addresses as values: literals, networks (CIDR), and addresses with a port. Pure; names
 * are never looked up. An IPv4 address that comes as ::ffff:a.b.c.d is the IPv4 address, so
 * that a rule for one holds for the other.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct inet_addr {
	uint8_t bits; /* 32 or 128; 0: none */
	uint8_t byte[16];
};

struct inet_net {
	struct inet_addr addr;
	uint8_t prefix;
};

struct inet_port {
	struct inet_addr addr;
	uint16_t port;
};

/* An address without brackets, port or zone. */
bool inet_addr_parse(struct span s, struct inet_addr *ret);
/* "192.0.2.0/24", "2001:db8::/32", or an address alone. ERR_SYNTAX says what is wrong: bits
 * behind the prefix are, and networks so large that only a typing error makes them (/1 to /7,
 * for IPv6 /1 to /15 but fc00::/7 and fe80::/10); /0 is everybody, and stays. */
int inet_net_parse(struct span s, struct inet_net *ret, struct err *err);
/* "127.0.0.1:25", "[::1]:25"; port 0 is one. */
int inet_port_parse(struct span s, struct inet_port *ret, struct err *err);
/* A server with or without its port: "192.0.2.1", "192.0.2.1:53", "192.0.2.1@53", "2001:db8::1",
 * "2001:db8::1@53", "[2001:db8::1]:53"; a leading '@' is fine. False: none of these. */
bool inet_server_parse(struct span s, uint16_t default_port, struct inet_port *ret);

bool inet_same(const struct inet_addr *a, const struct inet_addr *b);
bool inet_net_has(const struct inet_net *net, const struct inet_addr *a);
/* True when both are of one family and agree in the first `prefix` bits. */
bool inet_share_prefix(const struct inet_addr *a, const struct inet_addr *b, unsigned prefix);
/* 127.0.0.0/8 and ::1. */
bool inet_is_loopback(const struct inet_addr *a);

/* False for another family than AF_INET and AF_INET6. */
bool inet_from_sockaddr(const struct sockaddr_storage *sa, struct inet_port *ret);
/* Returns the length. */
socklen_t inet_to_sockaddr(const struct inet_port *p, struct sockaddr_storage *ret);

int inet_addr_add(struct buf *out, const struct inet_addr *a);
int inet_net_add(struct buf *out, const struct inet_net *net);
int inet_port_add(struct buf *out, const struct inet_port *p);

#include "base/banned.h"

#endif
