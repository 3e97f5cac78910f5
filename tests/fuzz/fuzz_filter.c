/*
 * The filter language. What parses is the same word by word, passes or drops a message without
 * looking behind its texts, and does so again; what does not says why in printable words.
 */

#include "queue/filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

static void check_match(const struct filter *f, struct span text) {
	struct filter_row row = { .state = (enum queue_state)(text.len % 5),
				  .created = (int64_t)text.len,
				  .next = text.len % 2 ? FILTER_NO_TIME : 50,
				  .size = text.len,
				  .attempts = text.len % 3,
				  .id = span_head(text, 16),
				  .from = text,
				  .to = text,
				  .relay = span_from(text, 3),
				  .reason = span_head(text, 5),
				  .why = text,
				  .flags = span_from(text, 9) };
	bool first = filter_match(f, &row, 100);
	need(filter_match(f, &row, 100) == first);
	if (f->count == 0)
		need(first);
	/* Every word of its own is weaker than all of them. */
	for (size_t i = 0; first && i < f->count; i++) {
		struct filter one = *f;
		one.term[0] = f->term[i];
		one.count = 1;
		need(filter_match(&one, &row, 100));
	}
	filter_match(f, &row, INT64_MAX);
	filter_match(f, &row, 0);
}

/* The first line is the filter, the rest what it is about. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span in = span_of(data, size);
	struct span line = span_head(in, span_find(in, '\n'));
	struct filter f = FILTER_INIT, again = FILTER_INIT;
	struct err err = ERR_INIT;
	if (filter_parse(&f, line, &err) != 0) {
		need(f.count == 0 && err.msg[0]);
		for (const char *c = err.msg; *c; c++)
			need((unsigned char)*c >= 0x20 && *c != 0x7f);
		return 0;
	}
	need(f.count <= FILTER_TERMS_MAX && f.text_used <= FILTER_TEXT_MAX);
	need(filter_parse(&again, line, NULL) == 0 && again.count == f.count);
	check_match(&f, span_from(in, line.len + 1));
	return 0;
}
