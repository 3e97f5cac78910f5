/* The table of what was used: looking makes nothing, what is full lets nothing out unlimited, and
 * a message that is being delivered keeps what it was charged. */

#include "deliver/throttling_entry.h"

#include <stdlib.h>
#include <string.h>

#include "deliver/state.h"
#include "tap.h"

#define HOUR INT64_C(3600000)

static struct moment now = { .wall_ms = INT64_C(1795305600000) + 5 * HOUR,
			     .boot_ms = 500000,
			     .boot_id = 7 };
static char office[] = "office";
static struct config_relay relay = { .name = office,
				     .domain_limits = { .hour = 2 },
				     .limits = { .hour = 100000 } };
static struct throttling_entry *entry;
static enum throttle_why why;

static const char *domain(unsigned i) {
	static char text[32];
	snprintf(text, sizeof(text), "d%u.example", i);
	return text;
}

static int64_t wait_ms(struct manager *m, const char *name) {
	return throttling_limit_wait_ms(m, "office", name, &now, &entry, &why);
}

int main(void) {
	struct manager *m = calloc(1, sizeof(*m));
	struct message *msg = calloc(QUOTASTATE_MAX + 2, sizeof(*msg));
	if (!m || !msg)
		return 1;
	m->settings.relay = &relay;
	m->settings.relay_count = 1;
	for (unsigned i = 0; i < 2 * QUOTASTATE_MAX; i++)
		wait_ms(m, domain(i));
	is_int((int64_t)m->throttling.count, 0, "looking makes no entry");

	unsigned n = 0;
	throttling_charge(m, "office", domain(0), &msg[0], 1, true, &now);
	struct throttling_entry *first = throttling_find(m, "office", domain(0));
	for (n = 1; n < 2 * QUOTASTATE_MAX && wait_ms(m, domain(n)) == 0; n++)
		throttling_charge(m, "office", domain(n), &msg[n], 2, true, &now);
	is_int(n, QUOTASTATE_MAX - 1, "as many domains as there is room for may go");
	ok(wait_ms(m, domain(n)) > 0 && !entry && why == THROTTLE_FULL,
	   "one more has to wait, and does not go without a limit");
	is_int(wait_ms(m, domain(0)), 0, "one that is known goes on");
	ok(wait_ms(m, domain(1)) > 0 && why == THROTTLE_HOUR, "up to its limit");
	is_int(wait_ms(m, ""), 0, "there is room for the relay itself");
	throttling_charge(m, "office", "", &msg[n], 1, true, &now);
	ok(throttling_find(m, "office", "") != NULL, "and it is charged");

	throttling_settled(m, &msg[5], true, 0);
	throttling_settled(m, &msg[6], true, 0);
	throttling_settled(m, &msg[7], true, 2);
	is_int(wait_ms(m, domain(n)), 0,
	       "what was given back makes room, while others are charged");
	throttling_charge(m, "office", domain(n), &msg[n + 1], 1, true, &now);
	ok(throttling_find(m, "office", domain(n)) != NULL && wait_ms(m, domain(n + 1)) > 0,
	   "for so many");
	ok(throttling_find(m, "office", domain(0)) == first && first->t.hour.used == 1,
	   "entries do not move");
	throttling_settled(m, &msg[0], true, 0);
	is_int((int64_t)first->t.hour.used, 0, "and what is given back goes where it was taken");
	throttling_forget(m, &msg[7]);
	ok(throttling_find(m, "office", domain(7))->t.hour.used == 2, "what left stays charged");

	now.boot_ms += 2 * HOUR;
	now.wall_ms += 2 * HOUR;
	is_int(wait_ms(m, domain(n + 1)), 0, "when a window is over there is room again");
	throttling_charge(m, "office", domain(n + 1), &msg[0], 1, true, &now);
	throttling_charge(m, "office", domain(n + 2), &msg[0], 1, true, &now);
	ok(throttling_find(m, "office", domain(1)) != NULL,
	   "but not that of a message that is under way");
	m->settings.relay = NULL;
	m->settings.relay_count = 0;
	throttling_free(m);
	free(msg);
	free(m);
	return done_testing();
}
