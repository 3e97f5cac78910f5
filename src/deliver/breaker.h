#ifndef NIGHTMAIL_DELIVER_BREAKER_H
#define NIGHTMAIL_DELIVER_BREAKER_H

/*
 * How many connections a relay may have now: the circuit breaker. Pure; the caller gives
 * the time (boot clock, ms).
 *
 *     UNKNOWN  after start or reload: one connection with one message
 *       | success            | failure
 *       v                    v
 *     UP  one connection   HELD  one probe each interval
 *       | more with each clean window, fewer when the server is busy
 *
 * A failure in any state leads to HELD, a success in any state to UP.
 */

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_UNKNOWN, BREAKER_UP, BREAKER_HELD };

struct breaker {
	enum breaker_state state;
	unsigned max;           /* connections, at most */
	unsigned allowed;       /* connections, now */
	int64_t probe_every_ms;
	int64_t probe_at_ms;    /* HELD: not before */
	int64_t alert_at_ms;    /* HELD: next daily alert */
	int64_t grow_at_ms;     /* no growth before: the server said it is busy */
};

#define BREAKER_GROW_PAUSE_MS 30000
#define BREAKER_ALERT_EVERY_MS (24 * 3600 * 1000LL)

/* State UNKNOWN. */
void breaker_init(struct breaker *b, unsigned max, int64_t probe_every_ms);
/* Takes up a hold from before a restart: probed at once, alerted of in a day. */
void breaker_restore_held(struct breaker *b, int64_t now_ms);
/* How many connections may be open now. */
unsigned breaker_connections(const struct breaker *b, int64_t now_ms);
/* True when a connection may have one message only: nothing succeeded yet. */
bool breaker_careful(const struct breaker *b);
/* A connection is being made: a probe, when held. */
void breaker_started(struct breaker *b, int64_t now_ms);
/* A message was answered. Returns true when the relay was held until now. */
bool breaker_success(struct breaker *b);
/* A window of messages went out cleanly and more are waiting. */
void breaker_grow(struct breaker *b, int64_t now_ms);
/* The server has enough in mid-work (421, connection cut): half of the connections. */
void breaker_busy(struct breaker *b, int64_t now_ms);
/* It takes no more connections than the `working` ones that others have (a greeting of 421, a
 * refused connection): that many, and growing again only after a pause. */
void breaker_full(struct breaker *b, unsigned working, int64_t now_ms);
/* The relay does not work. Returns true when an alert is due: at the start and once a day. */
bool breaker_failure(struct breaker *b, int64_t now_ms);
/* A person wants it tried at once. */
void breaker_probe_now(struct breaker *b, int64_t now_ms);

#endif
