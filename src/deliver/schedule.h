#ifndef NIGHTMAIL_DELIVER_SCHEDULE_H
#define NIGHTMAIL_DELIVER_SCHEDULE_H

/* When to try again. Pure. */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/*
 * Pause before the next attempt after `attempts` counted ones (>= 1): min_ms doubling up
 * to max_ms, jittered by +-20 % with `random` (any 32 random bits).
 */
int64_t schedule_backoff_ms(unsigned attempts, int64_t min_ms, int64_t max_ms, uint32_t random);

/* The delay a greylisting reply names ("try again in 300 seconds", "in 00:04:57", "5
 * minutes"), in ms, clipped to 10 s .. 1 h; 5 min when it names none. */
int64_t schedule_greylist_ms(struct span reply_text);

#define SCHEDULE_GREYLIST_FREE 3u /* greylisted tries that do not count */

#endif
