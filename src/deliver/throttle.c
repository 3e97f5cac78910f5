/*
 * Rates by the generic cell rate algorithm: one time for each limit, at which the next message
 * would go if they came evenly; a message may come before it by as much as the burst is.
 */

#include "deliver/throttle.h"

#include <string.h>
#include <time.h>

#include "base/term.h"

#define MS_US 1000
#define SECOND_MS 1000
#define HOUR_MS (3600 * SECOND_MS)
#define DAY_MS (24 * (int64_t)HOUR_MS)
/* Written ahead: a part of the quota, and so much of a rate's time. */
#define AHEAD_PART 50u
#define AHEAD_US (10 * 1000000)

/* --- the rate --- */

static int64_t interval_us(const struct config_rate *r) {
	return r->per_ms * MS_US / (int64_t)r->count;
}

/* How much earlier than its time a message may come. */
static int64_t slack_us(const struct config_rate *r) {
	int64_t burst = (int64_t)r->count * SECOND_MS / r->per_ms;
	return burst > 1 ? (burst - 1) * interval_us(r) : 0;
}

static int64_t rate_wait_ms(const struct throttle *t, const struct config_rate *r,
			    const struct moment *now) {
	if (r->count == 0)
		return 0;
	int64_t wait = t->next_us - slack_us(r) - now->boot_ms * MS_US;
	return wait > 0 ? (wait + MS_US - 1) / MS_US : 0;
}

/* --- windows --- */

/* Until the next midnight or full hour of local time; DST makes a day shorter or longer. */
static int64_t until_boundary_ms(int64_t wall_ms, bool day) {
	int64_t full = day ? DAY_MS : HOUR_MS;
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;
	if (!localtime_r(&t, &tm))
		return full;
	tm.tm_sec = tm.tm_min = 0;
	tm.tm_isdst = -1;
	if (day) {
		tm.tm_hour = 0;
		tm.tm_mday++;
	} else {
		tm.tm_hour++;
	}
	int64_t ms = (int64_t)mktime(&tm) * 1000 - wall_ms;
	return ms > 0 && ms <= full + HOUR_MS ? ms : full;
}

/* Days since 1970 in local time. */
static int64_t local_day(int64_t wall_ms) {
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;
	if (!localtime_r(&t, &tm))
		return wall_ms / DAY_MS;
	return (wall_ms / 1000 + tm.tm_gmtoff) / (24 * 3600);
}

int64_t throttle_left_ms(const struct throttle_window *w, const struct moment *now) {
	int64_t gone = clock_elapsed_ms(&w->begin, now);
	return w->length_ms > gone ? w->length_ms - gone : 0;
}

/* Opens the next window when this one is over. True: it did. */
static bool roll(struct throttle_window *w, bool day, uint64_t limit,
		 const struct moment *now) {
	int64_t full = day ? DAY_MS : HOUR_MS;
	bool first = w->length_ms == 0;
	if (!first && throttle_left_ms(w, now) > 0)
		return false;
	int64_t length = until_boundary_ms(now->wall_ms, day);
	if (!first && length < full / 2)
		length += full;
	uint64_t debt = !first && w->used > limit ? w->used - limit : 0;
	*w = (struct throttle_window){ .begin = *now, .length_ms = length, .used = debt };
	return true;
}

/* A day more for each day that is over, whatever the calendar says. */
static void warm_up(struct throttle *t, const struct config_limits *l,
		    const struct moment *now) {
	int64_t day = local_day(now->wall_ms) - l->warmup.start_day;
	day = day > 0 ? day : 0;
	if (t->start_day == l->warmup.start_day && t->day.length_ms > 0 &&
	    day > t->step + 1)
		day = t->step + 1;
	t->start_day = l->warmup.start_day;
	t->step = day;
}

uint64_t throttle_day_limit(const struct throttle *t, const struct config_limits *l) {
	if (l->warmup.first == 0)
		return l->day;
	uint64_t limit = l->warmup.first;
	for (int64_t i = 0; i < t->step && limit < CONFIG_QUOTA_MAX; i++)
		limit = limit * l->warmup.percent / 100;
	if (limit >= CONFIG_QUOTA_MAX)
		limit = CONFIG_QUOTA_MAX;
	return l->day > 0 && limit > l->day ? l->day : limit;
}

static bool limits_day(const struct config_limits *l) {
	return l->day > 0 || l->warmup.first > 0;
}

static void open_windows(struct throttle *t, const struct config_limits *l,
			 const struct moment *now) {
	if (l->warmup.first > 0 && (t->day.length_ms == 0 || throttle_left_ms(&t->day, now) == 0 ||
				    t->start_day != l->warmup.start_day))
		warm_up(t, l, now);
	if (limits_day(l))
		t->moved |= roll(&t->day, true, throttle_day_limit(t, l), now);
	if (l->hour > 0)
		t->moved |= roll(&t->hour, false, l->hour, now);
}

int64_t throttle_wait_ms(struct throttle *t, const struct config_limits *l,
			 const struct moment *now, enum throttle_why *ret_why) {
	int64_t wait = rate_wait_ms(t, &l->rate, now);
	enum throttle_why why = wait > 0 ? THROTTLE_RATE : THROTTLE_FREE;
	open_windows(t, l, now);
	if (l->hour > 0 && t->hour.used >= l->hour && throttle_left_ms(&t->hour, now) > wait) {
		wait = throttle_left_ms(&t->hour, now);
		why = THROTTLE_HOUR;
	}
	if (limits_day(l) && t->day.used >= throttle_day_limit(t, l) &&
	    throttle_left_ms(&t->day, now) > wait) {
		wait = throttle_left_ms(&t->day, now);
		why = THROTTLE_DAY;
	}
	*ret_why = why;
	return wait;
}

/* --- use --- */

void throttle_take(struct throttle *t, const struct config_limits *l,
		   const struct moment *now, unsigned recipients) {
	int64_t now_us = now->boot_ms * MS_US;
	open_windows(t, l, now);
	if (l->rate.count > 0)
		t->next_us = (t->next_us > now_us ? t->next_us : now_us) +
			     interval_us(&l->rate);
	t->hour.used += l->hour > 0 ? recipients : 0;
	t->day.used += limits_day(l) ? recipients : 0;
}

static void give_back(struct throttle_window *w, unsigned recipients) {
	w->used -= w->used > recipients ? recipients : w->used;
}

void throttle_give_back(struct throttle *t, const struct config_limits *l,
			unsigned recipients, bool untried) {
	if (l->rate.count > 0 && untried)
		t->next_us -= interval_us(&l->rate);
	give_back(&t->hour, recipients);
	give_back(&t->day, recipients);
}

/* --- what stands on disk --- */

bool throttle_must_save(const struct throttle *t) {
	return t->moved || t->hour.used > t->hour.saved || t->day.used > t->day.saved ||
	       t->next_us > t->saved_next_us;
}

static struct quotastate_window save_window(struct throttle_window *w, uint64_t limit,
					    const struct moment *now, bool ahead) {
	w->saved = w->used + (ahead ? limit / AHEAD_PART : 0);
	if (ahead && w->saved > limit)
		w->saved = w->used > limit ? w->used : limit;
	return (struct quotastate_window){ w->length_ms > 0 ? throttle_left_ms(w, now) : 0,
					   w->saved };
}

void throttle_save(struct throttle *t, const struct config_limits *l,
		   const struct moment *now, bool ahead, struct quotastate *ret) {
	bool fast = l->rate.count > 0 && interval_us(&l->rate) < AHEAD_US;
	t->saved_next_us = t->next_us + (ahead && fast ? AHEAD_US : 0);
	int64_t wait_us = t->saved_next_us - now->boot_ms * MS_US;
	ret->at = *now;
	ret->wait_ms = l->rate.count > 0 && wait_us > 0 ? wait_us / MS_US : 0;
	ret->hour = save_window(&t->hour, l->hour, now, ahead);
	ret->day = save_window(&t->day, limits_day(l) ? throttle_day_limit(t, l) : 0, now,
			       ahead);
	ret->start_day = t->start_day;
	ret->step = t->step;
	t->moved = false;
}

/* What is left of the window goes on in this boot. */
static struct throttle_window restore_window(const struct quotastate_window *w,
					     int64_t gone_ms, const struct moment *now) {
	struct throttle_window r = { .begin = *now, .used = w->used, .saved = w->used };
	if (w->length_ms == 0)
		return (struct throttle_window){ .length_ms = 0 };
	/* of a window that is over one ms is left: it counts as one before the next */
	r.length_ms = w->length_ms > gone_ms ? w->length_ms - gone_ms : 1;
	return r;
}

void throttle_restore(struct throttle *t, const struct quotastate *s,
		      const struct moment *now) {
	int64_t gone = clock_elapsed_ms(&s->at, now);
	*t = (struct throttle){ .start_day = s->start_day, .step = s->step };
	t->next_us = (now->boot_ms + (s->wait_ms > gone ? s->wait_ms - gone : 0)) * MS_US;
	t->saved_next_us = t->next_us;
	t->hour = restore_window(&s->hour, gone, now);
	t->day = restore_window(&s->day, gone, now);
}

bool throttle_is_idle(const struct throttle *t, const struct moment *now) {
	return t->next_us <= now->boot_ms * MS_US &&
	       (t->hour.used == 0 || throttle_left_ms(&t->hour, now) == 0) &&
	       (t->day.used == 0 || throttle_left_ms(&t->day, now) == 0) && t->step == 0;
}

/* --- words --- */

static void add_clock(struct buf *out, int64_t wall_ms, int64_t wait_ms) {
	time_t t = (time_t)((wall_ms + wait_ms) / 1000);
	struct tm tm;
	if (localtime_r(&t, &tm))
		buf_addf(out,
			 wait_ms < DAY_MS ? ", free again at %02d:%02d"
					  : ", free again tomorrow at %02d:%02d",
			 tm.tm_hour, tm.tm_min);
}

void throttle_words(const struct throttle *t, const struct config_limits *l,
		    enum throttle_why why, int64_t wait_ms, const struct moment *now,
		    struct buf *out) {
	/* rounded up to the full minute that people are told */
	int64_t rounded = wait_ms + 59999 - (now->wall_ms + wait_ms + 59999) % 60000;
	switch (why) {
	case THROTTLE_FREE:
	case THROTTLE_FULL:
		break;
	case THROTTLE_RATE:
		buf_addf(out, "%u every ", l->rate.count);
		term_duration(out, l->rate.per_ms);
		break;
	case THROTTLE_HOUR:
		buf_addf(out, "%llu an hour", (unsigned long long)l->hour);
		add_clock(out, now->wall_ms, rounded);
		break;
	case THROTTLE_DAY:
		buf_addf(out, "%llu a day", (unsigned long long)throttle_day_limit(t, l));
		add_clock(out, now->wall_ms, rounded);
		break;
	}
}
