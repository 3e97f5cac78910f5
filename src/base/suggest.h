#ifndef NIGHTMAIL_BASE_SUGGEST_H
#define NIGHTMAIL_BASE_SUGGEST_H

/* "did you mean": the known word that is nearest to a mistyped one. */

#include <stddef.h>

#include "base/span.h"

#define SUGGEST_LENGTH_MAX 40

/*
 * Keeps the best of the words it is shown. Start with { .word = what was typed }, show it
 * every candidate, then take .best (NULL when none is near).
 */
struct suggest {
	struct span word;
	const char *best;
	unsigned distance;
};

void suggest_try(struct suggest *s, const char *candidate);

/* The number of inserted, deleted, changed or swapped letters (case ignored) that lead from
 * a to b; words longer than SUGGEST_LENGTH_MAX are infinitely far (UINT_MAX). */
unsigned suggest_distance(struct span a, struct span b);

#endif
