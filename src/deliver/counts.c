/*
 * Rings of counts: a slot belongs to the minute or hour that it was last begun for, so time
 * in which nothing happens costs nothing, and a clock that is set leaves no wrong numbers.
 */

#include "deliver/counts.h"

#include <stddef.h>
#include <string.h>

#define MINUTE_S 60
#define HOUR_S 3600

static const char *const names[] = {
	[COUNTS_QUEUED] = "queued",
	[COUNTS_DELIVERED] = "delivered",
	[COUNTS_DEFERRED] = "deferred",
	[COUNTS_BOUNCED] = "bounced",
};

static void add_to(struct counts_slot *ring, unsigned size, int64_t step_s,
		   enum counts_what what, unsigned n, int64_t now_s) {
	int64_t number = now_s > 0 ? now_s / step_s : 0;
	struct counts_slot *s = &ring[number % size];
	if (s->begin_s != number * step_s)
		*s = (struct counts_slot){ .begin_s = number * step_s };
	s->n[what] += n;
}

void counts_add(struct counts *c, enum counts_what what, unsigned n, int64_t now_s) {
	c->total[what] += n;
	add_to(c->minute, COUNTS_MINUTES, MINUTE_S, what, n, now_s);
	add_to(c->hour, COUNTS_HOURS, HOUR_S, what, n, now_s);
}

static void add_ring(struct json *j, const char *key, const struct counts_slot *ring,
		     unsigned size, int64_t step_s, int64_t now_s) {
	json_array(j, key);
	for (int64_t number = now_s / step_s - size + 1; number <= now_s / step_s;
	     number++) {
		const struct counts_slot *s = &ring[number > 0 ? number % size : 0];
		if (number <= 0 || s->begin_s != number * step_s)
			continue;
		json_array(j, NULL);
		json_int(j, NULL, s->begin_s);
		for (unsigned i = 0; i < COUNTS; i++)
			json_int(j, NULL, s->n[i]);
		json_end(j);
	}
	json_end(j);
}

void counts_json(const struct counts *c, struct json *j, int64_t now_s) {
	json_object(j, "since_start");
	for (unsigned i = 0; i < COUNTS; i++)
		json_int(j, names[i], (int64_t)c->total[i]);
	json_end(j);
	add_ring(j, "minutes", c->minute, COUNTS_MINUTES, MINUTE_S, now_s);
	add_ring(j, "hours", c->hour, COUNTS_HOURS, HOUR_S, now_s);
}
