/*
 * CRC-32C. Every message is checked when it is written and when it goes out, so speed
 * counts: the processor's own instruction where it has one (half a microsecond for 4 KiB),
 * else eight table look-ups for eight bytes ("slicing by 8", a few microseconds). The
 * tables are made at the first use, since most machines never need them.
 */

#include "base/codec.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__) && __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#endif

#define CRC32C_REVERSED 0x82f63b78u

static uint32_t slices[8][256];

static void make_slices(void) {
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t crc = n;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_REVERSED : 0);
		slices[0][n] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t n = 0; n < 256; n++) {
			uint32_t before = slices[k - 1][n];
			slices[k][n] = before >> 8 ^ slices[0][before & 255];
		}
}

static uint32_t crc_by_table(uint32_t crc, const unsigned char *p, size_t len) {
	if (slices[0][1] == 0)
		make_slices();
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;
		memcpy(&v, p, sizeof(v));
		v = le64toh(v) ^ crc;
		crc = slices[7][v & 255] ^ slices[6][v >> 8 & 255] ^
		      slices[5][v >> 16 & 255] ^ slices[4][v >> 24 & 255] ^
		      slices[3][v >> 32 & 255] ^ slices[2][v >> 40 & 255] ^
		      slices[1][v >> 48 & 255] ^ slices[0][v >> 56];
	}
	for (; len > 0; p++, len--)
		crc = crc >> 8 ^ slices[0][(crc ^ *p) & 255];
	return crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc_by_sse(uint32_t crc,
							     const unsigned char *p,
							     size_t len) {
	uint64_t wide = crc;
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;
		memcpy(&v, p, sizeof(v));
		wide = __builtin_ia32_crc32di(wide, v);
	}
	crc = (uint32_t)wide;
	for (; len > 0; p++, len--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}

/* libc has asked the processor already. The compiler's own way asks again at each start, and
 * in a virtual machine each question costs as much as checking ten messages. */
static bool has_sse42(void) {
#if __has_include(<sys/platform/x86.h>)
	return CPU_FEATURE_ACTIVE(SSE4_2);
#else
	return __builtin_cpu_supports("sse4.2");
#endif
}

uint32_t codec_crc32c(uint32_t crc, const void *p, size_t len) {
	if (has_sse42())
		return ~crc_by_sse(~crc, p, len);
	return ~crc_by_table(~crc, p, len);
}

#else

uint32_t codec_crc32c(uint32_t crc, const void *p, size_t len) {
	return ~crc_by_table(~crc, p, len);
}

#endif

uint32_t codec_crc32c_portable(uint32_t crc, const void *p, size_t len) {
	return ~crc_by_table(~crc, p, len);
}
