/* Which replies are greylisting, and when they want us back: as servers really word them. */

#include "deliver/greylist.h"

#include <stdio.h>

#include "tap.h"

static const struct {
	const char *label;
	const char *reply; /* as it stands on the wire, one line */
	int64_t minutes;   /* 0: no greylisting */
} replies[] = {
	{ "Postgrey",
	  "450 4.2.0 <bob@example.org>: Recipient address rejected: Greylisted, see "
	  "http://postgrey.schweikert.ch/help/example.org.html",
	  5 },
	{ "SQLgrey",
	  "450 4.7.1 <bob@example.org>: Recipient address rejected: Greylisted for 10 minutes",
	  10 },
	{ "milter-greylist",
	  "451 4.7.1 Greylisting in action, please come back in 00:14:59", 15 },
	{ "cbpolicyd",
	  "450 4.7.1 <bob@example.org>: Recipient address rejected: Greylisting in effect, please "
	  "come back later",
	  5 },
	{ "a seconds count", "451 4.7.1 Greylisted, please try again in 900 seconds",
	  15 },
	{ "Rspamd", "451 4.7.1 Try again later", 5 },
	{ "qmail-spp", "451 GL - temporary problem. Try again later.", 5 },
	{ "OpenBSD spamd", "451 Temporary failure, please try again later.", 5 },
	{ "greylistd with Exim",
	  "451 192.0.2.1 is not yet authorized to deliver mail from <a@example.net> to "
	  "<b@example.org>. Please try later.",
	  5 },
	{ "postscreen after its deep tests", "450 4.3.2 Service currently unavailable",
	  5 },
	{ "Mimecast",
	  "451 Internal resources are temporarily unavailable - https://www.example.com/#451",
	  5 },
	{ "a full mailbox",
	  "452 4.2.2 The email account that you tried to reach is over quota", 0 },
	{ "a busy server", "451 4.7.500 Server busy. Please try again later", 0 },
	{ "a local error", "451 4.3.0 Temporary lookup failure", 0 },
	{ "a refusal for good", "550 5.7.1 greylist says no", 0 },
	{ "postscreen that closes", "421 4.3.2 All server ports are busy", 0 },
};

static void test_replies(void) {
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		AUTO_BUF struct buf wire = BUF_INIT(1024);
		struct smtp_reply_parser parser = { .lines = 0 };
		struct smtp_reply r;
		buf_addf(&wire, "%s\r\n", replies[i].reply);
		struct span in = buf_span(&wire);
		struct err err = ERR_INIT;
		is_int(smtp_reply_feed(&parser, &in, &r, &err), 1,
		       "%s: the reply is understood", replies[i].label);
		is_int(greylist_is(&r), replies[i].minutes > 0, "%s: %s",
		       replies[i].label,
		       replies[i].minutes ? "greylisting" : "is something else");
		if (replies[i].minutes)
			is_int((greylist_delay_ms(span_str(replies[i].reply)) + 1000) /
				       60000,
			       replies[i].minutes, "%s: back in %lld minutes",
			       replies[i].label, (long long)replies[i].minutes);
	}
}

static void test_our_own_words(void) {
	struct smtp_reply r = smtp_reply_local(451, 4, 0, "greylist.example: no answer");
	is_int(greylist_is(&r), 0, "our own words about a server are never greylisting");
}

static void test_delay(void) {
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "Greylisted, please try again in 300 seconds", 301 },
		{ "Greylisting in action, please come back in 00:04:57", 298 },
		{ "come back in 04:57", 298 },
		{ "try again in 5 minutes", 301 },
		{ "greylisted for 5 minutes and 30 seconds", 331 },
		{ "greylisted (60s)", 61 },
		{ "retry after 2min", 121 },
		{ "retry in 10m", 601 },
		{ "try in 10-min", 601 },
		{ "greylisted; retry in 1 hour", 3600 },
		{ "retry in 23 hours", 3600 },
		{ "retry in 1 second", 10 },
		{ "greylisted", 300 },
		{ "Greylisted, see http://postgrey.schweikert.ch/help/example.org.html",
		  300 },
		{ "greylisted mx5s.example 192.0.2.60 id 4F2A1m", 300 },
		{ "greylisted at 2026:99", 300 },
		{ "", 300 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(greylist_delay_ms(span_str(rows[i].text)) / 1000, rows[i].seconds,
		       "the pause in \"%s\"", rows[i].text);
	is_int(greylist_delay_ms(SPAN("a\0 60 s")) / 1000, 61,
	       "a NUL in the text does no harm");
	is_int(greylist_delay_ms(SPAN("in 99999999999999999999 s")) / 1000, 300,
	       "a number past all bounds is none");
}

int main(void) {
	test_replies();
	test_our_own_words();
	test_delay();
	return done_testing();
}
