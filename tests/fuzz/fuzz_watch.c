/*
 * What dns-check and smtp-probe say, read by the daemon: two outputs with a zero byte between them,
 * compared twice; what comes of it is written and read again as it was. The same bytes are also
 * read as the file that keeps it.
 */

#include "deliver/watch_result.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct watchstate *s, struct span output) {
	struct watch_round r = { .failed = NULL };
	AUTO_BUF struct buf text = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	if (watch_read_dns(output, &r, &err) != 0) {
		size_t found = r.finding.count;
		if (watch_read_probe(output, &r, &err) != 0)
			watch_items_truncate(&r.finding, found);
	}
	watch_has_mx(&r, s->domain);
	watch_compare(s, &r, &text);
	watch_round_release(&r);
	/* the same again is no news */
	if (watch_read_dns(output, &r, &err) == 0) {
		r.probed = true;
		buf_reset(&text);
		watch_compare(s, &r, &text);
		buf_reset(&text);
		watch_round_release(&r);
		watch_read_dns(output, &r, &err);
		r.probed = true;
		enum watch_news news = watch_compare(s, &r, &text);
		if (news != WATCH_NOTHING && news != WATCH_SILENT)
			abort();
	}
	watch_round_release(&r);
}

static void write_and_read(const struct watchstate *s) {
	AUTO_BUF struct buf bytes = BUF_INIT(64u << 20), again = BUF_INIT(64u << 20);
	struct watchstate read;
	if (watchstate_add(&bytes, s) != 0)
		return;
	if (watchstate_parse(buf_span(&bytes), &read, 1) != 1 ||
	    watchstate_add(&again, &read) != 0 ||
	    !span_eq(buf_span(&bytes), buf_span(&again)))
		abort();
	watchstate_release(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct watchstate s = { .domain = "example.org" }, read[4];
	struct span all = span_of((const char *)data, size);
	size_t half = span_find(all, '\0');
	take(&s, span_head(all, half));
	take(&s, span_from(all, half + 1));
	write_and_read(&s);
	watchstate_release(&s);
	for (size_t n = watchstate_parse(all, read, 4); n > 0; n--)
		watchstate_release(&read[n - 1]);
	return 0;
}
