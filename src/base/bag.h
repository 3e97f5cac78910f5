#ifndef NIGHTMAIL_BASE_BAG_H
#define NIGHTMAIL_BASE_BAG_H

/*
 * How often which bytes were seen: a bounded set of strings with a number each.
 *
 *     struct bag t = { .max = 1000 };
 *     bag_add(&t, line, 1); ...
 *     bag_sort(&t); for (i < t.count) ... t.at[i]
 *     bag_release(&t);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct bag_item {
	char *key; /* NUL-terminated; owned */
	size_t len;
	uint64_t n;
};

struct bag {
	struct bag_item *at; /* each key once, and in order, after bag_sort() */
	size_t count, cap;
	size_t max; /* keys, from 1; a few more than that may get in */
	bool full;  /* there were more: nothing is added any more */
};

/* Adds n to the number of a key. -1: the bag is full, or there is no memory; nothing changed. */
int bag_add(struct bag *t, struct span key, uint64_t n);
/* Joins what was added of each key, and sorts by their bytes. */
void bag_sort(struct bag *t);
void bag_release(struct bag *t);

#include "base/banned.h"

#endif
