/*
 * Any bytes as the words of a control request and as what the asking side reads: an edit, and
 * the last line of an answer.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/codec.h"
#include "control/control.h"
#include "deliver/verb_edit.h"
#include "mail/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an edit says is something that can be delivered to. */
static void use_edit(struct span words) {
	struct verb_edit e;
	struct addr parts;
	if (verb_edit_parse(words, &e, NULL) == 0) {
		for (size_t i = 0; i < e.count; i++)
			if (addr_parse(e.change[i].old, ADDR_SUBMITTED, &parts, NULL) != 0 ||
			    (e.change[i].new.p &&
			     addr_parse(e.change[i].new, ADDR_SUBMITTED, &parts, NULL) != 0))
				abort();
		if (e.count == 0 && !e.has_from)
			abort();
	}
	verb_edit_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	/* A copy of exactly these bytes, so that reading past them is seen. */
	AUTO_FREE char *copy = malloc(size ? size : 1);
	struct err err = ERR_INIT;
	bool last;
	if (!copy)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	struct span line = span_of(copy, size), rest = line, key, value;
	use_edit(line);
	control_verdict(line, &last, &err);
	while (codec_word_take(&rest, &key, &value))
		if (rest.len > line.len)
			abort();
	return 0;
}
