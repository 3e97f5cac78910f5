/*
 * Binary heaps by due time, one a class; each message knows its place, so that any one can be
 * taken out. Whose turn it is follows from credits (smooth weighted round robin): every class
 * that has something due gains its weight with each message that goes, and the class that was
 * served pays for all. A class that had nothing due saves nothing up.
 */

#include "deliver/heap.h"

#include <stdlib.h>

static const int8_t weight[HEAP_CLASSES] = {
	[HEAP_HIGH] = 16,
	[HEAP_NORMAL] = 6,
	[HEAP_LOW] = 2,
	[HEAP_BOUNCE] = 1,
};

static struct heap_part *part_of(struct heap *h, const struct message *m) {
	return &h->part[m->class];
}

void heap_release(struct heap *h) {
	for (size_t i = 0; i < HEAP_CLASSES; i++)
		free(h->part[i].item);
	*h = (struct heap){ .count = 0 };
}

static void put(struct heap_part *p, size_t at, struct message *m) {
	p->item[at] = m;
	m->heap_at = (uint32_t)at;
}

static void rise(struct heap_part *p, size_t at) {
	struct message *m = p->item[at];
	while (at > 0 && p->item[(at - 1) / 2]->due_ms > m->due_ms) {
		put(p, at, p->item[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(p, at, m);
}

static void sink(struct heap_part *p, size_t at) {
	struct message *m = p->item[at];
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= p->count)
			break;
		if (child + 1 < p->count &&
		    p->item[child + 1]->due_ms < p->item[child]->due_ms)
			child++;
		if (p->item[child]->due_ms >= m->due_ms)
			break;
		put(p, at, p->item[child]);
		at = child;
	}
	put(p, at, m);
}

int heap_push(struct heap *h, struct message *m) {
	struct heap_part *p = part_of(h, m);
	if (p->count == p->cap) {
		size_t cap = p->cap ? p->cap + p->cap / 2 : 64;
		struct message **item = reallocarray(p->item, cap, sizeof(struct message *));
		if (!item)
			return -1;
		p->item = item;
		p->cap = cap;
	}
	p->item[p->count] = m;
	h->count++;
	rise(p, p->count++);
	return 0;
}

struct message *heap_top(const struct heap *h) {
	struct message *top = NULL;
	for (size_t i = 0; i < HEAP_CLASSES; i++)
		if (h->part[i].count > 0 && (!top || h->part[i].item[0]->due_ms < top->due_ms))
			top = h->part[i].item[0];
	return top;
}

static bool has_due(const struct heap_part *p, int64_t now_ms) {
	return p->count > 0 && p->item[0]->due_ms <= now_ms;
}

struct message *heap_next(const struct heap *h, int64_t now_ms) {
	struct message *next = NULL;
	int most = 0;
	for (size_t i = 0; i < HEAP_CLASSES; i++) {
		int credit = h->credit[i] + weight[i];
		if (!has_due(&h->part[i], now_ms) || (next && credit <= most))
			continue;
		next = h->part[i].item[0];
		most = credit;
	}
	return next;
}

void heap_served(struct heap *h, const struct message *m, int64_t now_ms) {
	int all = 0;
	for (size_t i = 0; i < HEAP_CLASSES; i++) {
		bool due = has_due(&h->part[i], now_ms);
		h->credit[i] = due ? (int8_t)(h->credit[i] + weight[i]) : 0;
		all += due ? weight[i] : 0;
	}
	h->credit[m->class] = (int8_t)(h->credit[m->class] - all);
}

void heap_remove(struct heap *h, struct message *m) {
	struct heap_part *p = part_of(h, m);
	size_t at = m->heap_at;
	struct message *last = p->item[--p->count];
	h->count--;
	if (last != m) {
		put(p, at, last);
		heap_moved(h, last);
	}
	if (p->count == 0) {
		free(p->item);
		*p = (struct heap_part){ .item = NULL };
	}
}

void heap_moved(struct heap *h, struct message *m) {
	rise(part_of(h, m), m->heap_at);
	sink(part_of(h, m), m->heap_at);
}

/* Below a message that is not due none is, so only due ones and their children are seen. */
static size_t count_due(const struct heap_part *p, int64_t now_ms, size_t max) {
	size_t depth = 0, due = 0, way[64] = { 0 };
	if (p->count == 0 || max == 0)
		return 0;
	for (;;) {
		size_t at = way[depth];
		if (at < p->count && p->item[at]->due_ms <= now_ms) {
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

size_t heap_count_due(const struct heap *h, int64_t now_ms, size_t max) {
	size_t due = 0;
	for (size_t i = 0; i < HEAP_CLASSES; i++)
		due += count_due(&h->part[i], now_ms, max - due);
	return due;
}

struct message *heap_nth(const struct heap *h, size_t i) {
	const struct heap_part *p = h->part;
	while (i >= p->count)
		i -= (p++)->count;
	return p->item[i];
}
