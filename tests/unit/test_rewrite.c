/* What addresses become: in the envelope, in the header, and what stays as it was. */

#include "mail/rewrite.h"

#include "mail/header.h"
#include "tap.h"

static struct aliases aliases;

static const char aliases_text[] = "bob: bob@people.example\n"
				   "team: ann@x.org, bob, ANN@X.ORG, ann@x.org\n"
				   "self: self, other@x.org\n"
				   "one: two\ntwo: three\nthree: one\n"
				   "log: |/bin/log\n"
				   "webmaster: root\n";

enum { HOST_ONLY, WITH_DOMAIN, WITH_ROOT, WITH_FROM, WITH_MASK, FORCED };

static struct rewrite_rules rules_of(int which) {
	struct rewrite_rules r = { .host = SPAN("h.lan.example"),
				   .domain = SPAN("h.lan.example"),
				   .aliases = &aliases };
	if (which == HOST_ONLY)
		return r;
	r.domain = SPAN("example.org");
	if (which == WITH_DOMAIN)
		return r;
	if (which == WITH_ROOT || which == FORCED)
		r.root = SPAN("admins@example.org");
	if (which == WITH_FROM || which == FORCED)
		r.from = SPAN("noreply@example.org");
	if (which == WITH_MASK)
		r.masquerade = SPAN("old.example *.lan.example");
	if (which == FORCED) {
		r.masquerade = SPAN("*");
		r.envelope_from = SPAN("bounces@example.org");
	}
	return r;
}

static const struct {
	int rules;
	const char *input;
	const char *want; /* addresses; "?" unknown, "!" faulty */
} recipients[] = {
	{ HOST_ONLY, "a@x.org", "a@x.org" },
	{ HOST_ONLY, "bob", "bob@people.example" },
	{ HOST_ONLY, "BOB", "bob@people.example" },
	{ HOST_ONLY, "\"bob\"", "bob@people.example" },
	{ HOST_ONLY, "bob@localhost", "bob@people.example" },
	{ HOST_ONLY, "bob@H.lan.example", "bob@people.example" },
	{ HOST_ONLY, "bob@example.org", "bob@example.org" },
	{ HOST_ONLY, "team", "ann@x.org bob@people.example ANN@X.ORG" },
	{ HOST_ONLY, "root", "?" },
	{ HOST_ONLY, "carol", "?" },
	{ HOST_ONLY, "carol@localhost", "?" },
	{ HOST_ONLY, "carol@h.lan.example", "carol@h.lan.example" },
	{ HOST_ONLY, "webmaster", "?" },
	{ HOST_ONLY, "one", "!" },
	{ HOST_ONLY, "log", "!" },
	{ HOST_ONLY, "self", "?" },
	{ WITH_DOMAIN, "self", "self@example.org other@x.org" },
	{ WITH_DOMAIN, "carol", "carol@example.org" },
	{ WITH_DOMAIN, "carol@localhost.localdomain", "carol@example.org" },
	{ WITH_DOMAIN, "root", "root@example.org" },
	{ WITH_DOMAIN, "root@example.org", "root@example.org" },
	{ WITH_ROOT, "root", "admins@example.org" },
	{ WITH_ROOT, "root@localhost", "admins@example.org" },
	{ WITH_ROOT, "root@h.lan.example", "admins@example.org" },
	{ WITH_ROOT, "Postmaster@h.lan.example", "admins@example.org" },
	{ WITH_ROOT, "webmaster", "admins@example.org" },
	{ WITH_ROOT, "www-data", "admins@example.org" },
	{ WITH_ROOT, "www-data@h.lan.example", "www-data@h.lan.example" },
	{ WITH_ROOT, "bob", "bob@people.example" },
	{ WITH_ROOT, "one", "!" },
	{ WITH_MASK, "carol@old.example", "carol@old.example" },
	{ FORCED, "carol@y.org", "carol@y.org" },
};

static const struct {
	int rules;
	const char *input, *want;
} senders[] = {
	{ HOST_ONLY, "", "" },
	{ HOST_ONLY, "a@x.org", "a@x.org" },
	{ HOST_ONLY, "root", "root@h.lan.example" },
	{ WITH_DOMAIN, "root@localhost", "root@example.org" },
	{ WITH_DOMAIN, "root@h.lan.example", "root@h.lan.example" },
	{ WITH_FROM, "root", "noreply@example.org" },
	{ WITH_FROM, "root@h.lan.example", "noreply@example.org" },
	{ WITH_FROM, "alice@example.org", "alice@example.org" },
	{ WITH_FROM, "", "" },
	{ WITH_MASK, "carol@old.example", "carol@example.org" },
	{ WITH_MASK, "carol@OLD.example", "carol@example.org" },
	{ WITH_MASK, "carol@a.b.lan.example", "carol@example.org" },
	{ WITH_MASK, "carol@lan.example", "carol@lan.example" },
	{ WITH_MASK, "carol@notold.example", "carol@notold.example" },
	{ FORCED, "carol@y.org", "bounces@example.org" },
	{ FORCED, "", "" },
	{ FORCED, "not an address", "not an address" },
};

static const struct {
	int rules;
	const char *label, *input;
	const char *want; /* NULL: nothing changes */
} headers[] = {
	{ HOST_ONLY, "addresses elsewhere", "From: a@x.org\r\nTo: b@y.org\r\n", NULL },
	{ WITH_DOMAIN, "a local sender with a name in a comment",
	  "From: root (Cron Daemon)\r\nTo: bob\r\n",
	  "From: root@example.org (Cron Daemon)\r\nTo: bob@people.example\r\n" },
	{ WITH_FROM, "a set sender keeps the full name",
	  "From: \"Ann, Lee\" <root@localhost>\r\n",
	  "From: \"Ann, Lee\" <noreply@example.org>\r\n" },
	{ WITH_FROM, "a person's own sender", "From: Ann <ann@example.org>\r\n", NULL },
	{ WITH_FROM, "every field of a sender",
	  "Sender: root\r\nResent-From: root\r\nReply-To: carol\r\n",
	  "Sender: noreply@example.org\r\nResent-From: noreply@example.org\r\n"
	  "Reply-To: carol@example.org\r\n" },
	{ WITH_ROOT, "folds, comments and groups",
	  "to : x@y.org,\r\n\troot (the \\) boss) ,\r\n Us: \"q\" <carol @ localhost>, z@y.org;\r\n"
	  "Subject:  root \r\n",
	  "to : x@y.org,\r\n\tadmins@example.org (the \\) boss) ,\r\n Us: \"q\" <admins@example.org>, "
	  "z@y.org;\r\nSubject:  root \r\n" },
	{ WITH_DOMAIN, "an alias of several addresses", "Cc: team\r\n",
	  "Cc: team@example.org\r\n" },
	{ WITH_MASK, "masquerading",
	  "From: A <a@h1.lan.example>\r\nCc: b@old.example, c@x.org\r\n",
	  "From: A <a@example.org>\r\nCc: b@example.org, c@x.org\r\n" },
	{ FORCED, "everything from one address, recipients as they are",
	  "From: c@y.org\r\nTo: d@y.org\r\nReply-To: e@y.org\r\n",
	  "From: noreply@example.org\r\nTo: d@y.org\r\nReply-To: e@y.org\r\n" },
	{ WITH_DOMAIN, "no recipients", "To: undisclosed-recipients:;\r\n", NULL },
	{ WITH_DOMAIN, "a list that cannot be read goes on as it was",
	  "To: root, <b, carol\r\n", "To: root@example.org, <b, carol\r\n" },
	{ WITH_DOMAIN, "an empty address", "From: <>\r\n", NULL },
	{ WITH_DOMAIN, "no address field",
	  "Subject: root\r\nX-To: root\r\nReceived: from root\r\n", NULL },
};

static void show(const struct fixup_recipients *to, struct buf *out) {
	for (size_t i = 0; i < to->count; i++)
		buf_addf(out, "%s%s", i ? " " : "", to->address[i]);
}

static void test_recipients(void) {
	static const char *const marks[] = { "", "?", "!", "later" };
	for (size_t i = 0; i < sizeof(recipients) / sizeof(recipients[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(4096);
		struct rewrite_rules r = rules_of(recipients[i].rules);
		struct fixup_recipients to = { .count = 0 };
		struct err err = ERR_INIT;
		enum rewrite_result result =
			rewrite_recipient(&r, span_str(recipients[i].input), &to, &err);
		if (result == REWRITE_DONE)
			show(&to, &got);
		else
			buf_adds(&got, marks[result]);
		is_str(buf_str(&got), recipients[i].want, "recipient %s by rules %d",
		       recipients[i].input, recipients[i].rules);
		ok(result == REWRITE_DONE || err.msg[0],
		   "and there are words if it waits");
		fixup_recipients_release(&to);
	}
}

static void test_senders(void) {
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(4096);
		struct rewrite_rules r = rules_of(senders[i].rules);
		rewrite_sender(&r, span_str(senders[i].input), &got);
		is_str(buf_str(&got), senders[i].want, "sender \"%s\" by rules %d",
		       senders[i].input, senders[i].rules);
	}
}

static void test_headers(void) {
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(4096);
		struct rewrite_rules r = rules_of(headers[i].rules);
		int rc = rewrite_header(&r, span_str(headers[i].input), &got);
		is_int(rc, headers[i].want != NULL,
		       "%s: it says whether anything changed", headers[i].label);
		if (headers[i].want)
			is_str(buf_str(&got), headers[i].want, "%s", headers[i].label);
		else
			is_int((int64_t)got.len, 0, "%s: nothing is written",
			       headers[i].label);
	}
}

/* A line that was short enough stays so. */
static void test_long_line(void) {
	AUTO_BUF struct buf in = BUF_INIT(4096), got = BUF_INIT(4096);
	struct rewrite_rules r = rules_of(WITH_ROOT);
	struct span rest, line;
	size_t longest = 0;
	buf_adds(&in, "To: x@y.org");
	for (int i = 0; i < 120; i++)
		buf_adds(&in, ", root");
	buf_adds(&in, "\r\n");
	is_int(rewrite_header(&r, buf_span(&in), &got), 1, "a long list is rewritten");
	rest = buf_span(&got);
	while (span_take_line(&rest, &line))
		longest = line.len > longest ? line.len : longest;
	ok(longest <= 998, "and no line is over 998 octets (%zu)", longest);
}

static void test_trouble(void) {
	struct rewrite_rules r = rules_of(WITH_ROOT);
	struct fixup_recipients to = { .count = 0 };
	struct err err = ERR_INIT;
	r.trouble = "/etc/aliases: Permission denied";
	is_int(rewrite_recipient(&r, SPAN("root"), &to, &err), REWRITE_LATER,
	       "aliases that cannot be read make local mail wait");
	ok(strstr(err.msg, "Permission denied"), "with the reason");
	is_int(rewrite_recipient(&r, SPAN("a@x.org"), &to, &err), REWRITE_DONE,
	       "and other mail goes");
	fixup_recipients_release(&to);
}

int main(void) {
	aliases_parse(SPAN(aliases_text), "aliases", NULL, NULL, &aliases, NULL, NULL);
	test_recipients();
	test_senders();
	test_headers();
	test_long_line();
	test_trouble();
	aliases_release(&aliases);
	return done_testing();
}
