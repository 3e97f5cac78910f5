#ifndef NIGHTMAIL_SMTP_SYNTAX_H
#define NIGHTMAIL_SMTP_SYNTAX_H

/*
 * Pieces of the SMTP grammar that client and server share: keywords and parameters
 * (RFC 5321 section 4.1.1.1), xtext (RFC 3461 section 4), addresses inside ORCPT (RFC 6533
 * section 3), and words in lists such as the mechanisms of AUTH. Pure functions.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/* Takes an EHLO keyword: a letter or digit, then letters, digits and hyphens. */
bool smtp_take_keyword(struct span *in, struct span *ret);

/* Takes blanks and one "KEYWORD" or "KEYWORD=value" of MAIL or RCPT. ret_value->p is NULL
 * when there is no '='. False at the end of the line and on anything else: a caller that
 * sees false with bytes left has a syntax error. */
bool smtp_take_param(struct span *in, struct span *ret_key, struct span *ret_value);

/* Appends s as xtext: '+', '=' and what is not printable ASCII as +XX. */
int smtp_xtext_add(struct buf *out, struct span s);
/* Appends the decoded bytes; -1, and out is as before, when s is no xtext. */
int smtp_xtext_decode(struct buf *out, struct span s);

/* Appends "rfc822;bob@example.org" as the value of ORCPT; -1, and out is as before, when it
 * has no type or is not what the type says. The type "utf-8" has its own encoding that
 * needs no SMTPUTF8 (utf-8-addr-xtext: \x{FC}); all others are xtext. */
int smtp_orcpt_add(struct buf *out, struct span orcpt);
/* Reverses it; -1, and out is as before, on a syntax error. */
int smtp_orcpt_decode(struct buf *out, struct span value);

/* True when list, words separated by spaces, has the word (without case). */
bool smtp_list_has(const char *list, struct span word);

/* True when s holds no control byte: what may stand inside a line of ours. */
bool smtp_is_clean(struct span s);

#endif
