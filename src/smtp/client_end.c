/*
 * The end of a session. There is one: smtp_client_close() notes why, and smtp_client_next() then
 * says first what is already decided about the transactions under way, and CLOSED as the last
 * event.
 */

#include <stdarg.h>
#include <stdio.h>

#include "smtp/client_machine.h"

/* A refusal counts at the end of a session even when replies to the rest of the envelope are
 * outstanding; but not when one may have been lost on the way: then it may have been the
 * answer to something else. */
static bool is_settled(const struct smtp_client *c, const struct smtp_flight *f) {
	return f->answered ||
	       (f->refused != SMTP_STAGE_CONNECT && !(c->out_of_step && f->waiting > 0));
}

static bool is_uncertain(const struct smtp_client *c, const struct smtp_flight *f) {
	return f->dot_end > 0 && f->dot_end <= c->sent;
}

/* The transaction that the end of the session leaves open: the oldest, because only the fate of
 * those whose content was given can be unknown. */
static const struct smtp_flight *open_flight(struct smtp_client *c) {
	for (unsigned i = 0; i < c->flight_count; i++)
		if (!is_settled(c, smtp_client_flight(c, i)))
			return smtp_client_flight(c, i);
	return NULL;
}

void smtp_client_close(struct smtp_client *c, enum smtp_stage stage,
		       const struct smtp_reply *why) {
	if (c->closing)
		return;
	const struct smtp_flight *f = open_flight(c);
	c->closing = true;
	c->last_flight = f;
	c->last = (struct smtp_client_note){
		.transaction = f ? f->t : NULL,
		.stage = stage,
		.reply = *why,
		.uncertain = f && is_uncertain(c, f),
	};
}

void smtp_client_abort(struct smtp_client *c, const char *words) {
	const struct smtp_reply r = smtp_reply_local(451, 4, 2, "%s", words);
	smtp_client_close(c, smtp_client_stage(c), &r);
}

void smtp_client_leave(struct smtp_client *c, enum smtp_stage stage,
		       const struct smtp_reply *why) {
	smtp_client_close(c, stage, why);
	smtp_client_add(c, SPAN("QUIT\r\n"));
}

void smtp_client_broken(struct smtp_client *c, enum smtp_stage stage, const char *fmt,
			...) {
	char words[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	struct smtp_reply r = smtp_reply_local(451, 5, 0, "protocol error: %s", words);
	c->out_of_step = true;
	smtp_client_doubt_answered(c);
	smtp_client_close(c, stage, &r);
}

enum smtp_client_event smtp_client_ending(struct smtp_client *c,
					  struct smtp_client_note *note) {
	while (c->flights_told < c->flight_count) {
		const struct smtp_flight *f = smtp_client_flight(c, c->flights_told++);
		bool refused = f->refused != SMTP_STAGE_CONNECT;
		*note = (struct smtp_client_note){ .transaction = f->t,
						   .stage = SMTP_STAGE_CONTENT };
		if (is_settled(c, f)) {
			note->stage = refused ? f->refused : SMTP_STAGE_CONTENT;
			note->reply = f->refusal;
			return SMTP_CLIENT_DONE;
		}
		if (f != c->last_flight && is_uncertain(c, f)) {
			note->reply = c->last.reply;
			note->uncertain = true;
			return SMTP_CLIENT_LOST;
		}
	}
	if (c->closed)
		return SMTP_CLIENT_NONE;
	c->closed = true;
	*note = c->last;
	return SMTP_CLIENT_CLOSED;
}
