#ifndef NIGHTMAIL_DELIVER_THROTTLE_H
#define NIGHTMAIL_DELIVER_THROTTLE_H

/*
 * How much may go to a relay, or through it to one domain: a rate in messages, and quotas in
 * recipients for each hour and each day. Pure; the caller gives the time.
 *
 * A rate is spread evenly: at most what one second allows goes at once (and always one).
 *
 * A quota's window begins when the one before is over, and ends at the next full hour or
 * midnight of local time. That end is fixed in boot time when the window is opened, so a clock
 * that is set opens or closes nothing; the next window is in step with the new time again, and is
 * made longer if it would be shorter than half of what it should be. A message for more
 * recipients than there is room goes when the window has room for any, and what is too much
 * is charged to the windows that follow.
 *
 * What is let out stands on disk before: throttle_save() gives what to write, some more than
 * was used, and throttle_must_save() says when that is due.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "config/settings.h"
#include "queue/quotastate.h"

/* FULL: too many relays and domains have used something; throttling.c knows of that. */
enum throttle_why { THROTTLE_FREE, THROTTLE_RATE, THROTTLE_HOUR, THROTTLE_DAY, THROTTLE_FULL };

struct throttle_window {
	struct moment begin;
	int64_t length_ms; /* 0: not open */
	uint64_t used;
	uint64_t saved; /* what stands on disk */
};

struct throttle {
	int64_t next_us; /* boot time: the next message, if they came evenly */
	int64_t saved_next_us;
	struct throttle_window hour, day;
	int64_t start_day; /* the warm-up's, days since 1970 */
	int64_t step;      /* days it is on */
	bool moved;        /* windows are others than on disk */
};

/* Takes up what a daemon before us has used. */
void throttle_restore(struct throttle *t, const struct quotastate *s,
		      const struct moment *now);
/* How long until a message may go; 0: now. Opens windows that are due. */
int64_t throttle_wait_ms(struct throttle *t, const struct config_limits *l,
			 const struct moment *now, enum throttle_why *ret_why);
/* A message for so many recipients goes. */
void throttle_take(struct throttle *t, const struct config_limits *l,
		   const struct moment *now, unsigned recipients);
/* It did not after all for so many of them; `untried`: for none, and cost no time. */
void throttle_give_back(struct throttle *t, const struct config_limits *l,
			unsigned recipients, bool untried);
/* True when what stands on disk is too little. */
bool throttle_must_save(const struct throttle *t);
/* What to write: with `ahead` some more than was used, so that not every message needs a write. */
void throttle_save(struct throttle *t, const struct config_limits *l,
		   const struct moment *now, bool ahead, struct quotastate *ret);
/* True when it says nothing: no window is open that something was used of. */
bool throttle_is_idle(const struct throttle *t, const struct moment *now);

/* How long a window is open yet; 0: it is over, or was never opened. */
int64_t throttle_left_ms(const struct throttle_window *w, const struct moment *now);
/* What the day's quota is now, with the warm-up; 0: none. */
uint64_t throttle_day_limit(const struct throttle *t, const struct config_limits *l);
/* Appends "500 a day, free again at 00:00" for a wait of that length and kind. */
void throttle_words(const struct throttle *t, const struct config_limits *l,
		    enum throttle_why why, int64_t wait_ms, const struct moment *now,
		    struct buf *out);

#endif
