#ifndef NIGHTMAIL_MAIL_REWRITE_H
#define NIGHTMAIL_MAIL_REWRITE_H

/*
 * What addresses become on their way out: aliases, root, domain completion, a sender that
 * is set for this machine, masquerading. Done anew at each attempt, so that changed
 * configuration helps mail that is queued. Pure; the rules are plain parameters.
 *
 * Local is a name without a domain or at localhost. The names of this machine are those,
 * and those at its full host name: of them only what aliases and root say is changed in
 * recipients, because a host may be called like the domain whose mail is elsewhere.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "mail/aliases.h"
#include "mail/fixup.h"

#define REWRITE_RECIPIENTS_MAX \
	ALIASES_TARGETS_MAX /* of one alias, all its lists together */

struct rewrite_rules {
	struct span host;   /* full name of this machine */
	struct span domain; /* completes local names */
	struct span root;   /* address for root and unknown local names, or empty */
	struct span from;   /* sender for the names of this machine, or empty */
	struct span envelope_from; /* the same for the envelope alone */
	struct span
		masquerade; /* "host.example.org *.lan.example.org": become the domain */
	const struct aliases *aliases; /* or NULL */
	const char *trouble;           /* why the aliases cannot be used, or NULL */
};

enum rewrite_result {
	REWRITE_DONE,
	REWRITE_UNKNOWN, /* a local name that nobody knows: it waits for a person */
	REWRITE_FAULTY,  /* its alias cannot be used: so does this */
	REWRITE_LATER,   /* the aliases cannot be read now, or there is no memory */
};

/* True when the address would be treated in any way: else it goes as it is. */
bool rewrite_concerns(const struct rewrite_rules *r, struct span address);

/* Adds where mail for the address goes to *out, each address once. With another result than
 * REWRITE_DONE nothing may be sent, and err has words for mailq. */
enum rewrite_result rewrite_recipient(const struct rewrite_rules *r, struct span address,
				      struct fixup_recipients *out, struct err *err);

/* Appends the reverse-path of the envelope (empty stays empty). */
void rewrite_sender(const struct rewrite_rules *r, struct span address, struct buf *out);

/* The fields of a header that hold addresses, by how these are treated. */
enum rewrite_field { REWRITE_FROM, REWRITE_REPLY, REWRITE_TO };

/* Appends what an address in such a field becomes. */
void rewrite_in_field(const struct rewrite_rules *r, enum rewrite_field field,
		      struct span address, struct buf *out);

/*
 * Appends a header block (as in the queue: wire form) with the addresses in From,
 * Sender, Reply-To, To, Cc and their Resent- forms rewritten. Of a field only the bytes of addresses
 * that become others change, so signatures over the rest survive. Returns 1 when anything
 * changed, 0 when not (out is as before), -1: no memory.
 */
int rewrite_header(const struct rewrite_rules *r, struct span block, struct buf *out);

#endif
