/*
 * BDAT (RFC 3030). A chunk is as long as its command said, so no byte of it can be a command,
 * and one that is refused is read to its end all the same. A command whose length cannot be
 * read ends the session: what follows could be either.
 *
 * Lines may be cut anywhere by chunks, so a CR that ends one is judged with the next.
 */

#include <inttypes.h>
#include <stdio.h>

#include "smtp/server_machine.h"

static enum smtp_server_event lost(struct smtp_server *s) {
	smtp_server_reply(s, "501 5.5.4 syntax: BDAT size [LAST]");
	s->closing = true;
	return SMTP_SERVER_NONE;
}

static void begin(struct smtp_server *s, bool is_refused) {
	s->state = SMTP_SERVER_STATE_CHUNK;
	s->chunk.refused = is_refused;
}

/* The transaction ends with the first chunk that is refused: those behind it, which may be on
 * their way, must not begin a message in its middle. */
static void drop(struct smtp_server *s) {
	s->want_reset = s->want_reset || s->mail;
	s->mail = s->chunk.begun = false;
	s->content = 0;
	begin(s, true);
}

static const char *refusal(const struct smtp_server *s) {
	if (!s->mail)
		return "503 5.5.1 MAIL first";
	return s->recipients == 0 ? "554 5.5.1 no valid recipient" : NULL;
}

enum smtp_server_event smtp_server_bdat(struct smtp_server *s, struct span args,
					struct smtp_server_note *note) {
	uint64_t size;
	(void)note;
	while (span_take_char(&args, ' '))
		;
	if (!span_take_uint(&args, INT64_MAX, &size))
		return lost(s);
	struct span last = span_trim(args);
	if ((args.len > 0 && args.p[0] != ' ') ||
	    (last.len > 0 && !span_eq_nocase(last, SPAN("LAST"))))
		return lost(s);
	s->chunk.left = size;
	s->chunk.last = last.len > 0;
	const char *no = refusal(s);
	if (no) {
		drop(s);
		return smtp_server_complain(s, no);
	}
	if (s->chunk.begun) {
		begin(s, false);
		return SMTP_SERVER_NONE;
	}
	s->chunk.pending = true;
	return smtp_server_ask(s, SMTP_SERVER_DATA);
}

void smtp_server_chunk_answer(struct smtp_server *s, bool accepted) {
	if (!accepted) {
		drop(s);
		return;
	}
	smtp_server_data_begin(s);
	s->chunk.begun = true;
	s->chunk.after_cr = false;
	begin(s, false);
}

/* Every CR before an LF, and every LF behind a CR; the other may be in another piece. */
static void scan(struct smtp_server *s, struct span in) {
	bool after_cr = s->chunk.after_cr;
	if (span_find(in, '\0') < in.len)
		smtp_server_flaw(s, SMTP_FLAW_NUL);
	while (in.len > 0) {
		if (after_cr) {
			after_cr = false;
			if (!span_take_char(&in, '\n'))
				smtp_server_flaw(s, SMTP_FLAW_BARE_NEWLINE);
			continue;
		}
		size_t n = span_find(in, '\r');
		if (span_find(span_head(in, n), '\n') < n)
			smtp_server_flaw(s, SMTP_FLAW_BARE_NEWLINE);
		after_cr = n < in.len;
		in = span_from(in, n + 1);
	}
	s->chunk.after_cr = after_cr;
}

static enum smtp_server_event chunk_end(struct smtp_server *s,
					struct smtp_server_note *note) {
	char line[64];
	s->state = SMTP_SERVER_STATE_COMMAND;
	if (s->chunk.refused)
		return SMTP_SERVER_NONE;
	if (!s->chunk.last) {
		snprintf(line, sizeof line, "250 2.0.0 %" PRIu64 " bytes so far",
			 s->content);
		smtp_server_reply(s, line);
		return SMTP_SERVER_NONE;
	}
	if (s->chunk.after_cr)
		smtp_server_flaw(s, SMTP_FLAW_BARE_NEWLINE);
	note->flaw = s->flaw;
	return smtp_server_ask(s, SMTP_SERVER_DATA_END);
}

enum smtp_server_event smtp_server_chunk(struct smtp_server *s,
					 struct smtp_server_note *note) {
	while (s->chunk.left > 0) {
		struct span in = smtp_server_left(s);
		if (in.len == 0 || s->closing)
			return SMTP_SERVER_NONE;
		if (in.len > s->chunk.left)
			in.len = (size_t)s->chunk.left;
		s->in_taken += in.len;
		s->chunk.left -= in.len;
		if (!s->chunk.refused)
			scan(s, in);
		if (smtp_server_count(s, in.len) && !s->chunk.refused) {
			note->data = in;
			return SMTP_SERVER_CONTENT;
		}
	}
	return chunk_end(s, note);
}
