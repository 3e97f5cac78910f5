#ifndef NIGHTMAIL_MAIL_COMPOSE_H
#define NIGHTMAIL_MAIL_COMPOSE_H

/*
 * A new message from its parts: header fields given by a person, and a text. Gives a
 * header block and a body with LF line ends; Date, Message-ID and the rest are added at
 * acceptance (fixup.h). No I/O.
 *
 *     compose_init(); compose_subject(); compose_address()...; compose_finish();
 *     compose_release()
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum compose_list { COMPOSE_FROM, COMPOSE_TO, COMPOSE_CC, COMPOSE_BCC, COMPOSE_REPLY_TO };
#define COMPOSE_LISTS 5

struct compose {
	struct buf list[COMPOSE_LISTS]; /* header text, encoded; of Bcc nothing is used */
	struct buf subject;
	struct buf fields;      /* further fields, encoded, with their line ends */
	struct buf unsubscribe; /* of List-Unsubscribe */
	bool one_click;         /* one of these takes a POST */
	bool used;
};

void compose_init(struct compose *c);
void compose_release(struct compose *c);
/* True once anything was set. */
bool compose_used(const struct compose *c);

/* Adds one or more addresses, each bare or with a name; names become RFC 2047 where
 * needed. */
int compose_address(struct compose *c, enum compose_list list, struct span text,
		    struct err *err);
/* Sets the subject (UTF-8). -1: has a line break or control byte, or is too long. */
int compose_subject(struct compose *c, struct span text);
/* Adds "Name: value". Refused are fields that compose or acceptance writes, and Resent-
 * fields, which would make this a message that somebody passes on. */
int compose_field(struct compose *c, struct span text, struct err *err);

/* Adds a way out of a list (RFC 2369): "https://...", which must take a POST that unsubscribes at
 * once (RFC 8058), or "mailto:...". */
int compose_unsubscribe(struct compose *c, struct span url, struct err *err);

/* Appends the fields that do not depend on the content, and MIME-Version. ERR_LIMIT. */
int compose_head(const struct compose *c, struct buf *header, struct err *err);

/*
 * Appends the header block (without the empty line) for a UTF-8 text. The body is the
 * text itself (7bit or 8bit), or, when a line is over 998 octets, quoted-printable or
 * base64 in encoded; *ret_body is valid as long as both are. Text that is not UTF-8 is labelled
 * unknown-8bit. Errors: ERR_SYNTAX (NUL), ERR_LIMIT, ERR_MEMORY.
 */
int compose_finish(struct compose *c, struct span text, struct buf *header,
		   struct buf *encoded, struct span *ret_body, struct err *err);

#endif
