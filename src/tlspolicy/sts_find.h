#ifndef NIGHTMAIL_TLSPOLICY_STS_FIND_H
#define NIGHTMAIL_TLSPOLICY_STS_FIND_H

/* The MTA-STS policy of a domain as it is published now (RFC 8461 section 3): the record that
 * promises it, then the policy itself. */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/dns.h"
#include "net/tls.h"
#include "tlspolicy/sts_record.h"

/* The id of the one record; false: there is none, or it cannot be known now. */
bool sts_find_id(struct dns *dns, const char *domain, char ret[STS_ID_MAX + 1]);

enum sts_found {
	STS_FOUND,
	STS_UNREACHABLE,     /* no address, no answer, or another one than a policy */
	STS_BAD_CERTIFICATE, /* its server's */
	STS_BAD_POLICY       /* it came, and is none */
};

/* Fetches it, appends it to text, and parses it; ret points into text. Otherwise err says why. */
enum sts_found sts_find_policy(struct dns *dns, const char *domain,
			       const struct tls_client *trust, int64_t timeout_ms,
			       struct buf *text, struct sts_policy *ret, struct err *err);

#include "base/banned.h"

#endif
