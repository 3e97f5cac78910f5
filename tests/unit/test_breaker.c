/* The circuit breaker of a relay: connections, probes, alerts. */

#include "deliver/breaker.h"

#include "tap.h"

#define MIN 60000

/* A sequence of events, one letter each, and what must hold after it. */
static const struct {
	const char *label;
	const char *events; /* s success, f failure, b busy, 0 and 3 full, g grow, p probe starts, n probe now,
	                       m a minute passes */
	enum breaker_state state;
	unsigned connections;
} rows[] = {
	{ "a new relay gets one connection", "", BREAKER_UNKNOWN, 1 },
	{ "growing needs a success first", "gg", BREAKER_UNKNOWN, 1 },
	{ "a success brings it up with one", "s", BREAKER_UP, 1 },
	{ "each clean window adds one", "sggg", BREAKER_UP, 4 },
	{ "never more than the most", "sggggggggggg", BREAKER_UP, 5 },
	{ "busy halves", "sgggb", BREAKER_UP, 2 },
	{ "busy leaves one", "sbb", BREAKER_UP, 1 },
	{ "no growth right after busy", "sgggbgg", BREAKER_UP, 2 },
	{ "growth again after a pause", "sgggbmg", BREAKER_UP, 3 },
	{ "a full server leaves what works", "sggg3", BREAKER_UP, 3 },
	{ "a full server with more at work than allowed changes nothing", "sg3", BREAKER_UP, 2 },
	{ "a full server leaves one", "sggg0", BREAKER_UP, 1 },
	{ "several that are refused at once count as one", "sggg333", BREAKER_UP, 3 },
	{ "no growth right after a full server", "sggg3g", BREAKER_UP, 3 },
	{ "growth again after a pause, one at a time", "sggg3mg", BREAKER_UP, 4 },
	{ "a failure holds it at once", "sgggf", BREAKER_HELD, 0 },
	{ "no connection before the interval is over", "fmmmm", BREAKER_HELD, 0 },
	{ "one probe after the interval", "fmmmmm", BREAKER_HELD, 1 },
	{ "a second probe waits for the next interval", "fmmmmmp", BREAKER_HELD, 0 },
	{ "a failed probe starts the interval again", "fmmmmmpmf", BREAKER_HELD, 0 },
	{ "a success of the probe brings it up with one", "sggfmmmmmps", BREAKER_UP, 1 },
	{ "a person may have it probed at once", "fn", BREAKER_HELD, 1 },
	{ "which means nothing to a relay that is up", "sgn", BREAKER_UP, 2 },
};

static void play(struct breaker *b, const char *events, int64_t *now) {
	for (; *events; events++) {
		switch (*events) {
		case 's':
			breaker_success(b);
			break;
		case 'f':
			breaker_failure(b, *now);
			break;
		case 'b':
			breaker_busy(b, *now);
			break;
		case '0':
		case '3':
			breaker_full(b, (unsigned)(*events - '0'), *now);
			break;
		case 'g':
			breaker_grow(b, *now);
			break;
		case 'p':
			breaker_started(b, *now);
			break;
		case 'n':
			breaker_probe_now(b, *now);
			break;
		default:
			*now += MIN;
		}
	}
}

int main(void) {
	struct breaker b;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t now = 1000;
		breaker_init(&b, 5, 5 * MIN);
		play(&b, rows[i].events, &now);
		bool right = b.state == rows[i].state &&
			     breaker_connections(&b, now) == rows[i].connections;
		ok(right, "%s (%u)", rows[i].label, breaker_connections(&b, now));
	}

	breaker_init(&b, 5, 5 * MIN);
	ok(breaker_careful(&b), "one message at a time before the first success");
	ok(breaker_failure(&b, 1000), "the first failure alerts");
	ok(!breaker_failure(&b, 1000 + 5 * MIN), "the next one does not");
	ok(breaker_careful(&b), "a probe has one message");
	ok(breaker_failure(&b, 1000 + BREAKER_ALERT_EVERY_MS), "after a day it alerts again");
	ok(breaker_success(&b), "a success after a hold is told");
	ok(!breaker_success(&b), "the next one is nothing new");
	ok(!breaker_careful(&b), "then more messages may go");
	breaker_init(&b, 5, 5 * MIN);
	breaker_restore_held(&b, 7000);
	is_int(breaker_connections(&b, 7000), 1, "a hold from before a restart is probed at once");
	ok(!breaker_failure(&b, 8000), "and alerted of no sooner than in a day");
	breaker_init(&b, 0, 0);
	is_int(breaker_connections(&b, 0), 1, "no limit given means one");
	return done_testing();
}
