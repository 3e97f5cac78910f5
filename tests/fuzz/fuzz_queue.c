/*
 * Any bytes as a queue file, as a journal, as a completion journal, as the state of relays.
 * Records are also given the right checksum, since no fuzzer finds one.
 */

#include <stdint.h>
#include <stdlib.h>

#include "queue/relaystate.h"
#include "queue/segment_record.h"
#include "queue/spool.h"
#include "queue/words.h"

#define RECIPIENTS 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_journal(struct span bytes, size_t recipients) {
	struct moment created = { .wall_ms = 1, .boot_ms = 1, .boot_id = 1 },
		      now = clock_now();
	struct journal j;
	if (journal_parse(bytes, recipients, &created, &j) != 0)
		return;
	if (j.valid > bytes.len)
		abort();
	journal_finished(&j);
	journal_age_ms(&j, &now, 0);
	journal_due_ms(&j, &now);
	journal_release(&j);
}

/* What was read is written again as the same bytes, or was not written by us. */
static void use_envelope(struct span bytes, struct span behind) {
	struct envelope e, again;
	AUTO_BUF struct buf out = BUF_INIT(ENVELOPE_MAX);
	if (envelope_parse(bytes, &e, NULL) != 0)
		return;
	if (envelope_write(&e, &out) == 0) {
		if (envelope_parse(buf_span(&out), &again, NULL) != 0)
			abort();
		if (again.to_count != e.to_count || !span_eq(again.from, e.from))
			abort();
		envelope_release(&again);
	}
	use_journal(behind, e.to_count);
	envelope_release(&e);
}

static void use_file(struct span file) {
	struct first_line f;
	if (first_line_parse(file, &f, NULL) != 0)
		return;
	struct span rest = span_from(file, FIRST_LINE_LEN);
	if (f.envelope_len > rest.len)
		return;
	struct span envelope = span_head(rest, (size_t)f.envelope_len);
	rest = span_from(rest, envelope.len);
	if (f.message_len <= rest.len)
		use_envelope(envelope, span_from(rest, (size_t)f.message_len));
}

static void use_lines(struct span lines) {
	AUTO_BUF struct buf records = BUF_INIT(1 << 20);
	struct relaystate states[4];
	struct span line;
	while (span_take_line(&lines, &line)) {
		size_t begin = words_record_begin(&records, "");
		buf_add(&records, line);
		words_record_end(&records, begin);
	}
	use_journal(buf_span(&records), RECIPIENTS);
	relaystate_parse(buf_span(&records), states, 4);
}

static void use_segment(struct span bytes) {
	struct segment_content c;
	if (segment_content_parse(bytes, &c) == 0)
		free(c.records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span all = span_of(data, size);
	use_file(all);
	use_envelope(all, span_of(NULL, 0));
	use_lines(all);
	use_journal(all, RECIPIENTS);
	use_segment(all);
	return 0;
}
