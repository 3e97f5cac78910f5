#ifndef NIGHTMAIL_NET_DNS_UNBOUND_H
#define NIGHTMAIL_NET_DNS_UNBOUND_H

/* DNS by libunbound in this process: validating, cached by it, with our own deadline. */

#include "net/dns.h"
#include "net/dns_server.h" /* checks a server's text */

struct dns_unbound_options {
	/* "192.0.2.1", "192.0.2.1:53", "192.0.2.1@53", "[2001:db8::1]:53", a leading '@' is fine;
	 * NULL: those of /etc/resolv.conf */
	const char *server;
	const char *
		trust_anchor; /* file; NULL: the root's from the system, if it is there */
	const char *system_anchor; /* instead of /usr/share/dns/root.key; NULL: that */
	bool iterate;              /* ask the authoritative servers, no resolver */
	int64_t deadline_ms;       /* of one dns_run(); 0: 5 s */
};

/* Creates the context; must be called in the process that uses it (after fork). */
struct dns *dns_unbound_open(const struct dns_unbound_options *o, struct err *err);

#include "base/banned.h"

#endif
