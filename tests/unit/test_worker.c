/* A real worker against a scripted server: whose fault what is, and what is reported. */

#include "lib/delivery_checks.h"

static void test_happy(void) {
	struct delivery d;
	delivery_open(&d, ALL, NULL);
	unsigned n = delivery_queue(&d, "bob@example.net",
				    "Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n");
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "up host=127.0.0.1"),
	   "a worker reports that it is connected");
	ok(delivery_reported(&d, "done #0"), "and that the message is done");
	ok(delivery_gone(&d, n), "the file is gone");
	is_str(d.peer.seen->accepted, "<sender@example.org> <bob@example.net> 31\n",
	       "the server has the message, with dots stuffed");
	ok(strstr(d.peer.seen->flights, "\r\n..dot\r\n...\r\nend\r\n.\r\n") != NULL,
	   "byte by byte");
	is_int(d.peer.seen->quits, 1, "the worker says goodbye");
	is_int(d.status, 0, "and ends well");
	delivery_close(&d);
}

static void test_deferred(void) {
	static const struct peer_rule rules[] = {
		{ "rcpt", NULL, 0, "452 4.3.1 disk full" }, { 0 }
	};
	struct delivery d;
	delivery_open(&d, ALL, rules);
	unsigned n = delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "later #0 wait_ms="),
	   "452 at RCPT is reported as later");
	ok(strstr(buf_str(&d.reports), "recorded=1") != NULL, "and is recorded");
	is_state(&d, n, 0, RECIPIENT_DEFERRED, "452 4.3.1 disk full",
		 "with the server's words");
	is_attempts(&d, n, 1, "as one attempt");
	is_flagged(&d, n, false, "and no doubt about a copy");
	is_int(d.peer.seen->messages, 0, "nothing was taken");
	delivery_close(&d);
}

static void test_one_bad_of_three(void) {
	static const struct peer_rule rules[] = {
		{ "rcpt", "bad@", 0, "550 5.1.1 no such user" },
		{ "rcpt", "slow@", 1, "450 4.2.0 Greylisted, try again in 120 seconds" },
		{ 0 },
	};
	struct delivery d;
	struct queue_message m;
	delivery_open(&d, ALL, rules);
	unsigned n = delivery_queue(&d, "one@example.net,bad@example.net,two@example.net",
				    NULL);
	unsigned slow = delivery_queue(&d, "one@example.net,slow@example.net", NULL);
	delivery_run(&d, n, 2, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "notice #0"),
	   "one bad recipient of three wants a notice");
	is_state(&d, n, 0, RECIPIENT_DELIVERED, "250 2.0.0 taken", "the first has it");
	is_state(&d, n, 1, RECIPIENT_FAILED, "550 5.1.1 no such user",
		 "the second failed");
	is_state(&d, n, 2, RECIPIENT_DELIVERED, "250 2.0.0 taken", "the third has it");
	ok(delivery_read(&d, n, &m), "the message stays until the notice is made");
	struct queue_id want = queue_id_notice(&m.env.id, 0);
	is_int(m.journal.notices, 1, "one notice is asked for");
	is_int(queue_id_cmp(&m.journal.to[1].notice, &want), 0,
	       "with the ID derived from the message");
	queue_message_release(&m);
	ok(delivery_reported(&d, "later #1 wait_ms=121000 "),
	   "a greylisted recipient waits as told");
	is_state(&d, slow, 0, RECIPIENT_DELIVERED, "250", "the other one has it already");
	delivery_run(&d, slow, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #1"), "the greylisted one gets it the next time");
	ok(strstr(d.peer.seen->accepted, "<slow@example.net> 23\n") != NULL, "alone");
	is_int(d.peer.seen->messages, 3, "nobody gets it twice");
	delivery_close(&d);
}

static void test_refused_sessions(void) {
	static const struct peer_rule busy[] = {
		{ "greeting", NULL, 0, "421 4.3.2 too busy" }, { 0 }
	};
	static const struct peer_rule cut[] = { { "greeting", NULL, 0, NULL }, { 0 } };
	static const struct peer_rule refused[] = {
		{ "ehlo", NULL, 0, "554 5.7.1 not you" }, { 0 }
	};
	static const struct peer_rule mail421[] = {
		{ "mail", NULL, 0, "421 4.7.0 slow down" }, { 0 }
	};
	static const struct peer_rule mail530[] = {
		{ "mail", NULL, 0, "530 5.7.0 log in" }, { 0 }
	};
	static const struct peer_rule relaying[] = {
		{ "rcpt", NULL, 0, "554 5.7.1 <x>: Relay access denied" }, { 0 }
	};
	static const struct peer_rule rcpt421[] = { { "rcpt", NULL, 0, "421 4.3.0 bye" },
						    { 0 } };
	static const struct peer_rule data_cut[] = { { "data", NULL, 0, NULL }, { 0 } };
	static const struct {
		const char *name, *down, *answer;
		const struct peer_rule *rules;
	} rows[] = {
		{ "421 at the greeting", "down stage=greeting code=421", "back #0",
		  busy },
		{ "a connection cut at the greeting", "down stage=greeting code=421",
		  "back #0", cut },
		{ "554 at EHLO", "down stage=EHLO code=554", "back #0", refused },
		{ "421 at MAIL", "down stage=MAIL code=421", "later #0 wait_ms=1000 ",
		  mail421 },
		{ "530 at MAIL", "down stage=MAIL code=530", "later #0 wait_ms=1000 ",
		  mail530 },
		{ "refused relaying", "down stage=RCPT code=554",
		  "later #0 wait_ms=1000 ", relaying },
		{ "421 at RCPT", "down stage=RCPT code=421", "later #0 wait_ms=1000 ",
		  rcpt421 },
		{ "a connection cut at DATA", "down stage=DATA code=421",
		  "later #0 wait_ms=1000 ", data_cut },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct delivery d;
		delivery_open(&d, ALL, rows[i].rules);
		unsigned n = delivery_queue(&d, "bob@example.net", NULL);
		delivery_queue(&d, "carl@example.net", NULL);
		delivery_run(&d, n, 2, DELIVERY_LEFT, NULL, NULL);
		ok(delivery_reported(&d, rows[i].down), "%s holds the relay",
		   rows[i].name);
		ok(delivery_reported(&d, rows[i].answer), "%s: the message is answered",
		   rows[i].name);
		ok(delivery_reported(&d, "back #1"), "%s: the other one goes back",
		   rows[i].name);
		is_attempts(&d, n, 0, "nothing is counted against the message");
		is_state(&d, n, 0, RECIPIENT_PENDING, "",
			 "nothing is recorded in the message");
		is_flagged(&d, n, false, "no copy can have gone out");
		is_int(d.status, 0, "%s: the worker ends well", rows[i].name);
		delivery_close(&d);
	}
}

static void test_cut_in_data(void) {
	static const struct peer_rule rules[] = { { "content", NULL, 1, NULL }, { 0 } };
	struct delivery d;
	delivery_open(&d, ALL, rules);
	unsigned n = delivery_queue(&d, "bob@example.net", NULL);
	delivery_queue(&d, "carl@example.net", NULL);
	/* long enough that the server sees it before its end was sent */
	static char big[400001];
	memset(big, 'x', sizeof(big) - 1);
	for (size_t i = 70; i + 2 < sizeof(big); i += 72)
		memcpy(big + i, "\r\n", 2);
	unsigned large = delivery_queue(&d, "dora@example.net", big);
	delivery_run(&d, large, 1, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(&d, "later #2"),
	   "a connection cut within the content defers the message");
	const char *lost = strstr(buf_str(&d.reports), "busy ");
	ok(lost && strstr(lost, "words=connection%20lost"),
	   "and tells that the connection was lost");
	is_attempts(&d, large, 1, "it counts as an attempt");
	delivery_run(&d, n, 3, DELIVERY_ANSWERED, NULL, NULL);
	is_int(delivery_count(&d, "done"), 3, "with the cause gone everything leaves");
	is_int(d.peer.seen->messages, 3, "once");
	delivery_close(&d);
}

static void test_cut_after_dot(void) {
	static const struct peer_rule rules[] = { { "dot", NULL, 1, NULL }, { 0 } };
	struct delivery d;
	delivery_open(&d, ALL, rules);
	unsigned n = delivery_queue(&d, "bob@example.net,bert@example.net", NULL);
	unsigned second = delivery_queue(&d, "carl@example.net", NULL);
	delivery_run(&d, n, 2, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(&d, "later #0"),
	   "a reply lost after the final dot defers the message");
	is_flagged(&d, n, true, "flagged: a copy may have gone out");
	is_state(&d, n, 1, RECIPIENT_DEFERRED, "4.4.2 127.0.0.1: ", "with our words");
	ok(delivery_reported(&d, "back #1"), "the message behind it goes back");
	is_flagged(&d, second, false, "without a flag");
	ok(delivery_reported(&d, "busy"), "and the connection is told as lost");
	delivery_run(&d, n, 2, DELIVERY_ANSWERED, NULL, NULL);
	is_int(d.peer.seen->messages, 3, "the flagged one went twice, nothing else did");
	delivery_close(&d);
}

static void test_wrong_password(void) {
	static const struct peer_rule rules[] = {
		{ "auth", NULL, 0, "535 5.7.8 bad credentials" }, { 0 }
	};
	static char login[] = "user", host[] = "127.0.0.1", also[] = "localhost",
		    auth[] = "CRAM-MD5";
	struct delivery d;
	delivery_open(&d, ALL "\nAUTH CRAM-MD5 PLAIN", rules);
	d.params.relay.host[0] = host;
	d.params.relay.host[1] = also;
	d.params.relay.host_count = 2;
	d.params.relay.login = login;
	d.params.relay.auth = auth;
	unsigned n = delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, n, 1, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(
		   &d, "down stage=AUTH code=535 text=127.0.0.1:%20535%205.7.8%20bad"),
	   "a refused login holds the relay, with the server's words");
	ok(strstr(buf_str(&d.reports), "words=login%20refused") != NULL, "and ours");
	is_int(d.peer.seen->auth_tries, 1, "the password is tried once, at one host");
	ok(delivery_reported(&d, "back #0"), "the message goes back");
	is_attempts(&d, n, 0, "and does not count it");
	ok(!strstr(d.peer.seen->flights, "secret"),
	   "the password was never in the clear");
	delivery_close(&d);
}

static void test_surplus_reply(void) {
	static const struct peer_rule rules[] = {
		{ "mail", NULL, 1,
		  "250 2.1.0 ok\r\n550 5.1.1 no such user\r\n550 5.1.1 no such user" },
		{ 0 }
	};
	struct delivery d;
	delivery_open(&d, ALL, rules);
	unsigned n = delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, n, 1, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_count(&d, "done") == 0 &&
		   delivery_count(&d, "busy") + delivery_count(&d, "down") == 1,
	   "surplus replies end the connection");
	is_int(d.peer.seen->messages, 0, "nothing was taken under them");
	delivery_close(&d);
}

static void test_many_on_one(void) {
	struct delivery d;
	delivery_open(&d, ALL, NULL);
	for (int i = 0; i < 10; i++)
		delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 10, DELIVERY_ANSWERED, NULL, NULL);
	is_int(delivery_count(&d, "done"), 10, "ten messages are delivered");
	is_int(d.peer.seen->connections, 1, "over one connection");
	is_int(delivery_count(&d, "window"), 4, "in windows of 1, 2, 4 and what is left");
	ok(strstr(d.peer.seen->flights, "body\r\n.\r\nMAIL FROM:<sender@example.org>") !=
		   NULL,
	   "the next envelope travels behind the content");
	delivery_close(&d);
}

static void test_hosts(void) {
	static const struct peer_rule rules[] = {
		{ "greeting", NULL, 1, "554 5.3.2 not now" }, { 0 }
	};
	static char missing[] = "host.invalid", host[] = "127.0.0.1",
		    again[] = "127.0.0.1";
	struct delivery d;
	delivery_open(&d, ALL, rules);
	d.params.relay.host[0] = missing;
	d.params.relay.host[1] = host;
	d.params.relay.host[2] = again;
	d.params.relay.host_count = 3;
	unsigned n = delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #0"), "hosts that cannot are passed over");
	is_int(d.peer.seen->connections, 2, "in order");
	d.params.relay.host_count = 1;
	unsigned later = delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, later, 1, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(&d, "down stage=connect code=451"),
	   "no host at all holds the relay");
	ok(strstr(buf_str(&d.reports), "host.invalid") != NULL, "and names it");
	d.params.relay.host[0] = host;
	d.params.relay.port = peer_closed_port();
	delivery_run(&d, later, 1, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(&d, "down stage=connect"), "a closed port holds the relay");
	ok(delivery_reported(&d, "back #1"), "the message goes back");
	delivery_close(&d);
}

static void test_refused_senders(void) {
	static const struct peer_rule rules[] = {
		{ "mail", NULL, 0, "550 5.1.8 sender unknown" }, { 0 }
	};
	struct delivery d;
	struct envelope_recipient to = { .address = SPAN("bob@example.net") };
	static const char *const from[] = { "a@x.example", "a@x.example", "b@x.example",
					    "c@x.example" };
	delivery_open(&d, ALL, rules);
	for (size_t i = 0; i < 4; i++) {
		struct envelope e = { .origin = SPAN("local"),
				      .from = span_str(from[i]),
				      .to = &to,
				      .to_count = 1 };
		delivery_queue_envelope(&d, &e, SPAN("Subject: x\r\n\r\n"));
	}
	delivery_run(&d, 0, 4, DELIVERY_LEFT, NULL, NULL);
	is_int(delivery_count(&d, "notice"), 3, "refused senders fail their messages");
	ok(delivery_reported(&d, "refused count=2"), "different ones are counted");
	ok(delivery_reported(&d, "down stage=MAIL code=550"),
	   "the third one is the relay's fault");
	is_state(&d, 3, 0, RECIPIENT_PENDING, "", "and its message did not fail");
	char before[] = "c@x.example";
	d.params.refused = 2;
	d.params.refused_from = before;
	delivery_run(&d, 3, 1, DELIVERY_ANSWERED, NULL, NULL);
	is_state(&d, 3, 0, RECIPIENT_FAILED, "550",
		 "a sender that another worker saw refused last is no further one");
	delivery_close(&d);
}

static void test_silence(void) {
	static const struct peer_rule rules[] = { { "mail", NULL, 0, "" }, { 0 } };
	struct delivery d;
	delivery_open(&d, NULL, rules);
	d.params.relay.reply_timeout_ms = 300;
	delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 1, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(&d, "down stage=MAIL"),
	   "a server that does not answer is down");
	ok(strstr(buf_str(&d.reports), "no%20answer%20within") != NULL, "with the words");
	delivery_close(&d);
}

static void test_idle(void) {
	static const struct peer_rule rules[] = { { "idle", NULL, 0, "" }, { 0 } };
	struct delivery d;
	delivery_open(&d, ALL, NULL);
	d.params.idle_ms = 100;
	delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 1, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(&d, "done #0") && delivery_count(&d, "down") == 0,
	   "a worker without work leaves quietly");
	is_int(d.peer.seen->quits, 1, "with QUIT");
	delivery_close(&d);

	delivery_open(&d, ALL, rules);
	delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 1, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(&d, "done #0") && delivery_count(&d, "down") == 0 &&
		   delivery_count(&d, "busy") == 0,
	   "a server that closes an idle connection does no harm");
	is_int(d.status, 0, "the worker ends well");
	delivery_close(&d);
}

static void test_421_after_content(void) {
	static const struct peer_rule rules[] = {
		{ "dot", NULL, 1, "421 4.3.2 shutting down" },
		{ 0 },
	};
	struct delivery d;
	delivery_open(&d, ALL, rules);
	for (int i = 0; i < 3; i++)
		delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 3, DELIVERY_LEFT, NULL, NULL);
	ok(delivery_reported(&d, "later #0"), "421 to the content defers the message");
	ok(delivery_reported(&d, "busy text=421%204.3.2%20shutting%20down "
				 "words=told%20to%20come%20back%20later"),
	   "and tells that the server has enough, by its own words");
	is_state(&d, 0, 0, RECIPIENT_DEFERRED, "421 4.3.2", "with its words");
	is_flagged(&d, 0, false, "a refusal leaves no doubt");
	is_int(delivery_count(&d, "back"), 2, "the others go back");
	delivery_close(&d);
}

/* The manager goes away while messages are on their way. */
static void test_manager_gone(void) {
	struct delivery d;
	unsigned left = 0, doubts = 0;
	delivery_open(&d, ALL, NULL);
	for (int i = 0; i < 40; i++)
		delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 40, DELIVERY_DESERTED, NULL, NULL);
	is_int(d.status, 0, "a worker without a manager finishes and leaves");
	for (unsigned i = 0; i < 40; i++) {
		struct queue_message m;
		if (!delivery_read(&d, i, &m))
			continue;
		left++;
		doubts += m.journal.maybe_twice || m.journal.attempts > 0;
		queue_message_release(&m);
	}
	is_int(d.peer.seen->messages, 40 - left,
	       "what was delivered is gone, the rest is there");
	is_int(doubts, 0, "untouched");
	delivery_close(&d);
}

/* The same, while the server takes its time with a reply. */
static void test_stop_in_flight(void) {
	static const struct peer_rule rules[] = {
		{ "dot", NULL, 0, "" },
		{ 0 },
	};
	struct delivery d;
	delivery_open(&d, ALL, rules);
	d.params.relay.data_timeout_ms = 400;
	delivery_queue(&d, "bob@example.net", NULL);
	delivery_queue(&d, "carl@example.net", NULL);
	delivery_run(&d, 0, 2, DELIVERY_LEFT, NULL, NULL);
	is_flagged(&d, 0, true, "a final reply that never comes leaves a doubt");
	is_flagged(&d, 1, false, "but only about that message");
	ok(delivery_reported(&d, "later #0") && delivery_reported(&d, "back #1"),
	   "both are answered");
	delivery_close(&d);
}

int main(void) {
	test_happy();
	test_deferred();
	test_one_bad_of_three();
	test_refused_sessions();
	test_cut_in_data();
	test_cut_after_dot();
	test_wrong_password();
	test_surplus_reply();
	test_many_on_one();
	test_hosts();
	test_refused_senders();
	test_silence();
	test_idle();
	test_421_after_content();
	test_manager_gone();
	test_stop_in_flight();
	return done_testing();
}
