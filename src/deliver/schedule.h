#ifndef NIGHTMAIL_DELIVER_SCHEDULE_H
#define NIGHTMAIL_DELIVER_SCHEDULE_H

/* When to try again. Pure. */

#include <stdint.h>

/*
 * Pause before the next attempt after `attempts` counted ones (>= 1): min_ms doubling up
 * to max_ms, jittered by +-20 % with `random` (any 32 random bits).
 */
int64_t schedule_backoff_ms(unsigned attempts, int64_t min_ms, int64_t max_ms, uint32_t random);

/* How many attempts a message of this age would have had if each had been due by the pauses
 * above, without their longest. */
unsigned schedule_attempts(int64_t age_ms, int64_t min_ms);

#endif
