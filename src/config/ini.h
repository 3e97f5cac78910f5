#ifndef NIGHTMAIL_CONFIG_INI_H
#define NIGHTMAIL_CONFIG_INI_H

/*
 * The INI lexer: bytes of a file in, one item after another out. It knows no section and
 * no key, does no I/O and allocates nothing; every span points into the text.
 *
 *     struct ini in = ini_over(text);
 *     struct ini_item item;
 *     while (ini_next(&in, &item) != INI_END)
 *             act on item.kind
 *
 * Grammar, a line at a time, blanks around each part dropped:
 *     # anything   ; anything      a comment: only whole lines are
 *     [word]   [word name]         a section
 *     key = value                  the value is the rest of the line
 *     -key =                       takes the key back
 */

#include <stddef.h>

#include "base/span.h"

#define INI_LINE_MAX 4096

enum ini_kind {
	INI_END,
	INI_SECTION,     /* word, name (empty when there is none) */
	INI_BAD_SECTION, /* words; what follows belongs to no section */
	INI_KEY,         /* word, value */
	INI_UNSET,       /* word */
	INI_ERROR,       /* words */
};

struct ini_item {
	enum ini_kind kind;
	unsigned line;   /* from 1 */
	unsigned column; /* of the word, or of what is wrong; bytes, from 1 */
	struct span word;
	struct span name;
	struct span value;
	unsigned value_column; /* of the value or the name */
	const char *words;     /* what is wrong, for people */
};

struct ini {
	struct span rest;
	unsigned line;
};

/* Begins at the start of the text; a byte order mark there is skipped. */
struct ini ini_over(struct span text);
/* Gives the next item; returns its kind. */
enum ini_kind ini_next(struct ini *in, struct ini_item *ret);

#endif
