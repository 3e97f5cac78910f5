/*
 * Optimal string alignment distance (Levenshtein with swaps of neighbours) over three rows.
 * A candidate is offered when at most a third of its letters differ, one at least.
 */

#include "base/suggest.h"

#include <limits.h>

static unsigned least(unsigned a, unsigned b) {
	return a < b ? a : b;
}

unsigned suggest_distance(struct span a, struct span b) {
	unsigned rows[3][SUGGEST_LENGTH_MAX + 1];
	if (a.len > SUGGEST_LENGTH_MAX || b.len > SUGGEST_LENGTH_MAX)
		return UINT_MAX;
	for (unsigned j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			char x = span_lower(a.p[i - 1]), y = span_lower(b.p[j - 1]);
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == span_lower(b.p[j - 2]) &&
			    y == span_lower(a.p[i - 2]))
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

void suggest_try(struct suggest *s, const char *candidate) {
	struct span c = span_str(candidate);
	unsigned d = suggest_distance(s->word, c);
	unsigned most = c.len < 6 ? 1 : (unsigned)c.len / 3;
	if (d <= most && (!s->best || d < s->distance)) {
		s->best = candidate;
		s->distance = d;
	}
}
