#ifndef NIGHTMAIL_TLSPOLICY_STS_FETCH_H
#define NIGHTMAIL_TLSPOLICY_STS_FETCH_H

/* Fetches an MTA-STS policy as senders must (RFC 8461 section 3.3). */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/addr.h"
#include "net/tls.h"
#include "net/tls_cert.h"

struct sts_fetch {
	const char *domain;            /* without "mta-sts." */
	const struct net_addrs *addrs; /* where to connect; tried in turn */
	const char *ca_file;           /* NULL: the system's */
	const struct tls_client *trust; /* or what is loaded already */
	int64_t timeout_ms;            /* for all of it */
	int64_t *ret_not_after_s; /* end of the server's certificate (tls_info); NULL: not wanted */
	struct tls_cert *ret_cert;     /* of the server, once TLS is up; NULL: not wanted */
};

/* Appends the policy to out: exactly status 200, text/plain, at most 64 KiB, a certificate that
 * is valid for mta-sts.DOMAIN; redirects are not followed. Errors say which of them failed. */
int sts_fetch(const struct sts_fetch *f, struct buf *out, struct err *err);

#include "base/banned.h"

#endif
