/* The header at acceptance: what is added, what goes, what stays, and who gets it. */

#include "mail/fixup.h"

#include <stdlib.h>
#include <time.h>

#include "mail/header.h"

#include "tap.h"

static const struct fixup_params usual = {
	.recipients_max = 100,
	.host = SPAN_INIT("relay.example.org"),
	.received = SPAN_INIT("uid 1000"),
	.id = SPAN_INIT("0123456789ABCDEF"),
	.from = SPAN_INIT("bob@example.org"),
	.from_name = SPAN_INIT("Bob Miller"),
	.wall_s = 1795313189,
};

#define DATE "Sun, 22 Nov 2026 02:06:29 +0000\r\n"
#define RECEIVED \
	"Received: by relay.example.org (nightmail, uid 1000) id 0123456789ABCDEF;\r\n\t" DATE
#define OUR_ID "<0123456789ABCDEF@relay.example.org>"
#define ID "Message-ID: " OUR_ID "\r\n"
#define FROM "From: Bob Miller <bob@example.org>\r\n"

static const struct {
	const char *label;
	struct span input;
	const char *want;
	const char *recipients; /* with -t, joined by "," */
	const char *message_id;
	bool has_8bit, no_header;
} headers[] = {
	{ "an empty header gets all", SPAN_INIT(""),
	  RECEIVED ID "Date: " DATE FROM "\r\n", "", OUR_ID, false, true },
	{ "what is there stays",
	  SPAN_INIT("from: a@x\ndate: today\nmessage-id: <1@x>\nX:  y \n"),
	  RECEIVED "from: a@x\r\ndate: today\r\nmessage-id: <1@x>\r\nX:  y \r\n\r\n", "",
	  "<1@x>", false, false },
	{ "blanks before a colon hide nothing", SPAN_INIT("From : a@x\r\nDate\t: d\r\n"),
	  RECEIVED ID "From : a@x\r\nDate\t: d\r\n\r\n", "", OUR_ID, false, false },
	{ "folds and their bytes stay",
	  SPAN_INIT("From: a@x\nDate: d\nMessage-ID:\n <2@x>\nSubject: a\n\t b\n   c\n"),
	  RECEIVED
	  "From: a@x\r\nDate: d\r\nMessage-ID:\r\n <2@x>\r\nSubject: a\r\n\t b\r\n   c\r\n"
	  "\r\n",
	  "", "<2@x>", false, false },
	{ "an mbox line goes",
	  SPAN_INIT("From bob Mon\nFrom: a@x\nDate: d\nMessage-ID: <3@x>\n"),
	  RECEIVED "From: a@x\r\nDate: d\r\nMessage-ID: <3@x>\r\n\r\n", "", "<3@x>",
	  false, false },
	{ "what a message wishes for itself goes with its folds",
	  SPAN_INIT("From: a@x\nDate: d\nMessage-ID: <1@x>\nX-NIGHTMAIL: priority=low\n\trelay=office\n"
		    "X-Priority: 1\n"),
	  RECEIVED "From: a@x\r\nDate: d\r\nMessage-ID: <1@x>\r\nX-Priority: 1\r\n\r\n", "", "<1@x>",
	  false, false },
	{ "Bcc goes with its folds, and counts",
	  SPAN_INIT(
		  "From: a@x\nDate: d\nMessage-ID: <4@x>\nTo: b@x, root\nbCC: c@x,\n d@x\nCc: e@x\n"),
	  RECEIVED
	  "From: a@x\r\nDate: d\r\nMessage-ID: <4@x>\r\nTo: b@x, root\r\nCc: e@x\r\n\r\n",
	  "b@x,root,c@x,d@x,e@x", "<4@x>", false, false },
	{ "the same person twice counts once",
	  SPAN_INIT(
		  "From: a@x\nDate: d\nMessage-ID: <5@x>\nTo: b@x, B@x, B <b@X>\nCc: \"b\"@x\n"),
	  RECEIVED
	  "From: a@x\r\nDate: d\r\nMessage-ID: <5@x>\r\nTo: b@x, B@x, B <b@X>\r\n"
	  "Cc: \"b\"@x\r\n\r\n",
	  "b@x,B@x", "<5@x>", false, false },
	{ "a Bcc behind a bare CR goes as well",
	  SPAN_INIT(
		  "From: a@x\nDate: d\nMessage-ID: <6@x>\nSubject: s\rBcc: c@x\nX: y\n"),
	  RECEIVED
	  "From: a@x\r\nDate: d\r\nMessage-ID: <6@x>\r\nSubject: s\r\nX: y\r\n\r\n",
	  "c@x", "<6@x>", false, false },
	{ "UTF-8 in a field is seen",
	  SPAN_INIT("From: \xc3\xbc <a@x>\nDate: d\nMessage-ID: <7@x>\n"),
	  RECEIVED "From: \xc3\xbc <a@x>\r\nDate: d\r\nMessage-ID: <7@x>\r\n\r\n", "",
	  "<7@x>", true, false },
	{ "UTF-8 in Bcc alone leaves with it",
	  SPAN_INIT("From: a@x\nDate: d\nMessage-ID: <8@x>\nBcc: \xc3\xbc@x\n"),
	  RECEIVED "From: a@x\r\nDate: d\r\nMessage-ID: <8@x>\r\n\r\n", "\xc3\xbc@x",
	  "<8@x>", false, false },
	{ "a Resent block takes over",
	  SPAN_INIT("Resent-To: r@x\nResent-Bcc: s@x\nFrom: a@x\nTo: b@x\nBcc: c@x\n"),
	  RECEIVED "Resent-Message-ID: " OUR_ID "\r\nResent-Date: " DATE
		   "Resent-From: Bob Miller <bob@example.org>\r\n"
		   "Resent-To: r@x\r\nFrom: a@x\r\nTo: b@x\r\n\r\n",
	  "r@x,s@x", OUR_ID, false, false },
	{ "a whole Resent block needs nothing",
	  SPAN_INIT(
		  "Resent-From: r@x\nResent-Date: d\nResent-Message-ID: <9@x>\nResent-Cc: t@x\n"
		  "Message-ID: <10@x>\n"),
	  RECEIVED "Resent-From: r@x\r\nResent-Date: d\r\nResent-Message-ID: <9@x>\r\n"
		   "Resent-Cc: t@x\r\nMessage-ID: <10@x>\r\n\r\n",
	  "t@x", "<10@x>", false, false },
	{ "an older Resent block behind a trace gets nothing",
	  SPAN_INIT(
		  "Resent-To: new@x\nReceived: by y; d\nResent-To: old@x\nResent-Date: d\n"
		  "Resent-Bcc: old2@x\n"),
	  RECEIVED "Resent-Message-ID: " OUR_ID "\r\nResent-Date: " DATE
		   "Resent-From: Bob Miller <bob@example.org>\r\nResent-To: new@x\r\n"
		   "Received: by y; d\r\nResent-To: old@x\r\nResent-Date: d\r\n\r\n",
	  "new@x", OUR_ID, false, false },
	{ "nor one told by a second Resent-From",
	  SPAN_INIT(
		  "Resent-From: r@x\nResent-Date: d\nResent-Message-ID: <11@x>\nResent-To: new@x\n"
		  "Resent-From: o@x\nResent-To: old@x\n"),
	  RECEIVED "Resent-From: r@x\r\nResent-Date: d\r\nResent-Message-ID: <11@x>\r\n"
		   "Resent-To: new@x\r\nResent-From: o@x\r\nResent-To: old@x\r\n\r\n",
	  "new@x", "<11@x>", false, false },
	{ "a trace above a Resent block does not end it",
	  SPAN_INIT(
		  "Received: by y; d\nResent-From: r@x\nResent-Date: d\nResent-Message-ID: <12@x>\n"
		  "Resent-To: r@x\n"),
	  RECEIVED "Received: by y; d\r\nResent-From: r@x\r\nResent-Date: d\r\n"
		   "Resent-Message-ID: <12@x>\r\nResent-To: r@x\r\n\r\n",
	  "r@x", "<12@x>", false, false },
};

static void join(const struct fixup_recipients *r, struct buf *out) {
	for (size_t i = 0; i < r->count; i++)
		buf_addf(out, "%s%s", i ? "," : "", r->address[i]);
}

static void test_headers(void) {
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(10000), list = BUF_INIT(1000);
		struct fixup_params params = usual;
		struct fixup_recipients to = { .count = 0 };
		struct fixup_result result = { .has_8bit = false };
		struct err err = ERR_INIT;
		params.extract = true;
		int rc = fixup_header(headers[i].input, &params, &to, &out, &result,
				      &err);
		is_str(rc == 0 ? buf_str(&out) : err.msg, headers[i].want, "%s",
		       headers[i].label);
		join(&to, &list);
		is_str(buf_str(&list), headers[i].recipients, "and its recipients");
		is_str(result.message_id, headers[i].message_id, "and its Message-ID");
		ok(result.has_8bit == headers[i].has_8bit &&
			   result.has_header == !headers[i].no_header,
		   "and what was seen");
		fixup_recipients_release(&to);
	}
}

static void test_without_extract(void) {
	AUTO_BUF struct buf out = BUF_INIT(10000);
	struct fixup_recipients to = { .count = 0 };
	struct fixup_result result;
	is_int(fixup_header(SPAN("To: not readable\nBcc: x\n"), &usual, &to, &out,
			    &result, NULL),
	       0, "without -t nobody reads the lists");
	is_int(to.count, 0, "and nobody is added");
	ok(strstr(out.data, "Bcc") == NULL, "and Bcc goes all the same");
}

static const struct {
	const char *label;
	struct span from, name;
	const char *want; /* NULL: no From at all */
	bool has_8bit;
} froms[] = {
	{ "no name", SPAN_INIT("b@x"), SPAN_INIT(""), "\r\nFrom: b@x\r\n", false },
	{ "a local name", SPAN_INIT("root"), SPAN_INIT("root"),
	  "\r\nFrom: root <root>\r\n", false },
	{ "a name with a dot", SPAN_INIT("b@x"), SPAN_INIT("B. M"),
	  "\r\nFrom: \"B. M\" <b@x>\r\n", false },
	{ "a UTF-8 name", SPAN_INIT("b@x"),
	  SPAN_INIT("J\xc3\xbc"
		    "rg"),
	  "\r\nFrom: =?UTF-8?Q?J=C3=BCrg?= <b@x>\r\n", false },
	{ "a UTF-8 address", SPAN_INIT("\xc3\xbc@x"), SPAN_INIT(""),
	  "\r\nFrom: \xc3\xbc@x\r\n", true },
	{ "a name with a line end", SPAN_INIT("b@x"), SPAN_INIT("a\nBcc: y"),
	  "\r\nFrom: \"a Bcc: y\" <b@x>\r\n", false },
	{ "no address", SPAN_INIT("a b>\r\nBcc: c"), SPAN_INIT("x"), NULL, false },
};

static void test_from(void) {
	for (size_t i = 0; i < sizeof(froms) / sizeof(froms[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(10000);
		struct fixup_params params = usual;
		struct fixup_result result;
		params.from = froms[i].from;
		params.from_name = froms[i].name;
		fixup_header(SPAN("X: y\n"), &params, NULL, &out, &result, NULL);
		if (froms[i].want)
			ok(strstr(out.data, froms[i].want) != NULL, "From with %s",
			   froms[i].label);
		else
			ok(strstr(out.data, "From:") == NULL, "From with %s is left out",
			   froms[i].label);
		ok(result.has_8bit == froms[i].has_8bit, "and its 8-bit flag is right");
	}
}

static void test_hostile_params(void) {
	AUTO_BUF struct buf out = BUF_INIT(10000);
	struct fixup_params params = usual;
	struct fixup_result result;
	params.host = SPAN("a\r\nX: y>");
	params.received = SPAN("b)\r\nY: (\\");
	fixup_header(SPAN("From: a@x\nDate: d\n"), &params, NULL, &out, &result, NULL);
	ok(span_starts(buf_span(&out),
		       SPAN("Received: by a--X--y- (nightmail, b---Y: --) id 0")),
	   "no byte of host or origin makes a line or ends the comment");
	is_str(result.message_id, "<0123456789ABCDEF@a--X--y->",
	       "nor breaks the Message-ID");
}

static void test_errors(void) {
	static const struct {
		const char *label;
		struct span input;
		enum err_kind want;
		const char *msg;
	} cases[] = {
		{ "a NUL", SPAN_INIT("Subject: a\0b\n"), ERR_SYNTAX,
		  "header has a NUL byte" },
		{ "a list that cannot be read", SPAN_INIT("To: a b\n"), ERR_SYNTAX,
		  "To: no address can be read at \"a b\"" },
		{ "too many recipients", SPAN_INIT("To: a@x, b@x\ncc: c@x, d@x\n"),
		  ERR_LIMIT, "cc: more than 3 recipients" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(10000);
		struct fixup_params params = usual;
		struct fixup_recipients to = { .count = 0 };
		struct fixup_result result;
		struct err err = ERR_INIT;
		params.extract = true;
		params.recipients_max = 3;
		is_int(fixup_header(cases[i].input, &params, &to, &out, &result, &err),
		       -1, "%s fails", cases[i].label);
		is_int(err.kind, cases[i].want, "with the right kind");
		is_str(err.msg, cases[i].msg, "and words");
		fixup_recipients_release(&to);
	}
}

/* At no ceiling is the result taken for whole. */
static void test_ceiling(void) {
	bool all = true;
	size_t max = 0;
	for (int rc = -1; rc != 0 && max < 1000; max++) {
		AUTO_BUF struct buf out = BUF_INIT(max);
		struct fixup_result result;
		struct err err = ERR_INIT;
		rc = fixup_header(SPAN("Subject: x\nBcc: z\nY: z\n"), &usual, NULL, &out,
				  &result, &err);
		all = all && (rc == 0 ? out.len == max : err.kind == ERR_LIMIT);
	}
	ok(all && max > 200 && max < 1000,
	   "every ceiling below the result's length fails");
	AUTO_BUF struct buf out = BUF_INIT(64u << 20);
	struct fixup_result result;
	struct err err = ERR_INIT;
	char *big = malloc(HEADER_BLOCK_MAX + 2);
	memset(big, 'a', HEADER_BLOCK_MAX + 2);
	memcpy(big, "X: ", 3);
	big[HEADER_BLOCK_MAX - 1] = '\n';
	is_int(fixup_header(span_of(big, HEADER_BLOCK_MAX), &usual, NULL, &out, &result,
			    &err),
	       0, "a header of the greatest length passes");
	is_int(fixup_header(span_of(big, HEADER_BLOCK_MAX + 1), &usual, NULL, &out,
			    &result, &err),
	       -1, "one octet more does not");
	is_int(err.kind, ERR_LIMIT, "and that is a limit");
	free(big);
}

static void test_recipients(void) {
	struct fixup_recipients to = { .count = 0 };
	AUTO_BUF struct buf address = BUF_INIT(100);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5000; i++) {
			buf_reset(&address);
			buf_addf(&address, "user%d@%s", i,
				 round ? "EXAMPLE.org" : "example.ORG");
			fixup_recipients_add(&to, buf_span(&address), 5000, NULL);
		}
	}
	is_int(to.count, 5000, "five thousand recipients are there once each");
	is_str(to.address[4999], "user4999@example.ORG",
	       "in their order, as first written");
	is_int(fixup_recipients_add(&to, SPAN("user7@example.org"), 5000, NULL), 0,
	       "one that is there passes at the limit");
	is_int(fixup_recipients_add(&to, SPAN("USER7@example.org"), 5000, NULL), -1,
	       "another local part does not");
	is_int(fixup_recipients_add(&to, SPAN("a\0b"), 6000, NULL), -1,
	       "a NUL is refused");
	fixup_recipients_release(&to);
	is_int(to.count, 0, "released, the list is empty");
	is_int(fixup_recipients_add(&to, SPAN("root"), 1, NULL), 0,
	       "and can be used again");
	is_int(fixup_recipients_add(&to, SPAN("ROOT"), 1, NULL), -1,
	       "a local name is compared exactly");
	fixup_recipients_release(&to);
}

/* "TLS-Required: No" counts when it stands there once, and nothing asks for TLS. */
static void test_tls_required(void) {
	static const struct {
		const char *label, *header;
		bool want;
	} rows[] = {
		{ "one No", "From: a@x\nTLS-Required: No\n", true },
		{ "in other letters", "tls-required:\n\tnO \nFrom: a@x\n", true },
		{ "another value", "From: a@x\nTLS-Required: Yes\n", false },
		{ "more than No", "From: a@x\nTLS-Required: No, really\n", false },
		{ "two fields", "From: a@x\nTLS-Required: No\nTLS-Required: No\n", false },
		{ "a second one that says something else",
		  "From: a@x\nTLS-Required: No\nTLS-Required: x\n", false },
		{ "a wish for TLS", "From: a@x\nTLS-Required: No\nX-Nightmail: tls=required\n",
		  false },
		{ "none", "From: a@x\n", false },
	};
	struct fixup_params p = usual;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(65536);
		struct fixup_recipients none = { .count = 0 };
		struct fixup_result seen = { .has_8bit = false };
		struct span in = span_str(rows[i].header);
		int r = fixup_header(in, &p, &none, &out, &seen, &err);
		ok(r == 0 && wishes_tls_optional(&seen.wishes) == rows[i].want,
		   "TLS-Required: %s", rows[i].label);
		fixup_recipients_release(&none);
	}
}

/* Where the message goes on to who reads them, the wishes stay; and they are told. */
static void test_wishes(void) {
	struct span in = SPAN("From: a@x\nX-Nightmail: priority=high relay=office\n");
	struct fixup_params p = usual;
	struct fixup_recipients none = { .count = 0 };
	struct fixup_result seen = { .received = 0 };
	struct err err = ERR_INIT;
	AUTO_BUF struct buf out = BUF_INIT(4096);
	p.keep_wishes = true;
	is_int(fixup_header(in, &p, &none, &out, &seen, &err), 0, "wishes are read %s", err.msg);
	ok(seen.wishes.has_priority && seen.wishes.priority == PRIORITY_HIGH, "a priority is told");
	is_str(seen.wishes.relay, "office", "and a relay");
	ok(strstr(buf_str(&out), "X-Nightmail: priority=high relay=office\r\n"),
	   "they stay for who reads them");
	is_int(fixup_header(SPAN("X-Nightmail: soon\n"), &p, &none, &out, &seen, &err), -1,
	       "what is not understood is refused");
	ok(strstr(err.msg, "X-Nightmail"), "with the name of the field");
	fixup_recipients_release(&none);
}

int main(void) {
	setenv("TZ", "UTC", 1);
	tzset();
	test_headers();
	test_without_extract();
	test_from();
	test_hostile_params();
	test_errors();
	test_ceiling();
	test_recipients();
	test_wishes();
	test_tls_required();
	return done_testing();
}
