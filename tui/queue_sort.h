#ifndef NIGHTMAIL_TUI_QUEUE_SORT_H
#define NIGHTMAIL_TUI_QUEUE_SORT_H

/*
 * The orders in which the Queue view shows messages. Each row gets numbers by which it is
 * compared, so that sorting many rows does not have to look into each of them again and again.
 */

#include <stddef.h>
#include <stdint.h>

#include "tui/model.h"

struct queue_key {
	uint64_t part
		[4]; /* the first that differs decides; all the same: the older comes first */
	const struct model_row *row;
};

size_t queue_sort_count(void);
/* "age", "newest", ...; 0 is the order of the model. */
const char *queue_sort_name(size_t sort);
/* Fills the parts, which are zero, for k->row, the i-th row of the model. */
void queue_sort_key(size_t sort, struct queue_key *k, size_t i);
/* Compares two keys, as qsort_r(). */
int queue_sort_compare(const void *a, const void *b, void *ctx);

#endif
