#ifndef NIGHTMAIL_MAIL_ADDR_H
#define NIGHTMAIL_MAIL_ADDR_H

/*
 * Mail addresses. Two grammars: the Path of SMTP (RFC 5321 section 4.1.2, with the UTF-8
 * of RFC 6531) and the address lists of header fields (RFC 5322 section 3.4, with the
 * obsolete forms that occur). Pure functions over spans.
 *
 * An address in canonical form is local@domain without angle brackets; the local part is
 * quoted only where it must be ("a b"@example.org); a local name alone ("root") is legal
 * here, because sendmail(8) takes one: completion happens at delivery.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define ADDR_LOCAL_MAX 64   /* RFC 5321 section 4.5.3.1.1, octets */
#define ADDR_DOMAIN_MAX 255 /* section 4.5.3.1.2 */
#define ADDR_PATH_MAX 256   /* section 4.5.3.1.3, with the brackets */
#define ADDR_MAX 320        /* room for local @ domain */

/* Parts of an address; both point into the parsed bytes. */
struct addr {
	struct span local;  /* as written, quotes included; empty for the null path */
	struct span domain; /* as written: name, U-labels or [literal]; p is NULL without '@' */
};

/* What addr_parse() lets pass. */
enum addr_kind {
	ADDR_SMTP,       /* must have a domain (RFC 5321 Mailbox), 7-bit or UTF-8 */
	ADDR_SUBMITTED,  /* like ADDR_SMTP, but a local name alone is fine too */
};

/* Parses a whole span as one address in canonical form (no angle brackets, no comment).
 * Refuses control bytes, NUL, bare quotes, empty labels, labels over 63 octets, local parts
 * over 64, more than 254 in all, and invalid UTF-8. Returns 0, or -1 with ERR_SYNTAX or
 * ERR_LIMIT. */
int addr_parse(struct span s, enum addr_kind kind, struct addr *ret, struct err *err);

/* Takes "<...>" of MAIL or RCPT from the front: the null path "<>", an address, a source
 * route (RFC 5321 appendix C: dropped), or <postmaster>. *ret is the part between the
 * brackets without the route (empty for "<>"). False when it does not parse. */
bool addr_take_path(struct span *in, struct span *ret);

/* True when any byte is 0x80 or above: needs SMTPUTF8 (local part) or IDN (domain). */
bool addr_is_utf8(struct span s);

/* Appends the domain in A-label form (IDNA2008) when it has U-labels, else as it is. Links
 * libidn2; kept in a file of its own (idn.c) so that small programs stay small. */
int addr_domain_ascii(struct span domain, struct buf *out, struct err *err);

/* Called for each mailbox of a header field, in canonical form; the display name is what
 * stands there, quotes and folds included. */
typedef int addr_list_fn(void *ctx, struct span address, struct span display_name);

/* Walks an address list of a header field (unfolded or not): display names, comments,
 * groups, quoted strings, encoded words, obsolete route and commas without an address.
 * Calls fn for each mailbox; stops with its value when that is not 0. Returns 0, fn's
 * value, or -1 with ERR_SYNTAX when the list cannot be read (earlier calls were made). */
int addr_list(struct span value, addr_list_fn *fn, void *ctx, struct err *err);

/* Called for each mailbox with the bytes of its address as they stand in the value: the part
 * that may be replaced, without brackets and what stands around it. */
typedef int addr_list_raw_fn(void *ctx, struct span address, struct span raw);

/* Like addr_list(), for those who change the field. */
int addr_list_raw(struct span value, addr_list_raw_fn *fn, void *ctx, struct err *err);

/* Returns the local part without quotes and backslashes, appended to out. */
int addr_local_unquoted(struct span local, struct buf *out);

#endif
