#ifndef NIGHTMAIL_MAIL_LONGLINE_H
#define NIGHTMAIL_MAIL_LONGLINE_H

/*
 * Lines over 998 octets (RFC 5322 section 2.1.1) on their way into the queue. A part of the
 * message in which one occurs becomes quoted-printable, base64 is broken anew, a header line is
 * folded; where that would change what was signed, or the line stands in no part at all, the
 * message is refused. Everything else keeps its bytes.
 *
 *     longline_init(); longline_feed() ...; longline_finish(); longline_release()
 *
 * The same is what a transport of 7 bits needs (RFC 6152 section 3): with longline_init_ascii() a
 * part in which a byte >= 0x80 occurs becomes quoted-printable, lines may be long, and the
 * message is refused where that would break a signature. Headers are not changed.
 *
 * A part is held back while it may still have to be encoded, at most LONGLINE_HELD_MAX bytes of
 * it. A longer one is encoded without waiting for a long line; or, in a message that carries a
 * signature, goes as it is, and a long line that comes later is refused.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define LONGLINE_HELD_MAX (4u << 20)
#define LONGLINE_DEPTH_MAX 16
#define LONGLINE_BOUNDARY_MAX 200

enum longline_mode {
	LONGLINE_HEADER, /* of the message or of a part */
	LONGLINE_HOLD,   /* a part that can be encoded */
	LONGLINE_ENCODE,
	LONGLINE_WRAP, /* base64 */
	LONGLINE_PASS  /* goes as it is; `why` says why a long line cannot */
};

/* A multipart that is open. */
struct longline_level {
	char boundary[LONGLINE_BOUNDARY_MAX];
	size_t len;
	bool digest; /* its parts are messages unless they say otherwise */
};

struct longline {
	enum longline_mode mode;
	const char *why;
	struct buf head, body; /* held back */
	struct buf line;  /* the beginning of a line, or the CR that may end a long one */
	bool in_long;     /* within a line over the limit */
	bool long_header; /* there is one in head */
	bool is_message;  /* head is that of a message, not of a part */
	bool is_signed;   /* the message carries a signature over its body */
	bool ascii;       /* bytes >= 0x80 are looked for, not long lines */
	bool nested;      /* the header of the message itself is past */
	size_t column;    /* LONGLINE_WRAP: octets since the last break */
	struct longline_level level[LONGLINE_DEPTH_MAX];
	size_t depth;
};

/* True when a line of this text is over the limit; text that is whole and has none needs no
 * struct longline. */
bool longline_any(struct span text);
void longline_init(struct longline *l);
void longline_init_ascii(struct longline *l);
void longline_release(struct longline *l);
/* Takes some of a message in wire form, cut anywhere, and appends what can go. -1: ERR_SYNTAX,
 * a long line, or 8-bit text, that cannot be helped; ERR_LIMIT, a header too long; ERR_MEMORY. */
int longline_feed(struct longline *l, struct span in, struct buf *out, struct err *err);
/* The message is over: appends the rest. */
int longline_finish(struct longline *l, struct buf *out, struct err *err);

#endif
