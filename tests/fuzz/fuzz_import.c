/*
 * Other relays' files: the first byte chooses the peer, NUL bytes divide its files. Whatever
 * they hold, notes are safe lines, and a draft with a host makes a file that the draft,
 * applied again, leaves as it is.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/span.h"
#include "config/import.h"

#define OUTPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(struct span text) {
	struct span line;
	while (span_take_line(&text, &line))
		for (size_t i = 0; i < line.len; i++)
			if ((unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f)
				abort();
}

static void check_draft(const struct import *in) {
	struct buf once = BUF_INIT(OUTPUT_MAX), twice = BUF_INIT(OUTPUT_MAX);
	if (config_draft_apply(&in->draft, SPAN("# title\n\n"), &once) != 0 ||
	    config_draft_apply(&in->draft, buf_span(&once), &twice) != 0)
		abort();
	if (!span_eq(buf_span(&once), buf_span(&twice)))
		abort();
	check_lines(buf_span(&once));
	buf_release(&once);
	buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	size_t count = 0, file = 0;
	struct import in;
	while (import_peers[count].name)
		count++;
	if (size == 0)
		return 0;
	struct span rest = span_of(data + 1, size - 1), part;
	import_init(&in, &import_peers[data[0] % count]);
	while (file < IMPORT_FILES_MAX && in.peer->file[file].path) {
		if (!span_take_until(&rest, '\0', &part)) {
			part = rest;
			rest.len = 0;
		}
		import_parse(&in, file++, "file", part);
	}
	import_finish(&in);
	check_lines(buf_span(&in.notes));
	check_draft(&in);
	import_release(&in);
	return 0;
}
