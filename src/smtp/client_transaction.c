/*
 * The client machine's transactions. smtp_client_pump() writes as much of the current
 * envelope as may be written: all of it in one flight with PIPELINING, else one command a
 * reply. A refused envelope is over when all replies to its commands were seen; a server
 * that answers its DATA with 354 all the same gets a lone dot (RFC 2920 section 3.1).
 */

#include <inttypes.h>
#include <string.h>

#include "smtp/client_machine.h"
#include "smtp/command.h"

bool smtp_client_may_begin(const struct smtp_client *c) {
	bool alone = c->flight_count == 0 && c->waiting == 0;
	return c->ready && !c->closing && !c->ended && !c->want_quit && !c->cur &&
	       c->flight_count < SMTP_CLIENT_FLIGHTS_MAX &&
	       (alone || (c->ext.pipelining && !c->params.lmtp));
}

int smtp_client_begin(struct smtp_client *c, const struct smtp_transaction *t,
		      struct err *err) {
	if (!smtp_client_may_begin(c))
		return err_set(err, ERR_DENIED, "no transaction may begin now");
	if (c->ext.size_max > 0 && t->size > c->ext.size_max)
		return err_set(err, ERR_LIMIT,
			       "message of %" PRIu64 " bytes; the server takes %" PRIu64,
			       t->size, c->ext.size_max);
	if (smtp_transaction_check(t, err) < 0)
		return -1;
	struct smtp_flight *f = smtp_client_flight(c, c->flight_count++);
	memset(f, 0, sizeof *f);
	f->t = t;
	f->line_start = true;
	c->cur = f;
	c->need_rset = c->need_rset || c->streams;
	smtp_client_pump(c);
	if (!buf_failed(&c->out))
		return 0;
	smtp_client_forget_flight(c, f);
	return err_set(err, ERR_MEMORY, "out of memory");
}

static void say_rset(struct smtp_client *c) {
	c->need_rset = false;
	smtp_client_add(c, SPAN("RSET"));
	smtp_client_command(c, SMTP_COMMAND_RSET, NULL);
}

static void say_mail(struct smtp_client *c, struct smtp_flight *f) {
	smtp_mail_add(&c->out, f->t, &c->ext);
	f->mail_written = true;
	smtp_client_command(c, SMTP_COMMAND_MAIL, f);
}

static void say_rcpt(struct smtp_client *c, struct smtp_flight *f) {
	smtp_rcpt_add(&c->out, &f->t->to[f->rcpt_written++], &c->ext);
	smtp_client_command(c, SMTP_COMMAND_RCPT, f);
}

static void say_data(struct smtp_client *c, struct smtp_flight *f) {
	f->data_written = true;
	smtp_client_add(c, SPAN("DATA"));
	smtp_client_command(c, SMTP_COMMAND_DATA, f);
}

void smtp_client_pump(struct smtp_client *c) {
	struct smtp_flight *f = c->cur;
	unsigned most = c->ext.pipelining ? SMTP_CLIENT_COMMANDS_MAX : 1;
	while (f && f->refused == SMTP_STAGE_CONNECT && !f->data_written &&
	       c->waiting < most) {
		if (!f->mail_written && c->need_rset)
			say_rset(c);
		else if (!f->mail_written)
			say_mail(c, f);
		else if (f->rcpt_written < f->t->to_count)
			say_rcpt(c, f);
		else if (c->params.lmtp && f->rcpt_answered < f->t->to_count)
			return;
		else if (!c->streams)
			say_data(c, f);
		else if (!smtp_client_say_bdat(c, f))
			return;
	}
}

/* Only a dot at the start of a line needs work, and dots are rarer than line ends. */
static void add_stuffed(struct smtp_client *c, struct smtp_flight *f, struct span wire) {
	size_t done = 0, at = 0;
	if (wire.len == 0)
		return;
	if (wire.p[0] == '.' && f->line_start)
		smtp_client_add(c, SPAN("."));
	const char *dot;
	while ((dot = memchr(wire.p + at, '.', wire.len - at)) != NULL) {
		at = (size_t)(dot - wire.p);
		if (at > 0 && wire.p[at - 1] == '\n') {
			buf_addm(&c->out, wire.p + done, at - done + 1);
			done = at;
		}
		at++;
	}
	smtp_client_add(c, span_from(wire, done));
	f->line_start = wire.p[wire.len - 1] == '\n';
}

int smtp_client_content(struct smtp_client *c, struct span wire, bool last) {
	struct smtp_flight *f = c->cur;
	if (c->closing)
		return 0;
	if (!f || !f->content)
		return -1;
	if (c->streams)
		return smtp_client_chunk(c, wire, last);
	add_stuffed(c, f, wire);
	if (last) {
		smtp_client_add(c, f->line_start ? SPAN(".") : SPAN("\r\n."));
		f->dot_end = smtp_client_command(c, SMTP_COMMAND_DOT, f);
		f->content = false;
		c->cur = NULL;
	}
	return buf_failed(&c->out) ? -1 : 0;
}

/* A reply that refuses a transaction at a stage, if it is the first one that does. */
static void refuse(struct smtp_client *c, struct smtp_flight *f, enum smtp_stage stage) {
	if (f->refused != SMTP_STAGE_CONNECT)
		return;
	f->refused = stage;
	f->refusal = c->reply;
	/* The server may still hold a sender and recipients. */
	c->need_rset = stage != SMTP_STAGE_MAIL;
}

static enum smtp_client_event nonsense(struct smtp_client *c, enum smtp_stage stage) {
	smtp_client_broken(c, stage, "answered %s with %d %s", smtp_stage_name(stage),
			   c->reply.code, c->reply.text);
	return SMTP_CLIENT_NONE;
}

enum smtp_client_event smtp_client_on_rset(struct smtp_client *c, struct smtp_flight *f,
					   struct smtp_client_note *note) {
	(void)f;
	if (c->reply.code / 100 == 2)
		return smtp_client_confirm(c, note);
	smtp_client_broken(c, SMTP_STAGE_MAIL, "answered RSET with %d %s", c->reply.code,
			   c->reply.text);
	return SMTP_CLIENT_NONE;
}

enum smtp_client_event smtp_client_on_mail(struct smtp_client *c, struct smtp_flight *f,
					   struct smtp_client_note *note) {
	(void)note;
	if (c->reply.code / 100 == 3)
		return nonsense(c, SMTP_STAGE_MAIL);
	if (c->reply.code >= 400)
		refuse(c, f, SMTP_STAGE_MAIL);
	return SMTP_CLIENT_NONE;
}

enum smtp_client_event smtp_client_on_rcpt(struct smtp_client *c, struct smtp_flight *f,
					   struct smtp_client_note *note) {
	size_t recipient = f->rcpt_answered++;
	if (c->reply.code / 100 == 3)
		return nonsense(c, SMTP_STAGE_RCPT);
	if (f->refused != SMTP_STAGE_CONNECT)
		return SMTP_CLIENT_NONE;
	if (c->reply.code / 100 == 2)
		f->accepted++;
	else if (f->rcpt_answered == f->t->to_count && f->accepted == 0)
		refuse(c, f, SMTP_STAGE_RCPT);
	note->transaction = f->t;
	note->recipient = recipient;
	note->stage = SMTP_STAGE_RCPT;
	note->reply = c->reply;
	return SMTP_CLIENT_RECIPIENT;
}

enum smtp_client_event smtp_client_on_data(struct smtp_client *c, struct smtp_flight *f,
					   struct smtp_client_note *note) {
	if (c->reply.code >= 400) {
		refuse(c, f, SMTP_STAGE_DATA);
		return SMTP_CLIENT_NONE;
	}
	if (c->reply.code != 354)
		return nonsense(c, SMTP_STAGE_DATA);
	if (f->refused != SMTP_STAGE_CONNECT) {
		/* The end of data, even of none, clears sender and recipients. */
		c->need_rset = false;
		smtp_client_add(c, SPAN("."));
		smtp_client_command(c, SMTP_COMMAND_DOT, f);
		return SMTP_CLIENT_NONE;
	}
	f->content = true;
	note->transaction = f->t;
	note->stage = SMTP_STAGE_CONTENT;
	note->reply = c->reply;
	return SMTP_CLIENT_WANT_CONTENT;
}

bool smtp_client_has_recipients_left(const struct smtp_client *c, const struct smtp_flight *f) {
	return c->params.lmtp && f && f->content_answered + 1 < f->accepted;
}

enum smtp_client_event smtp_client_on_dot(struct smtp_client *c, struct smtp_flight *f,
					  struct smtp_client_note *note) {
	if (c->reply.code / 100 == 3)
		return nonsense(c, SMTP_STAGE_CONTENT);
	if (f != smtp_client_old(c))
		return SMTP_CLIENT_NONE;
	note->transaction = f->t;
	note->stage = SMTP_STAGE_CONTENT;
	note->reply = c->reply;
	if (smtp_client_has_recipients_left(c, f)) {
		note->recipient = f->content_answered++;
		smtp_client_expect_again(c, SMTP_COMMAND_DOT, f);
		return SMTP_CLIENT_RECIPIENT;
	}
	smtp_client_forget_flight(c, f);
	return SMTP_CLIENT_DONE;
}

bool smtp_client_take_refused(struct smtp_client *c, struct smtp_client_note *note) {
	struct smtp_flight *f = c->cur;
	if (!f || f->refused == SMTP_STAGE_CONNECT || f->waiting > 0 || f->content)
		return false;
	note->transaction = f->t;
	note->stage = f->refused;
	note->reply = f->refusal;
	smtp_client_forget_flight(c, f);
	return true;
}
