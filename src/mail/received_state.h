#ifndef NIGHTMAIL_MAIL_RECEIVED_STATE_H
#define NIGHTMAIL_MAIL_RECEIVED_STATE_H

/* What the files of the Received parser share; nobody else includes it. */

#include "mail/received.h"

/* "<x>", "[x]" and what stands behind the bracket ("[192.0.2.1]:25") without them. */
struct span received_bare(struct span s);
/* An IP literal in any of its dresses; *ret is without them. */
bool received_is_ip(struct span s, struct span *ret);
/* Takes the next word of a comment; an empty one at its end. */
struct span received_word(struct span *in);
/* Sets a member that is empty yet. */
void received_set(struct span *member, struct span value);
/* What a comment says of TLS, wherever it stands. */
void received_tls(struct received *r, struct span comment);
/* What a comment of the clause "from" says. */
void received_from(struct received *r, struct span comment);

#include "base/banned.h"

#endif
