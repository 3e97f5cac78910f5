/* When to try again: exponential back-off with jitter. */

#include "deliver/schedule.h"

unsigned schedule_attempts(int64_t age_ms, int64_t min_ms) {
	unsigned n = 0;
	for (int64_t pause = min_ms > 0 ? min_ms : 1; age_ms >= pause && n < 32; n++) {
		age_ms -= pause;
		pause *= 2;
	}
	return n;
}

int64_t schedule_backoff_ms(unsigned attempts, int64_t min_ms, int64_t max_ms,
			    uint32_t random) {
	int64_t pause = min_ms;
	for (unsigned i = 1; i < attempts && pause < max_ms; i++)
		pause = pause > max_ms / 2 ? max_ms : pause * 2;
	if (pause > max_ms)
		pause = max_ms;
	/* 0.8 to 1.2 of it, in 1/65536 to stay within 64 bits */
	int64_t factor = 52428 + (int64_t)(random >> 16) * 26215 / 65536;
	return pause / 65536 * factor + pause % 65536 * factor / 65536;
}
