/* From the lines of dns-check and smtp-probe to the lists that are compared and kept. */

#include "deliver/watch_result.h"

#include <string.h>

#include "base/term.h"

#define FIELD_MAX 8192u
#define FIELDS 4u

/* What people see has its escapes already; whatever else came is made harmless here. */
static int add(struct watch_items *l, enum watch_level level, const struct span field[3],
	       struct err *err) {
	struct buf safe[WATCH_WORDS] = { BUF_INIT(FIELD_MAX), BUF_INIT(FIELD_MAX),
					 BUF_INIT(FIELD_MAX) };
	struct span word[WATCH_WORDS];
	bool long_ = false;
	for (size_t i = 0; i < WATCH_WORDS; i++) {
		term_safe_again(&safe[i], field[i]);
		long_ |= buf_failed(&safe[i]);
		word[i] = buf_span(&safe[i]);
	}
	int r = long_ ? err_set(err, ERR_LIMIT, "a line is too long")
		: watch_items_add(l, level, word) == 0
			? 0
			: err_set(err, ERR_LIMIT, "there are too many lines");
	for (size_t i = 0; i < WATCH_WORDS; i++)
		buf_release(&safe[i]);
	return r;
}

/* Exactly four fields with tabs between them. */
static bool split(struct span line, struct span field[FIELDS]) {
	for (size_t i = 0; i + 1 < FIELDS; i++)
		if (!span_take_until(&line, '\t', &field[i]))
			return false;
	field[FIELDS - 1] = line;
	return span_find(line, '\t') == line.len;
}

/* What needs no attention is told by other words. */
static bool is_known_severity(struct span s) {
	return span_eq(s, SPAN("n/a")) || span_eq(s, SPAN("info")) ||
	       span_eq(s, SPAN("notice"));
}

/* 1: it needs attention; 0: it does not; -1: that is no severity. */
static int severity(struct span s, enum watch_level *ret) {
	if (watch_level_parse(s, ret))
		return *ret != WATCH_OK;
	return is_known_severity(s) ? 0 : -1;
}

static int not_understood(struct span line, struct err *err) {
	AUTO_BUF struct buf safe = BUF_INIT(1024);
	term_safe(&safe, span_head(line, 100));
	return err_set(err, ERR_SYNTAX, "what it said is not understood: %s",
		       buf_str(&safe));
}

int watch_read_dns(struct span output, struct watch_round *ret, struct err *err) {
	struct span line, field[FIELDS];
	enum watch_level level;
	while (span_take_line(&output, &line)) {
		if (!split(line, field))
			return not_understood(line, err);
		bool record = span_eq(field[0], SPAN("record"));
		int told = record ? 1 : severity(field[0], &level);
		if (told < 0)
			return not_understood(line, err);
		if (told && add(record ? &ret->record : &ret->finding,
				record ? WATCH_OK : level, field + 1, err) != 0)
			return -1;
	}
	return 0;
}

/* Without a connection, or without TLS, there was no certificate to look at. */
static bool has_no_certificate(struct span id) {
	return span_starts(id, SPAN("conn.")) || span_starts(id, SPAN("banner.")) ||
	       span_starts(id, SPAN("ehlo.")) || span_eq(id, SPAN("tls.handshake")) ||
	       span_eq(id, SPAN("tls.not_offered")) ||
	       span_eq(id, SPAN("tls.offered_refused"));
}

int watch_read_probe(struct span output, struct watch_round *ret, struct err *err) {
	struct span line, field[FIELDS];
	enum watch_level level;
	while (span_take_line(&output, &line)) {
		int told = split(line, field) ? severity(field[0], &level) : -1;
		if (told < 0)
			return not_understood(line, err);
		bool none = has_no_certificate(field[1]);
		if (!told || (!none && !span_starts(field[1], SPAN("tls.")) &&
			      !span_starts(field[1], SPAN("dane."))))
			continue;
		if (add(&ret->finding, none ? WATCH_UNKNOWN : level, field + 1, err) != 0)
			return -1;
	}
	ret->probed = true;
	return 0;
}

void watch_round_release(struct watch_round *r) {
	watch_items_release(&r->finding);
	watch_items_release(&r->record);
	*r = (struct watch_round){ .failed = NULL };
}

bool watch_has_mx(const struct watch_round *r, const char *domain) {
	for (size_t i = 0; i < r->record.count; i++) {
		char *const *w = r->record.at[i].word;
		if (strcasecmp(w[WATCH_NAME], domain) == 0 &&
		    strcmp(w[WATCH_TYPE], "MX") == 0 &&
		    strcmp(w[WATCH_VALUE], "-") != 0 &&
		    strcmp(w[WATCH_VALUE], "?") != 0 &&
		    strcmp(w[WATCH_VALUE], "0 .") != 0)
			return true;
	}
	return false;
}
