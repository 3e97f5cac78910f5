/* A real worker against servers that take only so much at a time: what they say of that with
 * LIMITS, what they refuse as too many, and that nobody is left out or asked twice. */

#include <stdlib.h>

#include "lib/delivery_checks.h"

static char *many(unsigned count, unsigned domains) {
	char *list = malloc(count * 40);
	size_t len = 0;
	for (unsigned i = 0; i < count; i++)
		len += (size_t)snprintf(list + len, 40, "%su%u@d%u.example.net",
					i ? "," : "", i, i % domains);
	return list;
}

static unsigned missing(const struct delivery *d, unsigned count, unsigned domains) {
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++) {
		char address[64];
		snprintf(address, sizeof(address), "u%u@d%u.example.net", i, i % domains);
		n += delivery_taken(d, address) != 1;
	}
	return n;
}

/* Most recipients of one message, and most domains, that the server took. */
static void largest(const struct delivery *d, unsigned *ret_rcpt, unsigned *ret_domains) {
	struct span rest = span_of(d->peer.seen->accepted, d->peer.seen->accepted_len),
		    line;
	*ret_rcpt = *ret_domains = 0;
	while (span_take_line(&rest, &line)) {
		unsigned rcpt = 0, domains = 0;
		for (unsigned i = 0; i < 10; i++) {
			char domain[32];
			snprintf(domain, sizeof(domain), "@d%u.", i);
			domains += memmem(line.p, line.len, domain, strlen(domain)) !=
				   NULL;
		}
		for (size_t i = 0; i < line.len; i++)
			rcpt += line.p[i] == '@';
		rcpt -= rcpt > 0; /* the sender's */
		*ret_rcpt = rcpt > *ret_rcpt ? rcpt : *ret_rcpt;
		*ret_domains = domains > *ret_domains ? domains : *ret_domains;
	}
}

static void one_limit(const char *limits, unsigned count, unsigned domains, bool stream,
		      unsigned want_rcpt, unsigned want_domains) {
	struct delivery d;
	char extensions[200];
	unsigned rcpt, most_domains;
	char *list = many(count, domains);
	snprintf(extensions, sizeof(extensions), "%s%s\n%s", ALL,
		 stream ? "\nCHUNKING" : "", limits);
	delivery_open(&d, extensions, NULL);
	d.params.stream = stream;
	delivery_queue(&d, list, NULL);
	delivery_queue(&d, "other@d0.example.net", NULL);
	delivery_run(&d, 0, 2, DELIVERY_ANSWERED, NULL, NULL);
	largest(&d, &rcpt, &most_domains);
	ok(missing(&d, count, domains) == 0 && delivery_gone(&d, 0) &&
		   delivery_gone(&d, 1),
	   "%s%s: %u recipients have it once", limits, stream ? ", streaming" : "",
	   count);
	ok(rcpt <= want_rcpt && most_domains <= want_domains,
	   "%s: at most %u recipients of %u domains (%u, %u)", limits, want_rcpt,
	   want_domains, rcpt, most_domains);
	free(list);
	delivery_close(&d);
}

static void test_said(void) {
	for (int stream = 0; stream < 2; stream++) {
		one_limit("LIMITS RCPTMAX=7", 100, 3, stream, 7, 3);
		one_limit("LIMITS RCPTDOMAINMAX=1", 30, 5, stream, 1, 1);
		one_limit("LIMITS RCPTDOMAINMAX=2 RCPTMAX=50", 40, 2, stream, 50, 2);
		one_limit("LIMITS rcptmax=1", 35, 1, stream, 1, 1);
		one_limit("LIMITS X=9 RCPTMAX=nine", 120, 1, stream, 100, 1);
	}
}

static void test_session(void) {
	struct delivery d;
	delivery_open(&d, ALL "\nCHUNKING\nLIMITS MAILMAX=5", NULL);
	d.params.stream = true;
	for (unsigned i = 0; i < 22; i++)
		delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 22, DELIVERY_ANSWERED, NULL, NULL);
	is_int(d.peer.seen->messages, 22, "MAILMAX: all messages arrive");
	is_int(d.peer.seen->connections, 5, "five on a connection");
	is_int(d.peer.seen->quits, 5, "each is ended with QUIT");
	delivery_close(&d);
}

/* A message that takes more transactions than a session may have. */
static void test_short_sessions(void) {
	struct delivery d;
	char *list = many(7, 1);
	unsigned runs = 0;
	delivery_open(&d, ALL "\nLIMITS MAILMAX=1 RCPTMAX=2", NULL);
	delivery_queue(&d, list, NULL);
	for (; runs < 6 && !delivery_gone(&d, 0); runs++)
		delivery_run(&d, 0, 1, DELIVERY_ANSWERED, NULL, NULL);
	is_int(missing(&d, 7, 1), 0, "one transaction a session: everybody has it once");
	is_int(d.peer.seen->connections, d.peer.seen->messages, "none had two");
	free(list);
	delivery_close(&d);
}

/* The rest of the recipients comes with the next transaction of the same attempt. */
static void too_many(const char *reply, bool stream) {
	const struct peer_rule rules[] = {
		{ "rcpt", "u3@", 1, reply },
		{ "rcpt", "u4@", 1, reply },
		{ "rcpt", "u5@", 1, reply },
		{ "rcpt", "u6@", 1, reply },
		{ "rcpt", "u7@", 1, reply },
		{ "rcpt", "u1@", 0, "550 5.1.1 no such user" },
		{ 0 },
	};
	struct delivery d;
	unsigned rcpt, domains;
	char *list = many(8, 1);
	delivery_open(&d, stream ? ALL "\nCHUNKING" : ALL, rules);
	d.params.stream = stream;
	delivery_queue(&d, "first@d0.example.net", NULL);
	delivery_queue(&d, list, NULL);
	delivery_queue(&d, "other@d0.example.net", NULL);
	delivery_run(&d, 0, 3, DELIVERY_ANSWERED, NULL, NULL);
	largest(&d, &rcpt, &domains);
	ok(delivery_taken(&d, "u0@d0.example.net") == 1 &&
		   delivery_taken(&d, "u2@d0.example.net") == 1 &&
		   delivery_taken(&d, "u3@d0.example.net") == 1 &&
		   delivery_taken(&d, "u7@d0.example.net") == 1,
	   "%s%s: everybody has it after one attempt", reply,
	   stream ? ", streaming" : "");
	is_int(rcpt, 2, "never more than it took at first");
	ok(delivery_reported(&d, "notice #1"), "who does not exist is told of");
	is_state(&d, 1, 1, RECIPIENT_FAILED, "550 5.1.1", "with the words");
	is_state(&d, 1, 7, RECIPIENT_DELIVERED, "250", "the last one has it");
	ok(delivery_gone(&d, 2), "the message behind it is not held up");
	free(list);
	delivery_close(&d);
}

static void test_refused(void) {
	for (int stream = 0; stream < 2; stream++) {
		too_many("452 4.5.3 Error: too many recipients", stream);
		too_many("552 Too many recipients", stream);
	}
}

/* 452 for other reasons, or for the first one, is for the next attempt. */
static void test_not_too_many(void) {
	static const struct peer_rule rules[] = {
		{ "rcpt", "full@", 0, "452 4.2.2 mailbox full" },
		{ "rcpt", "first@", 0, "452 4.5.3 too many recipients" },
		{ 0 },
	};
	struct delivery d;
	delivery_open(&d, ALL, rules);
	delivery_queue(&d, "a@example.net,full@example.net", NULL);
	delivery_queue(&d, "first@example.net", NULL);
	delivery_run(&d, 0, 2, DELIVERY_ANSWERED, NULL, NULL);
	is_state(&d, 0, 1, RECIPIENT_DEFERRED, "452 4.2.2", "a full mailbox waits");
	is_state(&d, 1, 0, RECIPIENT_DEFERRED, "452 4.5.3",
		 "one recipient too many waits");
	is_int(d.peer.seen->used[0], 1, "and is asked once");
	is_int(d.peer.seen->used[1], 1, "and is asked once");
	delivery_close(&d);
}

int main(void) {
	test_said();
	test_session();
	test_short_sessions();
	test_refused();
	test_not_too_many();
	return done_testing();
}
