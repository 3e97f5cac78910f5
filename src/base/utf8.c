/* Text in characters: only where they begin matters, so a look at each byte is enough. */

#include "base/utf8.h"

#include <string.h>

bool utf8_is_ascii(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

size_t utf8_length(struct span s) {
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += !utf8_continues(s.p[i]);
	return n;
}

struct span utf8_head(struct span s, size_t max) {
	if (s.len <= max)
		return s;
	while (max > 0 && utf8_continues(s.p[max]))
		max--;
	return span_head(s, max);
}

void utf8_copy(char *to, size_t size, struct span s) {
	s = utf8_head(s, size - 1);
	if (s.len > 0)
		memcpy(to, s.p, s.len);
	to[s.len] = '\0';
}
