/*
 * Queue IDs. The upper 52 bits are microseconds since 1970, so that names sort by age; the
 * lower 28 are random, so that two processes that accept in the same microsecond do not
 * meet. The name is made by link(2), which refuses the pair that does.
 */

#include "queue/id.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"

#define RANDOM_BITS 28
#define RANDOM_MASK ((1u << RANDOM_BITS) - 1)

/* Odd, so that multiples by 1, 2, 3... stay distinct in 28 bits; large, so that they spread. */
#define NOTICE_STEP 0x9e3779bu

static struct queue_id pack(uint64_t us, uint32_t low) {
	struct queue_id id;
	us &= (UINT64_C(1) << 52) - 1;
	for (unsigned i = 0; i < 6; i++)
		id.bits[i] = (uint8_t)(us >> (44 - 8 * i));
	id.bits[6] = (uint8_t)((us & 15) << 4 | (low >> 24 & 15));
	id.bits[7] = (uint8_t)(low >> 16);
	id.bits[8] = (uint8_t)(low >> 8);
	id.bits[9] = (uint8_t)low;
	return id;
}

static uint32_t low_bits(const struct queue_id *id) {
	return (uint32_t)(id->bits[6] & 15) << 24 | (uint32_t)id->bits[7] << 16 |
	       (uint32_t)id->bits[8] << 8 | id->bits[9];
}

struct queue_id queue_id_new(void) {
	uint32_t low;
	ssize_t n;
	do
		n = getrandom(&low, sizeof(low), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(low))
		low = (uint32_t)clock_boot_ms() * NOTICE_STEP ^ (uint32_t)getpid();
	return pack((uint64_t)clock_wall_us(), low & RANDOM_MASK);
}

/* Keeps the time of the message it tells about, so that both stand together in a list. */
struct queue_id queue_id_notice(const struct queue_id *of, unsigned seq) {
	uint32_t low = low_bits(of) + (seq + 1) * NOTICE_STEP;
	return pack((uint64_t)queue_id_us(of), low & RANDOM_MASK);
}

struct queue_id_text queue_id_text(const struct queue_id *id) {
	struct queue_id_text t;
	codec_base32hex_80(t.s, id->bits);
	t.s[QUEUE_ID_LEN] = '\0';
	return t;
}

bool queue_id_parse(struct span s, struct queue_id *ret) {
	return s.len == QUEUE_ID_LEN && codec_base32hex_80_decode(ret->bits, s) == 0;
}

int64_t queue_id_us(const struct queue_id *id) {
	uint64_t us = 0;
	for (unsigned i = 0; i < 6; i++)
		us = us << 8 | id->bits[i];
	return (int64_t)(us << 4 | id->bits[6] >> 4);
}

int queue_id_cmp(const struct queue_id *a, const struct queue_id *b) {
	return memcmp(a->bits, b->bits, sizeof(a->bits));
}
