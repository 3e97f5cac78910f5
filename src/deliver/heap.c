/* A binary heap by due time; each message knows its place, so that any one can be taken out. */

#include "deliver/heap.h"

#include <stdlib.h>

void heap_release(struct heap *h) {
	free(h->item);
	*h = (struct heap){ .item = NULL };
}

static void put(struct heap *h, size_t at, struct message *m) {
	h->item[at] = m;
	m->heap_at = (uint32_t)at;
}

static void rise(struct heap *h, size_t at) {
	struct message *m = h->item[at];
	while (at > 0 && h->item[(at - 1) / 2]->due_ms > m->due_ms) {
		put(h, at, h->item[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(h, at, m);
}

static void sink(struct heap *h, size_t at) {
	struct message *m = h->item[at];
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= h->count)
			break;
		if (child + 1 < h->count &&
		    h->item[child + 1]->due_ms < h->item[child]->due_ms)
			child++;
		if (h->item[child]->due_ms >= m->due_ms)
			break;
		put(h, at, h->item[child]);
		at = child;
	}
	put(h, at, m);
}

int heap_push(struct heap *h, struct message *m) {
	if (h->count == h->cap) {
		size_t cap = h->cap ? h->cap + h->cap / 2 : 64;
		struct message **item = reallocarray(h->item, cap,
						     sizeof(struct message *));
		if (!item)
			return -1;
		h->item = item;
		h->cap = cap;
	}
	h->item[h->count] = m;
	rise(h, h->count++);
	return 0;
}

struct message *heap_top(const struct heap *h) {
	return h->count ? h->item[0] : NULL;
}

void heap_remove(struct heap *h, struct message *m) {
	size_t at = m->heap_at;
	struct message *last = h->item[--h->count];
	if (last != m) {
		put(h, at, last);
		heap_moved(h, last);
	}
	if (h->count == 0)
		heap_release(h);
}

void heap_moved(struct heap *h, struct message *m) {
	rise(h, m->heap_at);
	sink(h, m->heap_at);
}

/* Below a message that is not due none is, so only due ones and their children are seen. */
size_t heap_count_due(const struct heap *h, int64_t now_ms, size_t max) {
	size_t depth = 0, due = 0, way[64] = { 0 };
	if (h->count == 0 || max == 0)
		return 0;
	for (;;) {
		size_t at = way[depth];
		if (at < h->count && h->item[at]->due_ms <= now_ms) {
			if (++due == max)
				return due;
			way[++depth] = 2 * at + 1;
			continue;
		}
		while (depth > 0 && way[depth] % 2 == 0)
			depth--;
		if (depth == 0)
			return due;
		way[depth]++;
	}
}
