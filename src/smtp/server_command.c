/*
 * The verbs. A row of the table says what must be true before a verb is looked at, so that
 * each function deals with its own arguments only.
 */

#include <string.h>

#include "base/codec.h"
#include "mail/addr.h"
#include "smtp/server_machine.h"
#include "smtp/syntax.h"

#define NAME_MAX_HELLO 255

typedef enum smtp_server_event command_fn(struct smtp_server *s, struct span args,
					  struct smtp_server_note *note);

static enum smtp_server_event hello(struct smtp_server *s, struct span args, bool ehlo,
				    struct smtp_server_note *note) {
	args = span_trim(args);
	if (args.len == 0 || args.len > NAME_MAX_HELLO)
		return smtp_server_complain(s, "501 5.5.4 say who you are: EHLO name");
	note->text = args;
	note->esmtp = ehlo;
	s->ehlo = ehlo;
	return smtp_server_ask(s, SMTP_SERVER_HELO);
}

static enum smtp_server_event on_helo(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	return hello(s, args, false, note);
}

static enum smtp_server_event on_ehlo(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	return hello(s, args, true, note);
}

/* What is wrong with an AUTH now, or NULL. */
static const char *auth_refusal(const struct smtp_server *s, struct span name) {
	const char *offered = smtp_server_mechanisms(s);
	if (s->authenticated || s->mail)
		return "503 5.5.1 not now";
	if (offered && smtp_list_has(offered, name))
		return NULL;
	if (!s->tls && s->params.auth_tls && smtp_list_has(s->params.auth_tls, name))
		return "538 5.7.11 this mechanism needs TLS";
	return offered ? "504 5.5.4 this mechanism is not offered"
		       : "502 5.5.1 AUTH is not offered";
}

/* Decodes base64 into note->data; "=" alone is the empty response of a first step. It may
 * hold a password: room is made once, so that growing leaves no copy behind, and the line
 * is wiped. */
static bool decode(struct smtp_server *s, struct span text,
		   struct smtp_server_note *note) {
	buf_reset(&s->decoded);
	bool valid = buf_room(&s->decoded, text.len / 4 * 3 + 1) &&
		     codec_base64_decode(&s->decoded, text) == 0;
	if (text.len > 0)
		explicit_bzero(s->in.data + (text.p - s->in.data), text.len);
	if (valid)
		note->data = buf_span(&s->decoded);
	return valid;
}

static enum smtp_server_event on_auth(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	struct span name = { NULL, 0 }, response, rest;
	if (!span_take_word(&args, &name))
		return smtp_server_complain(
			s, "501 5.5.4 syntax: AUTH mechanism [response]");
	const char *refusal = auth_refusal(s, name);
	if (refusal)
		return smtp_server_complain(s, refusal);
	if (span_take_word(&args, &response)) {
		if (span_eq(response, SPAN("=")))
			response.len = 0;
		if (span_take_word(&args, &rest) || !decode(s, response, note))
			return smtp_server_complain(s,
						    "501 5.5.2 response is not base64");
	}
	/* The name as it is offered: upper case. */
	struct span list = span_str(smtp_server_mechanisms(s));
	while (span_take_word(&list, &note->text) && !span_eq_nocase(note->text, name))
		;
	return smtp_server_ask(s, SMTP_SERVER_AUTH);
}

enum smtp_server_event smtp_server_auth_response(struct smtp_server *s, struct span line,
						 struct smtp_server_note *note) {
	s->state = SMTP_SERVER_STATE_COMMAND;
	if (span_eq(line, SPAN("*")))
		return smtp_server_complain(s, "501 5.7.0 authentication cancelled");
	if (!decode(s, line, note))
		return smtp_server_complain(s, "501 5.5.2 response is not base64");
	return smtp_server_ask(s, SMTP_SERVER_AUTH);
}

/* "<name>" without a domain: no path of SMTP, but what programs on the same host send to. */
static bool take_local_name(struct span *in, struct span *ret) {
	struct span rest = *in, name;
	struct addr parts;
	if (!span_take_char(&rest, '<') || !span_take_until(&rest, '>', &name) ||
	    addr_parse(name, ADDR_SUBMITTED, &parts, NULL) != 0 || parts.domain.p)
		return false;
	*ret = name;
	*in = rest;
	return true;
}

/* Takes "FROM:<path>" or "TO:<path>"; a blank behind the colon is common. */
static bool take_path(const struct smtp_server *s, struct span *in, struct span keyword,
		      struct span *ret) {
	if (!span_take_lit_nocase(in, keyword))
		return false;
	while (span_take_char(in, ' '))
		;
	return addr_take_path(in, ret) ||
	       (s->params.local_names && take_local_name(in, ret));
}

static enum smtp_server_event on_mail(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	if (s->params.require_tls && !s->tls)
		return smtp_server_complain(s, "530 5.7.0 STARTTLS first");
	if (s->params.require_auth && !s->authenticated)
		return smtp_server_complain(s, "530 5.7.0 AUTH first");
	if (s->mail)
		return smtp_server_complain(s, "503 5.5.1 a transaction is open");
	if (!take_path(s, &args, SPAN("FROM:"), &note->path))
		return smtp_server_complain(s, "501 5.1.7 syntax: MAIL FROM:<address>");
	const char *refusal = smtp_server_mail_params(s, args, note);
	if (!refusal && addr_is_utf8(note->path) && !note->smtputf8)
		refusal = "553 5.6.7 this address needs SMTPUTF8";
	if (refusal)
		return smtp_server_complain(s, refusal);
	s->smtputf8 = note->smtputf8;
	return smtp_server_ask(s, SMTP_SERVER_MAIL);
}

static enum smtp_server_event on_rcpt(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	if (!s->mail || s->chunk.begun)
		return smtp_server_complain(s, "503 5.5.1 MAIL first");
	if (!take_path(s, &args, SPAN("TO:"), &note->path) || note->path.len == 0)
		return smtp_server_complain(s, "501 5.1.3 syntax: RCPT TO:<address>");
	const char *refusal = smtp_server_rcpt_params(s, args, note);
	if (!refusal && addr_is_utf8(note->path) && !s->smtputf8)
		refusal = "553 5.6.7 this address needs SMTPUTF8";
	if (refusal)
		return smtp_server_complain(s, refusal);
	if (s->recipients >= s->params.recipients_max) {
		smtp_server_reply(s, "452 4.5.3 too many recipients");
		return SMTP_SERVER_NONE;
	}
	return smtp_server_ask(s, SMTP_SERVER_RCPT);
}

static enum smtp_server_event on_data(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	(void)args, (void)note;
	if (!s->mail)
		return smtp_server_complain(s, "503 5.5.1 MAIL first");
	if (s->chunk.begun)
		return smtp_server_complain(s, "503 5.5.1 this message comes by BDAT");
	if (s->recipients == 0)
		return smtp_server_complain(s, "554 5.5.1 no valid recipient");
	s->chunk.pending = false;
	return smtp_server_ask(s, SMTP_SERVER_DATA);
}

static enum smtp_server_event on_rset(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	(void)args, (void)note;
	s->mail = false;
	smtp_server_reply(s, "250 2.0.0 ok");
	return SMTP_SERVER_RESET;
}

/* RFC 3207. What came in clear behind STARTTLS must never be read as said under TLS. */
static enum smtp_server_event on_starttls(struct smtp_server *s, struct span args,
					  struct smtp_server_note *note) {
	(void)args, (void)note;
	if (!s->params.offer_starttls)
		return smtp_server_complain(s, "502 5.5.1 STARTTLS is not offered");
	if (s->tls || s->mail)
		return smtp_server_complain(s, "503 5.5.1 not now");
	if (smtp_server_left(s).len > 0) {
		smtp_server_reply(
			s, "554 5.5.1 nothing may follow STARTTLS before the handshake");
		s->closing = true;
		return SMTP_SERVER_NONE;
	}
	smtp_server_reply(s, "220 2.0.0 go ahead");
	s->state = SMTP_SERVER_STATE_HANDSHAKE;
	return SMTP_SERVER_WANT_TLS;
}

static enum smtp_server_event on_noop(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	(void)args, (void)note;
	smtp_server_reply(s, "250 2.0.0 ok");
	return SMTP_SERVER_NONE;
}

static enum smtp_server_event on_vrfy(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	(void)args, (void)note;
	smtp_server_reply(s, "252 2.5.2 send mail to find out");
	return SMTP_SERVER_NONE;
}

static enum smtp_server_event on_help(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	(void)args, (void)note;
	smtp_server_reply(s, "214 2.0.0 this is SMTP as in RFC 5321");
	return SMTP_SERVER_NONE;
}

static enum smtp_server_event on_quit(struct smtp_server *s, struct span args,
				      struct smtp_server_note *note) {
	(void)args, (void)note;
	smtp_server_reply(s, "221 2.0.0 bye");
	s->state = SMTP_SERVER_STATE_CLOSED;
	return SMTP_SERVER_QUIT;
}

/* NEEDS_HELLO: only after a greeting. TAKES_ARGS: may have some. IDLE: brings no message on,
 * so it may not go on for ever. */
enum { NEEDS_HELLO = 1, TAKES_ARGS = 2, IDLE = 4 };

static const struct {
	const char *verb;
	command_fn *run;
	unsigned traits;
} commands[] = {
	{ "HELO", on_helo, TAKES_ARGS | IDLE },
	{ "EHLO", on_ehlo, TAKES_ARGS | IDLE },
	{ "STARTTLS", on_starttls, NEEDS_HELLO },
	{ "AUTH", on_auth, NEEDS_HELLO | TAKES_ARGS },
	{ "MAIL", on_mail, NEEDS_HELLO | TAKES_ARGS },
	{ "RCPT", on_rcpt, NEEDS_HELLO | TAKES_ARGS },
	{ "DATA", on_data, NEEDS_HELLO },
	{ "RSET", on_rset, IDLE },
	{ "NOOP", on_noop, TAKES_ARGS | IDLE },
	{ "VRFY", on_vrfy, TAKES_ARGS | IDLE },
	{ "HELP", on_help, TAKES_ARGS | IDLE },
	{ "QUIT", on_quit, 0 },
};

static enum smtp_server_event too_idle(struct smtp_server *s) {
	smtp_server_reply(s, "421 4.7.0 too many commands without a message");
	s->closing = true;
	return SMTP_SERVER_NONE;
}

enum smtp_server_event smtp_server_command(struct smtp_server *s, struct span line,
					   struct smtp_server_note *note) {
	struct span verb;
	if (!smtp_is_clean(line))
		return smtp_server_complain(s,
					    "500 5.5.2 control character in a command");
	if (!smtp_take_keyword(&line, &verb) || (line.len > 0 && line.p[0] != ' '))
		return smtp_server_complain(s, "500 5.5.2 no such command");
	span_take_char(&line, ' ');
	if (s->params.chunking && span_eq_nocase(verb, SPAN("BDAT")))
		return smtp_server_bdat(s, line, note);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (!span_eq_nocase(verb, span_str(commands[i].verb)))
			continue;
		unsigned traits = commands[i].traits;
		if ((traits & NEEDS_HELLO) && !s->greeted)
			return smtp_server_complain(s, "503 5.5.1 EHLO first");
		if ((traits & IDLE) && s->params.idle_max > 0 &&
		    ++s->idle > s->params.idle_max)
			return too_idle(s);
		if (!(traits & TAKES_ARGS) && span_trim(line).len > 0)
			return smtp_server_complain(
				s, "501 5.5.4 this command has no argument");
		return commands[i].run(s, line, note);
	}
	return smtp_server_complain(s, "500 5.5.2 no such command");
}
