#ifndef NIGHTMAIL_AUTHRES_TAGS_H
#define NIGHTMAIL_AUTHRES_TAGS_H

/*
 * Tag lists, "v=1; a=rsa-sha256; ..." (RFC 6376 section 3.2): signatures, keys, seals. The
 * spans point into the text. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define TAGS_MAX 64u

struct tag {
	struct span name;
	struct span value; /* without the white space around it; folds inside stay */
	struct span whole; /* everything between "=" and ";" */
};

struct tags {
	struct tag item[TAGS_MAX];
	size_t count;
};

/* Reads a whole list. ERR_SYNTAX: something is no tag, a value has bytes that none may have,
 * or a tag stands twice. */
int tags_parse(struct span text, struct tags *ret, struct err *err);
/* The tag of that name (case counts), or NULL. */
const struct tag *tags_find(const struct tags *t, const char *name);
/* Its value; p is NULL when there is no such tag. */
struct span tags_value(const struct tags *t, const char *name);

/* Takes the next part of a list like "a : b : c", without white space around it. False at the
 * end. */
bool tags_take_item(struct span *list, struct span *ret);
/* True when the list has the word (no case). */
bool tags_has_item(struct span list, struct span word);
/* Appends what base64 with white space in it says. -1: it is no base64. */
int tags_base64(struct span value, struct buf *out);

#include "base/banned.h"

#endif
