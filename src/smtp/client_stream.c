/*
 * Streaming (RFC 2920 and 3030): RSET, MAIL, RCPT… and BDAT with its content leave without
 * waiting, transaction behind transaction, and replies are told apart by their position alone.
 *
 * A server that loses or adds a reply, or answers out of order, could so make us believe that a
 * refused message was taken. Each transaction therefore begins with RSET, which no sound server
 * refuses, and what cannot be an answer to the command in its place ends the session. The last
 * reply to a transaction counts when the one behind it fits as well.
 */

#include <inttypes.h>
#include <stdio.h>

#include "smtp/client_machine.h"

bool smtp_client_say_bdat(struct smtp_client *c, struct smtp_flight *f) {
	char line[64];
	if (f->t->size > SMTP_CLIENT_BLIND_MAX && f->waiting > 0)
		return false;
	snprintf(line, sizeof line, "BDAT %" PRIu64 " LAST", f->t->size);
	smtp_client_add(c, span_str(line));
	f->data_written = true;
	unsigned at = (c->first + c->waiting) % SMTP_CLIENT_COMMANDS_MAX;
	f->dot_end = smtp_client_command(c, SMTP_COMMAND_BDAT, f) + f->t->size;
	c->ring[at].end = f->dot_end;
	return true;
}

bool smtp_client_want_chunk(struct smtp_client *c, struct smtp_client_note *note) {
	struct smtp_flight *f = c->cur;
	if (!c->streams || !f || !f->data_written || f->content)
		return false;
	f->content = true;
	note->transaction = f->t;
	note->stage = SMTP_STAGE_CONTENT;
	return true;
}

int smtp_client_chunk(struct smtp_client *c, struct span wire, bool last) {
	struct smtp_flight *f = c->cur;
	uint64_t left = f->t->size - f->given;
	if (wire.len > left || (last && wire.len < left))
		return -1;
	smtp_client_add(c, wire);
	f->given += wire.len;
	if (last) {
		f->content = false;
		c->cur = NULL;
	}
	return buf_failed(&c->out) ? -1 : 0;
}

/* "2.1.5" tells of an address: the answer to MAIL or RCPT. */
static bool is_of_address(const struct smtp_reply *r) {
	return r->code / 100 == 2 && r->status.klass == 2 && r->status.subject == 1;
}

static bool fits(const struct smtp_reply *r, enum smtp_command_kind kind, bool refused) {
	if (kind == SMTP_COMMAND_RSET)
		return !is_of_address(r);
	/* behind a refused MAIL, RCPT is in the wrong place */
	if (kind == SMTP_COMMAND_MAIL || kind == SMTP_COMMAND_RCPT)
		return refused || (r->code != 500 && r->code != 502 && r->code != 503);
	if (kind != SMTP_COMMAND_BDAT)
		return true;
	if (r->code / 100 == 2)
		return !refused && !is_of_address(r);
	return refused || r->code < 500 || r->code > 504;
}

bool smtp_client_is_out_of_place(struct smtp_client *c, enum smtp_command_kind kind,
				 struct smtp_flight *f) {
	bool refused = f && f->refused != SMTP_STAGE_CONNECT;
	if (fits(&c->reply, kind, refused))
		return false;
	if (kind == SMTP_COMMAND_BDAT && c->reply.code >= 500)
		f->dot_end = 0; /* it does not know the command: nothing was taken */
	smtp_client_broken(c, SMTP_STAGE_CONTENT, "%d %s cannot be the answer to %s",
			   c->reply.code, c->reply.text,
			   kind == SMTP_COMMAND_RSET   ? "RSET"
			   : kind == SMTP_COMMAND_MAIL ? "MAIL"
			   : kind == SMTP_COMMAND_RCPT ? "RCPT"
						       : "BDAT");
	return true;
}

enum smtp_client_event smtp_client_on_bdat(struct smtp_client *c, struct smtp_flight *f,
					   struct smtp_client_note *note) {
	(void)note;
	if (c->reply.code / 100 == 3) {
		smtp_client_broken(c, SMTP_STAGE_CONTENT, "answered BDAT with %d %s",
				   c->reply.code, c->reply.text);
		return SMTP_CLIENT_NONE;
	}
	if (f->refused == SMTP_STAGE_CONNECT)
		f->refusal = c->reply;
	f->answered = true;
	return SMTP_CLIENT_NONE;
}

enum smtp_client_event smtp_client_confirm(struct smtp_client *c,
					   struct smtp_client_note *note) {
	struct smtp_flight *f = smtp_client_old(c);
	if (!f || !f->answered)
		return SMTP_CLIENT_NONE;
	note->transaction = f->t;
	note->stage = f->refused != SMTP_STAGE_CONNECT ? f->refused : SMTP_STAGE_CONTENT;
	note->reply = f->refusal;
	smtp_client_forget_flight(c, f);
	return SMTP_CLIENT_DONE;
}

bool smtp_client_take_answered(struct smtp_client *c, struct smtp_client_note *note) {
	bool last = c->waiting == 0 && c->in_taken == c->in.len;
	return last && smtp_client_confirm(c, note) == SMTP_CLIENT_DONE;
}

void smtp_client_doubt_answered(struct smtp_client *c) {
	struct smtp_flight *f = smtp_client_old(c);
	if (!f || f->waiting > 0)
		return;
	f->answered = false;
	f->refused = SMTP_STAGE_CONNECT;
}
