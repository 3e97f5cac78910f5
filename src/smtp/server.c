/*
 * The server machine's frame: bytes in and out, one line at a time, and the caller's
 * answers. Every reply leaves through smtp_server_reply() or put_answer(), so that nothing
 * a caller says can become a second line.
 */

#include "smtp/server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "smtp/server_machine.h"

/* The longest command is a response of AUTH: RFC 4954 section 4. */
#define LINE_MAX_COMMAND 12288
#define IN_MAX (1024 * 1024)
#define OUT_MAX (1024 * 1024)
#define ANSWER_MAX 480
#define TOO_MANY_ERRORS "421 4.7.0 too many errors"

struct smtp_server *smtp_server_new(const struct smtp_server_params *params) {
	struct smtp_server *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->params = *params;
	s->tls = params->tls;
	buf_init(&s->in, IN_MAX);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->decoded, LINE_MAX_COMMAND);
	buf_addf(&s->out, "220 %s ESMTP\r\n", params->host);
	if (buf_failed(&s->out)) {
		smtp_server_free(s);
		return NULL;
	}
	return s;
}

void smtp_server_free(struct smtp_server *s) {
	if (!s)
		return;
	buf_wipe(&s->in);
	buf_wipe(&s->decoded);
	buf_release(&s->in);
	buf_release(&s->out);
	buf_release(&s->decoded);
	free(s);
}

int smtp_server_input(struct smtp_server *s, struct span bytes) {
	if (s->state == SMTP_SERVER_STATE_CLOSED)
		return 0;
	buf_consume(&s->in, s->in_taken);
	s->in_taken = 0;
	return buf_add(&s->in, bytes);
}

struct span smtp_server_output(const struct smtp_server *s) {
	return span_from(buf_span(&s->out), s->out_taken);
}

void smtp_server_sent(struct smtp_server *s, size_t n) {
	s->out_taken += n;
	if (s->out_taken == s->out.len) {
		s->out_taken = 0;
		if (!buf_failed(&s->out))
			buf_reset(&s->out);
	}
}

struct span smtp_server_left(const struct smtp_server *s) {
	return span_from(buf_span(&s->in), s->in_taken);
}

const char *smtp_server_mechanisms(const struct smtp_server *s) {
	return s->tls ? s->params.auth_tls : s->params.auth_clear;
}

void smtp_server_reply(struct smtp_server *s, const char *line) {
	buf_adds(&s->out, line);
	buf_adds(&s->out, "\r\n");
}

enum smtp_server_event smtp_server_complain(struct smtp_server *s, const char *line) {
	if (++s->errors > s->params.errors_max) {
		smtp_server_reply(s, TOO_MANY_ERRORS);
		s->closing = true;
	} else {
		smtp_server_reply(s, line);
	}
	return SMTP_SERVER_NONE;
}

enum smtp_server_event smtp_server_ask(struct smtp_server *s, enum smtp_server_event ev) {
	s->state = SMTP_SERVER_STATE_ANSWER;
	s->pending = ev;
	return ev;
}

static void put_answer(struct smtp_server *s, int code, const char *text) {
	char line[ANSWER_MAX];
	size_t n = 0;
	for (; n < sizeof line - 1 && text[n]; n++)
		line[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n];
	line[n] = '\0';
	buf_addi(&s->out, code);
	buf_addc(&s->out, ' ');
	smtp_server_reply(s, line);
	s->closing = code == 421;
}

static void put_extension(struct smtp_server *s, bool offered, const char *keyword) {
	if (offered)
		buf_addf(&s->out, "250-%s\r\n", keyword);
}

static void answer_hello(struct smtp_server *s) {
	const struct smtp_server_params *p = &s->params;
	s->greeted = true;
	s->esmtp = s->ehlo;
	s->want_reset = s->mail;
	s->mail = false;
	if (!s->ehlo) {
		buf_addf(&s->out, "250 %s\r\n", p->host);
		return;
	}
	buf_addf(&s->out, "250-%s\r\n", p->host);
	put_extension(s, p->pipelining, "PIPELINING");
	buf_addf(&s->out, "250-SIZE %" PRIu64 "\r\n", p->size_max);
	put_extension(s, p->eightbitmime, "8BITMIME");
	put_extension(s, p->smtputf8, "SMTPUTF8");
	put_extension(s, p->dsn, "DSN");
	put_extension(s, p->chunking, "CHUNKING");
	put_extension(s, p->offer_starttls && !s->tls, "STARTTLS");
	put_extension(s, p->requiretls && s->tls, "REQUIRETLS");
	if (smtp_server_mechanisms(s))
		buf_addf(&s->out, "250-AUTH %s\r\n", smtp_server_mechanisms(s));
	smtp_server_reply(s, "250 ENHANCEDSTATUSCODES");
}

/* What a positive answer does to the transaction, in the usual words or the caller's. */
static void note_accepted(struct smtp_server *s, enum smtp_server_event ev) {
	if (ev == SMTP_SERVER_MAIL) {
		s->mail = true;
		s->chunk.begun = false;
		s->recipients = 0;
	} else if (ev == SMTP_SERVER_RCPT) {
		s->recipients++;
	}
}

static void answer_ok(struct smtp_server *s, enum smtp_server_event ev) {
	if (ev == SMTP_SERVER_HELO) {
		answer_hello(s);
	} else if (ev == SMTP_SERVER_MAIL) {
		note_accepted(s, ev);
		smtp_server_reply(s, "250 2.1.0 sender ok");
	} else if (ev == SMTP_SERVER_RCPT) {
		note_accepted(s, ev);
		smtp_server_reply(s, "250 2.1.5 recipient ok");
	} else if (ev == SMTP_SERVER_DATA && s->chunk.pending) {
		smtp_server_chunk_answer(s, true);
	} else if (ev == SMTP_SERVER_DATA) {
		smtp_server_data_begin(s);
		smtp_server_reply(s, "354 end with a dot on a line of its own");
	} else {
		smtp_server_reply(s, "250 2.0.0 accepted");
	}
}

/* Takes the 220 of STARTTLS, the last line of the output, back. */
static void unsay_starttls(struct smtp_server *s) {
	size_t at = s->out.len - 1;
	while (at > s->out_taken && s->out.data[at - 1] != '\n')
		at--;
	buf_truncate(&s->out, at);
}

/* Commands in one flight with the end of data are PIPELINING, which HELO does not know: where
 * somebody sends them all the same, one of us two is wrong about where the data ended. */
static void end_of_data(struct smtp_server *s, bool accepted) {
	s->mail = false;
	if (accepted)
		s->idle = 0;
	if (s->esmtp || s->closing || smtp_server_left(s).len == 0)
		return;
	smtp_server_reply(s, "421 4.7.0 commands behind the end of data need EHLO");
	s->closing = true;
}

static void refused(struct smtp_server *s, enum smtp_server_event ev, int code) {
	if (ev == SMTP_SERVER_MAIL && code >= 500 &&
	    ++s->errors > s->params.errors_max) {
		smtp_server_reply(s, TOO_MANY_ERRORS);
		s->closing = true;
	}
	if (ev == SMTP_SERVER_DATA && s->chunk.pending)
		smtp_server_chunk_answer(s, false);
}

void smtp_server_answer(struct smtp_server *s, int code, const char *text) {
	bool handshake = s->state == SMTP_SERVER_STATE_HANDSHAKE;
	bool auth = s->state == SMTP_SERVER_STATE_ANSWER &&
		    s->pending == SMTP_SERVER_AUTH;
	if ((s->state != SMTP_SERVER_STATE_ANSWER && !handshake) ||
	    ((auth || handshake) && code < 400))
		return;
	if (handshake)
		unsay_starttls(s);
	s->state = SMTP_SERVER_STATE_COMMAND;
	if (code == 0) {
		answer_ok(s, s->pending);
	} else {
		put_answer(s, code, text);
		if (code < 300 && !handshake)
			note_accepted(s, s->pending);
		else if (code == 354 && s->pending == SMTP_SERVER_DATA)
			smtp_server_data_begin(s);
		else if (!handshake)
			refused(s, s->pending, code);
	}
	if (!handshake && s->pending == SMTP_SERVER_DATA_END)
		end_of_data(s, code < 300);
}

void smtp_server_auth_challenge(struct smtp_server *s, struct span challenge) {
	if (s->state != SMTP_SERVER_STATE_ANSWER || s->pending != SMTP_SERVER_AUTH)
		return;
	buf_wipe(&s->decoded);
	s->state = SMTP_SERVER_STATE_AUTH;
	buf_adds(&s->out, "334 ");
	codec_base64_add(&s->out, challenge);
	smtp_server_reply(s, "");
}

void smtp_server_auth_done(struct smtp_server *s, bool accepted) {
	if (s->state != SMTP_SERVER_STATE_ANSWER || s->pending != SMTP_SERVER_AUTH)
		return;
	buf_wipe(&s->decoded);
	s->state = SMTP_SERVER_STATE_COMMAND;
	s->authenticated = accepted;
	if (accepted)
		smtp_server_reply(s, "235 2.7.0 authenticated");
	else
		smtp_server_complain(s, "535 5.7.8 authentication failed");
}

void smtp_server_tls_done(struct smtp_server *s) {
	if (s->state != SMTP_SERVER_STATE_HANDSHAKE)
		return;
	s->state = SMTP_SERVER_STATE_COMMAND;
	s->tls = true;
	s->greeted = false;
	s->authenticated = false;
}

/* Takes a line; LF alone ends one too: only in content does that open a door. */
static bool take_line(struct smtp_server *s, struct span *ret) {
	for (;;) {
		struct span in = smtp_server_left(s);
		size_t at = span_find(in, '\n');
		bool whole = at < in.len;
		if (s->too_long || at > LINE_MAX_COMMAND) {
			s->in_taken += whole ? at + 1 : in.len;
			bool first = !s->too_long;
			s->too_long = !whole;
			if (first)
				smtp_server_complain(s, "500 5.5.2 line too long");
			if (!whole || s->closing)
				return false;
			continue;
		}
		if (!whole)
			return false;
		*ret = span_head(in, at > 0 && in.p[at - 1] == '\r' ? at - 1 : at);
		s->in_taken += at + 1;
		return true;
	}
}

static enum smtp_server_event close_now(struct smtp_server *s) {
	s->closing = false;
	s->state = SMTP_SERVER_STATE_CLOSED;
	return SMTP_SERVER_CLOSE;
}

enum smtp_server_event smtp_server_next(struct smtp_server *s,
					struct smtp_server_note *note) {
	enum smtp_server_event ev = SMTP_SERVER_NONE;
	while (ev == SMTP_SERVER_NONE) {
		struct span line;
		/* What a refused command left in it is none of the next one's. */
		memset(note, 0, sizeof *note);
		if (s->closing || buf_failed(&s->out) || buf_failed(&s->in))
			return s->state == SMTP_SERVER_STATE_CLOSED ? ev : close_now(s);
		if (s->want_reset) {
			s->want_reset = false;
			return SMTP_SERVER_RESET;
		}
		if (s->state == SMTP_SERVER_STATE_HANDSHAKE &&
		    smtp_server_left(s).len > 0)
			return close_now(s);
		enum smtp_server_state content = s->state;
		if (content == SMTP_SERVER_STATE_DATA ||
		    content == SMTP_SERVER_STATE_CHUNK) {
			ev = content == SMTP_SERVER_STATE_DATA ? smtp_server_data(s, note)
							       : smtp_server_chunk(s, note);
			if (s->state == content && !s->closing)
				return ev;
			continue;
		}
		if (s->state != SMTP_SERVER_STATE_COMMAND &&
		    s->state != SMTP_SERVER_STATE_AUTH)
			return ev;
		if (take_line(s, &line))
			ev = s->state == SMTP_SERVER_STATE_AUTH
				     ? smtp_server_auth_response(s, line, note)
				     : smtp_server_command(s, line, note);
		else if (!s->closing)
			return ev;
	}
	return ev;
}
