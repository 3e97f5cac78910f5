/* A real worker that streams, against servers that lose count: whoever should have a message has
 * it, once or flagged, and nobody's mail is returned for another's refusal. */

#include "lib/delivery_checks.h"

#define STREAM ALL "\nCHUNKING"
#define MESSAGES 24
#define RUNS_MAX 6

/* Messages of this many senders; 5 has a recipient that does not exist, 9 one that is busy. */
static void queue_all(struct delivery *d) {
	for (unsigned i = 0; i < MESSAGES; i++) {
		char from[64], to[3][64];
		struct envelope_recipient list[3];
		struct envelope e = { .origin = SPAN("local"),
				      .to = list,
				      .to_count = 2 };
		snprintf(from, sizeof(from), "s%u@example.org", i);
		snprintf(to[0], sizeof(to[0]), "a%u@example.net", i);
		snprintf(to[1], sizeof(to[1]), "b%u@example.net", i);
		snprintf(to[2], sizeof(to[2]),
			 i == 5 ? "none@example.net" : "busy@example.net");
		e.to_count += i == 5 || i == 9;
		e.from = span_str(from);
		for (unsigned k = 0; k < 3; k++)
			list[k] = (struct envelope_recipient){ .address = span_str(
								       to[k]) };
		delivery_queue_envelope(d, &e, SPAN("Subject: x\r\n\r\n.body\r\n"));
	}
}

static unsigned collect_flags(struct delivery *d, bool flags[MESSAGES]) {
	unsigned n = 0;
	for (unsigned i = 0; i < MESSAGES; i++) {
		flags[i] |= delivery_flagged(d, i);
		n += flags[i];
	}
	return n;
}

static unsigned copies(const struct delivery *d, char who, unsigned i) {
	char address[64];
	snprintf(address, sizeof(address), "%c%u@example.net", who, i);
	return delivery_taken(d, address);
}

/* Everybody who can be reached has it, once, or flagged; and nobody is said to have refused. */
static bool is_sound(struct delivery *d, const bool flags[MESSAGES]) {
	bool sound = delivery_taken(d, "none@example.net") == 0;
	for (unsigned i = 0; i < MESSAGES; i++) {
		for (char who = 'a'; who <= 'b'; who++) {
			unsigned n = copies(d, who, i);
			if (n == 1 || (n > 1 && flags[i]))
				continue;
			printf("# %c%u has %u copies\n", who, i, n);
			sound = false;
		}
	}
	return sound;
}

static bool is_wrongly_failed(struct delivery *d) {
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct queue_message m;
		if (!delivery_read(d, i, &m))
			continue;
		for (size_t k = 0; k < 2; k++)
			if (m.journal.to[k].last.state == RECIPIENT_FAILED) {
				printf("# message %u, recipient %zu failed: %.*s\n", i, k,
				       (int)m.journal.to[k].last.reply.len,
				       m.journal.to[k].last.reply.p);
				queue_message_release(&m);
				return true;
			}
		queue_message_release(&m);
	}
	return false;
}

static bool all_gone(struct delivery *d) {
	bool gone = true;
	for (unsigned i = 0; i < MESSAGES; i++)
		gone &= i == 5 || i == 9 || delivery_gone(d, i);
	return gone;
}

static void open_streaming(struct delivery *d, const struct peer_rule *rules) {
	delivery_open(d, STREAM, rules);
	d->params.stream = true;
	d->params.relay.reply_timeout_ms = d->params.relay.data_timeout_ms = 1000;
	queue_all(d);
}

#define REFUSALS                                             \
	{ "rcpt", "none@", 0, "550 5.1.1 no such user" }, {  \
		"rcpt", "busy@", 0, "450 4.2.1 mailbox busy" \
	}

static void test_in_step(void) {
	static const struct peer_rule rules[] = { REFUSALS, { 0 } };
	struct delivery d;
	bool flags[MESSAGES] = { false };
	open_streaming(&d, rules);
	delivery_run(&d, 0, MESSAGES, DELIVERY_ANSWERED, NULL, NULL);
	is_int(collect_flags(&d, flags), 0, "a sound server leaves no doubt");
	ok(is_sound(&d, flags), "everybody has it once");
	ok(all_gone(&d), "what is settled is gone");
	is_int(delivery_count(&d, "done "), MESSAGES - 2, "and reported as done");
	ok(delivery_reported(&d, "notice #5"), "a refusal wants a notice");
	is_state(&d, 5, 2, RECIPIENT_FAILED, "550 5.1.1 no such user", "with its words");
	is_state(&d, 9, 2, RECIPIENT_DEFERRED, "450 4.2.1 mailbox busy",
		 "who is busy gets it later");
	is_int(delivery_count(&d, "window"), 5, "windows of 1, 2, 4, 8 and 9");
	is_int(d.peer.seen->connections, 1, "over one connection");
	ok(strstr(d.peer.seen->flights,
		  "|RSET\r\nMAIL FROM:<s0@example.org> SIZE=21 BODY=") == NULL &&
		   strstr(d.peer.seen->flights,
			  "|RSET\r\nMAIL FROM:<s0@example.org> SIZE=21\r\n"
			  "RCPT TO:<a0@example.net>\r\n"
			  "RCPT TO:<b0@example.net>\r\n"
			  "BDAT 21 LAST\r\nSubject: x\r\n\r\n.body\r\n|"),
	   "a transaction is one flight");
	ok(strstr(d.peer.seen->flights, ".body\r\nRSET\r\nMAIL FROM:<s4@") != NULL,
	   "and the next one is in the same");
	delivery_close(&d);
}

/* Runs until nothing is left to do; true when that came. */
static bool run_out(struct delivery *d, bool flags[MESSAGES], bool *ret_no_stream) {
	*ret_no_stream = false;
	for (unsigned i = 0; i < RUNS_MAX && !all_gone(d); i++) {
		delivery_run(d, 0, MESSAGES, DELIVERY_ANSWERED, NULL, NULL);
		collect_flags(d, flags);
		*ret_no_stream |= delivery_count(d, "no-stream") > 0;
	}
	return all_gone(d);
}

static void one_fault(const char *stage, const char *match, unsigned first,
		      const char *fault, bool loses_step) {
	const struct peer_rule rules[] = {
		REFUSALS,
		/* so many of them pass, where no word of the command tells them apart */
		{ stage, match, first, "250 2.0.0 ok" },
		{ stage, match, 1, fault },
		{ 0 },
	};
	const struct peer_rule direct[] = { REFUSALS, { stage, match, 1, fault }, { 0 } };
	struct delivery d;
	bool flags[MESSAGES] = { false }, no_stream;
	unsigned before;
	open_streaming(&d, first > 0 ? rules : direct);
	bool out = run_out(&d, flags, &no_stream);
	before = collect_flags(&d, flags);
	const char *what = fault ? fault[0] ? fault : "silence" : "a cut";
	bool sound = is_sound(&d, flags), failed = is_wrongly_failed(&d);
	ok(out && sound && !failed, "%s at %s %s: right recipients", what, stage,
	   match ? match : "");
	ok(before <= MESSAGES, "at most one window is in doubt (%u)", before);
	is_int(no_stream, loses_step, "%s at %s: streaming %s", what, stage,
	       loses_step ? "ends" : "goes on");
	delivery_close(&d);
}

static void test_faults(void) {
	static const struct {
		const char *stage, *match;
		unsigned first;
	} places[] = {
		{ "rset", NULL, 10 }, { "mail", "s6@", 0 }, { "rcpt", "a6@", 0 },
		{ "rcpt", "b6@", 0 }, { "rcpt", "b4@", 0 }, { "dot", "s6@", 0 },
		{ "dot", "s8@", 0 },
	};
	static const struct {
		const char *reply;
		bool loses_step;
	} faults[] = {
		{ PEER_LOSES, true },
		{ PEER_REPEATS, true },
		{ "503 5.5.1 out of order", true },
		{ "500 5.5.2 what", true },
		{ NULL, false },
		{ "421 4.3.0 going down", false },
	};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (size_t k = 0; k < sizeof(faults) / sizeof(faults[0]); k++)
			one_fault(places[i].stage, places[i].match, places[i].first,
				  faults[k].reply, faults[k].loses_step);
}

/* The content of one message is refused, and a reply before that is lost or said twice: the
 * refusal must not be taken for another's, nor another's yes for it. */
static void one_refused(unsigned message, const char *stage, const char *match,
			const char *fault) {
	char from[16], gone[16];
	snprintf(from, sizeof(from), "s%u@", message);
	snprintf(gone, sizeof(gone), "done #%u", message);
	const struct peer_rule rules[] = {
		REFUSALS,
		{ "dot", from, 0, "554 5.6.0 not this one" },
		{ stage, match, 1, fault },
		{ 0 },
	};
	struct delivery d;
	bool done = false, noticed = false;
	struct queue_message m;
	open_streaming(&d, rules);
	for (unsigned i = 0; i < RUNS_MAX && !noticed; i++) {
		delivery_run(&d, 0, MESSAGES, DELIVERY_ANSWERED, NULL, NULL);
		noticed = delivery_read(&d, message, &m);
		if (noticed) {
			noticed = m.journal.to[0].last.state == RECIPIENT_FAILED &&
				  m.journal.to[1].last.state == RECIPIENT_FAILED;
			queue_message_release(&m);
		}
		done |= delivery_count(&d, gone) > 0;
	}
	ok(noticed && !done && copies(&d, 'a', message) == 0,
	   "%s at %s %s: message %u is refused", fault, stage, match, message);
	delivery_close(&d);
}

static void test_refused(void) {
	static const struct {
		unsigned message;
		const char *stage, *match, *fault;
	} rows[] = {
		{ 4, "mail", "s4@", PEER_LOSES },   { 4, "rcpt", "a4@", PEER_LOSES },
		{ 4, "rcpt", "b4@", PEER_LOSES },   { 6, "rcpt", "a6@", PEER_LOSES },
		{ 6, "rcpt", "b6@", PEER_LOSES },   { 6, "dot", "s5@", PEER_LOSES },
		{ 4, "mail", "s4@", PEER_REPEATS }, { 4, "rcpt", "a4@", PEER_REPEATS },
		{ 4, "rcpt", "b4@", PEER_REPEATS }, { 6, "rcpt", "b6@", PEER_REPEATS },
		{ 6, "dot", "s5@", PEER_REPEATS },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		one_refused(rows[i].message, rows[i].stage, rows[i].match, rows[i].fault);
}

int main(void) {
	test_refused();
	test_in_step();
	test_faults();
	return done_testing();
}
