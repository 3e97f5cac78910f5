/*
 * One entry for each kind of mail, found by looking at all of them: there are few, and only
 * machines that ask for storm control pay for it. An entry keeps the times of the last
 * `limit` messages in order, so "too many" is one comparison with the oldest of them.
 */

#include "deliver/storm_count.h"

#include <stdlib.h>
#include <string.h>

struct kind {
	struct storm_key key;
	int64_t seen_ms;
	unsigned count; /* times[] in use, oldest first */
	bool on;        /* a storm goes on */
	bool told;      /* storm_due() gave it out */
	bool again;     /* one of this kind ended while it went on */
	struct queue_id storm, last;
	struct queue_id ended; /* the storm before, or zeros */
	int64_t held, began_ms, held_ms;
	int64_t times[]; /* limit of them */
};

struct storm_table {
	unsigned limit;
	int64_t window_ms;
	struct kind *kind[STORM_KINDS_MAX];
	size_t count;
};

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static uint64_t hash(uint64_t h, struct span s) {
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * FNV_PRIME;
	return h;
}

struct storm_key storm_key(uint32_t uid, struct span from, struct span subject) {
	uint64_t h = hash(FNV_START, from);
	return (struct storm_key){ uid, hash(hash(h, span_of("", 1)), subject) };
}

struct storm_table *storm_table_new(unsigned limit, int64_t window_ms) {
	struct storm_table *t = calloc(1, sizeof(*t));
	if (t) {
		t->limit = limit;
		t->window_ms = window_ms;
	}
	return t;
}

void storm_table_free(struct storm_table *t) {
	for (size_t i = 0; t && i < t->count; i++)
		free(t->kind[i]);
	free(t);
}

static size_t kind_size(unsigned limit) {
	return sizeof(struct kind) + limit * sizeof(int64_t);
}

static void forget(struct storm_table *t, size_t i) {
	free(t->kind[i]);
	t->kind[i] = t->kind[--t->count];
}

void storm_table_set(struct storm_table *t, unsigned limit, int64_t window_ms) {
	for (size_t i = t->count; i-- > 0 && limit != t->limit;) {
		struct kind *k = t->kind[i];
		unsigned over = k->count > limit ? k->count - limit : 0;
		k->count -= over;
		memmove(k->times, k->times + over, k->count * sizeof(k->times[0]));
		struct kind *fit = realloc(k, kind_size(limit));
		if (fit)
			t->kind[i] = fit;
		else
			forget(t, i);
	}
	t->limit = limit;
	t->window_ms = window_ms;
}

static struct kind *find(const struct storm_table *t, struct storm_key key) {
	for (size_t i = 0; i < t->count; i++)
		if (t->kind[i]->key.hash == key.hash && t->kind[i]->key.uid == key.uid)
			return t->kind[i];
	return NULL;
}

/* Makes room for one more. False: storms go on everywhere. */
static bool make_room(struct storm_table *t) {
	size_t oldest = t->count;
	if (t->count < STORM_KINDS_MAX)
		return true;
	for (size_t i = 0; i < t->count; i++)
		if (!t->kind[i]->on && (oldest == t->count ||
					t->kind[i]->seen_ms < t->kind[oldest]->seen_ms))
			oldest = i;
	if (oldest == t->count)
		return false;
	forget(t, oldest);
	return true;
}

static struct kind *find_or_add(struct storm_table *t, struct storm_key key) {
	struct kind *k = find(t, key);
	if (k || !make_room(t))
		return k;
	k = calloc(1, kind_size(t->limit));
	if (!k)
		return NULL;
	k->key = key;
	t->kind[t->count++] = k;
	return k;
}

/* Notes a time; those found at the start come in no order. */
static void note_time(const struct storm_table *t, struct kind *k, int64_t at_ms) {
	if (t->limit == 0)
		return;
	if (k->count == t->limit) {
		if (at_ms < k->times[0])
			return;
		k->count--;
		memmove(k->times, k->times + 1, k->count * sizeof(k->times[0]));
	}
	unsigned i = k->count++;
	for (; i > 0 && k->times[i - 1] > at_ms; i--)
		k->times[i] = k->times[i - 1];
	k->times[i] = at_ms;
}

bool storm_count(struct storm_table *t, struct storm_key key, int64_t now_ms) {
	struct kind *k = find_or_add(t, key);
	if (!k)
		return false;
	bool beyond = t->limit > 0 && k->count == t->limit &&
		      now_ms - k->times[0] < t->window_ms;
	note_time(t, k, now_ms);
	k->seen_ms = now_ms;
	return beyond;
}

bool storm_current(const struct storm_table *t, struct storm_key key,
		   struct queue_id *ret) {
	const struct kind *k = find(t, key);
	if (!k || !k->on)
		return false;
	*ret = k->storm;
	return true;
}

static void begin(const struct storm_table *t, struct kind *k,
		  const struct queue_id *storm, int64_t at_ms) {
	k->again = k->again && at_ms - k->held_ms < t->window_ms;
	k->on = true;
	k->told = false;
	k->storm = k->last = *storm;
	k->held = 0;
	k->began_ms = k->held_ms = at_ms;
}

/* One more, which may be older than others. */
static void add(struct kind *k, const struct queue_id *message, int64_t at_ms) {
	k->held++;
	if (queue_id_cmp(message, &k->last) > 0)
		k->last = *message;
	if (at_ms > k->held_ms)
		k->held_ms = at_ms;
	if (at_ms < k->began_ms)
		k->began_ms = at_ms;
}

bool storm_join(struct storm_table *t, struct storm_key key, const struct queue_id *storm,
		const struct queue_id *message, int64_t now_ms) {
	struct kind *k = find_or_add(t, key);
	if (!k || queue_id_cmp(storm, &k->ended) == 0)
		return false;
	if (!k->on)
		begin(t, k, storm, now_ms);
	if (queue_id_cmp(storm, &k->storm) != 0)
		return false;
	add(k, message, now_ms);
	return true;
}

void storm_restore(struct storm_table *t, struct storm_key key,
		   const struct queue_id *storm, const struct queue_id *message,
		   int64_t at_ms) {
	struct kind *k = find_or_add(t, key);
	if (!k)
		return;
	note_time(t, k, at_ms);
	if (at_ms > k->seen_ms)
		k->seen_ms = at_ms;
	/* Of two that went on the older one's first message was released or deleted. */
	if (k->on && queue_id_cmp(storm, &k->storm) > 0)
		k->on = false;
	storm_join(t, key, storm, message, at_ms);
}

static struct kind *find_storm(const struct storm_table *t,
			       const struct queue_id *storm) {
	for (size_t i = 0; i < t->count; i++)
		if (t->kind[i]->on && queue_id_cmp(&t->kind[i]->storm, storm) == 0)
			return t->kind[i];
	return NULL;
}

bool storm_find(const struct storm_table *t, const struct queue_id *storm,
		int64_t *ret_held, struct queue_id *ret_last) {
	const struct kind *k = find_storm(t, storm);
	if (!k)
		return false;
	*ret_held = k->held;
	*ret_last = k->last;
	return true;
}

void storm_end(struct storm_table *t, const struct queue_id *storm, int64_t now_ms) {
	struct kind *k = find_storm(t, storm);
	if (!k)
		return;
	k->on = false;
	k->again = now_ms - k->held_ms < t->window_ms;
	k->ended = *storm;
}

static int64_t due_ms(const struct storm_table *t, const struct kind *k) {
	int64_t quiet = k->held_ms + t->window_ms;
	int64_t latest = k->began_ms + (k->again ? STORM_AGAIN_MS : STORM_FIRST_MS);
	return quiet < latest ? quiet : latest;
}

bool storm_due(struct storm_table *t, int64_t now_ms, struct queue_id *ret,
	       int64_t *ret_next) {
	*ret_next = INT64_MAX;
	for (size_t i = 0; i < t->count; i++) {
		struct kind *k = t->kind[i];
		int64_t due = due_ms(t, k);
		if (!k->on || k->told)
			continue;
		if (due <= now_ms) {
			k->told = true;
			*ret = k->storm;
			return true;
		}
		if (due < *ret_next)
			*ret_next = due;
	}
	return false;
}
