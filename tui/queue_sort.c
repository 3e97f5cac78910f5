/* The orders of the list of messages; see queue_sort.h. */

#include "tui/queue_sort.h"

#include <string.h>

#include "base/span.h"

static void by_new(struct queue_key *k, size_t i) {
	k->part[0] = UINT64_MAX - i;
}

/* What has no next try comes last. */
static void by_next(struct queue_key *k, size_t i) {
	(void)i;
	k->part[0] = k->row->next == NO_TIME ? UINT64_MAX : (uint64_t)k->row->next;
}

static void by_size(struct queue_key *k, size_t i) {
	(void)i;
	k->part[0] = UINT64_MAX - k->row->size;
}

static void by_tries(struct queue_key *k, size_t i) {
	(void)i;
	k->part[0] = UINT64_MAX - k->row->attempts;
}

static void by_state(struct queue_key *k, size_t i) {
	(void)i;
	k->part[0] = k->row->state;
}

/* Eight characters as a number that sorts as they do. */
static uint64_t number_of(struct span s) {
	uint64_t n = 0;
	for (size_t i = 0; i < sizeof(n); i++)
		n = n << 8 | (i < s.len ? (unsigned char)span_lower(s.p[i]) : 0u);
	return n;
}

/* Domains first: what goes to one host stands together. Of domains that begin with the same
 * eight characters a hash decides. */
static void by_to(struct queue_key *k, size_t i) {
	const char *at = strrchr(k->row->to, '@');
	struct span to = span_str(k->row->to), domain = span_str(at ? at + 1 : "");
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	(void)i;
	for (size_t n = 0; n < domain.len; n++)
		hash = (hash ^ (unsigned char)span_lower(domain.p[n])) * 1099511628211u;
	k->part[0] = number_of(domain);
	k->part[1] = hash;
	k->part[2] = number_of(to);
	k->part[3] = number_of(span_from(to, 8));
}

static const struct {
	const char *name;
	void (*key)(struct queue_key *k, size_t i); /* NULL: as the model has them */
} sorts[] = {
	{ "age", NULL },          { "newest", by_new },   { "next try", by_next },
	{ "size", by_size },      { "recipient", by_to }, { "state", by_state },
	{ "attempts", by_tries },
};
#define SORTS (sizeof(sorts) / sizeof(sorts[0]))

size_t queue_sort_count(void) {
	return SORTS;
}

const char *queue_sort_name(size_t sort) {
	return sorts[sort].name;
}

void queue_sort_key(size_t sort, struct queue_key *k, size_t i) {
	if (sorts[sort].key)
		sorts[sort].key(k, i);
}

int queue_sort_compare(const void *a, const void *b, void *ctx) {
	const struct queue_key *x = a, *y = b;
	(void)ctx;
	for (size_t i = 0; i < sizeof(x->part) / sizeof(x->part[0]); i++)
		if (x->part[i] != y->part[i])
			return x->part[i] < y->part[i] ? -1 : 1;
	return 0;
}
