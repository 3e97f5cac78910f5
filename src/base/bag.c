/*
 * An array that is appended to. Only when it is full its items are sorted and joined; it grows
 * when that has not made half of it free, so that adding costs little however often the same
 * keys come.
 */

#include "base/bag.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 32u

static int compare(const void *a, const void *b) {
	const struct bag_item *x = a, *y = b;
	int r = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);
	if (r != 0)
		return r;
	return (x->len > y->len) - (x->len < y->len);
}

void bag_sort(struct bag *t) {
	size_t kept = 0;
	if (t->count == 0)
		return;
	qsort(t->at, t->count, sizeof(*t->at), compare);
	for (size_t i = 1; i < t->count; i++) {
		if (compare(&t->at[kept], &t->at[i]) == 0) {
			t->at[kept].n += t->at[i].n;
			free(t->at[i].key);
		} else {
			t->at[++kept] = t->at[i];
		}
	}
	t->count = kept + 1;
}

static int make_room(struct bag *t) {
	if (t->count < t->cap)
		return 0;
	bag_sort(t);
	if (t->count <= t->cap / 2 && t->cap > 0)
		return 0;
	if (t->cap >= 2 * t->max)
		return -1;
	size_t cap = t->cap > 0 ? 2 * t->cap : FIRST_CAP;
	if (cap > 2 * t->max)
		cap = 2 * t->max;
	struct bag_item *more = realloc(t->at, cap * sizeof(*more));
	if (!more)
		return -1;
	t->at = more;
	t->cap = cap;
	return 0;
}

int bag_add(struct bag *t, struct span key, uint64_t n) {
	struct bag_item item = { .len = key.len, .n = n };
	if (t->full || make_room(t) != 0) {
		t->full = true;
		return -1;
	}
	item.key = span_dup(key);
	if (!item.key)
		return -1;
	t->at[t->count++] = item;
	return 0;
}

void bag_release(struct bag *t) {
	for (size_t i = 0; i < t->count; i++)
		free(t->at[i].key);
	free(t->at);
	*t = (struct bag){ .max = t->max };
}
