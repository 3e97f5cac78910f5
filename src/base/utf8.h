#ifndef NIGHTMAIL_BASE_UTF8_H
#define NIGHTMAIL_BASE_UTF8_H

/*
 * Cutting and counting text in characters. Nothing here checks that the bytes are UTF-8
 * (span_take_utf8() does): what is not is cut and counted somehow, and never read beyond.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* True for a byte behind the first one of a character. */
static inline bool utf8_continues(char c) {
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* True when every byte is below 0x80. */
bool utf8_is_ascii(struct span s);
/* Returns how many characters there are. */
size_t utf8_length(struct span s);
/* Returns the longest head of at most max bytes that ends between two characters. */
struct span utf8_head(struct span s, size_t max);
/* Copies as much as `size` bytes hold, a NUL at the end included, in whole characters. */
void utf8_copy(char *to, size_t size, struct span s);

#endif
