/* Name servers by the NS records of a zone. */

#include "check/servers.h"

#define DNS_PORT 53

bool servers_of(struct dns *dns, const char *zone, struct servers *ret) {
	const struct dns_answer *ns = dns_get(dns, span_str(zone), DNS_NS);
	bool all = ns->status != DNS_PENDING;
	ret->count = 0;
	for (size_t i = 0; i < ns->count && ret->count < SERVERS_MAX; i++) {
		char host[256];
		if (!dns_host(ns->record[i], host))
			continue;
		const struct dns_answer *v4 = dns_get(dns, span_str(host), DNS_A);
		const struct dns_answer *v6 = dns_get(dns, span_str(host), DNS_AAAA);
		struct inet_port at = { .port = DNS_PORT };
		all = all && v4->status != DNS_PENDING && v6->status != DNS_PENDING;
		bool known = dns_addr(v4, 0, &at.addr) || dns_addr(v6, 0, &at.addr);
		memcpy(ret->server[ret->count].host, host, sizeof(host));
		ret->server[ret->count].known = known;
		ret->server[ret->count++].at = at;
	}
	return all;
}
