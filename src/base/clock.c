/*
 * Readings of the two clocks, and the difference of two moments that survives a reboot and
 * a clock that was set. Tests move the clocks by adding an offset to every reading.
 */

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"

#define DAY_MS INT64_C(86400000)

static struct {
	int64_t wall_ms;
	int64_t boot_ms;
	uint32_t boot_id;
} shift;

static int64_t read_us(clockid_t id) {
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_us(void) {
	return read_us(CLOCK_REALTIME) + shift.wall_ms * 1000;
}

int64_t clock_wall_ms(void) {
	return clock_wall_us() / 1000;
}

int64_t clock_boot_ms(void) {
	return read_us(CLOCK_BOOTTIME) / 1000 + shift.boot_ms;
}

/* Two readings of the clocks differ a little, so the moment of boot is taken in steps of
 * about a quarter of an hour. */
static uint32_t boot_id_from_clocks(void) {
	int64_t boot_us = read_us(CLOCK_REALTIME) - read_us(CLOCK_BOOTTIME);
	return (uint32_t)(boot_us >> 30);
}

uint32_t clock_boot_id(void) {
	static uint32_t id;
	if (shift.boot_id)
		return shift.boot_id;
	if (id)
		return id;
	AUTO_BUF struct buf text = BUF_INIT(64);
	uint64_t v = 0;
	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, NULL) == 0) {
		struct span s = buf_span(&text);
		span_take_hex(&s, 8, &v);
	}
	id = v ? (uint32_t)v : boot_id_from_clocks();
	return id;
}

struct moment clock_now(void) {
	return (struct moment){
		.wall_ms = clock_wall_ms(),
		.boot_ms = clock_boot_ms(),
		.boot_id = clock_boot_id(),
	};
}

int64_t clock_elapsed_ms(const struct moment *then, const struct moment *now) {
	bool same_boot = then->boot_id == now->boot_id;
	int64_t from = same_boot ? then->boot_ms : then->wall_ms;
	int64_t to = same_boot ? now->boot_ms : now->wall_ms;
	int64_t passed;
	if (to <= from)
		return 0;
	if (__builtin_sub_overflow(to, from, &passed))
		passed = INT64_MAX;
	return !same_boot && passed > DAY_MS ? DAY_MS : passed;
}

void clock_shift_for_test(int64_t wall_ms, int64_t boot_ms, uint32_t boot_id) {
	shift.wall_ms = wall_ms;
	shift.boot_ms = boot_ms;
	shift.boot_id = boot_id;
}
