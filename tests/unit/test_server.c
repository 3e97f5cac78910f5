/* The server machine: what it answers, what it asks its caller, and where content ends. */

#include "smtp/server.h"

#include <stdlib.h>

#include "base/auto.h"
#include "smtp/server_machine.h"
#include "tap.h"

#define TEXT_MAX (1 << 20)

/* A caller that refuses some names, and takes the response "ok" of any mechanism. */
struct caller {
	struct smtp_server *s;
	struct buf said, events, content;
};

static void answer(struct smtp_server *s, struct span path) {
	if (span_starts(path, SPAN("refused@")))
		smtp_server_answer(s, 550, "5.1.1 no such user");
	else if (span_starts(path, SPAN("smuggler@")))
		smtp_server_answer(s, 550, "5.7.1 no\r\n250 yes");
	else if (span_starts(path, SPAN("away@")))
		smtp_server_answer(s, 421, "4.3.2 closing");
	else
		smtp_server_answer(s, 0, NULL);
}

static void field(struct buf *b, const char *key, struct span value) {
	if (!value.p)
		return;
	buf_addf(b, " %s=", key);
	buf_add(b, value);
}

static void on_envelope(struct caller *c, const char *name,
			const struct smtp_server_note *n) {
	struct buf *b = &c->events;
	buf_addf(b, "%s ", name);
	buf_add(b, n->path);
	if (n->size)
		buf_addf(b, " size=%d", (int)n->size);
	if (n->body_8bit)
		buf_adds(b, " 8bit");
	if (n->requiretls)
		buf_adds(b, " requiretls");
	if (n->smtputf8)
		buf_adds(b, " utf8");
	field(b, "ret", n->ret);
	field(b, "envid", n->envid);
	field(b, "notify", n->notify);
	field(b, "orcpt", n->orcpt);
	buf_addc(b, ';');
	answer(c->s, n->path);
}

static void on_auth(struct caller *c, const struct smtp_server_note *n) {
	buf_adds(&c->events, "AUTH ");
	buf_add(&c->events, n->text);
	field(&c->events, "data", n->data);
	buf_addc(&c->events, ';');
	smtp_server_answer(c->s, 0, NULL); /* no way to accept */
	if (n->data.len == 5)
		smtp_server_answer(c->s, 454, "4.7.0 later");
	else if (!n->data.p)
		smtp_server_auth_challenge(c->s, SPAN("who?"));
	else
		smtp_server_auth_done(c->s, span_eq(n->data, SPAN("ok")));
}

static void act(struct caller *c) {
	static const char *const flaws[] = { "", " newline", " nul", " big" };
	struct smtp_server_note n;
	enum smtp_server_event ev;
	struct buf *b = &c->events;
	while ((ev = smtp_server_next(c->s, &n)) != SMTP_SERVER_NONE) {
		if (ev == SMTP_SERVER_HELO) {
			field(b, "HELO", n.text);
			buf_addc(b, ';');
			smtp_server_answer(c->s, 0, NULL);
		} else if (ev == SMTP_SERVER_AUTH) {
			on_auth(c, &n);
		} else if (ev == SMTP_SERVER_MAIL) {
			on_envelope(c, "MAIL", &n);
		} else if (ev == SMTP_SERVER_RCPT) {
			on_envelope(c, "RCPT", &n);
		} else if (ev == SMTP_SERVER_DATA) {
			buf_reset(&c->content);
			smtp_server_answer(c->s, 0, NULL);
		} else if (ev == SMTP_SERVER_CONTENT) {
			buf_add(&c->content, n.data);
		} else if (ev == SMTP_SERVER_DATA_END) {
			buf_addf(b, "END%s[", flaws[n.flaw]);
			buf_add(b, buf_span(&c->content));
			buf_adds(b, "];");
			if (n.flaw != SMTP_FLAW_NONE)
				smtp_server_answer(c->s, 554, "5.6.0 bad content");
			else
				smtp_server_answer(c->s, 0, NULL);
		} else if (ev == SMTP_SERVER_RESET) {
			buf_adds(b, "RESET;");
		} else if (ev == SMTP_SERVER_WANT_TLS) {
			buf_adds(b, "TLS;");
		} else if (ev == SMTP_SERVER_QUIT) {
			buf_adds(b, "QUIT;");
		} else {
			buf_adds(b, "CLOSE;");
		}
	}
	struct span out = smtp_server_output(c->s);
	buf_add(&c->said, out);
	smtp_server_sent(c->s, out.len);
}

static void caller_init(struct caller *c, const struct smtp_server_params *params) {
	c->s = smtp_server_new(params);
	buf_init(&c->said, TEXT_MAX);
	buf_init(&c->events, TEXT_MAX);
	buf_init(&c->content, TEXT_MAX);
	act(c);
}

static void caller_release(struct caller *c) {
	smtp_server_free(c->s);
	buf_release(&c->said);
	buf_release(&c->events);
	buf_release(&c->content);
}

static void feed(struct caller *c, struct span in, size_t step) {
	for (size_t i = 0; i < in.len; i += step) {
		struct span piece = span_head(span_from(in, i), step);
		AUTO_FREE char *copy = malloc(piece.len);
		memcpy(copy, piece.p, piece.len);
		smtp_server_input(c->s, span_of(copy, piece.len));
		act(c);
	}
}

static const struct smtp_server_params usual = {
	.host = "mx.example",
	.size_max = 1000,
	.recipients_max = 2,
	.errors_max = 3,
	.offer_starttls = true,
	.auth_tls = "SCRAM-SHA-256 PLAIN",
	.auth_clear = "SCRAM-SHA-256",
	.pipelining = true,
	.eightbitmime = true,
	.smtputf8 = true,
	.dsn = true,
	.chunking = true,
	.idle_max = 8,
};

#define EXTENSIONS \
	"250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n" \
	"250-SMTPUTF8\r\n250-DSN\r\n250-CHUNKING\r\n"
#define HELLO "EHLO me\r\n"
#define HELLO_OK \
	EXTENSIONS "250-STARTTLS\r\n250-AUTH SCRAM-SHA-256\r\n250 ENHANCEDSTATUSCODES\r\n"
#define HELO_OK "250 mx.example\r\n"
#define OK_MAIL "250 2.1.0 sender ok\r\n"
#define OK_RCPT "250 2.1.5 recipient ok\r\n"
#define OK_DATA "354 end with a dot on a line of its own\r\n"
#define OK_END "250 2.0.0 accepted\r\n"
#define CHUNKS "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n"
#define CHUNKS_OK OK_MAIL OK_RCPT
#define BAD_END "554 5.6.0 bad content\r\n"
#define SO_FAR(n) "250 2.0.0 " #n " bytes so far\r\n"
#define ENVELOPE "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n"
#define ENVELOPE_OK OK_MAIL OK_RCPT OK_DATA
#define ENVELOPE_EVENTS "MAIL a@b.c;RCPT d@e.f;"

/* What is said to the greeted server, what it answers, what its caller saw. */
static const struct {
	const char *label, *input, *said, *events;
} dialogues[] = {
	{ "EHLO lists the extensions", "EHLO me.example\r\n",
	  HELLO_OK, " HELO=me.example;" },
	{ "EHLO without a name", "EHLO  \r\n", "501 5.5.4 say who you are: EHLO name\r\n",
	  "" },
	{ "a whole transaction in one flight",
	  HELLO ENVELOPE "Subject: x\r\n\r\n..a\r\n.\r\nQUIT\r\n",
	  HELLO_OK ENVELOPE_OK OK_END "221 2.0.0 bye\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END[Subject: x\r\n\r\n.a\r\n];QUIT;" },
	{ "an empty message", HELLO ENVELOPE ".\r\n", HELLO_OK ENVELOPE_OK OK_END,
	  " HELO=me;" ENVELOPE_EVENTS "END[];" },
	{ "two transactions", HELLO ENVELOPE "x\r\n.\r\n" ENVELOPE "y\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK OK_END ENVELOPE_OK OK_END,
	  " HELO=me;" ENVELOPE_EVENTS "END[x\r\n];" ENVELOPE_EVENTS "END[y\r\n];" },
	{ "commands in any case, blanks behind the colon",
	  "helo me\r\nmail from: <> size=10\r\nrcpt to: <d@e.f>\r\n",
	  HELO_OK OK_MAIL OK_RCPT, " HELO=me;MAIL  size=10;RCPT d@e.f;" },
	{ "commands that end in a bare LF", "HELO me\nNOOP x\n",
	  HELO_OK "250 2.0.0 ok\r\n", " HELO=me;" },
	{ "every parameter",
	  HELLO "MAIL FROM:<a@b.c> SIZE=5 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=q+2Bq\r\n"
		"RCPT TO:<d@e.f> NOTIFY=success,Delay ORCPT=rfc822;x+3Dy@z\r\n",
	  HELLO_OK OK_MAIL OK_RCPT,
	  " HELO=me;MAIL a@b.c size=5 8bit utf8 ret=HDRS envid=q+q;"
	  "RCPT d@e.f notify=success,Delay orcpt=rfc822;x=y@z;" },
	{ "ORCPT of type utf-8",
	  HELLO "MAIL FROM:<>\r\nRCPT TO:<d@e.f> ORCPT=utf-8;b\\x{FC}@z\r\n",
	  HELLO_OK OK_MAIL OK_RCPT,
	  " HELO=me;MAIL ;RCPT d@e.f orcpt=utf-8;b\xc3\xbc@z;" },
	{ "a message announced too big", HELLO "MAIL FROM:<> SIZE=1001\r\n",
	  HELLO_OK "552 5.3.4 message too big\r\n", " HELO=me;" },
	{ "an unknown parameter", HELLO "MAIL FROM:<> X=1\r\n",
	  HELLO_OK "555 5.5.4 unknown parameter\r\n", " HELO=me;" },
	{ "nothing of a refused MAIL or RCPT is left for the next",
	  HELLO "MAIL FROM:<a@b.c> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q X=1\r\n"
		"MAIL FROM:<>\r\n"
		"RCPT TO:<d@e.f> NOTIFY=DELAY ORCPT=rfc822;x X=1\r\nRCPT TO:<g@h.i>\r\n",
	  HELLO_OK "555 5.5.4 unknown parameter\r\n" OK_MAIL
		   "555 5.5.4 unknown parameter\r\n" OK_RCPT,
	  " HELO=me;MAIL ;RCPT g@h.i;" },
	{ "a parameter twice", HELLO "MAIL FROM:<> SIZE=1 SIZE=2\r\n",
	  HELLO_OK "501 5.5.4 parameter given twice\r\n", " HELO=me;" },
	{ "a parameter without a blank before it", HELLO "MAIL FROM:<>SIZE=1\r\n",
	  HELLO_OK "501 5.5.4 syntax error in the parameters\r\n", " HELO=me;" },
	{ "a line end in ENVID", HELLO "MAIL FROM:<> ENVID=a+0D+0Ab\r\n",
	  HELLO_OK "501 5.5.4 ENVID is no xtext\r\n", " HELO=me;" },
	{ "a wrong NOTIFY",
	  HELLO "MAIL FROM:<>\r\nRCPT TO:<a@b.c> NOTIFY=NEVER,SUCCESS\r\n",
	  HELLO_OK OK_MAIL "501 5.5.4 NOTIFY is NEVER, or SUCCESS, FAILURE, DELAY\r\n",
	  " HELO=me;MAIL ;" },
	{ "a UTF-8 address without SMTPUTF8", HELLO "MAIL FROM:<\xc3\xbc@b.c>\r\n",
	  HELLO_OK "553 5.6.7 this address needs SMTPUTF8\r\n", " HELO=me;" },
	{ "a UTF-8 recipient without SMTPUTF8",
	  HELLO "MAIL FROM:<>\r\nRCPT TO:<\xc3\xbc@b.c>\r\n",
	  HELLO_OK OK_MAIL "553 5.6.7 this address needs SMTPUTF8\r\n",
	  " HELO=me;MAIL ;" },
	{ "no brackets", HELLO "MAIL FROM:a@b.c\r\n",
	  HELLO_OK "501 5.1.7 syntax: MAIL FROM:<address>\r\n", " HELO=me;" },
	{ "the null path as recipient", HELLO "MAIL FROM:<>\r\nRCPT TO:<>\r\n",
	  HELLO_OK OK_MAIL "501 5.1.3 syntax: RCPT TO:<address>\r\n", " HELO=me;MAIL ;" },
	{ "MAIL before EHLO", "MAIL FROM:<>\r\n", "503 5.5.1 EHLO first\r\n", "" },
	{ "MAIL twice", HELLO "MAIL FROM:<>\r\nMAIL FROM:<>\r\n",
	  HELLO_OK OK_MAIL "503 5.5.1 a transaction is open\r\n", " HELO=me;MAIL ;" },
	{ "RCPT and DATA before MAIL", HELLO "RCPT TO:<a@b.c>\r\nDATA\r\n",
	  HELLO_OK "503 5.5.1 MAIL first\r\n503 5.5.1 MAIL first\r\n", " HELO=me;" },
	{ "DATA without a recipient",
	  HELLO "MAIL FROM:<>\r\nRCPT TO:<refused@b.c>\r\nDATA\r\n",
	  HELLO_OK OK_MAIL "550 5.1.1 no such user\r\n554 5.5.1 no valid recipient\r\n",
	  " HELO=me;MAIL ;RCPT refused@b.c;" },
	{ "one recipient too many",
	  HELLO
	  "MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<b@b.c>\r\nRCPT TO:<c@b.c>\r\n",
	  HELLO_OK OK_MAIL OK_RCPT OK_RCPT "452 4.5.3 too many recipients\r\n",
	  " HELO=me;MAIL ;RCPT a@b.c;RCPT b@b.c;" },
	{ "a refused sender", HELLO "MAIL FROM:<refused@b.c>\r\nRCPT TO:<a@b.c>\r\n",
	  HELLO_OK "550 5.1.1 no such user\r\n503 5.5.1 MAIL first\r\n",
	  " HELO=me;MAIL refused@b.c;" },
	{ "RSET forgets the envelope",
	  HELLO "MAIL FROM:<>\r\nRSET\r\nRCPT TO:<a@b.c>\r\n",
	  HELLO_OK OK_MAIL "250 2.0.0 ok\r\n503 5.5.1 MAIL first\r\n",
	  " HELO=me;MAIL ;RESET;" },
	{ "EHLO forgets the envelope", HELLO "MAIL FROM:<>\r\nHELO you\r\nDATA\r\n",
	  HELLO_OK OK_MAIL HELO_OK "503 5.5.1 MAIL first\r\n",
	  " HELO=me;MAIL ; HELO=you;RESET;" },
	{ "an answer never becomes two lines", HELLO "MAIL FROM:<smuggler@b.c>\r\n",
	  HELLO_OK "550 5.7.1 no??250 yes\r\n", " HELO=me;MAIL smuggler@b.c;" },
	{ "421 from the caller closes", HELLO "MAIL FROM:<away@b.c>\r\nNOOP\r\n",
	  HELLO_OK "421 4.3.2 closing\r\n", " HELO=me;MAIL away@b.c;CLOSE;" },
	{ "an argument where there is none", HELLO "RSET now\r\n",
	  HELLO_OK "501 5.5.4 this command has no argument\r\n", " HELO=me;" },
	{ "other verbs", "VRFY x\r\nHELP\r\nNOOP\r\n",
	  "252 2.5.2 send mail to find out\r\n214 2.0.0 this is SMTP as in RFC 5321\r\n250 2.0.0 ok\r\n",
	  "" },
	{ "too many bad commands close",
	  "GET / HTTP/1.1\r\nHost: x\r\n\r\nA: b\r\nNOOP\r\n",
	  "500 5.5.2 no such command\r\n500 5.5.2 no such command\r\n500 5.5.2 no such command\r\n"
	  "421 4.7.0 too many errors\r\n",
	  "CLOSE;" },
	{ "a NUL in a command", "HELO a\\0b\r\n",
	  "500 5.5.2 control character in a command\r\n", "" },
	{ "a bare CR in a command", "HELO a\rb\r\n",
	  "500 5.5.2 control character in a command\r\n", "" },
	{ "nothing is known behind QUIT", "QUIT\r\nNOOP\r\n", "221 2.0.0 bye\r\n",
	  "QUIT;" },
	{ "STARTTLS", "EHLO me\r\nMAIL FROM:<>\r\nSTARTTLS\r\nRSET\r\nSTARTTLS now\r\n",
	  HELLO_OK OK_MAIL
	  "503 5.5.1 not now\r\n250 2.0.0 ok\r\n501 5.5.4 this command has no argument\r\n",
	  " HELO=me;MAIL ;RESET;" },
	{ "AUTH with a challenge", HELLO "AUTH scram-sha-256\r\nb2s=\r\n",
	  HELLO_OK "334 d2hvPw==\r\n235 2.7.0 authenticated\r\n",
	  " HELO=me;AUTH SCRAM-SHA-256;AUTH  data=ok;" },
	{ "AUTH with an initial response", HELLO "AUTH SCRAM-SHA-256 b2s=\r\n",
	  HELLO_OK "235 2.7.0 authenticated\r\n",
	  " HELO=me;AUTH SCRAM-SHA-256 data=ok;" },
	{ "AUTH with an empty initial response", HELLO "AUTH SCRAM-SHA-256 =\r\n",
	  HELLO_OK "535 5.7.8 authentication failed\r\n",
	  " HELO=me;AUTH SCRAM-SHA-256 data=;" },
	{ "AUTH refused by the caller's own words",
	  HELLO "AUTH SCRAM-SHA-256 bGF0ZXI=\r\nNOOP\r\n",
	  HELLO_OK "454 4.7.0 later\r\n250 2.0.0 ok\r\n",
	  " HELO=me;AUTH SCRAM-SHA-256 data=later;" },
	{ "AUTH cancelled", HELLO "AUTH SCRAM-SHA-256\r\n*\r\nNOOP\r\n",
	  HELLO_OK
	  "334 d2hvPw==\r\n501 5.7.0 authentication cancelled\r\n250 2.0.0 ok\r\n",
	  " HELO=me;AUTH SCRAM-SHA-256;" },
	{ "AUTH that is not base64",
	  HELLO "AUTH SCRAM-SHA-256 b2s\r\nAUTH SCRAM-SHA-256\r\n!\r\n",
	  HELLO_OK
	  "501 5.5.2 response is not base64\r\n334 d2hvPw==\r\n501 5.5.2 response is not base64\r\n",
	  " HELO=me;AUTH SCRAM-SHA-256;" },
	{ "AUTH twice", HELLO "AUTH SCRAM-SHA-256 b2s=\r\nAUTH SCRAM-SHA-256 b2s=\r\n",
	  HELLO_OK "235 2.7.0 authenticated\r\n503 5.5.1 not now\r\n",
	  " HELO=me;AUTH SCRAM-SHA-256 data=ok;" },
	{ "a mechanism that needs TLS", HELLO "AUTH PLAIN b2s=\r\nAUTH FOO\r\n",
	  HELLO_OK
	  "538 5.7.11 this mechanism needs TLS\r\n504 5.5.4 this mechanism is not offered\r\n",
	  " HELO=me;" },

	{ "a bare LF dot LF ends nothing", HELLO ENVELOPE "x\n.\ny\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK "554 5.6.0 bad content\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END newline[x\n.\ny\r\n];" },
	{ "a bare CR dot CR ends nothing", HELLO ENVELOPE "x\r.\ry\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK "554 5.6.0 bad content\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END newline[x\r.\ry\r\n];" },
	{ "LF dot CRLF ends nothing", HELLO ENVELOPE "x\n.\r\ny\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK "554 5.6.0 bad content\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END newline[x\n.\r\ny\r\n];" },
	{ "CRLF dot LF ends nothing", HELLO ENVELOPE "x\r\n.\ny\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK "554 5.6.0 bad content\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END newline[x\r\n\ny\r\n];" },
	{ "CRLF dot CR ends nothing", HELLO ENVELOPE "x\r\n.\ry\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK "554 5.6.0 bad content\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END newline[x\r\n\ry\r\n];" },
	{ "CR CR LF dot ends nothing hidden", HELLO ENVELOPE "x\r\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK "554 5.6.0 bad content\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END newline[x\r\r\n];" },
	{ "two dots and text", HELLO ENVELOPE "..\r\n...\r\n.a\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK OK_END,
	  " HELO=me;" ENVELOPE_EVENTS "END[.\r\n..\r\na\r\n];" },
	{ "a NUL in content", HELLO ENVELOPE "x\\0y\r\n.\r\n",
	  HELLO_OK ENVELOPE_OK "554 5.6.0 bad content\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END nul[x\\0y\r\n];" },
	{ "BDAT with all in one chunk", HELLO CHUNKS "BDAT 5 LAST\r\n.\r\nx\r\nQUIT\r\n",
	  HELLO_OK CHUNKS_OK BAD_END "500 5.5.2 no such command\r\n221 2.0.0 bye\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "END newline[.\r\nx\r];QUIT;" },
	{ "BDAT in chunks that look like commands and dots",
	  HELLO CHUNKS "BDAT 8\r\n.\r\n..a\r\nBDAT 0\r\nbdat 6 last\r\nQUIT\r\n" CHUNKS
		       "BDAT 0 LAST\r\n",
	  HELLO_OK CHUNKS_OK SO_FAR(8) SO_FAR(8) OK_END CHUNKS_OK OK_END,
	  " HELO=me;" ENVELOPE_EVENTS "END[.\r\n..a\r\nQUIT\r\n];" ENVELOPE_EVENTS "END[];" },
	{ "BDAT cut between CR and LF", HELLO CHUNKS "BDAT 2\r\nx\rBDAT 1 LAST\r\n\n",
	  HELLO_OK CHUNKS_OK SO_FAR(2) OK_END, " HELO=me;" ENVELOPE_EVENTS "END[x\r\n];" },
	{ "BDAT with a CR at the border and no LF",
	  HELLO CHUNKS "BDAT 2\r\nx\rBDAT 3 LAST\r\ny\r\n",
	  HELLO_OK CHUNKS_OK SO_FAR(2) BAD_END,
	  " HELO=me;" ENVELOPE_EVENTS "END newline[x\ry\r\n];" },
	{ "BDAT with an LF at the border and no CR",
	  HELLO CHUNKS "BDAT 1\r\nxBDAT 4 LAST\r\n\ny\r\n",
	  HELLO_OK CHUNKS_OK SO_FAR(1) BAD_END,
	  " HELO=me;" ENVELOPE_EVENTS "END newline[x\ny\r\n];" },
	{ "BDAT with a bare LF in a chunk", HELLO CHUNKS "BDAT 4 LAST\r\nx\ny\n",
	  HELLO_OK CHUNKS_OK BAD_END, " HELO=me;" ENVELOPE_EVENTS "END newline[x\ny\n];" },
	{ "BDAT with a NUL", HELLO CHUNKS "BDAT 4 LAST\r\nx\\0\r\n",
	  HELLO_OK CHUNKS_OK BAD_END, " HELO=me;" ENVELOPE_EVENTS "END nul[x\\0\r\n];" },
	{ "BDAT without MAIL is swallowed, so are those behind it",
	  HELLO "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nNOOP\r\n" CHUNKS "BDAT 0 LAST\r\n",
	  HELLO_OK "503 5.5.1 MAIL first\r\n503 5.5.1 MAIL first\r\n" CHUNKS_OK OK_END,
	  " HELO=me;" ENVELOPE_EVENTS "END[];" },
	{ "BDAT without a recipient ends the transaction",
	  HELLO "MAIL FROM:<a@b.c>\r\nBDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\n" CHUNKS,
	  HELLO_OK OK_MAIL "554 5.5.1 no valid recipient\r\n503 5.5.1 MAIL first\r\n" CHUNKS_OK,
	  " HELO=me;MAIL a@b.c;RESET;" ENVELOPE_EVENTS },
	{ "RSET between chunks", HELLO CHUNKS "BDAT 1\r\nxRSET\r\nBDAT 1 LAST\r\ny",
	  HELLO_OK CHUNKS_OK SO_FAR(1) "250 2.0.0 ok\r\n503 5.5.1 MAIL first\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "RESET;" },
	{ "BDAT and DATA do not mix",
	  HELLO CHUNKS "BDAT 1\r\nxDATA\r\nRCPT TO:<x@y.z>\r\nBDAT 2 LAST\r\n\r\n",
	  HELLO_OK CHUNKS_OK SO_FAR(1)
	  "503 5.5.1 this message comes by BDAT\r\n503 5.5.1 MAIL first\r\n" OK_END,
	  " HELO=me;" ENVELOPE_EVENTS "END[x\r\n];" },
	{ "BDAT of unknown length ends the session", HELLO CHUNKS "BDAT 1x\r\nNOOP\r\n",
	  HELLO_OK CHUNKS_OK "501 5.5.4 syntax: BDAT size [LAST]\r\n",
	  " HELO=me;" ENVELOPE_EVENTS "CLOSE;" },
	{ "BDAT without LAST, no message", HELLO CHUNKS "BDAT 3\r\nx\r\n",
	  HELLO_OK CHUNKS_OK SO_FAR(3), " HELO=me;" ENVELOPE_EVENTS },
	{ "BINARYMIME is refused", HELLO "MAIL FROM:<> BODY=BINARYMIME\r\n",
	  HELLO_OK "501 5.5.4 BODY is 7BIT or 8BITMIME\r\n", " HELO=me;" },
	{ "commands that lead nowhere", HELLO "NOOP\r\nRSET\r\nNOOP\r\nRSET\r\nVRFY a\r\n"
		"HELP\r\nNOOP\r\nNOOP\r\n",
	  HELLO_OK "250 2.0.0 ok\r\n250 2.0.0 ok\r\n250 2.0.0 ok\r\n250 2.0.0 ok\r\n"
		   "252 2.5.2 send mail to find out\r\n214 2.0.0 this is SMTP as in RFC 5321\r\n"
		   "250 2.0.0 ok\r\n421 4.7.0 too many commands without a message\r\n",
	  " HELO=me;RESET;RESET;CLOSE;" },
	{ "a client that is refused for ever",
	  HELLO "MAIL FROM:<refused@b.c>\r\nMAIL FROM:<refused@b.c>\r\n"
		"MAIL FROM:<refused@b.c>\r\nMAIL FROM:<refused@b.c>\r\nNOOP\r\n",
	  HELLO_OK "550 5.1.1 no such user\r\n550 5.1.1 no such user\r\n"
		   "550 5.1.1 no such user\r\n550 5.1.1 no such user\r\n"
		   "421 4.7.0 too many errors\r\n",
	  " HELO=me;MAIL refused@b.c;MAIL refused@b.c;MAIL refused@b.c;MAIL refused@b.c;"
	  "CLOSE;" },
	{ "no end of data, no message", HELLO ENVELOPE "x\r\n.\r", HELLO_OK ENVELOPE_OK,
	  " HELO=me;" ENVELOPE_EVENTS },
};

/* "\0" written out stands for a NUL, which a C string cannot hold. */
static void with_nul(const char *text, struct buf *b) {
	for (; *text; text++) {
		bool nul = text[0] == '\\' && text[1] == '0';
		buf_addc(b, nul ? '\0' : *text);
		text += nul;
	}
}

static void play(size_t i, bool bytewise) {
	AUTO_BUF struct buf input = BUF_INIT(TEXT_MAX), want = BUF_INIT(TEXT_MAX);
	struct caller c;
	caller_init(&c, &usual);
	buf_reset(&c.said);
	with_nul(dialogues[i].input, &input);
	with_nul(dialogues[i].events, &want);
	feed(&c, buf_span(&input), bytewise ? 1 : input.len);
	const char *how = bytewise ? ", byte by byte" : "";
	is_str(buf_str(&c.said), dialogues[i].said, "%s%s: replies", dialogues[i].label,
	       how);
	if (!ok(span_eq(buf_span(&c.events), buf_span(&want)), "%s%s: events",
		dialogues[i].label, how))
		printf("#   got \"%s\"\n", buf_str(&c.events));
	caller_release(&c);
}

static void test_size(void) {
	struct caller c;
	AUTO_BUF struct buf in = BUF_INIT(TEXT_MAX);
	caller_init(&c, &usual);
	feed(&c, SPAN(HELLO ENVELOPE), 1000);
	for (int i = 0; i < 100; i++)
		buf_adds(&in, "12345678\r\n");
	feed(&c, buf_span(&in), in.len);
	feed(&c, SPAN(".\r\n" ENVELOPE), 1000);
	ok(strstr(buf_str(&c.said), OK_END) != NULL,
	   "a message of exactly the size is accepted");
	buf_reset(&c.events);
	buf_adds(&in, "\r\n");
	feed(&c, buf_span(&in), 7);
	ok(c.content.len <= usual.size_max, "over it no more content is given out");
	feed(&c, SPAN(".\r\nNOOP\r\n"), 1000);
	ok(strstr(buf_str(&c.events), "END big") != NULL, "and the end tells");
	ok(strstr(buf_str(&c.said), "250 2.0.0 ok\r\n") != NULL,
	   "and the session goes on");
	caller_release(&c);
}

static void test_long_lines(void) {
	struct caller c;
	AUTO_BUF struct buf in = BUF_INIT(TEXT_MAX);
	caller_init(&c, &usual);
	buf_adds(&in, "NOOP ");
	for (int i = 0; i < 50000; i++)
		buf_addc(&in, 'x');
	feed(&c, buf_span(&in), 1000);
	feed(&c, SPAN("\r\nNOOP\r\n"), 1000);
	is_str(buf_str(&c.said),
	       "220 mx.example ESMTP\r\n500 5.5.2 line too long\r\n250 2.0.0 ok\r\n",
	       "an endless line is refused once, and skipped");
	caller_release(&c);
}

/* Only what stands behind the data in the same flight counts, so not byte by byte. */
static void test_behind_data(void) {
	struct caller c;
	caller_init(&c, &usual);
	buf_reset(&c.said);
	feed(&c, SPAN("HELO me\r\n" ENVELOPE "x\r\n.\r\nMAIL FROM:<>\r\n"), 1000);
	is_str(buf_str(&c.said),
	       HELO_OK ENVELOPE_OK OK_END
	       "421 4.7.0 commands behind the end of data need EHLO\r\n",
	       "after HELO what stands behind the data is no command");
	is_str(buf_str(&c.events), " HELO=me;" ENVELOPE_EVENTS "END[x\r\n];CLOSE;",
	       "the message is taken and the session ends");
	caller_release(&c);

	caller_init(&c, &usual);
	buf_reset(&c.said);
	feed(&c, SPAN("HELO me\r\n" ENVELOPE "x\r\n.\r\n"), 1000);
	feed(&c, SPAN("QUIT\r\n"), 1000);
	is_str(buf_str(&c.said), HELO_OK ENVELOPE_OK OK_END "221 2.0.0 bye\r\n",
	       "a command sent after the reply is one");
	caller_release(&c);
}

static void test_refused_chunks(void) {
	struct smtp_server_params params = usual;
	struct caller c;
	struct smtp_server_note n;
	caller_init(&c, &params);
	feed(&c, SPAN(HELLO CHUNKS), 1000);
	buf_reset(&c.said);
	smtp_server_input(c.s, SPAN("BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nDATA\r\nNOOP\r\n"));
	is_int(smtp_server_next(c.s, &n), SMTP_SERVER_DATA, "the first chunk asks");
	smtp_server_answer(c.s, 452, "4.3.1 the disk is full");
	is_int(smtp_server_next(c.s, &n), SMTP_SERVER_RESET, "a refusal ends the transaction");
	act(&c);
	is_str(buf_str(&c.said),
	       "452 4.3.1 the disk is full\r\n503 5.5.1 MAIL first\r\n250 2.0.0 ok\r\n",
	       "its chunks are swallowed");
	caller_release(&c);

	caller_init(&c, &params);
	feed(&c, SPAN(HELLO CHUNKS "BDAT 1100\r\n"), 1000);
	buf_reset(&c.said);
	for (int i = 0; i < 110; i++)
		feed(&c, SPAN("12345678\r\n"), 10);
	feed(&c, SPAN("BDAT 0 LAST\r\nNOOP\r\n"), 1000);
	ok(c.content.len <= usual.size_max && strstr(buf_str(&c.events), "END big"),
	   "chunks that are too big together are told at the end");
	caller_release(&c);

	caller_init(&c, &params);
	feed(&c, SPAN(HELLO CHUNKS "BDAT 99999999999\r\n"), 1000);
	AUTO_FREE char *junk = calloc(1, 1 << 20);
	for (int i = 0; i < 66 && !strstr(buf_str(&c.events), "CLOSE"); i++) {
		smtp_server_input(c.s, span_of(junk, 1 << 20));
		act(&c);
	}
	ok(strstr(buf_str(&c.events), "CLOSE") && strstr(buf_str(&c.said), "552 5.3.4"),
	   "what is far too big is not swallowed for ever");
	caller_release(&c);
}

static void test_lenient(void) {
	struct smtp_server_params params = usual;
	params.lenient_newlines = true;
	struct caller c;
	caller_init(&c, &params);
	feed(&c, SPAN(HELLO ENVELOPE "x\n.\ny\r.\r\n.\r\n" CHUNKS "BDAT 3 LAST\r\nx\ny"), 1000);
	is_str(buf_str(&c.events),
	       " HELO=me;" ENVELOPE_EVENTS "END[x\n.\ny\r.\r\n];" ENVELOPE_EVENTS "END[x\ny];",
	       "with lenient newlines they are no flaw, and end nothing");
	caller_release(&c);
}

static void test_tls(void) {
	struct smtp_server_params params = usual;
	params.require_tls = params.require_auth = true;
	struct caller c;
	caller_init(&c, &params);
	buf_reset(&c.said);
	feed(&c, SPAN(HELLO "MAIL FROM:<>\r\nSTARTTLS\r\n"), 1);
	is_str(buf_str(&c.said),
	       HELLO_OK "530 5.7.0 STARTTLS first\r\n220 2.0.0 go ahead\r\n",
	       "no MAIL before TLS where it is required");
	smtp_server_tls_done(c.s);
	buf_reset(&c.said);
	feed(&c,
	     SPAN("MAIL FROM:<>\r\nEHLO me\r\nMAIL FROM:<>\r\nAUTH PLAIN b2s=\r\nMAIL FROM:<>\r\n"),
	     1);
	is_str(buf_str(&c.said),
	       "503 5.5.1 EHLO first\r\n"
	       EXTENSIONS "250-AUTH SCRAM-SHA-256 PLAIN\r\n250 ENHANCEDSTATUSCODES\r\n"
	       "530 5.7.0 AUTH first\r\n235 2.7.0 authenticated\r\n" OK_MAIL,
	       "under TLS everything begins again, and AUTH is required");
	caller_release(&c);

	caller_init(&c, &usual);
	feed(&c, SPAN("EHLO me\r\nSTARTTLS\r\nMAIL FROM:<>\r\n"), 1000);
	ok(strstr(buf_str(&c.events), "CLOSE;") && !strstr(buf_str(&c.events), "TLS;") &&
		   !strstr(buf_str(&c.events), "MAIL"),
	   "commands behind STARTTLS in one piece close the session");
	caller_release(&c);

	caller_init(&c, &usual);
	feed(&c, SPAN("EHLO me\r\nSTARTTLS\r\n"), 1000);
	feed(&c, SPAN("MAIL FROM:<>\r\n"), 1000);
	smtp_server_tls_done(c.s);
	act(&c);
	ok(strstr(buf_str(&c.events), "TLS;CLOSE;") &&
		   !strstr(buf_str(&c.events), "MAIL"),
	   "and so do bytes before the handshake");
	caller_release(&c);
}

static void test_requiretls(void) {
	struct smtp_server_params params = usual;
	struct caller c;
	params.requiretls = true;
	caller_init(&c, &params);
	buf_reset(&c.said);
	feed(&c, SPAN(HELLO "MAIL FROM:<a@b.c> REQUIRETLS\r\nSTARTTLS\r\n"), 1);
	is_str(buf_str(&c.said),
	       HELLO_OK "555 5.5.4 unknown parameter\r\n220 2.0.0 go ahead\r\n",
	       "in clear REQUIRETLS is neither offered nor taken");
	smtp_server_tls_done(c.s);
	buf_reset(&c.said);
	buf_reset(&c.events);
	feed(&c, SPAN(HELLO "MAIL FROM:<a@b.c> REQUIRETLS=1\r\nMAIL FROM:<a@b.c> requiretls\r\n"
			    "RSET\r\nMAIL FROM:<>\r\n"), 1);
	ok(strstr(buf_str(&c.said), "250-REQUIRETLS\r\n") &&
		   strstr(buf_str(&c.said), "501 5.5.4 REQUIRETLS has no value\r\n" OK_MAIL),
	   "under TLS it is, without a value");
	is_str(buf_str(&c.events), " HELO=me;MAIL a@b.c requiretls;RESET;MAIL ;",
	       "and told for the message that has it");
	caller_release(&c);
}

static void test_bare(void) {
	static const struct smtp_server_params params = {
		.host = "mx.example",
		.recipients_max = 10,
		.errors_max = 10,
	};
	struct caller c;
	caller_init(&c, &params);
	buf_reset(&c.said);
	feed(&c,
	     SPAN("EHLO me\r\nMAIL FROM:<> BODY=8BITMIME\r\nMAIL FROM:<> SMTPUTF8\r\n"
		  "MAIL FROM:<> RET=FULL\r\nMAIL FROM:<> AUTH=<>\r\nSTARTTLS\r\nAUTH PLAIN\r\n"),
	     1000);
	is_str(buf_str(&c.said),
	       "250-mx.example\r\n250-SIZE 0\r\n250 ENHANCEDSTATUSCODES\r\n"
	       "555 5.5.4 unknown parameter\r\n555 5.5.4 unknown parameter\r\n"
	       "555 5.5.4 unknown parameter\r\n555 5.5.4 unknown parameter\r\n"
	       "502 5.5.1 STARTTLS is not offered\r\n502 5.5.1 AUTH is not offered\r\n",
	       "what is not offered is not taken");
	caller_release(&c);
}

/* True when the machine's memory holds the text. */
static bool remembers(const struct smtp_server *s, struct span text) {
	return memmem(s->in.data, s->in.cap, text.p, text.len) ||
	       memmem(s->decoded.data, s->decoded.cap, text.p, text.len);
}

static void test_secrets(void) {
	const struct smtp_server_params params = { .host = "mx.example",
						   .errors_max = 10,
						   .auth_clear = "PLAIN LOGIN" };
	static const char *const lines[] = { "AUTH PLAIN AGEAc2VjcmV0\r\n",
					     "AUTH LOGIN\r\nAGEAc2VjcmV0\r\n" };
	for (size_t i = 0; i < 2; i++) {
		struct smtp_server_note note;
		struct smtp_server *s = smtp_server_new(&params);
		smtp_server_input(s, SPAN("EHLO me\r\n"));
		smtp_server_next(s, &note);
		smtp_server_answer(s, 0, NULL);
		smtp_server_input(s, span_str(lines[i]));
		while (smtp_server_next(s, &note) == SMTP_SERVER_AUTH &&
		       note.data.len == 0)
			smtp_server_auth_challenge(s, SPAN(""));
		ok(span_eq(note.data, SPAN("\0a\0secret")), "a password comes");
		smtp_server_auth_done(s, i == 0);
		ok(!remembers(s, SPAN("secret")) && !remembers(s, SPAN("c2VjcmV0")),
		   "and is forgotten with its exchange");
		smtp_server_free(s);
	}
}

int main(void) {
	for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++) {
		play(i, false);
		play(i, true);
	}
	test_size();
	test_long_lines();
	test_behind_data();
	test_refused_chunks();
	test_lenient();
	test_tls();
	test_requiretls();
	test_bare();
	test_secrets();
	return done_testing();
}
