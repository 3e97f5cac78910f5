#ifndef NIGHTMAIL_NET_CERTDATE_H
#define NIGHTMAIL_NET_CERTDATE_H

/*
 * From when until when a certificate is valid, and nothing else of it: for the daemon, which has no
 * TLS library and wants to warn in time. Pure.
 */

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* Of the first certificate of a PEM file (RFC 7468), in seconds since 1970. ERR_SYNTAX: there is
 * none that is understood. */
int certdate_read(struct span pem, int64_t *ret_from_s, int64_t *ret_until_s,
		  struct err *err);

#endif
