#ifndef NIGHTMAIL_MAIL_FIXUP_H
#define NIGHTMAIL_MAIL_FIXUP_H

/*
 * What happens to a header at acceptance: Received, Date, Message-ID and From are added
 * when missing, Bcc and our own X-Nightmail go, an mbox "From " line goes; with -t the recipients are read. All
 * other fields keep their bytes (signatures made by others survive), except line ends.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "mail/wishes.h"

/* A growing list of recipients in canonical form, without duplicates (local parts compared
 * exactly, domains without case). */
struct fixup_recipients {
	char **address;
	size_t count, cap;
	size_t *hash; /* index into address + 1, open addressing; 0 is free */
	size_t hash_cap;
};

void fixup_recipients_release(struct fixup_recipients *r);
/* Adds a copy; 0 also when it is there already; -1: no memory or over max (ERR_LIMIT). */
int fixup_recipients_add(struct fixup_recipients *r, struct span address, size_t max,
	struct err *err);

struct fixup_params {
	bool extract;           /* -t: take the recipients from To, Cc, Bcc or Resent-* */
	size_t recipients_max;
	struct span host;       /* full host name: Received by, Message-ID */
	struct span received;   /* "uid 1000" in Received's "(nightmail, uid 1000)"; empty: none is added */
	struct span client;     /* "name ([192.0.2.7])" for Received; empty: nobody by TCP */
	struct span protocol;   /* "ESMTPS", with a client */
	struct span id;         /* queue ID for Received and Message-ID */
	struct span from;       /* address for a missing From */
	struct span from_name;  /* full name for a missing From; may be empty, UTF-8 */
	int64_t wall_s;
	bool keep_wishes;       /* our own field stays: the message goes on to who reads it */
};

/* What fixup_header() saw. */
struct fixup_result {
	bool has_8bit;     /* a byte >= 0x80 in the header: SMTPUTF8 */
	size_t received;   /* fields of that name */
	struct mail_wishes wishes;
	bool has_header;   /* false: the input began with the body */
	char message_id[256]; /* the Message-ID with its brackets, cut if longer */
};

/*
 * Reads a header block (as header_block_len() measured it; any line ends) and appends the
 * new block in wire form to out, the empty line that ends it included. Resent-* blocks
 * (RFC 5322 section 3.6.6): with any Resent- field, extract reads the recipients of the
 * topmost Resent- block alone, and Resent-Date, Resent-From and Resent-Message-ID are added
 * to it instead. Bcc and Resent-Bcc go in any case. Errors: ERR_SYNTAX (NUL, unreadable
 * recipient list with -t), ERR_LIMIT, ERR_MEMORY.
 */
int fixup_header(struct span block, const struct fixup_params *params,
	struct fixup_recipients *recipients, struct buf *out, struct fixup_result *ret,
	struct err *err);

/* Appends a phrase for a display name: as it is, quoted, or RFC 2047 encoded words. */
int fixup_phrase(struct buf *out, struct span name);
/* Appends unstructured text for a field that starts at `column`, folded, RFC 2047 where
 * it is not ASCII. */
int fixup_text(struct buf *out, struct span text, size_t column);

#endif
