/*
 * Addresses by DNS, in the order that they are to be tried. Whether there is a route is asked of
 * the kernel, by connecting a datagram socket, which sends nothing.
 */

#include "net/lookup.h"

#include <unistd.h>

#include "base/auto.h"
#include "base/term.h"

static bool has_route(const struct net_addr *a) {
	AUTO_FD int fd = socket(a->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 &&
	       connect(fd, (const struct sockaddr *)(const void *)&a->sa, a->len) == 0;
}

static void add(struct net_addrs *ret, const struct inet_addr *addr, uint16_t port) {
	struct inet_port p = { .addr = *addr, .port = port };
	if (ret->count == NET_ADDRS_MAX)
		return;
	struct net_addr *a = &ret->at[ret->count++];
	memset(a, 0, sizeof(*a));
	a->len = inet_to_sockaddr(&p, &a->sa);
}

/* Half of the room is IPv4's. */
static void add_all(struct net_addrs *ret, const struct dns_answer *a, uint16_t port) {
	struct inet_addr addr;
	size_t max = a->type == DNS_AAAA ? NET_ADDRS_MAX / 2 : NET_ADDRS_MAX;
	for (size_t i = 0; i < a->count && ret->count < max; i++)
		if (dns_addr(a, i, &addr))
			add(ret, &addr, port);
}

/* Those without a route go to the end; the order is kept otherwise. */
static void sort(struct net_addrs *addrs) {
	struct net_addrs far = { .count = 0 };
	size_t kept = 0;
	for (size_t i = 0; i < addrs->count; i++) {
		if (has_route(&addrs->at[i]))
			addrs->at[kept++] = addrs->at[i];
		else
			far.at[far.count++] = addrs->at[i];
	}
	memcpy(addrs->at + kept, far.at, far.count * sizeof(far.at[0]));
}

static bool is_localhost(struct span host) {
	if (host.len > 0 && host.p[host.len - 1] == '.')
		host.len--;
	return span_eq_nocase(host, SPAN("localhost")) ||
	       span_ends_nocase(host, SPAN(".localhost"));
}

static int nothing(const char *host, const struct dns_answer *v4,
		   const struct dns_answer *v6, struct err *err) {
	AUTO_BUF struct buf name = BUF_INIT(1024), why = BUF_INIT(1024);
	const struct dns_answer *a = dns_is_temporary(v4) ? v4 : v6;
	term_safe(&name, span_str(host));
	if (!dns_is_temporary(a))
		return err_set(err, ERR_MISSING, "%s: no such host, or it has no address",
			       buf_str(&name));
	term_safe(&why, span_str(a->why));
	return err_set(err, ERR_TIMEOUT, "%s: %s: %s", buf_str(&name),
		       a->status == DNS_BOGUS
			       ? "DNSSEC says that its address is forged"
			       : "the name server does not tell its address now",
		       buf_str(&why));
}

int net_lookup_dns(struct dns *dns, const char *host, uint16_t port,
		   struct net_addrs *ret, struct err *err) {
	static const struct inet_addr loopback[] = {
		{ .bits = 128, .byte = { [15] = 1 } },
		{ .bits = 32, .byte = { 127, 0, 0, 1 } },
	};
	struct span name = span_str(host);
	if (net_is_literal(host))
		return net_lookup(host, port, ret, err);
	ret->count = 0;
	if (is_localhost(name)) {
		add(ret, &loopback[0], port);
		add(ret, &loopback[1], port);
	} else {
		const struct dns_answer *v6 = dns_get(dns, name, DNS_AAAA);
		const struct dns_answer *v4 = dns_get(dns, name, DNS_A);
		if (v6->status == DNS_PENDING || v4->status == DNS_PENDING)
			dns_run(dns);
		add_all(ret, v6, port);
		add_all(ret, v4, port);
		if (ret->count == 0)
			return nothing(host, v4, v6, err);
	}
	sort(ret);
	return 0;
}
