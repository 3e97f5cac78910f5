#ifndef NIGHTMAIL_SUBMIT_ENVELOPE_WORDS_H
#define NIGHTMAIL_SUBMIT_ENVELOPE_WORDS_H

/* NOTIFY as the words of RFC 3461, and what may stand in an envelope that others wrote. */

#include "base/buf.h"
#include "base/err.h"
#include "queue/envelope.h"

/* Appends "SUCCESS,FAILURE"; nothing for 0. */
int submit_notify_add(struct buf *out, unsigned notify);
/* Parses it (no case). False when it is none. */
bool submit_notify_parse(struct span text, unsigned *ret);

/* Checks every word of an envelope by its grammar: ERR_SYNTAX names the first that is wrong. */
int submit_envelope_check(const struct envelope *e, struct err *err);

#endif
