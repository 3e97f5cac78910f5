/* Frames between the processes. */

#include "deliver/wire.h"

#include "base/codec.h"
#include "tap.h"

static struct wire_worker sample(void) {
	static char root[] = "root@x.org", masks[] = "a.org *.b.org", aliases[] = "/etc/a b";
	static char dir[] = "/tmp/a b=c%", helo[] = "host.example", domain[] = "",
		    name[] = "default", one[] = "mx1.example", two[] = "2001:db8::1",
		    login[] = "user name", password[] = "file:/etc/x y",
		    source[] = "192.0.2.7", resolver[] = "127.0.0.1:5353";
	return (struct wire_worker){
		.slot = 127,
		.dir = dir,
		.helo = helo,
		.domain = domain,
		.hostname = helo,
		.root = root,
		.masquerade = masks,
		.aliases = aliases,
		.retry_min_ms = 60000,
		.retry_max_ms = INT64_MAX,
		.idle_ms = 5000,
		.refused = 2,
		.resolve = true,
		.resolver = resolver,
		.relay = {
			.name = name,
			.host = { one, two },
			.host_count = 2,
			.port = 65535,
			.tls = CONFIG_TLS_OPPORTUNISTIC,
			.login = login,
			.password = password,
			.source = source,
			.per_connection = 1000,
			.connect_timeout_ms = 1,
			.reply_timeout_ms = 2,
			.data_timeout_ms = 3,
		},
	};
}

/* The rules by which a worker tells what is its own. */
static void test_routes(void) {
	static char lan[] = "lan", office[] = "office", pattern[] = "*@*.lan.example  a%b@c",
		    alice[] = "alice 4242", relays[] = "default office", there[] = "example.org";
	struct route_rule rules[] = {
		{ .name = lan, .relay = office, .recipient = pattern },
		{ .name = office, .relay = office, .sender = pattern, .user = alice,
		  .uid = { 1000, 4242 }, .uid_count = 2 },
	};
	AUTO_BUF struct buf out = BUF_INIT(65536);
	struct wire_worker w = sample(), r;
	struct err err = ERR_INIT;
	w.route = rules;
	w.route_count = 2;
	w.relays = relays;
	w.destination = there;
	w.tls_optional = true;
	is_int(wire_worker_write(&out, &w), 0, "rules can be written");
	is_int(wire_worker_parse(buf_span(&out), &r, &err), 0, "and read again: %s", err.msg);
	is_int((int64_t)r.route_count, 2, "all of them arrive");
	is_str(r.route[0].recipient, pattern, "a pattern arrives");
	ok(!r.route[0].sender && !r.route[0].user, "what a rule does not have is not there");
	ok(r.route[1].uid_count == 2 && r.route[1].uid[1] == 4242, "users arrive");
	is_str(r.route[1].relay, office, "the relay arrives");
	is_str(r.relays, relays, "the names of all arrive");
	is_str(r.destination, there, "the destination arrives");
	ok(r.tls_optional, "and that its mail needs no TLS");
	wire_worker_release(&r);
	ok(wire_worker_parse(SPAN("worker slot=1 dir=/a helo=h relay=r host=h route=a%09b\n"), &r,
			     &err) != 0,
	   "half a rule is none");
}

static void test_worker(void) {
	AUTO_BUF struct buf out = BUF_INIT(65536);
	struct wire_worker w = sample(), r;
	struct err err = ERR_INIT;
	is_int(wire_worker_write(&out, &w), 0, "a worker line can be written");
	is_int(out.data[out.len - 1], '\n', "it is a line");
	ok(span_find(buf_span(&out), '\n') == out.len - 1, "it is one line only");
	is_int(wire_worker_parse(buf_span(&out), &r, &err), 0, "and read again: %s",
	       err.msg);
	is_int(r.slot, 127, "the slot arrives");
	is_str(r.dir, w.dir, "a path with odd characters arrives");
	is_str(r.root, "root@x.org", "the address of root arrives");
	is_str(r.masquerade, "a.org *.b.org", "the domains to masquerade arrive");
	is_str(r.aliases, "/etc/a b", "the path of the aliases arrives");
	ok(r.resolve && !r.trust_anchor, "that DNS is needed arrives");
	is_str(r.resolver, "127.0.0.1:5353", "and whom to ask");
	ok(!r.from && !r.envelope_from, "what is not set is not there");
	is_str(r.domain, "", "an empty value arrives as empty");
	is_int(r.retry_max_ms, INT64_MAX, "the largest number arrives");
	is_int(r.refused, 2, "the count of refused senders arrives");
	is_int((int64_t)r.relay.host_count, 2, "all hosts arrive");
	is_str(r.relay.host[0], "mx1.example", "in order: the first");
	is_str(r.relay.host[1], "2001:db8::1", "in order: the second");
	is_int(r.relay.port, 65535, "the port arrives");
	is_int(r.relay.tls, CONFIG_TLS_OPPORTUNISTIC, "the TLS policy arrives");
	is_str(r.relay.login, "user name", "the login arrives");
	is_str(r.relay.password, "file:/etc/x y",
	       "the reference to the password arrives");
	ok(r.relay.ca == NULL && r.relay.auth == NULL, "what was not set is not set");
	is_int(r.relay.data_timeout_ms, 3, "the time-outs arrive");
	wire_worker_release(&r);
}

static void test_bad_worker(void) {
	static const char *const rows[] = {
		"",
		"worker",
		"message id=1",
		"worker dir=/x helo=h relay=r",
		"worker dir=/x helo=h relay=r host=a strange=1",
		"worker dir=/x helo=h relay=r host=a slot=x",
		"worker dir=/x helo=h relay=r host=a slot=-1",
		"worker dir=/x helo=h relay=r host=a port=65536",
		"worker dir=/x helo=h relay=r host=a tls=maybe",
		"worker dir=/x%00y helo=h relay=r host=a",
		"worker dir helo=h relay=r host=a",
		"worker dir=/x helo=h relay=r host=%ZZ",
		"worker dir=/x helo=h relay=r host=a host=a host=a host=a host=a host=a host=a host=a host=a",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_worker w;
		struct err err = ERR_INIT;
		ok(wire_worker_parse(span_str(rows[i]), &w, &err) == -1 &&
			   err.kind == ERR_SYNTAX,
		   "refused: \"%s\"", rows[i]);
	}
}

static struct wire_report back_and_forth(struct wire_report in) {
	AUTO_BUF struct buf out = BUF_INIT(65536);
	struct wire_report r = { .kind = WIRE_TROUBLE };
	wire_report_write(&out, &in);
	struct span frame = buf_span(&out);
	is_int(wire_report_take(&frame, &r), 1, "a report of kind %d is read again",
	       in.kind);
	is_int((int64_t)frame.len, 0, "and nothing of it is left");
	is_int(r.kind, in.kind, "as what it was");
	return r;
}

static void test_reports(void) {
	struct queue_id id = queue_id_new();
	struct wire_report r = back_and_forth(
		(struct wire_report){ .kind = WIRE_UP,
				      .host = "mx[192.0.2.1]",
				      .tls = "TLS1.3",
				      .auth = "PLAIN",
				      .verified = true,
				      .resumed = true,
				      .name = "mx",
				      .cert_from_s = 1,
				      .cert_until_s = 1795348872 });
	ok(strcmp(r.name, "mx") == 0 && r.cert_from_s == 1 && r.cert_until_s == 1795348872,
	   "up tells how long the certificate holds");
	ok(r.verified && r.resumed && strcmp(r.host, "mx[192.0.2.1]") == 0 && r.cipher[0] == '\0',
	   "up tells host and security");
	r = back_and_forth((struct wire_report){ .kind = WIRE_DOWN,
						 .code = 535,
						 .stage = "AUTH",
						 .text = "535 bad\ncredentials \x1b[31m",
						 .words = "login refused" });
	is_str(r.text, "535 bad\ncredentials \x1b[31m",
	       "a hostile reply stays one value");
	is_int(r.code, 535, "down tells the code");
	back_and_forth((struct wire_report){ .kind = WIRE_BUSY, .text = "421", .words = "later" });
	r = back_and_forth((struct wire_report){ .kind = WIRE_DONE, .id = id });
	is_int(queue_id_cmp(&r.id, &id), 0, "done tells the message");
	r = back_and_forth((struct wire_report){ .kind = WIRE_LATER,
						 .id = id,
						 .wait_ms = -5,
						 .age_ms = 1234567890123,
						 .recorded = true });
	ok(r.wait_ms == -5 && r.age_ms == 1234567890123 && r.recorded,
	   "later tells wait and age");
	back_and_forth((struct wire_report){ .kind = WIRE_NOTICE, .id = id });
	back_and_forth((struct wire_report){ .kind = WIRE_BACK, .id = id });
	r = back_and_forth((struct wire_report){
		.kind = WIRE_SKIP, .id = id, .why = WIRE_SKIP_DAMAGED });
	is_int(r.why, WIRE_SKIP_DAMAGED, "skip tells why");
	back_and_forth((struct wire_report){ .kind = WIRE_WINDOW_CLEAN });
	back_and_forth((struct wire_report){ .kind = WIRE_TOKEN_OVER });
	r = back_and_forth((struct wire_report){ .kind = WIRE_NO_STREAM, .text = "503 what" });
	is_str(r.text, "503 what", "no-stream tells why");
	r = back_and_forth((struct wire_report){ .kind = WIRE_BROKEN, .text = "reset" });
	is_str(r.text, "reset", "broken tells why");
	r = back_and_forth((struct wire_report){ .kind = WIRE_REFUSED, .count = 3, .text = "a b@x" });
	is_int(r.count, 3, "refused tells how many");
	is_str(r.text, "a b@x", "and the last of them");
	r = back_and_forth(
		(struct wire_report){ .kind = WIRE_EXITED, .slot = 7, .status = 139 });
	ok(r.slot == 7 && r.status == 139, "exited tells slot and status");
	back_and_forth((struct wire_report){
		.kind = WIRE_UNSIGNED, .name = "example.org sel", .text = "no such file" });
	back_and_forth((struct wire_report){
		.kind = WIRE_TROUBLE, .slot = 7, .text = "no password" });
}

static void test_frames(void) {
	AUTO_BUF struct buf out = BUF_INIT(65536);
	const struct wire_message a = { .id = queue_id_new() };
	char except[] = "a.example b.example";
	const struct wire_message b = { queue_id_new(), 5000, except };
	struct wire_message got;
	struct wire_report r;
	wire_message_write(&out, &a);
	wire_message_write(&out, &b);
	struct span frame = buf_span(&out);
	ok(wire_message_take(&frame, &got) == 1 && queue_id_cmp(&got.id, &a.id) == 0 &&
		   got.held_ms == 0 && !got.except,
	   "the first message of a frame");
	ok(wire_message_take(&frame, &got) == 1 && queue_id_cmp(&got.id, &b.id) == 0 &&
		   got.held_ms == 5000,
	   "the second message of a frame");
	is_str(got.except, b.except, "domains that have to wait come with it");
	free(got.except);
	is_int(wire_message_take(&frame, &got), 0, "the end of the frame");
	frame = SPAN("message id=short held_ms=0 except=a.example\n");
	is_int(wire_message_take(&frame, &got), -1, "an ID that is none is refused");
	frame = SPAN("done id=\nwindow\n");
	is_int(wire_report_take(&frame, &r), -1, "a report with an empty ID is refused");
	is_int(wire_report_take(&frame, &r), 1, "and the next line is read all the same");
	frame = SPAN("sing song=1\n");
	is_int(wire_report_take(&frame, &r), -1, "an unknown report is refused");
	frame = SPAN("busy text=%41%0\n");
	is_int(wire_report_take(&frame, &r), -1, "a cut escape is refused");
}

static void test_long_text(void) {
	char line[2000];
	struct wire_report r;
	snprintf(line, sizeof(line), "busy text=%0*d\n", 1500, 7);
	struct span frame = span_str(line);
	is_int(wire_report_take(&frame, &r), 1, "a text that is too long is read");
	is_int((int64_t)strlen(r.text), sizeof(r.text) - 1, "and cut to what has room");
}

int main(void) {
	test_routes();
	test_worker();
	test_bad_worker();
	test_reports();
	test_frames();
	test_long_text();
	return done_testing();
}
