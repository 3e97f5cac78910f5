#ifndef NIGHTMAIL_CHECK_SERVERS_H
#define NIGHTMAIL_CHECK_SERVERS_H

/* The name servers of a zone, and where each can be asked. */

#include <stdbool.h>

#include "net/dns.h"

#define SERVERS_MAX 13

struct servers {
	struct {
		char host[256];
		bool known; /* it has an address */
		struct inet_port at;
	} server[SERVERS_MAX];
	size_t count; /* 0: no zone of its own, or not known */
};

/* One address of each; IPv4 first, since not everybody has IPv6. False: pending. */
bool servers_of(struct dns *dns, const char *zone, struct servers *ret);

#include "base/banned.h"

#endif
