/*
 * Addresses and names. Literals never reach the resolver; names go through getaddrinfo, so
 * /etc/hosts, nsswitch and the system's address order (RFC 6724, gai.conf) all hold.
 * AI_ADDRCONFIG is not used: it would hide ::1 or 127.0.0.1 on a machine whose only
 * interface is the loopback.
 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/term.h"

#define HOST_MAX 255

static struct addrinfo stream_hints(int flags) {
	return (struct addrinfo){
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags,
	};
}

/* Copies the host as getaddrinfo wants it: without the brackets of "[::1]". */
static bool plain_host(struct span host, char ret[HOST_MAX + 1]) {
	if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = span_of(host.p + 1, host.len - 2);
	if (host.len == 0 || host.len > HOST_MAX || span_find(host, '\0') != host.len)
		return false;
	memcpy(ret, host.p, host.len);
	ret[host.len] = '\0';
	return true;
}

/* Resolver words for the user; the host is shown safely. */
static int lookup_failed(struct span host, int gai, struct err *err) {
	AUTO_BUF struct buf name = BUF_INIT(1024);

	term_safe(&name, host);
	switch (gai) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return err_set(err, ERR_MISSING, "%s: no such host, or it has no address",
			       buf_str(&name));
	case EAI_AGAIN:
		return err_set(err, ERR_TIMEOUT,
			       "%s: the name server does not answer now", buf_str(&name));
	case EAI_MEMORY:
		return err_set(err, ERR_MEMORY, "%s: out of memory in the look-up",
			       buf_str(&name));
	case EAI_SYSTEM:
		return err_sys(err, "%s: cannot look the name up", buf_str(&name));
	default:
		return err_set(err, ERR_SYSTEM, "%s: cannot look the name up: %s",
			       buf_str(&name), gai_strerror(gai));
	}
}

int net_lookup(const char *host, uint16_t port, struct net_addrs *ret, struct err *err) {
	char plain[HOST_MAX + 1], service[8];
	struct addrinfo hints = stream_hints(0), *list, *ai;
	int gai;

	if (!plain_host(span_str(host), plain))
		return lookup_failed(span_str(host), EAI_NONAME, err);
	snprintf(service, sizeof(service), "%u", port);
	gai = getaddrinfo(plain, service, &hints, &list);
	if (gai != 0)
		return lookup_failed(span_str(host), gai, err);
	ret->count = 0;
	for (ai = list; ai && ret->count < NET_ADDRS_MAX; ai = ai->ai_next) {
		struct net_addr *a = &ret->at[ret->count];

		if (ai->ai_addrlen > sizeof(a->sa))
			continue;
		memset(a, 0, sizeof(*a));
		memcpy(&a->sa, ai->ai_addr, ai->ai_addrlen);
		a->len = ai->ai_addrlen;
		ret->count++;
	}
	freeaddrinfo(list);
	if (ret->count == 0)
		return lookup_failed(span_str(host), EAI_NODATA, err);
	return 0;
}

static const struct sockaddr_in *as_v4(const struct net_addr *a) {
	return (const struct sockaddr_in *)(const void *)&a->sa;
}

static const struct sockaddr_in6 *as_v6(const struct net_addr *a) {
	return (const struct sockaddr_in6 *)(const void *)&a->sa;
}

int net_addr_add(struct buf *out, const struct net_addr *a) {
	char text[INET6_ADDRSTRLEN];
	const struct in6_addr *v6 = &as_v6(a)->sin6_addr;
	const char *p;

	if (a->sa.ss_family == AF_INET)
		p = inet_ntop(AF_INET, &as_v4(a)->sin_addr, text, sizeof(text));
	else if (a->sa.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		p = inet_ntop(AF_INET, &v6->s6_addr[12], text, sizeof(text));
	else if (a->sa.ss_family == AF_INET6)
		p = inet_ntop(AF_INET6, v6, text, sizeof(text));
	else
		p = "local socket";
	return buf_adds(out, p ? p : "?");
}

uint16_t net_addr_port(const struct net_addr *a) {
	if (a->sa.ss_family == AF_INET)
		return ntohs(as_v4(a)->sin_port);
	if (a->sa.ss_family == AF_INET6)
		return ntohs(as_v6(a)->sin6_port);
	return 0;
}

bool net_addr_is_loopback(const struct net_addr *a) {
	const struct in6_addr *v6 = &as_v6(a)->sin6_addr;

	if (a->sa.ss_family == AF_INET)
		return ntohl(as_v4(a)->sin_addr.s_addr) >> 24 == 127;
	if (a->sa.ss_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(v6))
		return v6->s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(v6);
}

/* Splits "host:port" or "[host]:port" at the last colon; an IPv6 literal needs brackets. */
static bool split_port(struct span s, struct span *ret_host, uint64_t *ret_port) {
	size_t colon = s.len;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return false;
	*ret_host = span_head(s, colon - 1);
	if (ret_host->p[0] != '[' && span_find(*ret_host, ':') != ret_host->len)
		return false;
	return span_uint(span_from(s, colon), UINT16_MAX, ret_port);
}

int net_addr_parse(struct span s, struct net_addr *ret, struct err *err) {
	AUTO_BUF struct buf shown = BUF_INIT(1024);
	char host[HOST_MAX + 1], service[8];
	struct addrinfo hints = stream_hints(AI_NUMERICHOST), *list;
	struct span name;
	uint64_t port;

	term_safe(&shown, s);
	if (!split_port(s, &name, &port) || !plain_host(name, host))
		return err_set(
			err, ERR_SYNTAX,
			"%s: not an address and port (such as 127.0.0.1:25 or [::1]:25)",
			buf_str(&shown));
	snprintf(service, sizeof(service), "%u", (unsigned)port);
	if (!net_is_literal(host) || getaddrinfo(host, service, &hints, &list) != 0)
		return err_set(
			err, ERR_SYNTAX,
			"%s: the host must be an IPv4 address or an IPv6 address in brackets",
			buf_str(&shown));
	memset(ret, 0, sizeof(*ret));
	memcpy(&ret->sa, list->ai_addr, list->ai_addrlen);
	ret->len = list->ai_addrlen;
	freeaddrinfo(list);
	return 0;
}

bool net_is_literal(const char *host) {
	char plain[HOST_MAX + 1];
	struct in6_addr bits;
	char *zone;

	if (!plain_host(span_str(host), plain))
		return false;
	/* "fe80::1%eth0": the zone is no part of the address proper. */
	zone = strchr(plain, '%');
	if (zone)
		*zone = '\0';
	return (!zone && inet_pton(AF_INET, plain, &bits) == 1) ||
	       inet_pton(AF_INET6, plain, &bits) == 1;
}
