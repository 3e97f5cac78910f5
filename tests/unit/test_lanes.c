/* Lanes: found by name, made and dropped, and looked at only when there is a reason. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/lanes.h"
#include "tap.h"

#define MANY 10000u

static struct span domain(unsigned i) {
	static char text[64];
	snprintf(text, sizeof(text), "d%u.example", i);
	return span_str(text);
}

static struct lane *find(const struct lanes *l, const char *relay, struct span destination) {
	return lane_find(l, &(struct lane_key){ relay, destination, false });
}

static struct lane *make(struct lanes *l, const char *relay, struct span destination) {
	return lane_make(l, &(struct lane_key){ relay, destination, false });
}

static void check_names(void) {
	struct lanes l = { .at = NULL };
	ok(!find(&l, "default", SPAN("")), "there is none at first");
	struct lane *first = make(&l, "default", SPAN(""));
	struct lane *direct = make(&l, "mx", SPAN("example.org"));
	ok(first && first->number == 0 && direct && direct->number == 1, "numbers from 0");
	is_str(first->name, "default", "a relay's lane has its name");
	is_str(direct->name, "mx to example.org", "that of a destination names both");
	ok(!lane_is_direct(first) && lane_is_direct(direct), "they are told apart");
	ok(make(&l, "mx", SPAN("example.org")) == direct, "there is one of each");
	ok(find(&l, "mx", SPAN("")) == NULL && !lane_of_relay(&l, "mx") &&
		   lane_of_relay(&l, "default") == first,
	   "a relay's own lane is another one");
	const struct lane_key key = { "mx", SPAN("example.org"), true };
	struct lane *optional = lane_make(&l, &key);
	ok(optional && optional != direct && lane_find(&l, &key) == optional &&
		   find(&l, "mx", SPAN("example.org")) == direct,
	   "so is that of mail with TLS-Required: No");
	is_str(optional->name, "mx to example.org (TLS-Required: No)", "which its name says");
	lane_drop(&l, optional);
	ok(!lane_find(&l, &key) && find(&l, "mx", SPAN("example.org")) == direct,
	   "one is dropped without the other");
	bool found = true;
	for (unsigned i = 0; i < MANY; i++)
		found &= make(&l, "mx", domain(i)) != NULL;
	for (unsigned i = 0; i < MANY; i++)
		found &= find(&l, "mx", domain(i)) != NULL;
	ok(found && l.count == MANY + 2, "ten thousand are found");
	for (unsigned i = 0; i < MANY; i += 2)
		lane_drop(&l, find(&l, "mx", domain(i)));
	for (unsigned i = 0; i < MANY; i++)
		found &= (find(&l, "mx", domain(i)) != NULL) == (i % 2 == 1);
	ok(found && l.count == MANY / 2 + 2, "half of them are dropped");
	struct lane *again = make(&l, "mx", SPAN("new.example"));
	ok(again && again->number == 2, "a free number is used again");
	for (unsigned i = 0; l.count < LANES_MAX; i++)
		make(&l, "other", domain(i));
	ok(!make(&l, "mx", SPAN("too.many.example")), "there is a limit");
	lanes_release(&l);
}

struct looked {
	struct lanes *lanes;
	unsigned count;
	int64_t again_ms; /* what look() answers */
	const struct lane *drop;
	struct lane *touch;
};

static int64_t look(void *ctx, struct lane *lane, bool *ret_dropped) {
	struct looked *k = ctx;
	k->count++;
	if (k->touch)
		lane_touch(k->lanes, k->touch);
	k->touch = NULL;
	if (lane == k->drop) {
		lane_drop(k->lanes, lane);
		*ret_dropped = true;
		return NEVER_MS;
	}
	return k->again_ms;
}

static unsigned looks(struct looked *k, int64_t now_ms, int64_t *ret_next) {
	k->count = 0;
	*ret_next = lanes_look(k->lanes, now_ms, look, k);
	return k->count;
}

static void check_looks(void) {
	struct lanes l = { .at = NULL };
	struct looked k = { .lanes = &l, .again_ms = NEVER_MS };
	int64_t next;
	for (unsigned i = 0; i < 100; i++)
		make(&l, "mx", domain(i));
	is_int(looks(&k, 1000, &next), 100, "new ones are looked at");
	ok(next == NEVER_MS, "and nothing is to come");
	is_int(looks(&k, 2000, &next), 0, "then none is");
	k.again_ms = 5000;
	lane_touch(&l, l.at[7]);
	lane_touch(&l, l.at[7]);
	is_int(looks(&k, 2000, &next), 1, "one that was touched is, once");
	is_int(next, 5000, "the time that it names is the next");
	is_int(looks(&k, 4999, &next), 0, "not before");
	k.again_ms = NEVER_MS;
	is_int(looks(&k, 5000, &next), 1, "but then");
	ok(next == NEVER_MS, "once");
	k.touch = l.at[9];
	lane_touch(&l, l.at[8]);
	lane_touch(&l, l.at[3]);
	looks(&k, 5000, &next);
	k.touch = NULL;
	ok(next == 5000 || next == NEVER_MS, "touched while one is looked at: soon");
	looks(&k, 5000, &next);
	is_int(looks(&k, 5000, &next), 0, "and not for ever");
	k.drop = l.at[4];
	lane_touch(&l, l.at[4]);
	is_int(looks(&k, 6000, &next), 1, "one may go while it is looked at");
	ok(l.at[4] == NULL && l.count == 99, "and is gone");
	lanes_release(&l);
}

/* What the issue asks for: mail behind a lane that does not work costs the others nothing. */
static void check_cost(void) {
	struct lanes l = { .at = NULL };
	struct looked k = { .lanes = &l, .again_ms = 1000000 };
	struct message *held = calloc(100000, sizeof(*held));
	struct lane *slow = make(&l, "slow", SPAN("")), *fast = make(&l, "fast", SPAN(""));
	int64_t next;
	for (unsigned i = 0; held && i < 100000; i++) {
		held[i].due_ms = i;
		heap_push(&slow->heap, &held[i]);
	}
	looks(&k, 0, &next);
	uint64_t before = l.looks;
	for (unsigned i = 0; i < 1000; i++) {
		lane_touch(&l, fast);
		looks(&k, i, &next);
	}
	is_int((int64_t)(l.looks - before), 1000,
	       "a thousand rounds of one lane look at no other, whatever waits there");
	while (slow->heap.count > 0)
		heap_remove(&slow->heap, heap_top(&slow->heap));
	lanes_release(&l);
	free(held);
}

int main(void) {
	check_names();
	check_looks();
	check_cost();
	return done_testing();
}
