#ifndef NIGHTMAIL_DELIVER_OUTCOME_H
#define NIGHTMAIL_DELIVER_OUTCOME_H

/*
 * Whose fault is it: the one table that turns a stage and a reply into what happens next.
 * Our own trouble (name service, connect, TLS, greeting, EHLO, AUTH, 421, 530, 535, refused
 * relaying) is the relay's: the relay is held, the message does not notice. The rest is
 * the message's or the recipient's.
 */

#include <stdbool.h>

#include "smtp/client.h"

enum outcome {
	OUTCOME_DELIVERED,
	OUTCOME_LATER,            /* this recipient or message: try again later */
	OUTCOME_GREYLISTED,       /* later, and soon: see schedule.h */
	OUTCOME_FAILED_RECIPIENT, /* final, this recipient */
	OUTCOME_FAILED_MESSAGE,   /* final, every recipient of the transaction */
	OUTCOME_RELAY,            /* hold the relay; nothing is recorded in the message */
};

/* Judges a reply at a stage. refused_senders: how many different senders in a row were
 * refused at MAIL with 5xx without any success before this one (at 2, the third refusal is
 * the relay's fault). A reply 421 or a lost connection at SMTP_STAGE_CONTENT is LATER. */
enum outcome outcome_judge(enum smtp_stage stage, const struct smtp_reply *reply,
	unsigned refused_senders);

/* True when a recipient was refused only because the transaction has too many of them. */
bool outcome_is_too_many(const struct smtp_reply *reply);

/* Words for people about a reply that holds a relay: "login refused", "the certificate is not
 * trusted", "cannot connect", "relaying refused", ... never NULL. */
const char *outcome_words(enum smtp_stage stage, const struct smtp_reply *reply);

#endif
