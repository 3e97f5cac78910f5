/* The circuit breaker of one relay; the states stand in the header. */

#include "deliver/breaker.h"

void breaker_init(struct breaker *b, unsigned max, int64_t probe_every_ms) {
	*b = (struct breaker){
		.state = BREAKER_UNKNOWN,
		.max = max ? max : 1,
		.allowed = 1,
		.probe_every_ms = probe_every_ms,
	};
}

void breaker_restore_held(struct breaker *b, int64_t now_ms) {
	b->state = BREAKER_HELD;
	b->allowed = 1;
	b->probe_at_ms = now_ms;
	b->alert_at_ms = now_ms + BREAKER_ALERT_EVERY_MS;
}

unsigned breaker_connections(const struct breaker *b, int64_t now_ms) {
	if (b->state == BREAKER_HELD)
		return now_ms >= b->probe_at_ms ? 1 : 0;
	return b->allowed;
}

bool breaker_careful(const struct breaker *b) {
	return b->state != BREAKER_UP;
}

void breaker_started(struct breaker *b, int64_t now_ms) {
	if (b->state == BREAKER_HELD)
		b->probe_at_ms = now_ms + b->probe_every_ms;
}

bool breaker_success(struct breaker *b) {
	bool was_held = b->state == BREAKER_HELD;
	if (b->state != BREAKER_UP)
		b->allowed = 1;
	b->state = BREAKER_UP;
	return was_held;
}

void breaker_grow(struct breaker *b, int64_t now_ms) {
	if (b->state == BREAKER_UP && b->allowed < b->max && now_ms >= b->grow_at_ms)
		b->allowed++;
}

void breaker_busy(struct breaker *b, int64_t now_ms) {
	b->allowed = b->allowed > 1 ? b->allowed / 2 : 1;
	b->grow_at_ms = now_ms + BREAKER_GROW_PAUSE_MS;
}

void breaker_full(struct breaker *b, unsigned working, int64_t now_ms) {
	if (b->allowed > working)
		b->allowed = working > 0 ? working : 1;
	b->grow_at_ms = now_ms + BREAKER_GROW_PAUSE_MS;
}

bool breaker_failure(struct breaker *b, int64_t now_ms) {
	bool alert = b->state != BREAKER_HELD || now_ms >= b->alert_at_ms;
	if (alert)
		b->alert_at_ms = now_ms + BREAKER_ALERT_EVERY_MS;
	b->state = BREAKER_HELD;
	b->allowed = 1;
	b->probe_at_ms = now_ms + b->probe_every_ms;
	return alert;
}

void breaker_probe_now(struct breaker *b, int64_t now_ms) {
	if (b->state == BREAKER_HELD)
		b->probe_at_ms = now_ms;
}
