#ifndef NIGHTMAIL_QUEUE_FILTER_H
#define NIGHTMAIL_QUEUE_FILTER_H

/*
 * The filter language of mailq and of the dashboard: "state=deferred to~example age>1h".
 * Words are separated by blanks and all of them must hold. A word is
 *
 *     word     = key operator value / text
 *     operator = "=" / "!=" / "~" / "!~" / "<" / ">" / "<=" / ">="
 *     value    = quoted / text          a value with blanks stands in double quotes
 *
 * = compares the whole, ~ looks for the text somewhere inside, both without regard to the
 * case of ASCII letters; != and !~ are true when = and ~ are not. A text alone is looked for
 * in ID, sender, recipients, relay, reason and why. Pure, and allocates nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "queue/queue.h"

#define FILTER_TERMS_MAX 16u
#define FILTER_TEXT_MAX 1024u /* bytes of all values */
#define FILTER_NO_TIME INT64_MIN

/* What a message is compared by. */
struct filter_row {
	enum queue_state state;
	int64_t created, next; /* seconds since 1970; next may be FILTER_NO_TIME */
	uint64_t size;
	uint64_t attempts;
	struct span id, from, relay, reason, why;
	struct span to;    /* the recipients, one a line */
	struct span flags; /* words, separated by spaces */
};

enum filter_key {
	FILTER_STATE,
	FILTER_ID,
	FILTER_FROM,
	FILTER_TO,
	FILTER_RELAY,
	FILTER_REASON,
	FILTER_WHY,
	FILTER_SIZE,
	FILTER_AGE,
	FILTER_ATTEMPTS,
	FILTER_NEXT,
	FILTER_FLAGS,
	FILTER_ANY /* a text alone */
};

enum filter_op {
	FILTER_IS,
	FILTER_IS_NOT,
	FILTER_HAS,
	FILTER_HAS_NOT,
	FILTER_BELOW,
	FILTER_ABOVE,
	FILTER_AT_MOST,
	FILTER_AT_LEAST
};

struct filter_term {
	enum filter_key key;
	enum filter_op op;
	uint64_t
		number; /* bytes, seconds, attempts; of a state, bits by enum queue_state */
	bool none;      /* next=none, flags=none, relay=none ... */
	size_t text_at, text_len;
};

struct filter {
	struct filter_term term[FILTER_TERMS_MAX];
	size_t count;
	char text[FILTER_TEXT_MAX];
	size_t text_used;
};

#define FILTER_INIT \
	{ .count = 0, .text_used = 0 }

/* Adds one word, which may hold blanks (an argument of a command line). ERR_SYNTAX names the
 * word and says what is possible; ERR_LIMIT: too many. On failure f is as it was. */
int filter_add(struct filter *f, struct span word, struct err *err);
/* Replaces f by the words of a line; no word at all lets every message pass. On failure f is
 * as it was. */
int filter_parse(struct filter *f, struct span line, struct err *err);
/* True when the word has an operator, so is no ID. */
bool filter_is_term(struct span word);
/* True when all words hold at the moment `now` (seconds since 1970). */
bool filter_match(const struct filter *f, const struct filter_row *row, int64_t now);
/* True when the text has the part in it, the case of ASCII letters aside. */
bool filter_contains(struct span text, struct span part);
/* The i-th key's name, for completion; NULL past the end. */
const char *filter_key_name(size_t i);

#endif
