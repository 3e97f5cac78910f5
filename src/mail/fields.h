#ifndef NIGHTMAIL_MAIL_FIELDS_H
#define NIGHTMAIL_MAIL_FIELDS_H

/* "v=DMARC1; p=none": the name=value lists of policy records in DNS, field by field. Pure. */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct field {
	struct span name;  /* letters, digits, '_', '-', '.' */
	struct span value; /* without blanks around it; may be empty */
	bool spaced;       /* there were blanks beside the '=' */
};

/* Takes the next field and the ';' behind it: 1, 0 at the end (a last ';' is fine), -1 for what
 * is no field (*rest stays): an empty one, a bad name, no '='. */
int fields_take(struct span *rest, struct field *ret);
/* Takes the next item of a list like "a, b", without blanks around it; false at the end. An
 * empty item is an item. */
bool fields_take_item(struct span *list, char separator, struct span *ret);
/* Drops spaces and tabs, and nothing else, at both ends. */
struct span fields_trim(struct span s);

#include "base/banned.h"

#endif
