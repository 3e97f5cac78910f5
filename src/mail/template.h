#ifndef NIGHTMAIL_MAIL_TEMPLATE_H
#define NIGHTMAIL_MAIL_TEMPLATE_H

/*
 * Text with places for the fields of a row: {{name}}, made fit for where it stands, and
 * {{{name}}} as it is. \{{ is {{. Pure.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "mail/rows.h"

/* Where the text stands, and what that means for {{name}}. */
enum template_use {
	TEMPLATE_TEXT, /* as it is */
	TEMPLATE_HTML, /* & < > " ' are escaped */
	TEMPLATE_ADDRESS, /* in a list of addresses: one address, or one name, quoted if need be */
	TEMPLATE_URL, /* percent-encoded (RFC 3986 section 2.1) */
};

/* Appends a value so that HTML, or any other markup of that kind, shows it as it is. */
void template_html(struct buf *out, struct span value);

/* Appends the text with the fields filled in. ERR_MISSING: the row has no such field;
 * ERR_SYNTAX: braces that are not closed; ERR_LIMIT: out is full. */
int template_expand(struct span text, enum template_use use, const struct row *row,
		    struct buf *out, struct err *err);

#endif
