/* See offers.h. */

#include "deliver/offers.h"

#include <string.h>

#include "base/buf.h"

struct span offers_find(struct span list, struct span host) {
	struct span name, mechanism;
	while (span_take_word(&list, &name) && span_take_word(&list, &mechanism))
		if (span_eq_nocase(name, host))
			return mechanism;
	return SPAN("");
}

void offers_set(char *list, size_t size, struct span host, struct span mechanism) {
	AUTO_BUF struct buf out = BUF_INIT(size - 1);
	struct span old = span_str(list), name, value;
	if (host.len + mechanism.len + 1 >= size)
		return;
	buf_addf(&out, "%.*s %.*s", (int)host.len, host.p, (int)mechanism.len, mechanism.p);
	while (span_take_word(&old, &name) && span_take_word(&old, &value))
		if (!span_eq_nocase(name, host) && out.len + name.len + value.len + 2 < size)
			buf_addf(&out, " %.*s %.*s", (int)name.len, name.p, (int)value.len,
				 value.p);
	memcpy(list, buf_str(&out), out.len + 1);
}
