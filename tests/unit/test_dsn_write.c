/* Notices: a whole one word by word, and that no byte from elsewhere breaks the frame. */

#include "mail/dsn_write.h"

#include <stdlib.h>
#include <time.h>

#include "mail/header.h"

#include "tap.h"

static const struct dsn_params usual = {
	.id = SPAN_INIT("0BOUNCE0"),
	.host = SPAN_INIT("relay.example.org"),
	.to = SPAN_INIT("alice@example.org"),
	.original_id = SPAN_INIT("0ORIGIN0"),
	.arrival_s = 1795313000,
	.now_s = 1795313189,
};

static const struct dsn_recipient refused = {
	.address = SPAN_INIT("bob@example.net"),
	.orcpt = SPAN_INIT("rfc822;Bob@example.net"),
	.action = DSN_FAILED,
	.status = { 5, 1, 1 },
	.remote = SPAN_INIT("mx1.example.net"),
	.reply = SPAN_INIT("550 5.1.1 no such user"),
	.is_remote = true,
	.last_attempt_s = 1795313100,
};

static const char whole[] =
	"Message-ID: <0BOUNCE0@relay.example.org>\r\n"
	"Date: Sun, 22 Nov 2026 02:06:29 +0000\r\n"
	"From: Mail Delivery System <MAILER-DAEMON@relay.example.org>\r\n"
	"To: <alice@example.org>\r\n"
	"Subject: Mail could not be delivered: bob@example.net\r\n"
	"Auto-Submitted: auto-replied\r\n"
	"MIME-Version: 1.0\r\n"
	"Content-Type: multipart/report; report-type=delivery-status;\r\n"
	"\tboundary=\"=_0BOUNCE0/report\"\r\n"
	"\r\n"
	"This is a delivery report in several parts (MIME).\r\n"
	"\r\n"
	"--=_0BOUNCE0/report\r\n"
	"Content-Type: text/plain; charset=us-ascii\r\n"
	"\r\n"
	"This is the mail relay on relay.example.org.\r\n"
	"\r\n"
	"Your message of Sun, 22 Nov 2026 02:03:20 +0000 (queue ID 0ORIGIN0)\r\n"
	"could not be delivered. This relay does not try again.\r\n"
	"\r\n"
	"  bob@example.net\r\n"
	"    not delivered: bad destination mailbox address (5.1.1)\r\n"
	"    mx1.example.net said:\r\n"
	"        550 5.1.1 no such user\r\n"
	"    Check the address for a typing mistake, or ask the recipient for the\r\n"
	"    current one.\r\n"
	"\r\n"
	"The header of your message follows.\r\n"
	"\r\n"
	"--=_0BOUNCE0/report\r\n"
	"Content-Type: message/delivery-status\r\n"
	"\r\n"
	"Reporting-MTA: dns; relay.example.org\r\n"
	"X-Nightmail-Queue-ID: 0ORIGIN0\r\n"
	"Arrival-Date: Sun, 22 Nov 2026 02:03:20 +0000\r\n"
	"\r\n"
	"Original-Recipient: rfc822; Bob@example.net\r\n"
	"Final-Recipient: rfc822; bob@example.net\r\n"
	"Action: failed\r\n"
	"Status: 5.1.1\r\n"
	"Remote-MTA: dns; mx1.example.net\r\n"
	"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
	"Last-Attempt-Date: Sun, 22 Nov 2026 02:05:00 +0000\r\n"
	"\r\n"
	"--=_0BOUNCE0/report\r\n"
	"Content-Type: text/rfc822-headers\r\n"
	"\r\n"
	"X: y\r\n"
	"\r\n"
	"--=_0BOUNCE0/report--\r\n";

static void write_notice(struct buf *out, const struct dsn_params *p,
			 const struct dsn_recipient *r, size_t count) {
	dsn_write_head(out, p, r, count);
	buf_adds(out, "X: y\r\n");
	dsn_write_tail(out, p);
}

static void test_whole(void) {
	AUTO_BUF struct buf out = BUF_INIT(1 << 20);
	write_notice(&out, &usual, &refused, 1);
	is_str(buf_str(&out), whole, "a bounce is as written here");
}

/* Each row is found in the notice that differs from the usual one in one thing. */
static void test_variants(void) {
	struct dsn_recipient r[2] = { refused, refused };
	struct dsn_params p = usual;
	r[1].action = DSN_DELAYED;
	r[1].status = (struct mail_status){ 0, 0, 0 };
	r[1].is_remote = false;
	r[1].retry_until_s = 1795399589;
	p.envid = SPAN("a b");
	p.return_full = true;
	p.original_utf8 = true;
	r[1].address = SPAN("j\xc3\xbc@m\xc3\xbc.de");
	AUTO_BUF struct buf out = BUF_INIT(1 << 20);
	write_notice(&out, &p, r, 2);
	static const char *const wants[] = {
		"\r\nContent-Transfer-Encoding: 8bit\r\n\r\nThis is a delivery report",
		"could not be delivered to everybody.",
		"    This relay found:\r\n",
		"    This relay goes on trying until Mon, 23 Nov 2026 02:06:29 +0000.\r\n",
		"Original-Envelope-Id: a b\r\n",
		"Content-Type: message/global-delivery-status\r\n",
		"Final-Recipient: utf-8; j\xc3\xbc@m\xc3\xbc.de\r\n",
		"  j=C3=BC@m=C3=BC.de\r\n",
		"Action: delayed\r\nStatus: 4.0.0\r\nDiagnostic-Code: x-nightmail; 550",
		"Will-Retry-Until: Mon, 23 Nov 2026 02:06:29 +0000\r\n",
		"Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nX: y",
	};
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		ok(strstr(out.data, wants[i]) != NULL, "the notice has %.50s", wants[i]);
	static const struct {
		enum dsn_action action;
		const char *subject, *action_line;
	} actions[] = {
		{ DSN_DELAYED, "Subject: Mail is delayed: bob",
		  "Action: delayed\r\nStatus: 5.1.1" },
		{ DSN_DELIVERED, "Subject: Mail was delivered: bob",
		  "Action: delivered\r\n" },
		{ DSN_RELAYED, "Subject: Mail was passed on: bob",
		  "Action: relayed\r\n" },
	};
	for (size_t i = 0; i < 3; i++) {
		buf_reset(&out);
		r[0].action = actions[i].action;
		write_notice(&out, &usual, r, 1);
		ok(strstr(out.data, actions[i].subject) &&
			   strstr(out.data, actions[i].action_line),
		   "a notice with %s", actions[i].action_line);
	}
}

/* In a 7-bit part: RFC 6533 section 3 wants these three escaped too, but not in ASCII ones. */
static void test_utf8_in_7bit(void) {
	struct dsn_recipient r = refused;
	AUTO_BUF struct buf out = BUF_INIT(1 << 20);
	r.address = SPAN("j\xc3\xbc+a=\\@x.org");
	write_notice(&out, &usual, &r, 1);
	ok(strstr(out.data,
		  "Final-Recipient: utf-8; j\\x{FC}\\x{2B}a\\x{3D}\\x{5C}@x.org\r\n"),
	   "a UTF-8 address in a 7-bit part is one of its own grammar");
	buf_reset(&out);
	r.address = SPAN("a+b=c@x.org");
	write_notice(&out, &usual, &r, 1);
	ok(strstr(out.data, "Final-Recipient: rfc822; a+b=c@x.org\r\n"),
	   "an ASCII address stays what it is");
}

static size_t count_lines_with(struct span text, const char *prefix) {
	struct span line;
	size_t n = 0;
	while (span_take_line(&text, &line))
		n += span_starts(line, span_str(prefix));
	return n;
}

/* Every line is CRLF-ended, 7-bit, printable, and at most 998 octets. */
static bool is_clean(struct span text) {
	size_t column = 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool end = c == '\r' && i + 1 < text.len && text.p[i + 1] == '\n';
		bool after = c == '\n' && i > 0 && text.p[i - 1] == '\r';
		if (!end && !after && c != '\t' && (c < 0x20 || c >= 0x7f))
			return false;
		column = after ? 0 : column + 1;
		if (column > 999)
			return false;
	}
	return true;
}

static const struct {
	const char *label;
	struct span bytes;
} hostile[] = {
	{ "a boundary", SPAN_INIT("550\r\n--=_0BOUNCE0/report--\r\n") },
	{ "a boundary alone", SPAN_INIT("--=_0BOUNCE0/report") },
	{ "a header", SPAN_INIT("550\r\n\r\nSubject: gotcha\r\nAction: delivered\r\n") },
	{ "a bare LF", SPAN_INIT("550\nAction: delivered\n\n--=_0BOUNCE0/report--\n") },
	{ "a bare CR", SPAN_INIT("550\rAction: delivered\r--=_0BOUNCE0/report--\r") },
	{ "NUL and ESC", SPAN_INIT("550 \0 \x1b[31m \x7f\x80\xff") },
	{ "UTF-8 with Unicode line ends",
	  SPAN_INIT("550 \xe2\x80\xa8\xc2\x85Gr\xc3\xbc\xc3\x9f"
		    "e") },
	{ "nothing but blanks", SPAN_INIT(" \r\n\t ") },
};

static void test_hostile(void) {
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct dsn_recipient r = refused;
		struct dsn_params p = usual;
		r.reply = r.remote = r.orcpt = r.address = hostile[i].bytes;
		p.envid = p.original_id = hostile[i].bytes;
		AUTO_BUF struct buf out = BUF_INIT(1 << 20);
		write_notice(&out, &p, &r, 1);
		struct span text = buf_span(&out);
		ok(is_clean(text), "%s leaves clean lines", hostile[i].label);
		is_int(count_lines_with(text, "--=_0BOUNCE0/report"), 4,
		       "and four boundaries");
		is_int(count_lines_with(text, "Action:"), 1, "and one action");
		is_int(count_lines_with(text, "Subject:"), 1, "and one subject");
	}
}

static void test_long(void) {
	AUTO_BUF struct buf blob = BUF_INIT(10000), words = BUF_INIT(10000),
			    out = BUF_INIT(1 << 20);
	for (int i = 0; i < 3000; i++)
		buf_adds(&blob, "x"), buf_adds(&words, i % 7 ? "w" : " ");
	struct dsn_recipient r = refused;
	r.reply = buf_span(&blob);
	r.remote = buf_span(&blob);
	write_notice(&out, &usual, &r, 1);
	ok(is_clean(buf_span(&out)), "a reply without blanks is broken by force");
	buf_reset(&out);
	memset(blob.data, 0xff, 480);
	r.reply = span_of(blob.data, 480);
	write_notice(&out, &usual, &r, 1);
	ok(is_clean(buf_span(&out)), "so is one that grows by its escapes");
	buf_reset(&out);
	r.reply = buf_span(&words);
	r.remote = refused.remote;
	write_notice(&out, &usual, &r, 1);
	struct span rest = buf_span(&out), line;
	size_t longest = 0;
	while (span_take_line(&rest, &line))
		longest = line.len > longest ? line.len : longest;
	ok(longest <= 78, "a long reply is folded at its blanks");
}

static void test_many(void) {
	enum { MANY = 3000 };
	struct dsn_recipient *r = calloc(MANY, sizeof(*r));
	static char bytes[480];
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t i = 0; i < MANY; i++) {
		r[i] = refused;
		r[i].reply = span_of(bytes, sizeof(bytes));
	}
	AUTO_BUF struct buf out = BUF_INIT(64u << 20);
	is_int(dsn_write_head(&out, &usual, r, MANY), 0, "thousands of recipients fit");
	is_int(count_lines_with(buf_span(&out), "Final-Recipient:"), MANY,
	       "and all are listed");
	ok(strstr(out.data, "  and 2950 more recipients;") != NULL,
	   "the words stop after fifty");
	ok(strstr(out.data,
		  "Subject: Mail could not be delivered: 3000 recipients\r\n") != NULL,
	   "the subject counts them");
	AUTO_BUF struct buf small = BUF_INIT(1000);
	is_int(dsn_write_head(&small, &usual, r, 1), -1, "a full buffer fails");
	is_int(dsn_write_tail(&small, &usual), -1, "and stays failed");
	free(r);
}

int main(void) {
	setenv("TZ", "UTC", 1);
	tzset();
	test_whole();
	test_variants();
	test_utf8_in_7bit();
	test_hostile();
	test_long();
	test_many();
	return done_testing();
}
