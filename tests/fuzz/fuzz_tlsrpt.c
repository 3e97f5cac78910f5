/* Lines of sessions and files of them: what is read is written again as it was, and any lines make
 * a report. */

#include <stdlib.h>

#include "queue/tlsrptlog_files.h"
#include "tlspolicy/tlsrpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct span line) {
	AUTO_BUF struct buf storage = BUF_INIT(1u << 20), again = BUF_INIT(1u << 20),
			    other = BUF_INIT(1u << 20);
	struct tlsrpt_session s, t;
	if (!tlsrpt_line_parse(line, &storage, &s) || tlsrpt_line_add(&again, &s) != 0)
		return;
	if (!tlsrpt_line_parse(buf_span(&again), &other, &t) || t.type != s.type ||
	    t.result != s.result || t.domain.len > s.domain.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	AUTO_BUF struct buf out = BUF_INIT(1u << 22);
	struct bag lines = { .max = 1000 };
	struct span rest = span_of(data, size), line;
	const struct tlsrpt_about about = { .organization = SPAN("a"), .day = 1 };
	while (span_take_until(&rest, '\n', &line)) {
		check_line(line);
		bag_add(&lines, line, 1);
	}
	(void)tlsrptlog_count(span_of(data, size), &lines);
	(void)tlsrpt_report_add(&out, &lines, &about, NULL);
	bag_release(&lines);
	return 0;
}
