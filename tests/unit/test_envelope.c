#include "queue/envelope.h"

#include "tap.h"

static const char head[] = "id 0123456789ABCDEF\n"
			   "created wall_ms=1700000000000 boot_ms=5 boot_id=0000abcd\n";

static bool same(struct span s, const char *want) {
	return span_eq(s, span_str(want));
}

/* Every byte value must survive in every field that takes text. */
static void test_round_trip(void) {
	char bytes[256];
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	struct envelope_recipient to[3] = {
		{ .address = SPAN("\"a b\"@example.org"), .notify = NOTIFY_NEVER },
		{ .address = span_of(bytes, sizeof(bytes)),
		  .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY,
		  .orcpt = SPAN("rfc822;x=y%") },
		{ .address = SPAN("root") },
	};
	struct envelope e = {
		.created = { .wall_ms = 1, .boot_ms = 2, .boot_id = 3 }, .uid = UINT32_MAX,
		.origin = SPAN("local"), .from = span_of(bytes, sizeof(bytes)), .ret = SPAN("HDRS"),
		.envid = SPAN("an id\n"), .body_8bit = true, .smtputf8 = true, .requiretls = true, .tls_optional = true, .to = to,
		.to_count = 3,
		.priority = PRIORITY_HIGH, .at_ms = 1795417200000, .relay = SPAN("office.2"),
	}, back;
	memset(e.id.bits, 0x5a, sizeof(e.id.bits));
	AUTO_BUF struct buf out = BUF_INIT(65536), again = BUF_INIT(65536);
	is_int(envelope_write(&e, &out), 0, "an envelope is written");
	struct err err = ERR_INIT;
	if (!ok(envelope_parse(buf_span(&out), &back, &err) == 0, "and read: %s",
		err.msg))
		return;
	ok(span_eq(back.from, e.from) && span_eq(back.to[1].address, to[1].address),
	   "all 256 byte values survive in addresses");
	ok(queue_id_cmp(&back.id, &e.id) == 0 && back.uid == e.uid &&
		   back.created.wall_ms == 1 && back.created.boot_ms == 2 &&
		   back.created.boot_id == 3,
	   "id, uid and time survive");
	ok(same(back.ret, "HDRS") && same(back.envid, "an id\n") && back.body_8bit &&
		   back.smtputf8 && back.requiretls && back.tls_optional,
	   "parameters of the sender survive");
	ok(back.priority == PRIORITY_HIGH && back.at_ms == 1795417200000 &&
		   same(back.relay, "office.2"),
	   "when and how it goes survives");
	struct moment start = envelope_start(&back);
	ok(start.wall_ms == back.at_ms && start.boot_ms == 2 + back.at_ms - 1,
	   "its lifetime begins when it may go");
	ok(back.to_count == 3 && back.to[0].notify == NOTIFY_NEVER &&
		   back.to[1].notify == to[1].notify && back.to[2].notify == 0 &&
		   same(back.to[1].orcpt, "rfc822;x=y%") && back.to[2].orcpt.len == 0,
	   "parameters of recipients survive");
	envelope_write(&back, &again);
	ok(span_eq(buf_span(&out), buf_span(&again)),
	   "written again it has the same bytes");
	envelope_release(&back);
}

static void test_null_sender(void) {
	struct envelope_recipient to = { .address = SPAN("a@b") };
	struct envelope e = { .origin = SPAN("bounce"), .to = &to, .to_count = 1 }, back;
	AUTO_BUF struct buf out = BUF_INIT(4096);
	envelope_write(&e, &out);
	if (ok(envelope_parse(buf_span(&out), &back, NULL) == 0,
	       "the null sender is read")) {
		is_int((int64_t)back.from.len, 0, "as an empty path");
		envelope_release(&back);
	}
}

static void test_refusals(void) {
	static const struct {
		const char *label, *rest;
	} cases[] = {
		{ "no uid", "origin local\nfrom a\nto b\n\n" },
		{ "a uid over 32 bits", "uid 4294967296\norigin l\nfrom a\nto b\n\n" },
		{ "a negative uid", "uid -1\norigin l\nfrom a\nto b\n\n" },
		{ "no sender", "uid 1\norigin l\nto b\n\n" },
		{ "no recipient", "uid 1\norigin l\nfrom a\n\n" },
		{ "an empty recipient", "uid 1\norigin l\nfrom a\nto %\n\n" },
		{ "no empty line", "uid 1\norigin l\nfrom a\nto b\n" },
		{ "bytes behind the empty line", "uid 1\norigin l\nfrom a\nto b\n\nx" },
		{ "two empty lines", "uid 1\norigin l\nfrom a\nto b\n\n\n" },
		{ "an unknown priority", "uid 1\norigin l\nfrom a priority=urgent\nto b\n\n" },
		{ "the usual priority", "uid 1\norigin l\nfrom a priority=normal\nto b\n\n" },
		{ "two priorities", "uid 1\norigin l\nfrom a priority=low priority=high\nto b\n\n" },
		{ "a time before 1970", "uid 1\norigin l\nfrom a at=-1\nto b\n\n" },
		{ "no name of a relay", "uid 1\norigin l\nfrom a relay=%2F\nto b\n\n" },
		{ "an unknown parameter", "uid 1\norigin l\nfrom a x=1\nto b\n\n" },
		{ "an unknown flag", "uid 1\norigin l\nfrom a smtputf9\nto b\n\n" },
		{ "a flag twice", "uid 1\norigin l\nfrom a requiretls requiretls\nto b\n\n" },
		{ "a flag with a value", "uid 1\norigin l\nfrom a requiretls=1\nto b\n\n" },
		{ "a parameter twice",
		  "uid 1\norigin l\nfrom a ret=FULL ret=FULL\nto b\n\n" },
		{ "an unknown notify", "uid 1\norigin l\nfrom a\nto b notify=LATER\n\n" },
		{ "an empty notify", "uid 1\norigin l\nfrom a\nto b notify=\n\n" },
		{ "a half escape", "uid 1\norigin l\nfrom a%4\nto b\n\n" },
		{ "a byte over 0x7f", "uid 1\norigin l\nfrom a\xc3\xa4\nto b\n\n" },
		{ "a tab", "uid 1\norigin l\nfrom a\tb\nto b\n\n" },
		{ "an unknown line", "uid 1\norigin l\nfrom a\nto b\ncc c\n\n" },
		{ "two words of a sender", "uid 1\norigin l\nfrom a b\nto b\n\n" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf b = BUF_INIT(4096);
		struct envelope e;
		struct err err = ERR_INIT;
		buf_addf(&b, "%s%s", head, cases[i].rest);
		bool refused = envelope_parse(buf_span(&b), &e, &err) != 0;
		ok(refused && err.kind == ERR_SYNTAX, "%s is refused: %s", cases[i].label,
		   err.msg);
	}
}

static void test_every_prefix(void) {
	AUTO_BUF struct buf b = BUF_INIT(4096);
	struct envelope e;
	unsigned taken = 0;
	buf_addf(&b, "%suid 1\norigin l\nfrom a ret=FULL\nto b notify=DELAY\nto c\n\n",
		 head);
	for (size_t n = 0; n < b.len; n++) {
		if (envelope_parse(span_head(buf_span(&b), n), &e, NULL) != 0)
			continue;
		taken++;
		envelope_release(&e);
	}
	is_int(taken, 0, "no part of an envelope is taken for a whole one");
	if (ok(envelope_parse(buf_span(&b), &e, NULL) == 0, "the whole one is"))
		envelope_release(&e);
}

static void test_limits(void) {
	AUTO_BUF struct buf b = BUF_INIT(ENVELOPE_MAX + 100);
	struct envelope e;
	struct err err = ERR_INIT;
	buf_addf(&b, "%suid 1\norigin l\nfrom a\n", head);
	for (unsigned i = 0; i < ENVELOPE_RECIPIENTS_MAX; i++)
		buf_adds(&b, "to b\n");
	buf_addc(&b, '\n');
	if (ok(envelope_parse(buf_span(&b), &e, &err) == 0,
	       "the most recipients are read")) {
		is_int((int64_t)e.to_count, ENVELOPE_RECIPIENTS_MAX, "all of them");
		envelope_release(&e);
	}
	buf_truncate(&b, b.len - 1);
	buf_adds(&b, "to b\n\n");
	ok(envelope_parse(buf_span(&b), &e, &err) != 0 && err.kind == ERR_LIMIT,
	   "one more is refused: %s", err.msg);
	buf_truncate(&b, 0);
	while (b.len <= ENVELOPE_MAX)
		buf_adds(
			&b,
			"to bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n");
	ok(envelope_parse(buf_span(&b), &e, &err) != 0 && err.kind == ERR_LIMIT,
	   "too many bytes are refused: %s", err.msg);
}

int main(void) {
	test_round_trip();
	test_null_sender();
	test_refusals();
	test_every_prefix();
	test_limits();
	return done_testing();
}
