#ifndef NIGHTMAIL_BASE_UTCDAY_H
#define NIGHTMAIL_BASE_UTCDAY_H

/* Days since 1970-01-01, UTC, and their names (RFC 3339 full-date). */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define UTCDAY_MS (24 * 3600 * 1000LL)
#define UTCDAY_NAME_SIZE 11

struct utcday_name {
	char s[UTCDAY_NAME_SIZE]; /* "2026-11-22" */
};

/* The day of a moment in milliseconds since 1970. */
int64_t utcday_of(int64_t wall_ms);
/* "0000-00-00" for years without four digits. */
struct utcday_name utcday_name(int64_t day);
/* Takes a name off the front. False, and *in unchanged: there is none, or no such day. */
bool utcday_take(struct span *in, int64_t *ret);

#include "base/banned.h"

#endif
