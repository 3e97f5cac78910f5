#ifndef NIGHTMAIL_DELIVER_WIRE_FIELD_H
#define NIGHTMAIL_DELIVER_WIRE_FIELD_H

/*
 * Inside of wire.c: lines of words that are members of a struct, by a table that says which
 * word is which member, so that writing and reading cannot differ.
 */

#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "route/route.h"

enum wire_field_kind {
	FIELD_STRING, /* char *, left out when NULL */
	FIELD_CHARS,  /* char[size] */
	FIELD_HOST,   /* one of relay.host */
	FIELD_ROUTE,  /* one of route */
	FIELD_INT64,
	FIELD_UNSIGNED,
	FIELD_INT,
	FIELD_PORT,
	FIELD_BOOL,
	FIELD_TLS,
	FIELD_ID,
	FIELD_WHY,
};

struct wire_field {
	const char *key;
	enum wire_field_kind kind;
	size_t offset, size;
};

void wire_route_release(struct route_rule *r);

/* Appends `word` and the fields of *from as one line. */
int wire_line_write(struct buf *out, const char *word, const void *from,
		    const struct wire_field *fields, size_t count);
/* Reads the words behind the first into *into. False: a word that is unknown, or does not
 * follow its kind. */
bool wire_fields_read(struct span line, void *into, const struct wire_field *fields,
		      size_t count);

#endif
