/*
 * The client machine's frame: bytes in and out, and matching replies to commands. What the
 * replies mean stands in client_session.c (up to READY) and client_transaction.c, the ways a
 * session ends in client_end.c.
 */

#include "smtp/client.h"

#include <stdlib.h>
#include <string.h>

#include "smtp/client_machine.h"

#define OUT_MAX (SIZE_MAX / 4)
#define IN_MAX (SIZE_MAX / 4)
#define COMMAND_MAX 65536
/* Space given to the output at once where there is a login, so that growing leaves no copy of a
 * secret behind: the longest line of AUTH (RFC 4954 section 4) and more. */
#define OUT_FIRST 16384

static smtp_reply_fn on_quit;

static const struct {
	enum smtp_stage stage;
	smtp_reply_fn *handler;
} commands[] = {
	[SMTP_COMMAND_GREETING] = { SMTP_STAGE_GREETING, smtp_client_on_greeting },
	[SMTP_COMMAND_EHLO] = { SMTP_STAGE_EHLO, smtp_client_on_ehlo },
	[SMTP_COMMAND_HELO] = { SMTP_STAGE_EHLO, smtp_client_on_helo },
	[SMTP_COMMAND_STARTTLS] = { SMTP_STAGE_TLS, smtp_client_on_starttls },
	[SMTP_COMMAND_AUTH] = { SMTP_STAGE_AUTH, smtp_client_on_auth },
	[SMTP_COMMAND_RSET] = { SMTP_STAGE_MAIL, smtp_client_on_rset },
	[SMTP_COMMAND_MAIL] = { SMTP_STAGE_MAIL, smtp_client_on_mail },
	[SMTP_COMMAND_RCPT] = { SMTP_STAGE_RCPT, smtp_client_on_rcpt },
	[SMTP_COMMAND_DATA] = { SMTP_STAGE_DATA, smtp_client_on_data },
	[SMTP_COMMAND_DOT] = { SMTP_STAGE_CONTENT, smtp_client_on_dot },
	[SMTP_COMMAND_BDAT] = { SMTP_STAGE_CONTENT, smtp_client_on_bdat },
	[SMTP_COMMAND_QUIT] = { SMTP_STAGE_QUIT, on_quit },
};

const char *smtp_stage_name(enum smtp_stage s) {
	static const char *const names[] = {
		[SMTP_STAGE_CONNECT] = "connect", [SMTP_STAGE_GREETING] = "greeting",
		[SMTP_STAGE_EHLO] = "EHLO",       [SMTP_STAGE_TLS] = "TLS",
		[SMTP_STAGE_AUTH] = "AUTH",       [SMTP_STAGE_MAIL] = "MAIL",
		[SMTP_STAGE_RCPT] = "RCPT",       [SMTP_STAGE_DATA] = "DATA",
		[SMTP_STAGE_CONTENT] = "content", [SMTP_STAGE_QUIT] = "QUIT",
	};
	return names[s];
}

struct smtp_client *smtp_client_new(const struct smtp_client_params *params) {
	struct smtp_client *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->params = *params;
	c->tls = params->tls;
	buf_init(&c->in, IN_MAX);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->scratch, COMMAND_MAX);
	buf_init(&c->auth.delayed, COMMAND_MAX);
	size_t room = params->auth ? OUT_FIRST : 0;
	if (!buf_room(&c->out, room) || !buf_room(&c->scratch, room)) {
		smtp_client_free(c);
		return NULL;
	}
	c->ring[0].kind = SMTP_COMMAND_GREETING;
	c->waiting = 1;
	return c;
}

void smtp_client_free(struct smtp_client *c) {
	if (!c)
		return;
	smtp_client_forget_auth(c);
	if (c->secret_out)
		buf_wipe(&c->out);
	buf_release(&c->in);
	buf_release(&c->out);
	buf_release(&c->scratch);
	free(c);
}

int smtp_client_input(struct smtp_client *c, struct span bytes) {
	if (c->closing)
		return 0;
	buf_consume(&c->in, c->in_taken);
	c->in_taken = 0;
	return buf_add(&c->in, bytes);
}

void smtp_client_eof(struct smtp_client *c, const char *words) {
	if (c->ended)
		return;
	c->ended = true;
	c->end = smtp_reply_local(421, 4, 2, "%s", words);
}

void smtp_client_timeout(struct smtp_client *c, const char *words) {
	c->out_of_step = true;
	smtp_client_eof(c, words);
}

struct span smtp_client_output(const struct smtp_client *c) {
	return span_from(buf_span(&c->out), c->out_taken);
}

void smtp_client_sent(struct smtp_client *c, size_t n) {
	c->out_taken += n;
	c->sent += n;
	if (c->out_taken == c->out.len) {
		if (c->secret_out)
			buf_wipe(&c->out);
		c->secret_out = false;
		if (!buf_failed(&c->out))
			buf_reset(&c->out);
		c->out_taken = 0;
	} else if (c->out_taken > c->out.len / 2 && c->out_taken > OUT_FIRST) {
		buf_consume(&c->out, c->out_taken);
		c->out_taken = 0;
	}
}

void smtp_client_add(struct smtp_client *c, struct span bytes) {
	buf_add(&c->out, bytes);
}

uint64_t smtp_client_command(struct smtp_client *c, enum smtp_command_kind kind,
			     struct smtp_flight *f) {
	smtp_client_add(c, SPAN("\r\n"));
	uint64_t end = c->sent + (c->out.len - c->out_taken);
	unsigned at = (c->first + c->waiting) % SMTP_CLIENT_COMMANDS_MAX;
	c->ring[at] = (struct smtp_command){ kind, end, f };
	c->waiting++;
	if (f)
		f->waiting++;
	return end;
}

void smtp_client_expect_again(struct smtp_client *c, enum smtp_command_kind kind,
			      struct smtp_flight *f) {
	c->first = (c->first + SMTP_CLIENT_COMMANDS_MAX - 1) % SMTP_CLIENT_COMMANDS_MAX;
	c->ring[c->first] = (struct smtp_command){ kind, f->dot_end, f };
	c->waiting++;
	f->waiting++;
}

struct smtp_flight *smtp_client_flight(struct smtp_client *c, unsigned i) {
	return &c->flights[(c->flight_first + i) % SMTP_CLIENT_FLIGHTS_MAX];
}

struct smtp_flight *smtp_client_old(struct smtp_client *c) {
	struct smtp_flight *f = smtp_client_flight(c, 0);
	return c->flight_count > 0 && f != c->cur ? f : NULL;
}

void smtp_client_forget_flight(struct smtp_client *c, const struct smtp_flight *f) {
	if (f == smtp_client_flight(c, 0))
		c->flight_first = (c->flight_first + 1) % SMTP_CLIENT_FLIGHTS_MAX;
	c->flight_count--;
	if (f == c->cur)
		c->cur = NULL;
}

enum smtp_stage smtp_client_stage(const struct smtp_client *c) {
	if (c->closing)
		return c->last.stage;
	if (c->waiting > 0)
		return commands[c->ring[c->first].kind].stage;
	if (c->handshake)
		return SMTP_STAGE_TLS;
	return c->cur && c->cur->content ? SMTP_STAGE_CONTENT : SMTP_STAGE_MAIL;
}

static enum smtp_client_event on_quit(struct smtp_client *c, struct smtp_flight *f,
				      struct smtp_client_note *note) {
	(void)f, (void)note;
	smtp_client_close(c, SMTP_STAGE_QUIT, &c->reply);
	return SMTP_CLIENT_NONE;
}

/* A refusal of the message before all of it left: its reply counts, but from here on nobody
 * knows what the server reads as content and what as commands. */
static enum smtp_client_event refused_early(struct smtp_client *c,
					    const struct smtp_flight *f,
					    struct smtp_client_note *note) {
	note->transaction = f->t;
	note->stage = SMTP_STAGE_CONTENT;
	note->reply = c->reply;
	smtp_client_forget_flight(c, f);
	smtp_client_broken(c, SMTP_STAGE_CONTENT,
			   "answered %d before the end of the message", c->reply.code);
	return SMTP_CLIENT_DONE;
}

/* A reply that no command waits for. */
static enum smtp_client_event on_surplus(struct smtp_client *c,
					 struct smtp_client_note *note) {
	if (c->reply.code == 421)
		smtp_client_close(c, smtp_client_stage(c), &c->reply);
	else if (c->cur && c->cur->content && c->reply.code >= 400)
		return refused_early(c, c->cur, note);
	else
		smtp_client_broken(c, smtp_client_stage(c),
				   "sent an unexpected reply: %d %s", c->reply.code,
				   c->reply.text);
	return SMTP_CLIENT_NONE;
}

static enum smtp_client_event on_reply(struct smtp_client *c,
				       struct smtp_client_note *note) {
	if (c->waiting == 0)
		return on_surplus(c, note);
	struct smtp_command cmd = c->ring[c->first];
	enum smtp_stage stage = commands[cmd.kind].stage;
	bool early = cmd.end > c->sent && c->reply.code != 421;
	bool content = cmd.kind == SMTP_COMMAND_BDAT ||
		       (cmd.kind == SMTP_COMMAND_DOT && cmd.flight == smtp_client_old(c));
	if (early && content && c->reply.code >= 400)
		return refused_early(c, cmd.flight, note);
	if (early) {
		smtp_client_broken(c, stage, "answered %d %s before it was asked",
				   c->reply.code, c->reply.text);
		return SMTP_CLIENT_NONE;
	}

	c->first = (c->first + 1) % SMTP_CLIENT_COMMANDS_MAX;
	c->waiting--;
	if (cmd.flight)
		cmd.flight->waiting--;
	if (c->reply.code == 421 && cmd.kind == SMTP_COMMAND_DOT &&
	    smtp_client_has_recipients_left(c, cmd.flight)) {
		/* LMTP: it answers for one recipient; the others may have the message. */
		smtp_client_close(c, stage, &c->reply);
		return smtp_client_on_dot(c, cmd.flight, note);
	}
	if (c->reply.code == 421) {
		/* It stands for all that would have been answered behind it. */
		for (unsigned i = 0; i < c->flight_count; i++)
			smtp_client_flight(c, i)->dot_end = 0;
		smtp_client_close(c, stage, &c->reply);
		return SMTP_CLIENT_NONE;
	}
	if (c->streams && smtp_client_is_out_of_place(c, cmd.kind, cmd.flight))
		return SMTP_CLIENT_NONE;
	return commands[cmd.kind].handler(c, cmd.flight, note);
}

/* Returns true when c->reply is a new one, or the session was closed over it. */
static bool take_reply(struct smtp_client *c) {
	struct err err = ERR_INIT;
	struct span in = span_from(buf_span(&c->in), c->in_taken), rest = in;
	if (in.len == 0)
		return false;
	bool ehlo = c->waiting > 0 && c->ring[c->first].kind == SMTP_COMMAND_EHLO;
	bool begun = c->parser.lines > 0;
	int r = smtp_reply_feed(&c->parser, &rest, &c->reply, &err);
	c->raw = span_head(in, in.len - rest.len);
	c->in_taken += c->raw.len;
	if (r < 0) {
		smtp_client_broken(c, smtp_client_stage(c), "%s", err.msg);
		return true;
	}
	struct span lines = c->raw, line;
	for (bool first = !begun; ehlo && span_take_line(&lines, &line); first = false)
		if (!first)
			smtp_extensions_line(&c->ext, span_from(line, 4));
	return r > 0;
}

static void say_quit(struct smtp_client *c) {
	if (!c->want_quit || !c->ready || c->waiting > 0 || c->flight_count > 0 ||
	    c->closing)
		return;
	c->ready = false;
	smtp_client_add(c, SPAN("QUIT"));
	smtp_client_command(c, SMTP_COMMAND_QUIT, NULL);
}

enum smtp_client_event smtp_client_next(struct smtp_client *c,
					struct smtp_client_note *note) {
	memset(note, 0, sizeof *note);
	for (;;) {
		if (buf_failed(&c->out) || buf_failed(&c->in)) {
			struct smtp_reply r = smtp_reply_local(451, 3, 0,
							       "out of memory");
			smtp_client_close(c, smtp_client_stage(c), &r);
		}
		if (c->closing)
			return smtp_client_ending(c, note);
		if (smtp_client_take_answered(c, note) ||
		    smtp_client_take_refused(c, note))
			return SMTP_CLIENT_DONE;
		smtp_client_pump(c);
		if (smtp_client_want_chunk(c, note))
			return SMTP_CLIENT_WANT_CONTENT;
		say_quit(c);
		if (c->handshake && c->in_taken < c->in.len) {
			smtp_client_broken(c, SMTP_STAGE_TLS,
					   "sent data before the TLS handshake");
			continue;
		}
		if (!take_reply(c)) {
			if (!c->ended)
				return SMTP_CLIENT_NONE;
			smtp_client_close(c, smtp_client_stage(c), &c->end);
			continue;
		}
		enum smtp_client_event ev = c->closing ? SMTP_CLIENT_NONE
						       : on_reply(c, note);
		if (ev != SMTP_CLIENT_NONE)
			return ev;
	}
}

void smtp_client_quit(struct smtp_client *c) {
	c->want_quit = true;
	say_quit(c);
}

const struct smtp_extensions *smtp_client_extensions(const struct smtp_client *c) {
	return &c->ext;
}

bool smtp_client_streams(const struct smtp_client *c) {
	return c->streams;
}

bool smtp_client_out_of_step(const struct smtp_client *c) {
	return c->out_of_step;
}

const char *smtp_client_auth_mechanism(const struct smtp_client *c) {
	return c->auth.accepted ? c->auth.mechanism : NULL;
}
