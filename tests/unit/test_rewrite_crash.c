/*
 * A worker that dies at any of its file operations while it delivers to aliases, of which
 * some addresses must wait: each address gets the message once, or twice and flagged; what
 * waits for its name is held in the end.
 */

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "lib/delivery.h"
#include "tap.h"

#define MESSAGES 4
#define CUTS_MAX 300

static const struct peer_rule rules[] = { { "rcpt", "wait@", 0, "450 4.2.1 later" },
					  { 0 } };
static const char aliases[] = "part: a0@x.org, wait@x.org, b0@x.org\n"
			      "all: a1@x.org, b1@x.org\n";
static const char *const recipients[MESSAGES] = { "part,c0@x.org", "all",
						  "a2@x.org,stranger", "part" };

static char host[] = "h.example", aliases_path[4096];
static bool waits_for_name(struct delivery *d, unsigned i) {
	struct queue_message m;
	if (!delivery_read(d, i, &m))
		return false;
	bool waits = journal_waits_for_name(&m.journal);
	queue_message_release(&m);
	return waits;
}

/* want: copies without a doubt; at most as many more as there are flagged messages of it. */
static bool sound(const struct delivery *d, const bool flags[MESSAGES], unsigned cut) {
	static const struct {
		const char *who;
		unsigned want;
		unsigned one, other; /* messages for it */
	} people[] = { { "a0@x.org", 2, 0, 3 }, { "b0@x.org", 2, 0, 3 },
		       { "c0@x.org", 1, 0, 0 }, { "a1@x.org", 1, 1, 1 },
		       { "b1@x.org", 1, 1, 1 }, { "a2@x.org", 1, 2, 2 } };
	bool fine = true;
	for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++) {
		unsigned n = delivery_taken(d, people[i].who), most = people[i].want;
		most += flags[people[i].one];
		most += people[i].other != people[i].one && flags[people[i].other];
		bool good = n >= people[i].want && n <= most;
		if (!good)
			printf("# cut %u: %s has %u copies\n", cut, people[i].who, n);
		fine &= good;
	}
	return fine;
}

/* Returns true when the worker did not live to the end. */
static bool one_cut(unsigned cut, bool *ret_sound, unsigned *ret_flagged) {
	struct delivery d;
	bool flags[MESSAGES];
	delivery_open(&d, "PIPELINING", rules);
	d.params.hostname = d.params.domain = host;
	d.params.aliases = aliases_path;
	snprintf(aliases_path, sizeof(aliases_path), "%s/aliases", d.dir);
	file_replace(AT_FDCWD, aliases_path, 0600, SPAN(aliases), NULL);
	for (unsigned i = 0; i < MESSAGES; i++)
		delivery_queue(&d, recipients[i], NULL);
	delivery_run(&d, 0, MESSAGES, DELIVERY_ANSWERED, delivery_die_at, &cut);
	bool died = d.status != 0;
	*ret_flagged = 0;
	for (unsigned i = 0; i < MESSAGES; i++)
		*ret_flagged += flags[i] = delivery_flagged(&d, i);
	delivery_run(&d, 0, MESSAGES, DELIVERY_ANSWERED, NULL, NULL);
	*ret_sound = sound(&d, flags, cut) && !delivery_gone(&d, 0) &&
		     delivery_gone(&d, 1) && waits_for_name(&d, 2) &&
		     !delivery_gone(&d, 3);
	delivery_close(&d);
	return died;
}

int main(void) {
	unsigned cut = 1, bad = 0, doubts = 0;
	bool fine = true, died = true;
	for (; died && cut < CUTS_MAX; cut++) {
		unsigned flags = 0;
		died = one_cut(cut, &fine, &flags);
		bad += !fine;
		doubts += flags > 0;
	}
	printf("# %u cut points, %u of them leave a doubt\n", cut - 1, doubts);
	ok(!died, "the worker runs through when nothing happens to it");
	ok(cut > 15, "it was killed at many places");
	is_int(bad, 0, "every address has the message once, or twice with a flag");
	ok(doubts > 0, "deaths between the final dot and its record leave a doubt");
	return done_testing();
}
