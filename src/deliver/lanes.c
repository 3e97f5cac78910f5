/*
 * The table of lanes: by number, because a message has two bytes for it, and by name. Free
 * numbers are used again, the lowest first.
 */

#include "deliver/lanes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 64u
#define NUMBERS_STEP 64u

static size_t hash(const struct lane_key *key) {
	uint64_t h = 14695981039346656037u + key->tls_optional; /* FNV-1a */
	for (const char *p = key->relay; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	for (size_t i = 0; i < key->destination.len; i++)
		h = (h ^ (unsigned char)key->destination.p[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static struct lane_key key_of(const struct lane *lane) {
	return (struct lane_key){ lane->relay, span_str(lane->destination), lane->tls_optional };
}

static size_t hash_of(const struct lane *lane) {
	const struct lane_key key = key_of(lane);
	return hash(&key);
}

static bool is_lane(const struct lane *lane, const struct lane_key *key) {
	return strcmp(lane->relay, key->relay) == 0 && lane->tls_optional == key->tls_optional &&
	       span_eq(span_str(lane->destination), key->destination);
}

struct lane *lane_find(const struct lanes *l, const struct lane_key *key) {
	if (l->bucket_count == 0)
		return NULL;
	struct lane *lane = l->bucket[hash(key) % l->bucket_count];
	while (lane && !is_lane(lane, key))
		lane = lane->chain;
	return lane;
}

struct lane *lane_of_relay(const struct lanes *l, const char *relay) {
	return lane_find(l, &(struct lane_key){ .relay = relay, .destination = SPAN("") });
}

static bool grow_buckets(struct lanes *l) {
	if (l->count < l->bucket_count)
		return true;
	size_t n = l->bucket_count ? 2 * l->bucket_count : BUCKETS_FIRST;
	struct lane **bucket = calloc(n, sizeof(struct lane *));
	if (!bucket)
		return false;
	for (size_t i = 0; i < l->end; i++) {
		struct lane *lane = l->at[i];
		if (!lane)
			continue;
		size_t b = hash_of(lane) % n;
		lane->chain = bucket[b];
		bucket[b] = lane;
	}
	free(l->bucket);
	l->bucket = bucket;
	l->bucket_count = n;
	return true;
}

static bool take_number(struct lanes *l, size_t *ret) {
	size_t i = 0;
	if (l->count < l->end)
		while (l->at[i])
			i++;
	else
		i = l->end;
	if (i == LANES_MAX)
		return false;
	if (i == l->end && i % NUMBERS_STEP == 0) {
		struct lane **grown =
			reallocarray(l->at, i + NUMBERS_STEP, sizeof(struct lane *));
		if (!grown)
			return false;
		l->at = grown;
	}
	if (i == l->end) {
		l->at[i] = NULL;
		l->end++;
	}
	*ret = i;
	return true;
}

struct lane *lane_make(struct lanes *l, const struct lane_key *key) {
	struct lane *lane = lane_find(l, key);
	struct span destination = key->destination;
	size_t number;
	if (lane)
		return lane;
	if (destination.len >= LANE_DESTINATION_SIZE || !grow_buckets(l) ||
	    !take_number(l, &number))
		return NULL;
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	l->at[number] = lane;
	l->count++;
	lane->number = (uint16_t)number;
	lane->wake_ms = NEVER_MS;
	lane->tls_optional = key->tls_optional;
	snprintf(lane->relay, sizeof(lane->relay), "%s", key->relay);
	snprintf(lane->destination, sizeof(lane->destination), "%.*s", (int)destination.len,
		 destination.len ? destination.p : "");
	snprintf(lane->name, sizeof(lane->name), "%s%s%s%s", lane->relay,
		 destination.len ? " to " : "", lane->destination,
		 lane->tls_optional ? " (TLS-Required: No)" : "");
	size_t b = hash_of(lane) % l->bucket_count;
	lane->chain = l->bucket[b];
	l->bucket[b] = lane;
	lane_touch(l, lane);
	return lane;
}

static void untouch(struct lanes *l, struct lane *lane) {
	struct lane **p = &l->touched;
	if (!lane->touched)
		return;
	while (*p != lane)
		p = &(*p)->next_touched;
	*p = lane->next_touched;
	lane->touched = false;
}

void lane_drop(struct lanes *l, struct lane *lane) {
	struct lane **p = &l->bucket[hash_of(lane) % l->bucket_count];
	while (*p != lane)
		p = &(*p)->chain;
	*p = lane->chain;
	untouch(l, lane);
	l->at[lane->number] = NULL;
	l->count--;
	heap_release(&lane->heap);
	free(lane);
}

void lanes_release(struct lanes *l) {
	for (size_t i = 0; i < l->end; i++) {
		if (l->at[i])
			heap_release(&l->at[i]->heap);
		free(l->at[i]);
	}
	free(l->at);
	free(l->bucket);
	*l = (struct lanes){ .at = NULL };
}

bool lane_is_direct(const struct lane *lane) {
	return lane->destination[0] != '\0';
}

bool lane_is_held(const struct lane *lane) {
	return lane->breaker.state == BREAKER_HELD;
}

void lane_touch(struct lanes *l, struct lane *lane) {
	if (lane->touched)
		return;
	lane->touched = true;
	lane->next_touched = l->touched;
	l->touched = lane;
}

void lanes_touch_all(struct lanes *l) {
	for (size_t i = 0; i < l->end; i++)
		if (l->at[i])
			lane_touch(l, l->at[i]);
}

static void look_at(struct lanes *l, struct lane *lane, lane_look_fn *look, void *ctx) {
	bool dropped = false;
	l->looks++;
	int64_t again = look(ctx, lane, &dropped);
	if (dropped)
		return;
	lane->wake_ms = again;
	if (again < l->wake_ms)
		l->wake_ms = again;
}

static void look_at_touched(struct lanes *l, lane_look_fn *look, void *ctx) {
	size_t most = l->count; /* what is touched meanwhile has its turn in the next round */
	while (l->touched && most-- > 0) {
		struct lane *lane = l->touched;
		l->touched = lane->next_touched;
		lane->touched = false;
		look_at(l, lane, look, ctx);
	}
}

int64_t lanes_look(struct lanes *l, int64_t now_ms, lane_look_fn *look, void *ctx) {
	look_at_touched(l, look, ctx);
	if (now_ms >= l->wake_ms) {
		l->wake_ms = NEVER_MS;
		for (size_t i = 0; i < l->end; i++) {
			struct lane *lane = l->at[i];
			if (lane && lane->wake_ms <= now_ms)
				look_at(l, lane, look, ctx);
			else if (lane && lane->wake_ms < l->wake_ms)
				l->wake_ms = lane->wake_ms;
		}
	}
	return l->touched ? now_ms : l->wake_ms;
}
