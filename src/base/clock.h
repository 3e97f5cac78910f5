#ifndef NIGHTMAIL_BASE_CLOCK_H
#define NIGHTMAIL_BASE_CLOCK_H

/*
 * The clocks. Wall time is for showing and for storing across boots; everything that
 * measures a duration uses boot time (CLOCK_BOOTTIME: also counts suspend, never jumps).
 */

#include <stdint.h>

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);
/* Microseconds since 1970, UTC. */
int64_t clock_wall_us(void);
/* Milliseconds since boot, suspend included. */
int64_t clock_boot_ms(void);

/* Identifies this boot: the first 32 bits of the kernel's random boot id (read once from
 * /proc/sys/kernel/random/boot_id). Without /proc a value derived from the boot's wall time. */
uint32_t clock_boot_id(void);

/* A moment in both clocks, as the queue stores it. */
struct moment {
	int64_t wall_ms;
	int64_t boot_ms;
	uint32_t boot_id;
};

struct moment clock_now(void);

/* Returns the milliseconds that passed from `then` to `now`, never negative: the difference
 * of boot times within one boot, else the wall difference capped at one day. */
int64_t clock_elapsed_ms(const struct moment *then, const struct moment *now);

/* For tests: adds an offset to every later reading; boot_id 0 keeps the real one. */
void clock_shift_for_test(int64_t wall_ms, int64_t boot_ms, uint32_t boot_id);

#include "base/banned.h"

#endif
