#ifndef NIGHTMAIL_MAIL_LONGLINE_PART_H
#define NIGHTMAIL_MAIL_LONGLINE_PART_H

/* What the header of a message or of a part says of its body, for longline.c. */

#include "mail/longline.h"

enum longline_kind {
	LONGLINE_LEAF, /* not encoded: can be */
	LONGLINE_BASE64,
	LONGLINE_MULTIPART,
	LONGLINE_MESSAGE, /* a message in a part */
	LONGLINE_CLOSED   /* not to be changed */
};

struct longline_part {
	enum longline_kind kind;
	const char *why; /* LONGLINE_CLOSED */
};

/* level: filled for a LONGLINE_MULTIPART; NULL when there are too many already. -1: no
 * memory. */
int longline_part_read(struct span head, bool in_digest, struct longline_part *ret,
		       struct longline_level *level);
/* Appends the fields that make the body quoted-printable; body: what is known of it. */
void longline_part_fields(struct span head, struct span body, bool is_message,
			  struct buf *out);

#endif
