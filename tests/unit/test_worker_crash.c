/*
 * A worker that dies at any of its file operations: nothing is lost, and what goes twice
 * was flagged. The server remembers what it took; after the death the segment is replayed,
 * as the manager does, and a second worker finishes.
 */

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "lib/delivery.h"
#include "tap.h"

#define MESSAGES 6
#define CUTS_MAX 300

static const struct peer_rule rules[] = { { "rcpt", "wait@", 0, "450 4.2.1 later" },
					  { 0 } };

static const char *const recipients[MESSAGES] = {
	"a0@example.net",
	"a1@example.net,b1@example.net",
	"a2@example.net,wait@example.net,b2@example.net",
	"a3@example.net",
	"a4@example.net,wait@example.net",
	"a5@example.net",
};

static unsigned flagged(struct delivery *d, bool flags[MESSAGES]) {
	unsigned n = 0;
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct queue_message m;
		flags[i] = delivery_read(d, i, &m) && m.journal.maybe_twice;
		n += flags[i];
		if (!delivery_gone(d, i))
			queue_message_release(&m);
	}
	return n;
}

/* True when everybody who could get it has it, once, or flagged. */
static bool sound(struct delivery *d, const bool flags[MESSAGES], unsigned cut) {
	static const struct {
		const char *who;
		unsigned message;
	} people[] = { { "a0@example.net", 0 }, { "a1@example.net", 1 },
		       { "b1@example.net", 1 }, { "a2@example.net", 2 },
		       { "b2@example.net", 2 }, { "a3@example.net", 3 },
		       { "a4@example.net", 4 }, { "a5@example.net", 5 } };
	bool fine = true;
	for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++) {
		unsigned n = delivery_taken(d, people[i].who);
		bool good = n == 1 || (n == 2 && flags[people[i].message]);
		if (!good)
			printf("# cut %u: %s has %u copies\n", cut, people[i].who, n);
		fine &= good;
	}
	return fine;
}

/* Returns true when the worker did not live to the end. */
static bool one_cut(bool stream, unsigned cut, bool *ret_sound, unsigned *ret_flagged) {
	struct delivery d;
	bool flags[MESSAGES];
	delivery_open(&d, stream ? "PIPELINING\nCHUNKING" : "PIPELINING", rules);
	d.params.stream = stream;
	for (unsigned i = 0; i < MESSAGES; i++)
		delivery_queue(&d, recipients[i], NULL);
	delivery_run(&d, 0, MESSAGES, DELIVERY_ANSWERED, delivery_die_at, &cut);
	bool died = d.status != 0;
	*ret_flagged = flagged(&d, flags);
	if (died)
		delivery_run(&d, 0, MESSAGES, DELIVERY_ANSWERED, NULL, NULL);
	bool left = delivery_gone(&d, 0) && delivery_gone(&d, 1) &&
		    delivery_gone(&d, 3) && delivery_gone(&d, 5);
	*ret_sound = sound(&d, flags, cut) && left && !delivery_gone(&d, 2) &&
		     !delivery_gone(&d, 4);
	delivery_close(&d);
	return died;
}

static void test_deaths(bool stream) {
	unsigned cut = 1, bad = 0, most = 0, doubts = 0;
	bool fine = true, died = true;
	for (; died && cut < CUTS_MAX; cut++) {
		unsigned flags = 0;
		died = one_cut(stream, cut, &fine, &flags);
		bad += !fine;
		doubts += flags > 0;
		most = flags > most ? flags : most;
	}
	printf("# %s: %u cut points, %u of them leave a doubt\n",
	       stream ? "streaming" : "DATA", cut - 1, doubts);
	ok(!died, "the worker runs through when nothing happens to it");
	ok(cut > 20, "it was killed at many places");
	is_int(bad, 0, "nothing is lost, and nothing goes twice without a flag");
	ok(doubts > 0, "deaths between the final dot and its record leave a doubt");
	ok(most <= 4, "a doubt is about one window at most");
}

int main(void) {
	test_deaths(false);
	test_deaths(true);
	return done_testing();
}
