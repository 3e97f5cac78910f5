#ifndef NIGHTMAIL_MAIL_CHARS_H
#define NIGHTMAIL_MAIL_CHARS_H

/*
 * Character classes of RFC 5321, 5322 and 2047. Bytes from 0x80 on belong to atext and
 * qtext (RFC 6531, 6532); whether they are well-formed UTF-8 is another question.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum chars_class {
	CHARS_ATEXT = 1, /* RFC 5322 section 3.2.3 */
	CHARS_QTEXT = 2, /* RFC 5321 section 4.1.2, qtextSMTP */
	CHARS_LDH =
		4, /* letters, digits, hyphen; and the underscore that host names have */
	CHARS_FTEXT = 8,  /* field names, RFC 5322 section 3.6.8 */
	CHARS_DTEXT = 16, /* inside a domain literal, RFC 5321 section 4.1.3 */
	CHARS_QENC =
		32, /* stands for itself in Q encoding in a phrase, RFC 2047 section 5 */
};

extern const unsigned char chars_table[256];

static inline bool chars_is(char c, enum chars_class class) {
	return (chars_table[(unsigned char)c] & class) != 0;
}

static inline bool chars_blank(char c) {
	return c == ' ' || c == '\t';
}

/* A blank, or a byte of a line end. */
static inline bool chars_space(char c) {
	return chars_blank(c) || c == '\r' || c == '\n';
}

/* Skips blanks, line ends, the characters in `more`, and comments, which nest (RFC 5322
 * section 3.2.2). False: a comment does not end, and all is skipped. */
bool chars_skip_gap(struct span *in, const char *more);

/* Returns how many bytes at the front of s are of the class. */
static inline size_t chars_run(struct span s, enum chars_class class) {
	size_t n = 0;
	while (n < s.len && chars_is(s.p[n], class))
		n++;
	return n;
}

#endif
