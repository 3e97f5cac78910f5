/* Addresses on their way out: aliases of one and of many, unknown names, the header. */

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "lib/delivery_checks.h"

static char host[] = "h.example", aliases_path[4096];

/* A worker's host has no domain of its own; the aliases stand in a file. */
static void open_with(struct delivery *d, const char *aliases,
		      const struct peer_rule *rules) {
	struct err err = ERR_INIT;
	delivery_open(d, ALL, rules);
	d->params.hostname = d->params.domain = host;
	snprintf(aliases_path, sizeof(aliases_path), "%s/aliases", d->dir);
	d->params.aliases = aliases_path;
	if (file_replace(AT_FDCWD, aliases_path, 0600, span_str(aliases), &err) != 0)
		ok(false, "aliases can be written: %s", err.msg);
}

static void test_partly(void) {
	static const struct peer_rule rules[] = {
		{ "rcpt", "b@x.example", 1, "450 4.2.0 busy" },
		{ "rcpt", "c@x.example", 0, "550 5.1.1 unknown" },
		{ 0 },
	};
	struct delivery d;
	open_with(&d, "team: a@x.example, b@x.example,\n c@x.example\n", rules);
	unsigned n = delivery_queue(&d, "team,z@y.example", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "later #0"),
	   "an alias of which one address waits is to wait");
	ok(strstr(d.peer.seen->accepted, "<a@x.example>,<z@y.example> "),
	   "the address that was taken has it");
	is_state(&d, n, 0, RECIPIENT_DEFERRED, "450 4.2.0 busy",
		 "the wait counts, not the failure");
	is_state(&d, n, 1, RECIPIENT_DELIVERED, "250", "the other recipient is done");
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "notice #0"),
	   "in the end the sender hears of the failure");
	is_state(&d, n, 0, RECIPIENT_FAILED, "550 5.1.1 unknown",
		 "in the server's words");
	is_int(d.peer.seen->messages, 2, "two messages were taken");
	const char *second = strchr(d.peer.seen->accepted, '\n') + 1;
	ok(strstr(second, "<b@x.example> ") && !strstr(second, "a@x"),
	   "the second for the rest alone");
	is_flagged(&d, n, false, "there is no doubt about a copy");
	delivery_close(&d);
}

static void test_lost_reply(void) {
	static const struct peer_rule rules[] = {
		{ "rcpt", "b@x.example", 1, "450 4.2.0 busy" },
		{ "dot", NULL, 1, NULL },
		{ 0 },
	};
	struct delivery d;
	open_with(&d, "team: a@x.example, b@x.example\n", rules);
	unsigned n = delivery_queue(&d, "team", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	is_flagged(&d, n, true,
		   "a lost reply leaves a doubt, also where one address waits");
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #0"), "then all addresses get it");
	ok(strstr(d.peer.seen->accepted, "<a@x.example>,<b@x.example> "), "both of them");
	delivery_close(&d);
}

static void test_once(void) {
	struct delivery d;
	open_with(&d, "root: boss@x.example\nhelp: root, boss@x.example\n", NULL);
	unsigned n = delivery_queue(&d, "boss@x.example,root,help,other@x.example", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #0"), "several names of one person are delivered");
	ok(strstr(d.peer.seen->accepted, "> <boss@x.example>,<other@x.example> "),
	   "in one copy");
	delivery_close(&d);
}

static void test_many(void) {
	AUTO_BUF struct buf aliases = BUF_INIT(1 << 16);
	struct delivery d;
	buf_adds(&aliases, "all: nobody@x.example");
	for (unsigned i = 0; i < 250; i++)
		buf_addf(&aliases, ",u%u@x.example", i);
	open_with(&d, buf_str(&aliases), NULL);
	unsigned n = delivery_queue(&d, "all,one@x.example", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #0"), "an alias of 251 addresses is delivered");
	is_int(d.peer.seen->messages, 1, "in one transaction");
	ok(strstr(d.peer.seen->accepted, "<u249@x.example>,<one@x.example> "),
	   "to the last");
	delivery_close(&d);
}

static void test_nameless(void) {
	static char root[] = "admins@x.example";
	struct delivery d;
	struct queue_message m;
	open_with(&d, "log: |/bin/log\n", NULL);
	unsigned n = delivery_queue(&d, "carol,one@x.example,log", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "held #0"),
	   "a message with unknown local names is held");
	ok(strstr(d.peer.seen->accepted, "<one@x.example> "), "the others have it");
	ok(delivery_read(&d, n, &m) && journal_waits_for_name(&m.journal),
	   "it waits for the name");
	queue_message_release(&m);
	is_state(&d, n, 0, RECIPIENT_DEFERRED,
		 "4.1.1 local name \"carol\" has no address", "with words");
	is_state(&d, n, 2, RECIPIENT_DEFERRED, "4.1.1 ", "so does a faulty alias");
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "held #0"), "and again");
	d.params.root = root;
	file_replace(AT_FDCWD, aliases_path, 0600, SPAN("log: root\n"), NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #0"), "with root set it goes");
	ok(strstr(d.peer.seen->accepted, "<admins@x.example> "), "there");
	is_int(d.peer.seen->messages, 2, "once");
	delivery_close(&d);
}

static void test_nameless_released(void) {
	static const struct peer_rule rules[] = {
		{ "rcpt", "admins", 1, "450 4.2.0 busy" }, { 0 }
	};
	static char root[] = "admins@x.example";
	struct delivery d;
	struct queue_message m;
	open_with(&d, "", rules);
	unsigned n = delivery_queue(&d, "carol", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	d.params.root = root;
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "later #0"),
	   "a name that is known now may have to wait");
	ok(delivery_read(&d, n, &m) && !m.journal.held, "and is not held any more");
	queue_message_release(&m);
	delivery_close(&d);
}

static void test_header(void) {
	static char from[] = "noreply@x.example", root[] = "admins@x.example";
	struct delivery d;
	open_with(&d, "", NULL);
	d.params.from = from;
	d.params.root = root;
	struct envelope_recipient to = { .address = SPAN("root") };
	struct envelope e = { .from = SPAN("www-data"), .to = &to, .to_count = 1 };
	AUTO_BUF struct buf content = BUF_INIT(1 << 20), sent = BUF_INIT(1 << 20);
	static const char before[] =
		"Received: by h.example; x\r\nFrom: Web <www-data@h.example>\r\n"
		"Subject: =?x?=\r\n y\r\nTo: root (you)\r\n";
	static const char after[] =
		"Received: by h.example; x\r\nFrom: Web <noreply@x.example>\r\n"
		"Subject: =?x?=\r\n y\r\nTo: admins@x.example (you)\r\n";
	buf_adds(&content, before);
	buf_adds(&sent, after);
	for (int i = 0; i < 3000; i++) { /* more than two pieces */
		buf_addf(&content, "X-%d: some text of a header field\r\n", i);
		buf_addf(&sent, "X-%d: some text of a header field\r\n", i);
	}
	buf_adds(&content, "\r\nFrom: root\r\n");
	buf_adds(&sent, "\r\nFrom: root\r\n");
	unsigned n = delivery_queue_envelope(&d, &e, buf_span(&content));
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	AUTO_BUF struct buf want = BUF_INIT(256);
	buf_addf(&want, "<noreply@x.example> <admins@x.example> %zu\n", sent.len);
	is_str(d.peer.seen->accepted, buf_str(&want),
	       "envelope and size are those of the new header, the body is as it was");
	AUTO_BUF struct buf size = BUF_INIT(64);
	buf_addf(&size, " SIZE=%zu", sent.len);
	ok(strstr(d.peer.seen->flights, buf_str(&size)) != NULL, "and SIZE says so");
	ok(strstr(d.peer.seen->flights, after) != NULL, "the header is rewritten");
	delivery_close(&d);
}

static void test_trouble(void) {
	struct delivery d;
	open_with(&d, "", NULL);
	snprintf(aliases_path, sizeof(aliases_path), "%s", d.dir); /* no file */
	unsigned n = delivery_queue(&d, "root,one@x.example", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "later #0"),
	   "aliases that cannot be read make local mail wait");
	ok(strstr(d.peer.seen->accepted, "<one@x.example> "), "while the rest goes");
	is_state(&d, n, 0, RECIPIENT_DEFERRED, "4.3.0 the aliases cannot be used",
		 "with words");
	delivery_close(&d);
}

int main(void) {
	test_partly();
	test_lost_reply();
	test_once();
	test_many();
	test_nameless();
	test_nameless_released();
	test_header();
	test_trouble();
	return done_testing();
}
