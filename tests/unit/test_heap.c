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
	size_t count = 0;
	for (size_t c = 0; c < HEAP_CLASSES; c++) {
		const struct heap_part *p = &h->part[c];
		count += p->count;
		for (size_t i = 0; i < p->count; i++) {
			if (p->item[i]->heap_at != i || p->item[i]->class != c)
				return false;
			if (i > 0 && p->item[(i - 1) / 2]->due_ms > p->item[i]->due_ms)
				return false;
		}
	}
	return count == h->count;
}

static size_t count_plainly(const struct heap *h, int64_t now) {
	size_t n = 0;
	for (size_t i = 0; i < h->count; i++)
		n += heap_nth(h, i)->due_ms <= now;
	return n;
}

/* Pushes, moves and removes at random; the order must hold after each step. */
static void check_random(struct heap *h, struct message *pool, size_t count) {
	bool ordered = true, counted = true;
	for (size_t i = 0; i < count; i++) {
		pool[i].due_ms = next_random(1000);
		pool[i].class = next_random(HEAP_CLASSES) & 3;
		heap_push(h, &pool[i]);
		ordered &= is_ordered(h);
	}
	for (unsigned i = 0; i < 1000; i++) {
		struct message *m = heap_nth(h, next_random((unsigned)h->count));
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
		heap_remove(h, heap_nth(h, next_random((unsigned)h->count)));
		ordered &= is_ordered(h);
	}
	int64_t last = -1;
	while (heap_top(h)) {
		ordered &= heap_top(h)->due_ms >= last;
		last = heap_top(h)->due_ms;
		heap_remove(h, heap_top(h));
	}
	ok(ordered, "removing from the middle keeps the order");
	bool empty = true;
	for (size_t c = 0; c < HEAP_CLASSES; c++)
		empty &= !h->part[c].item;
	ok(empty, "an empty heap has no memory");
}

/* Serves everything that is due; ret[n] is the class of message n. */
static void serve(struct heap *h, int64_t now, uint8_t *ret, size_t count) {
	struct message *m;
	for (size_t n = 0; n < count && (m = heap_next(h, now)) != NULL; n++) {
		ret[n] = m->class;
		heap_served(h, m, now);
		heap_remove(h, m);
	}
}

static void check_classes(void) {
	static struct message pool[400];
	struct heap h = { .count = 0 };
	uint8_t order[400];
	unsigned share[HEAP_CLASSES] = { 0 };
	for (size_t i = 0; i < 400; i++) {
		pool[i] = (struct message){ .class = i / 100 & 3, .due_ms = (int64_t)i };
		heap_push(&h, &pool[i]);
	}
	is_int(heap_top(&h)->due_ms, 0, "the top is what is due first of all classes");
	ok(!heap_next(&h, -1), "nothing is handed over before it is due");
	ok(heap_next(&h, 350)->class == HEAP_HIGH, "urgent mail goes first");
	serve(&h, 1000, order, 100);
	for (size_t i = 0; i < 100; i++)
		share[order[i]]++;
	is_int(share[HEAP_HIGH], 64, "of a hundred 64 are urgent");
	is_int(share[HEAP_NORMAL], 24, "24 normal");
	is_int(share[HEAP_LOW], 8, "8 low");
	is_int(share[HEAP_BOUNCE], 4, "and 4 bounces: nobody starves");
	serve(&h, 1000, order, 300);
	is_int((int64_t)h.count, 0, "all of them go in the end");
	heap_release(&h);
}

/* A newsletter waits; an alert comes. */
static void check_alert(void) {
	static struct message news[300], alert;
	struct heap h = { .count = 0 };
	uint8_t order[300];
	for (size_t i = 0; i < 300; i++) {
		news[i] = (struct message){ .class = HEAP_LOW, .due_ms = 1 };
		heap_push(&h, &news[i]);
	}
	serve(&h, 10, order, 200);
	alert = (struct message){ .class = HEAP_HIGH, .due_ms = 9 };
	heap_push(&h, &alert);
	ok(heap_next(&h, 10) == &alert, "an alert passes what was there long before");
	heap_served(&h, &alert, 10);
	heap_remove(&h, &alert);
	alert.due_ms = 20;
	heap_push(&h, &alert);
	ok(heap_next(&h, 10)->class == HEAP_LOW, "one that is not due holds nobody up");
	heap_release(&h);
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
	struct heap h = { .count = 0 };
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
	struct heap h = { .count = 0 };
	struct message *pool = calloc(300, sizeof(*pool));
	ok(!heap_top(&h), "an empty heap has no top");
	check_random(&h, pool, 300);
	free(pool);
	check_classes();
	check_alert();
	check_table();
	check_memory();
	return done_testing();
}
