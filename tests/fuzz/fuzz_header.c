/*
 * Headers, the fix-ups and what writes into headers. The first byte chooses with or
 * without -t. The new block is a header in wire form without Bcc; fixing it again adds a Received
 * line and nothing else. Text from anywhere, put into a field or a notice, stays there.
 */

#include "mail/fixup.h"

#include <stdlib.h>

#include "mail/dsn_write.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

/* CR and LF come as CRLF only; with folds each is followed by a blank. No NUL. */
static void need_wire(struct span s, bool folds_only) {
	for (size_t i = 0; i < s.len; i++) {
		need(s.p[i] != '\0');
		need(s.p[i] != '\r' || (i + 1 < s.len && s.p[i + 1] == '\n'));
		need(s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r'));
		need(!folds_only || s.p[i] != '\n' ||
		     (i + 1 < s.len && s.p[i + 1] == ' '));
		need(!folds_only || (unsigned char)s.p[i] < 0x80);
	}
}

static size_t count_fields(struct span block, const char *name) {
	struct header_field f;
	size_t n = 0;
	while (header_take(&block, &f))
		n += !name || span_eq_nocase(f.name, span_str(name));
	need(block.len == 0);
	return n;
}

static void check_fixup(struct span block, bool extract) {
	struct fixup_params params = { .extract = extract,
				       .recipients_max = 50,
				       .host = SPAN("h.example"),
				       .received = SPAN("uid 0"),
				       .id = SPAN("0ID"),
				       .from = SPAN("a@b"),
				       .wall_s = 1 };
	struct fixup_recipients to = { .count = 0 };
	struct fixup_result first, second;
	AUTO_BUF struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
	if (fixup_header(block, &params, &to, &once, &first, NULL) == 0) {
		struct span s = buf_span(&once);
		need_wire(s, false);
		need(s.len > 4 && header_block_len(s) == s.len - 2);
		s.len -= 2;
		need(count_fields(s, "Bcc") == 0 && count_fields(s, "Resent-Bcc") == 0);
		params.extract = false;
		need(fixup_header(s, &params, &to, &twice, &second, NULL) == 0);
		struct span again = span_head(buf_span(&twice), twice.len - 2);
		need(count_fields(again, NULL) >= count_fields(s, NULL) + 1);
		need(span_ends_nocase(again, s));
		need(first.has_8bit == second.has_8bit);
	}
	fixup_recipients_release(&to);
}

static void check_block(struct span s) {
	size_t len = header_block_len(s), end;
	need(len <= s.len);
	for (size_t n = 0; n < s.len && n < 200; n++)
		if (header_block_end(span_head(s, n), &end))
			need(end == len);
	AUTO_BUF struct buf flat = BUF_INIT(1 << 20);
	header_unfold(s, &flat);
	need(span_find(buf_span(&flat), '\n') == flat.len);
	need(span_find(buf_span(&flat), '\r') == flat.len);
}

static void check_text(struct span s) {
	AUTO_BUF struct buf text = BUF_INIT(1 << 20), phrase = BUF_INIT(1 << 20);
	need(fixup_text(&text, s, 9) == 0 && fixup_phrase(&phrase, s) == 0);
	need_wire(buf_span(&text), true);
	need_wire(buf_span(&phrase), true);
}

static void check_notice(struct span s) {
	struct dsn_params p = { .id = SPAN("0B"),
				.host = SPAN("h"),
				.to = SPAN("a@b"),
				.envid = s,
				.original_id = SPAN("0A") };
	struct dsn_recipient r = { .address = s,
				   .orcpt = s,
				   .status = { 5, 1, 1 },
				   .remote = s,
				   .reply = s,
				   .is_remote = true };
	AUTO_BUF struct buf out = BUF_INIT(1 << 20);
	need(dsn_write_head(&out, &p, &r, 1) == 0 && dsn_write_tail(&out, &p) == 0);
	need_wire(buf_span(&out), false);
	struct span rest = buf_span(&out), line;
	size_t boundaries = 0, actions = 0; /* those of the machine's part */
	while (span_take_line(&rest, &line)) {
		boundaries += span_starts(line, SPAN("--=_0B/report"));
		actions += boundaries == 2 && span_starts_nocase(line, SPAN("Action:"));
		need(line.len <= 998);
	}
	need(boundaries == 4 && actions == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span s = span_of(data, size);
	if (size == 0 || size > 20000)
		return 0;
	check_block(s);
	check_fixup(span_from(s, 1), data[0] & 1);
	check_text(s);
	check_notice(s);
	return 0;
}
