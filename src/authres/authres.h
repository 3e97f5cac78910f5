#ifndef NIGHTMAIL_AUTHRES_AUTHRES_H
#define NIGHTMAIL_AUTHRES_AUTHRES_H

/*
 * Authentication-Results (RFC 8601 section 2.2): what a server found when it took a message.
 * Whether that server is to be believed is the reader's question (section 5). Pure; spans
 * point into the value.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define AUTHRES_METHODS_MAX 40u
#define AUTHRES_PROPS_MAX 12u

struct authres_prop {
	struct span type, name; /* header.d, smtp.mailfrom ... */
	struct span value;      /* without quotes */
};

struct authres_method {
	struct span method; /* spf, dkim ... */
	struct span result; /* pass, fail ... */
	struct span reason; /* reason="...", without quotes; or empty */
	struct span note;   /* the first comment, without parentheses; or empty */
	struct authres_prop prop[AUTHRES_PROPS_MAX];
	size_t props;
};

struct authres {
	struct span server; /* authserv-id; empty: not said, as Outlook does */
	bool none;          /* nothing was looked at */
	bool cut;           /* there is more than fits */
	struct authres_method method[AUTHRES_METHODS_MAX];
	size_t count;
};

/* Reads a value. False when it says nothing at all; what cannot be read is passed over up to
 * the next ";". */
bool authres_parse(struct span value, struct authres *ret);
/* The value of a property like "header.d" (no case); p is NULL when it is not there. */
struct span authres_prop(const struct authres_method *m, const char *type,
			 const char *name);

/* Appends a field of this kind, folded, with line_end at its end. Values that need it are
 * quoted; bytes that cannot stand in a field are left out. */
int authres_write(const struct authres *a, const char *line_end, struct buf *out);

#include "base/banned.h"

#endif
