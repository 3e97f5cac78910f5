#ifndef NIGHTMAIL_MAIL_PARAM_H
#define NIGHTMAIL_MAIL_PARAM_H

/*
 * Values like that of Content-Type: `text/plain; charset="utf-8" (comment); name*0*=...`, with
 * the continuations and character sets of RFC 2231 and the encoded words that are wrong
 * there and common. Spans point into the value.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define PARAM_MAX 64u

struct param_item {
	struct span name;  /* without "*0*" */
	struct span value; /* as written, quotes included */
	int section;       /* -1: there are no sections */
	bool extended;     /* percent-encoded */
};

struct param_list {
	struct param_item item[PARAM_MAX];
	size_t count;
};

/* Reads a value: appends what stands before the parameters, in lower case and without blanks and
 * comments ("text/plain"), to type. What cannot be read is passed over. */
void param_parse(struct span value, struct buf *type, struct param_list *ret);
/* Appends the parameter's value as UTF-8. False: there is none of that name (no case). */
bool param_find(const struct param_list *list, struct span name, struct buf *out);

#endif
