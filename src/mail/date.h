#ifndef NIGHTMAIL_MAIL_DATE_H
#define NIGHTMAIL_MAIL_DATE_H

/* Date-times of messages (RFC 5322 section 3.3), without locale. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* Appends "Sun, 22 Nov 2026 02:06:29 +0000" for the seconds since 1970 in the local zone. */
int date_add_rfc5322(struct buf *out, int64_t wall_s);
/* Appends "2026-11-22 02:06:29" in the local zone. */
int date_add_local(struct buf *out, int64_t wall_s);

/* Reads a date-time as messages have it, in whatever form it occurs; of a field like Received
 * what stands behind its last ";". *ret_s: seconds since 1970. An unknown zone counts as UTC. False:
 * day, month, year or time are missing, or there is no such day. */
bool date_parse(struct span text, int64_t *ret_s);

#endif
