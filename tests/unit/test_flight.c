/* One flight against servers that say everything beforehand and then leave. */

#include <sys/socket.h>
#include <unistd.h>

#include "submit/flight.h"
#include "tap.h"

#define HELLO "220 here\r\n250-here\r\n250 SIZE 1000\r\n"

static const struct flight_case {
	const char *label;
	bool again; /* EHLO was said before */
	size_t recipients;
	const char *replies;
	enum flight_end want;
	int code; /* of the reply that decides; 0: none does */
} cases[] = {
	{ "all accepted is queued", false, 1,
	  HELLO "250 ok\r\n250 ok\r\n250 queued as X\r\n", FLIGHT_QUEUED, 250 },
	{ "a second message needs no greeting", true, 1,
	  "250 ok\r\n250 ok\r\n250 queued as X\r\n", FLIGHT_QUEUED, 250 },
	{ "two recipients, both accepted", false, 2,
	  HELLO "250 ok\r\n250 ok\r\n250 ok\r\n250 queued as X\r\n", FLIGHT_QUEUED, 250 },
	{ "a refused sender is the reason, not what follows of it", false, 1,
	  HELLO "451 4.3.0 over the limit\r\n503 no\r\n503 no\r\n", FLIGHT_REFUSED, 451 },
	{ "a refused recipient", false, 1, HELLO "250 ok\r\n553 no\r\n554 none\r\n",
	  FLIGHT_REFUSED, 553 },
	{ "the second of two recipients refused: no content", false, 2,
	  HELLO "250 ok\r\n250 ok\r\n553 no\r\n", FLIGHT_REFUSED, 553 },
	{ "no room for the content", false, 1,
	  HELLO "250 ok\r\n250 ok\r\n452 4.3.1 full\r\n", FLIGHT_REFUSED, 452 },
	{ "something else than a verdict on the content", false, 1,
	  HELLO "250 ok\r\n250 ok\r\n354 go on\r\n", FLIGHT_REFUSED, 354 },
	{ "no session free", false, 1, "421 4.7.0 too many\r\n", FLIGHT_NOT_TAKEN, 421 },
	{ "stopped behind the greeting", false, 1, "220 here\r\n421 4.3.2 stopping\r\n",
	  FLIGHT_NOT_TAKEN, 421 },
	{ "gone without a word", false, 1, "", FLIGHT_NOT_TAKEN, 421 },
	{ "a second message: gone without a word", true, 1, "", FLIGHT_BROKEN, 0 },
	{ "gone behind the greeting", false, 1, "220 here\r\n", FLIGHT_BROKEN, 0 },
	{ "gone within the greeting's reply", false, 1, "220 here\r\n250-he", FLIGHT_BROKEN, 0 },
	{ "gone behind EHLO", false, 1, HELLO, FLIGHT_BROKEN, 0 },
	{ "gone behind MAIL", false, 1, HELLO "250 ok\r\n", FLIGHT_BROKEN, 0 },
	{ "gone behind RCPT", false, 1, HELLO "250 ok\r\n250 ok\r\n", FLIGHT_BROKEN, 0 },
	{ "gone behind the RCPT of two", false, 2, HELLO "250 ok\r\n250 ok\r\n250 ok\r\n",
	  FLIGHT_BROKEN, 0 },
	{ "gone within the last reply", false, 1, HELLO "250 ok\r\n250 ok\r\n250 queued",
	  FLIGHT_BROKEN, 0 },
	{ "sent away in the middle", false, 1, HELLO "250 ok\r\n421 4.3.0 leaving\r\n",
	  FLIGHT_REFUSED, 421 },
	{ "no SMTP at all", false, 1, "hello\r\n", FLIGHT_BROKEN, 0 },
};

static void test_case(const struct flight_case *c) {
	const struct smtp_recipient to[] = { { .address = SPAN("a@x.example") },
					     { .address = SPAN("b@x.example") } };
	const struct smtp_transaction t = { .from = SPAN("me@x.example"),
					    .to = to,
					    .to_count = c->recipients };
	struct smtp_reply reply = { .code = 0 };
	struct err err = ERR_INIT;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		ok(false, "a socket pair");
		return;
	}
	const struct flight f = { .fd = ends[0],
				  .path = "submit",
				  .helo = c->again ? NULL : "me",
				  .t = &t,
				  .content = SPAN("Subject: x\r\n\r\nHello\r\n"),
				  .timeout_ms = 60000 };
	size_t len = strlen(c->replies);
	ok(write(ends[1], c->replies, len) == (ssize_t)len &&
		   shutdown(ends[1], SHUT_WR) == 0 &&
		   flight_run(&f, &reply, &err) == c->want && reply.code == c->code,
	   "%s", c->label);
	close(ends[0]);
	close(ends[1]);
}

int main(void) {
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_case(&cases[i]);
	return done_testing();
}
