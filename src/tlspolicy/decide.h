#ifndef NIGHTMAIL_TLSPOLICY_DECIDE_H
#define NIGHTMAIL_TLSPOLICY_DECIDE_H

/*
 * How a connection must be protected, and why: one decision for the worker that delivers, for
 * `nightmail explain`, mailq and smtp-probe. Pure. What is stronger wins: the configuration, where it
 * asks for verified TLS itself; then DANE (RFC 7672), MTA-STS (RFC 8461), the default.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "tlspolicy/dane.h"
#include "tlspolicy/sts_record.h"

/* What the configuration of the relay says. */
enum tlspolicy_wish {
	TLSPOLICY_WISH_NONE,          /* tls = none */
	TLSPOLICY_WISH_OPPORTUNISTIC, /* tls = opportunistic: DANE and MTA-STS may ask for more */
	TLSPOLICY_WISH_DANE,          /* tls = dane: nothing without DANE */
	TLSPOLICY_WISH_VERIFY,        /* tls = starttls, implicit */
	TLSPOLICY_WISH_PIN            /* the same with pins */
};

enum tlspolicy_level {
	TLSPOLICY_CLEAR,   /* no TLS */
	TLSPOLICY_MAY,     /* TLS if it works, unverified if need be, else in clear */
	TLSPOLICY_ENCRYPT, /* TLS or nothing, whoever it is */
	TLSPOLICY_VERIFY,  /* TLS, certificate verified against the CAs, by name */
	TLSPOLICY_DANE,    /* TLS, certificate as the TLSA records say */
	TLSPOLICY_PIN,     /* TLS, a pinned key */
	TLSPOLICY_WAIT,    /* it cannot be known now: this host is not used, the mail waits */
	TLSPOLICY_REFUSE   /* this host is not used: the policy does not name it */
};

enum tlspolicy_source {
	TLSPOLICY_BY_CONFIG,
	TLSPOLICY_BY_DANE,
	TLSPOLICY_BY_STS,
	TLSPOLICY_BY_DEFAULT,
	TLSPOLICY_BY_MESSAGE /* its "TLS-Required: No" (RFC 8689 section 3) */
};

struct tlspolicy_query {
	enum tlspolicy_wish wish;
	bool requiretls; /* RFC 8689: the message may go only where TLS is verified */
	struct span host;
	const struct dane_result *dane; /* NULL: not asked (no DNSSEC above the host) */
	const struct sts_policy *sts;   /* NULL: there is none */
	/* "TLS-Required: No": what the destination publishes does not matter; nothing with
	 * requiretls, nor against the configuration */
	bool tls_optional;
};

struct tlspolicy_decision {
	enum tlspolicy_level level;
	enum tlspolicy_source source;
	/* MTA-STS in testing mode would have asked for verified TLS: for the report */
	bool testing;
	char reason[260];
};

struct tlspolicy_decision tlspolicy_decide(const struct tlspolicy_query *q);
/* True when it says who the server must be, by a name that is not just what DNS said: as
 * REQUIRETLS asks for (RFC 8689 section 4.2.1).
 * by_mx: MX records name the server; signed_name: DNSSEC vouches for them. */
bool tlspolicy_is_trusted(const struct tlspolicy_decision *d, bool by_mx, bool signed_name);
#define TLSPOLICY_NOT_VOUCHED                                                             \
	"the message requires TLS (RFC 8689), and neither DNSSEC nor MTA-STS vouches for " \
	"the name of the server"
/* "verified TLS", "no TLS" ... */
const char *tlspolicy_level_name(enum tlspolicy_level level);
const char *tlspolicy_source_name(enum tlspolicy_source source);

#include "base/banned.h"

#endif
