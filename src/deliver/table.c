/*
 * The table of messages by ID: chained hashing over messages that live in chunks, so that
 * their addresses never change and growing copies nothing but the buckets. The low bits of
 * an ID are random: they are the hash.
 */

#include <stdlib.h>
#include <string.h>

#include "deliver/heap.h"

#define CHUNK_MESSAGES 512u
#define BUCKETS_MIN 256u
#define CHAIN_MEAN 2u /* messages a bucket when there are more buckets */

struct table_chunk {
	struct table_chunk *next;
	struct message message[CHUNK_MESSAGES];
};

void table_release(struct table *t) {
	while (t->chunks) {
		struct table_chunk *next = t->chunks->next;
		free(t->chunks);
		t->chunks = next;
	}
	free(t->bucket);
	*t = (struct table){ .bucket = NULL };
}

static struct message **bucket_of(const struct table *t, const struct queue_id *id) {
	uint32_t hash;
	memcpy(&hash, id->bits + sizeof(id->bits) - sizeof(hash), sizeof(hash));
	return &t->bucket[(hash ^ hash >> 15) & (t->bucket_count - 1)];
}

struct message *table_find(const struct table *t, const struct queue_id *id) {
	if (t->count == 0)
		return NULL;
	struct message *m = *bucket_of(t, id);
	while (m && queue_id_cmp(&m->id, id) != 0)
		m = m->next;
	return m;
}

static int grow_buckets(struct table *t) {
	size_t count = t->bucket_count ? t->bucket_count * 2 : BUCKETS_MIN;
	struct table bigger = { .bucket = calloc(count, sizeof(struct message *)),
				.bucket_count = count };
	if (!bigger.bucket)
		return -1;
	for (size_t i = 0; i < t->bucket_count; i++) {
		for (struct message *m = t->bucket[i], *next; m; m = next) {
			struct message **to = bucket_of(&bigger, &m->id);
			next = m->next;
			m->next = *to;
			*to = m;
		}
	}
	free(t->bucket);
	t->bucket = bigger.bucket;
	t->bucket_count = count;
	return 0;
}

static int add_chunk(struct table *t) {
	struct table_chunk *c = malloc(sizeof(*c));
	if (!c)
		return -1;
	c->next = t->chunks;
	t->chunks = c;
	for (size_t i = 0; i < CHUNK_MESSAGES; i++) {
		c->message[i].next = t->unused;
		t->unused = &c->message[i];
	}
	return 0;
}

struct message *table_add(struct table *t, const struct queue_id *id) {
	if (t->count >= t->bucket_count * CHAIN_MEAN && grow_buckets(t) != 0)
		return NULL;
	if (!t->unused && add_chunk(t) != 0)
		return NULL;
	struct message *m = t->unused;
	t->unused = m->next;
	*m = (struct message){ .id = *id };
	struct message **at = bucket_of(t, id);
	m->next = *at;
	*at = m;
	t->count++;
	return m;
}

void table_remove(struct table *t, struct message *m) {
	struct message **at = bucket_of(t, &m->id);
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	m->next = t->unused;
	t->unused = m;
	if (--t->count == 0)
		table_release(t);
}

void table_each(const struct table *t, void (*fn)(void *ctx, struct message *m),
		void *ctx) {
	for (size_t i = 0; i < t->bucket_count; i++)
		for (struct message *m = t->bucket[i]; m; m = m->next)
			fn(ctx, m);
}
