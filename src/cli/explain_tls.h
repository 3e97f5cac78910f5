#ifndef NIGHTMAIL_CLI_EXPLAIN_TLS_H
#define NIGHTMAIL_CLI_EXPLAIN_TLS_H

/* How the connection to each server must be protected, for `nightmail explain`: the decision of
 * tlspolicy/decide.h, by what is published now. */

#include "config/settings.h"
#include "net/dns.h"
#include "route/target.h"
#include "tlspolicy/decide.h"

struct json;

/* What the message itself wants (RFC 8689). */
struct explain_wishes {
	bool requiretls;
	bool tls_optional; /* "TLS-Required: No" */
};

struct explain_tls {
	struct tlspolicy_decision host[TARGET_HOSTS_MAX];
	bool usable[TARGET_HOSTS_MAX];
	size_t count;
	bool told; /* it is not what the configuration alone says */
	char trouble
		[512]; /* an MTA-STS policy that is promised and cannot be had; or "" */
};

/* Decides for the servers of a relay. domain: whose MX records led there, as the DNS has it, or
 * ""; direct: each domain's own servers. dns may be NULL: then nothing is looked up. */
void explain_tls_find(struct explain_tls *t, const struct config_relay *relay,
		      const struct target *servers, const char *domain, bool direct,
		      const struct explain_wishes *wishes, struct dns *dns);
/* Lines below that of the configuration. */
void explain_tls_print(const struct explain_tls *t, const struct target *servers);
/* The member "tls" of the object of a server. */
void explain_tls_json(struct json *j, const struct explain_tls *t, size_t i);

#include "base/banned.h"

#endif
