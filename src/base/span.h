#ifndef NIGHTMAIL_BASE_SPAN_H
#define NIGHTMAIL_BASE_SPAN_H

/*
 * A span points into somebody else's bytes: it owns nothing, has no terminator, and may
 * hold any byte. Parsers consume a span from the front with span_take_*(): each returns
 * true and moves *in forward, or returns false and leaves *in as it was; chain with &&.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *p;
	size_t len;
};

/* The span of a string literal without its NUL; SPAN_INIT for static initialisers. */
#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })
#define SPAN_INIT(literal) \
	{ (literal), sizeof(literal) - 1 }

static inline struct span span_of(const void *p, size_t len) {
	return (struct span){ p, len };
}

/* The bytes of a C string; NULL gives the empty span. */
static inline struct span span_str(const char *s) {
	return (struct span){ s, s ? strlen(s) : 0 };
}

static inline bool span_eq(struct span a, struct span b) {
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Letters and digits of ASCII, whatever the locale is. */
static inline char span_lower(char c) {
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}
static inline bool span_is_alnum(char c) {
	char l = span_lower(c);
	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9');
}

/* Compares ASCII letters without case (C locale semantics). */
bool span_eq_nocase(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_starts_nocase(struct span s, struct span prefix);
bool span_ends_nocase(struct span s, struct span suffix);

/* Returns the offset of the first byte c, or s.len when there is none. */
size_t span_find(struct span s, char c);

/* Returns the part from offset `from` on, clipped; the empty span past the end. */
struct span span_from(struct span s, size_t from);
/* Returns the first n bytes, clipped to s.len. */
struct span span_head(struct span s, size_t n);

/* Drops spaces, tabs, CR and LF at both ends. */
struct span span_trim(struct span s);

/* Takes exactly c. */
bool span_take_char(struct span *in, char c);
/* Takes exactly the given bytes. */
bool span_take_lit(struct span *in, struct span lit);
bool span_take_lit_nocase(struct span *in, struct span lit);
/* Takes everything before the first `c`, and the `c`; *ret is the part before it. */
bool span_take_until(struct span *in, char c, struct span *ret);
/* Takes one line; the LF and a CR right before it are taken and not part of *ret. A last
 * line without LF counts. False only at the end. */
bool span_take_line(struct span *in, struct span *ret);
/* Takes a run of non-blank bytes after skipping blanks (space, tab); false if none. */
bool span_take_word(struct span *in, struct span *ret);
/* Takes a decimal number of at least one digit, at most max; no sign, no overflow. */
bool span_take_uint(struct span *in, uint64_t max, uint64_t *ret);
/* Takes exactly n hexadecimal digits, n <= 16. */
bool span_take_hex(struct span *in, unsigned n, uint64_t *ret);
/* Takes one well-formed UTF-8 character (RFC 3629: nothing overlong, no surrogate, at most
 * U+10FFFF); *ret is its code point. */
bool span_take_utf8(struct span *in, uint32_t *ret);

/* Parses the whole span as a decimal number up to max. */
bool span_uint(struct span s, uint64_t max, uint64_t *ret);

/* Returns a NUL-terminated copy, or NULL (out of memory). Free with free(). Bytes after an
 * embedded NUL are copied too, so check with span_find(s, 0) where it matters. */
char *span_dup(struct span s);

#include "base/banned.h"

#endif
