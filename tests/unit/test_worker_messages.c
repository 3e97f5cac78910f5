/* A real worker: what depends on the message, its recipients, and the state of the disk. */

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "lib/delivery_checks.h"

static void test_size(void) {
	struct delivery d;
	delivery_open(&d, "PIPELINING\nSIZE 10", NULL);
	unsigned n = delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "notice #0"), "a message above SIZE fails");
	is_state(&d, n, 0, RECIPIENT_FAILED, "5.3.4 the message has 23 bytes",
		 "in clear words");
	ok(!strstr(d.peer.seen->flights, "MAIL"), "without being offered");
	delivery_close(&d);
}

static void test_damage(void) {
	struct delivery d;
	char path[4200];
	delivery_open(&d, ALL, NULL);
	unsigned n = delivery_queue(&d, "bob@example.net",
				    "Subject: x\r\n\r\nprecious\r\n");
	unsigned next = delivery_queue(&d, "bob@example.net", NULL);
	struct queue_id id = delivery_id(n);
	snprintf(path, sizeof(path), "%s/queue/%s", d.dir, queue_id_text(&id).s);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char bytes[4096];
	ssize_t len = pread(fd, bytes, sizeof(bytes), 0);
	char *at = memmem(bytes, (size_t)len, "precious", 8);
	ok(at && pwrite(fd, "P", 1, at - bytes) == 1, "a byte on the disk changes");
	close(fd);
	delivery_run(&d, n, 2, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "skip #0 why=damaged"), "a damaged message is reported");
	ok(!strstr(d.peer.seen->accepted, " 24\n"), "and never taken by the server");
	delivery_run(&d, next, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_count(&d, "done #1") + delivery_count(&d, "skip #1 why=gone") > 0,
	   "the next one is not harmed");
	delivery_close(&d);
}

static void test_notices(void) {
	static const struct peer_rule rules[] = {
		{ "rcpt", "bad@", 0, "550 5.1.1 unknown" }, { 0 }
	};
	struct envelope_recipient bad = { .address = SPAN("bad@example.net") },
				  never = { .address = SPAN("bad@example.net"),
					    .notify = NOTIFY_NEVER },
				  success = { .address = SPAN("bob@example.net"),
					      .notify = NOTIFY_SUCCESS,
					      .orcpt = SPAN(
						      "rfc822;bob+x=y@example.net") };
	struct envelope null = { .origin = SPAN("bounce"), .to = &bad, .to_count = 1 },
			quiet = { .origin = SPAN("local"),
				  .from = SPAN("a@b.example"),
				  .to = &never,
				  .to_count = 1 },
			report = { .origin = SPAN("local"),
				   .from = SPAN("a@b.example"),
				   .to = &success,
				   .to_count = 1,
				   .ret = SPAN("HDRS"),
				   .envid = SPAN("id 7") };
	struct delivery d;
	delivery_open(&d, ALL, rules);
	delivery_queue_envelope(&d, &null, SPAN("Subject: x\r\n\r\n"));
	delivery_queue_envelope(&d, &quiet, SPAN("Subject: x\r\n\r\n"));
	delivery_queue_envelope(&d, &report, SPAN("Subject: x\r\n\r\n"));
	delivery_run(&d, 0, 3, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "notice #0") && !delivery_gone(&d, 0),
	   "a failure of the null sender is left for a person");
	ok(delivery_reported(&d, "done #1") && delivery_gone(&d, 1),
	   "with NOTIFY=NEVER nobody hears of a failure");
	ok(delivery_reported(&d, "notice #2"),
	   "a success report is ours where the server has no DSN");
	is_state(&d, 2, 0, RECIPIENT_DELIVERED, "250", "of a delivered message");
	delivery_close(&d);

	delivery_open(&d, ALL "\nDSN", NULL);
	delivery_queue_envelope(&d, &report, SPAN("Subject: x\r\n\r\n"));
	delivery_run(&d, 0, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #0"), "a server with DSN takes the report over");
	ok(strstr(d.peer.seen->flights, "RET=HDRS ENVID=id+207") != NULL,
	   "with RET and ENVID");
	ok(strstr(d.peer.seen->flights,
		  "NOTIFY=SUCCESS ORCPT=rfc822;bob+2Bx+3Dy@example.net"),
	   "with NOTIFY and ORCPT");
	delivery_close(&d);
}

static void test_addresses(void) {
	struct delivery d;
	delivery_open(&d, ALL, NULL);
	delivery_queue(&d,
		       "root,j\xc3\xbcrgen@example.net,bob@b\xc3\xbc"
		       "cher.example",
		       NULL);
	delivery_run(&d, 0, 1, DELIVERY_ANSWERED, NULL, NULL);
	is_str(d.peer.seen->accepted,
	       "<sender@example.org> <root@example.org>,<bob@xn--bcher-kva.example> 23\n",
	       "a local name is completed, an IDN domain becomes ASCII");
	is_state(&d, 0, 1, RECIPIENT_FAILED,
		 "5.6.7 127.0.0.1 takes only addresses in ASCII",
		 "a local part in UTF-8 needs SMTPUTF8");
	is_state(&d, 0, 0, RECIPIENT_DELIVERED, "250", "the others have it");
	delivery_close(&d);

	delivery_open(&d, ALL "\nSMTPUTF8", NULL);
	delivery_queue(&d,
		       "j\xc3\xbcrgen@b\xc3\xbc"
		       "cher.example",
		       NULL);
	delivery_run(&d, 0, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #0"), "a server with SMTPUTF8 takes it");
	ok(strstr(d.peer.seen->flights, " SMTPUTF8\r\nRCPT TO:<j\xc3\xbcrgen@b\xc3\xbc"
					"cher.example>"),
	   "as it is");
	delivery_close(&d);
}

static unsigned queue_crowd(struct delivery *d, unsigned count) {
	static char address[3000][32];
	static struct envelope_recipient to[3000];
	struct envelope e = { .origin = SPAN("local"),
			      .from = SPAN("a@b.example"),
			      .to = to,
			      .to_count = count };
	for (unsigned i = 0; i < count; i++) {
		snprintf(address[i], sizeof(address[i]), "r%u@example.net", i);
		to[i] = (struct envelope_recipient){ .address = span_str(address[i]) };
	}
	return delivery_queue_envelope(d, &e, SPAN("Subject: x\r\n\r\n"));
}

static void test_crowds(void) {
	static const struct peer_rule rules[] = { { "rcpt", "7@", 0, "450 4.2.1 later" },
						  { "rcpt", "r2500@", 0, "550 5.1.1 no" },
						  { 0 } };
	struct delivery d;
	struct queue_message m;
	unsigned states[4] = { 0 };
	delivery_open(&d, ALL, NULL);
	queue_crowd(&d, 250);
	delivery_run(&d, 0, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #0"), "250 recipients are served");
	is_int(d.peer.seen->messages, 3, "in three transactions");
	delivery_close(&d);

	delivery_open(&d, ALL, rules);
	queue_crowd(&d, 2600);
	delivery_queue(&d, "bob@example.org", NULL);
	delivery_run(&d, 0, 2, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "notice #0"),
	   "2600 recipients with a failure want a notice");
	ok(delivery_reported(&d, "done #1"), "the message behind them is delivered too");
	ok(delivery_read(&d, 0, &m), "the rest waits");
	for (size_t i = 0; i < m.journal.to_count; i++)
		states[m.journal.to[i].last.state]++;
	is_int(states[RECIPIENT_PENDING], 0, "everybody was tried");
	is_int(states[RECIPIENT_DEFERRED], 260, "every tenth waits");
	is_int(states[RECIPIENT_DELIVERED], 2339, "the others have it");
	is_int(states[RECIPIENT_FAILED], 1, "one failed");
	is_int(m.journal.attempts, 1, "in one attempt");
	is_int(m.journal.notices, 1, "with one notice");
	ok(!m.journal.maybe_twice, "and no doubt");
	queue_message_release(&m);
	is_int(d.peer.seen->connections, 1, "over one connection");
	delivery_close(&d);
}

static void test_per_connection(void) {
	struct delivery d;
	delivery_open(&d, ALL, NULL);
	d.params.relay.per_connection = 2;
	for (int i = 0; i < 5; i++)
		delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 5, DELIVERY_ANSWERED, NULL, NULL);
	is_int(delivery_count(&d, "done"), 5,
	       "five messages with two a connection are delivered");
	is_int(d.peer.seen->connections, 3, "over three connections");
	is_int(d.peer.seen->quits, 3, "each ended properly");
	delivery_close(&d);
}

static void test_no_pipelining(void) {
	static const struct peer_rule rules[] = { { "rcpt", "bad@", 0, "550 5.1.1 no" },
						  { 0 } };
	struct delivery d;
	delivery_open(&d, NULL, rules);
	delivery_queue(&d, "bad@example.net", NULL);
	delivery_queue(&d, "a@example.net,bad@example.net,b@example.net", NULL);
	delivery_queue(&d, "bob@example.net", NULL);
	delivery_run(&d, 0, 3, DELIVERY_ANSWERED, NULL, NULL);
	is_int(delivery_count(&d, "notice"), 2, "without PIPELINING failures are told");
	ok(delivery_reported(&d, "done #2"), "and what follows is delivered");
	is_str(d.peer.seen->accepted,
	       "<sender@example.org> <a@example.net>,<b@example.net> 23\n"
	       "<sender@example.org> <bob@example.net> 23\n",
	       "to the right people");
	delivery_close(&d);
}

/* Makes it a file of a later version, which nobody here can open. */
static void make_foreign(const struct delivery *d, unsigned n) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	struct queue_id id = delivery_id(n);
	buf_addf(&path, "%s/queue/%s", d->dir, queue_id_text(&id).s);
	AUTO_FD int fd = open(buf_str(&path), O_WRONLY | O_CLOEXEC);
	ok(pwrite(fd, "2", 1, 16) == 1, "a file is of a later version");
}

static void test_claimed(void) {
	struct delivery d;
	AUTO_BUF struct buf hold = BUF_INIT(1024);
	delivery_open(&d, ALL, NULL);
	for (int i = 0; i < 5; i++)
		delivery_queue(&d, "bob@example.net", NULL);
	make_foreign(&d, 4);
	struct queue_id one = delivery_id(0), two = delivery_id(1),
			three = delivery_id(2);
	struct queue_claim *mine = queue_claim(d.q, &one, NULL, NULL);
	queue_claim_remove(queue_claim(d.q, &two, NULL, NULL), NULL);
	struct queue_claim *held = queue_claim(d.q, &three, NULL, NULL);
	journal_add_hold(&hold, &(struct moment){ .wall_ms = 1 }, "admin");
	queue_claim_append(held, buf_span(&hold), true, NULL);
	queue_claim_release(held);
	delivery_run(&d, 0, 5, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "skip #0 why=busy"), "a claimed message is left alone");
	ok(delivery_reported(&d, "skip #1 why=gone"),
	   "a message that is gone is no trouble");
	ok(delivery_reported(&d, "held #2"), "a held message is told to be held");
	ok(delivery_reported(&d, "done #3"), "the others are delivered");
	ok(delivery_reported(&d, "later #4 wait_ms=") &&
		   !strstr(buf_str(&d.reports), "later #4 wait_ms=0"),
	   "one that cannot be opened gets a pause");
	queue_claim_release(mine);
	delivery_close(&d);
}

static int no_space(void *ctx, const struct file_event *ev) {
	/* the segment has its space; a message's journal has to grow */
	(void)ctx;
	return ev->op == FILE_WRITE && ev->offset < 1000 &&
			       memmem(ev->data.p, ev->data.len, "result", 6)
		       ? ENOSPC
		       : 0;
}

static void fill_disk(void *ctx) {
	static const struct file_hook hook = { .before = no_space };
	(void)ctx;
	file_set_hook(&hook);
}

static void test_full_disk(void) {
	static const struct peer_rule rules[] = {
		{ "rcpt", "bad@", 0, "450 4.1.1 later" }, { 0 }
	};
	struct delivery d;
	delivery_open(&d, ALL, rules);
	delivery_queue(&d, "bob@example.net", NULL);
	delivery_queue(&d, "bad@example.net", NULL);
	delivery_run(&d, 0, 2, DELIVERY_ANSWERED, fill_disk, NULL);
	ok(delivery_reported(&d, "done #0"), "on a full disk a success is a success");
	ok(delivery_reported(&d, "later #1") && strstr(buf_str(&d.reports), "recorded=0"),
	   "and a deferral lives in memory");
	is_int(d.status, 0, "the worker goes on");
	unsigned n = delivery_queue(&d, "bob@example.net,bad@example.net", NULL);
	delivery_run(&d, n, 1, DELIVERY_LEFT, fill_disk, NULL);
	is_int(delivery_count(&d, "done") + delivery_count(&d, "later"), 0,
	       "half a success that cannot be recorded is not answered");
	is_int(WEXITSTATUS(d.status), 1,
	       "the worker says that its segment must be replayed");
	is_state(&d, n, 0, RECIPIENT_DELIVERED, "250", "and the replay records it");
	is_state(&d, n, 1, RECIPIENT_PENDING, "", "the other recipient is tried again");
	delivery_close(&d);
}

int main(void) {
	test_size();
	test_damage();
	test_notices();
	test_addresses();
	test_crowds();
	test_per_connection();
	test_no_pipelining();
	test_claimed();
	test_full_disk();
	return done_testing();
}
