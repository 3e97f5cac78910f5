/* The table of messages and the heaps: order, removal from the middle, memory a message. */

#include <malloc.h>
#include <stdlib.h>

#include "deliver/heap.h"
#include "lib/spool.h"
#include "tap.h"

#define MANY 5000u

static uint64_t seed = 42;

static unsigned next_random(unsigned below) {
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

static bool is_ordered(const struct heap *h) {
	for (size_t i = 0; i < h->count; i++) {
		if (h->item[i]->heap_at != i)
			return false;
		if (i > 0 && h->item[(i - 1) / 2]->due_ms > h->item[i]->due_ms)
			return false;
	}
	return true;
}

static size_t count_plainly(const struct heap *h, int64_t now) {
	size_t n = 0;
	for (size_t i = 0; i < h->count; i++)
		n += h->item[i]->due_ms <= now;
	return n;
}

/* Pushes, moves and removes at random; the order must hold after each step. */
static void check_random(struct heap *h, struct message *pool, size_t count) {
	bool ordered = true, counted = true;
	for (size_t i = 0; i < count; i++) {
		pool[i].due_ms = next_random(1000);
		heap_push(h, &pool[i]);
		ordered &= is_ordered(h);
	}
	for (unsigned i = 0; i < 1000; i++) {
		struct message *m = h->item[next_random((unsigned)h->count)];
		m->due_ms = next_random(1000);
		heap_moved(h, m);
		ordered &= is_ordered(h);
		int64_t now = next_random(1100);
		counted &= heap_count_due(h, now, MANY) == count_plainly(h, now);
	}
	ok(ordered, "every parent is due before its children");
	ok(counted, "counting what is due agrees with looking at all");
	is_int((int64_t)heap_count_due(h, 2000, 7), 7, "counting stops at the number asked for");
	while (h->count > 10) {
		heap_remove(h, h->item[next_random((unsigned)h->count)]);
		ordered &= is_ordered(h);
	}
	int64_t last = -1;
	while (heap_top(h)) {
		ordered &= heap_top(h)->due_ms >= last;
		last = heap_top(h)->due_ms;
		heap_remove(h, heap_top(h));
	}
	ok(ordered, "removing from the middle keeps the order");
	ok(!h->item, "an empty heap has no memory");
}

static void count_one(void *ctx, struct message *m) {
	(void)m;
	++*(size_t *)ctx;
}

static void check_table(void) {
	struct table t = { .bucket = NULL };
	bool found = true, absent = true;
	size_t seen = 0;
	for (unsigned i = 0; i < MANY; i++) {
		struct queue_id id = queue_id_new();
		struct message *m = table_add(&t, &id);
		found &= m && table_find(&t, &id) == m;
	}
	ok(found, "what was added is found");
	table_each(&t, count_one, &seen);
	is_int((int64_t)seen, MANY, "all are visited");
	struct queue_id id = spool_id(1);
	ok(!table_find(&t, &id), "what was not added is not found");
	struct message *m = table_add(&t, &id);
	table_remove(&t, m);
	absent = !table_find(&t, &id);
	ok(absent, "what was removed is not found");
	table_release(&t);
}

static void check_memory(void) {
	struct table t = { .bucket = NULL };
	struct heap h = { .item = NULL };
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, worst = 0;
	for (unsigned i = 0; i < 100000; i++) {
		struct queue_id id = queue_id_new();
		struct message *m = table_add(&t, &id);
		m->due_ms = i;
		heap_push(&h, m);
		if (i > 20000 && i % 1000 == 0) {
			size_t used = mallinfo2().uordblks + mallinfo2().hblkhd - before;
			worst = used / i > worst ? used / i : worst;
		}
	}
	ok(worst <= 100, "at most 100 bytes a message (%zu)", worst);
	while (heap_top(&h)) {
		struct message *m = heap_top(&h);
		heap_remove(&h, m);
		table_remove(&t, m);
	}
	ok(!t.chunks && !t.bucket, "the last message frees all memory");
}

int main(void) {
	struct heap h = { .item = NULL };
	struct message *pool = calloc(300, sizeof(*pool));
	ok(!heap_top(&h), "an empty heap has no top");
	check_random(&h, pool, 300);
	free(pool);
	check_table();
	check_memory();
	return done_testing();
}
