#ifndef NIGHTMAIL_DELIVER_TLS_REPORT_H
#define NIGHTMAIL_DELIVER_TLS_REPORT_H

/* The TLS report of a day (RFC 8460) in the name of this host: of the daemon, and of `nightmail
 * tls-report` while the day is not over. */

#include "base/bag.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/settings.h"

/* Appends it; counts: the day's lines (tlspolicy/tlsrpt.h). ERR_LIMIT. */
int tls_report_add(struct buf *out, struct bag *counts, const struct settings *s,
		   int64_t day, struct err *err);

#include "base/banned.h"

#endif
