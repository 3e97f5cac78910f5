#ifndef NIGHTMAIL_MAIL_ATTIME_H
#define NIGHTMAIL_MAIL_ATTIME_H

/* Points in time as people and programs write them. Local time zone; pure but for that. */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define ATTIME_DAYS_MAX 366 /* ahead */

/*
 * Understands
 *   30m  +2h30m  in 3d                   from now
 *   18:30  today 18:30  tomorrow 08:00   (a time alone: the next one)
 *   monday 09:00                         the next one, today when it is still to come
 *   2026-11-23 08:00  2026-11-23T08:00:00+01:00  2026-11-23T07:00:00Z   (RFC 3339)
 *   @1795417200                          seconds since 1970
 * ERR_SYNTAX: none of these; ERR_LIMIT: more than ATTIME_DAYS_MAX ahead. A time that is over
 * is given as it is.
 */
int attime_parse(struct span text, int64_t now_ms, int64_t *ret_ms, struct err *err);

/* Appends "2026-11-23T08:00:00+01:00". */
int attime_add(struct buf *out, int64_t wall_ms);

#endif
