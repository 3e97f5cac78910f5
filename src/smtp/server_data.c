/*
 * Content (RFC 5321 section 4.5.2). CR LF "." CR LF ends it and nothing else does: a line end
 * that another server reads differently is how one message smuggles in a second one. So a
 * bare CR or LF neither makes a line start nor goes unnoticed.
 *
 * A CR that is the last byte so far stays in the input until its neighbour is there, so
 * every scan sees whole pairs. The content is given out as it lies in the input, cut only
 * where a stuffed dot is left out.
 */

#include <string.h>

#include "smtp/server_machine.h"

/* Beyond the limit on a message's size: what is swallowed of one that is too big. */
#define SWALLOWED_MAX (UINT64_C(64) << 20)

void smtp_server_data_begin(struct smtp_server *s) {
	s->state = SMTP_SERVER_STATE_DATA;
	s->line_start = true;
	s->content = 0;
	s->flaw = SMTP_FLAW_NONE;
}

void smtp_server_flaw(struct smtp_server *s, enum smtp_server_flaw flaw) {
	if (flaw == SMTP_FLAW_BARE_NEWLINE && s->params.lenient_newlines)
		return;
	if (s->flaw == SMTP_FLAW_NONE)
		s->flaw = flaw;
}

bool smtp_server_count(struct smtp_server *s, uint64_t n) {
	uint64_t max = s->params.size_max;
	s->content += n;
	if (max == 0 || s->content <= max)
		return true;
	s->flaw = SMTP_FLAW_TOO_BIG;
	if (s->content - max > SWALLOWED_MAX) {
		smtp_server_reply(s, "552 5.3.4 message too big");
		s->closing = true;
	}
	return false;
}

/* Looks through bytes up to and with an LF (or to the end, without one). Returns true when
 * they end in CRLF. */
static bool scan_line(struct smtp_server *s, struct span line) {
	bool lf = line.len > 0 && line.p[line.len - 1] == '\n';
	bool crlf = lf && line.len > 1 && line.p[line.len - 2] == '\r';
	size_t body = line.len - (crlf ? 2 : 0);
	if ((lf && !crlf) || span_find(span_head(line, body), '\r') < body)
		smtp_server_flaw(s, SMTP_FLAW_BARE_NEWLINE);
	return crlf;
}

/* Returns how many bytes can be given out: up to a line that begins with a dot, or all but
 * a last CR. */
static size_t scan(struct smtp_server *s, struct span in) {
	size_t done = 0;
	if (in.len > 0 && in.p[in.len - 1] == '\r')
		in.len--;
	while (done < in.len) {
		struct span rest = span_from(in, done);
		size_t at = span_find(rest, '\n');
		size_t n = at < rest.len ? at + 1 : rest.len;
		s->line_start = scan_line(s, span_head(rest, n));
		done += n;
		if (s->line_start && done < in.len && in.p[done] == '.')
			break;
	}
	if (span_find(span_head(in, done), '\0') < done)
		smtp_server_flaw(s, SMTP_FLAW_NUL);
	return done;
}

/* At the start of a line: takes the end of data, or the stuffed dot of a line. Returns -1
 * when that cannot be known yet, 1 at the end of data. */
static int take_dot(struct smtp_server *s) {
	struct span in = smtp_server_left(s);
	if (!s->line_start || (in.len > 0 && in.p[0] != '.'))
		return 0;
	if (in.len < 2 || (in.p[1] == '\r' && in.len < 3))
		return -1;
	bool end = in.p[1] == '\r' && in.p[2] == '\n';
	s->in_taken += end ? 3 : 1;
	s->line_start = false;
	return end;
}

enum smtp_server_event smtp_server_data(struct smtp_server *s,
					struct smtp_server_note *note) {
	for (;;) {
		int dot = take_dot(s);
		if (dot < 0)
			return SMTP_SERVER_NONE;
		if (dot > 0) {
			note->flaw = s->flaw;
			return smtp_server_ask(s, SMTP_SERVER_DATA_END);
		}
		struct span in = smtp_server_left(s);
		size_t n = scan(s, in);
		if (n == 0)
			return SMTP_SERVER_NONE;
		s->in_taken += n;
		if (smtp_server_count(s, n)) {
			note->data = span_head(in, n);
			return SMTP_SERVER_CONTENT;
		}
		if (s->closing)
			return SMTP_SERVER_NONE;
	}
}
