/* The client machine at every stage of one session: the connection cut behind each reply,
 * each reply replaced by a refusal; and envelopes larger than the window of commands. */

#include "smtp/client.h"

#include <stdlib.h>

#include "base/auto.h"
#include "tap.h"

/* Replies of a good session with STARTTLS and AUTH, and the stage each belongs to. */
static const struct {
	const char *text;
	enum smtp_stage stage;
} session[] = {
	{ "220 mx\r\n", SMTP_STAGE_GREETING },
	{ "250-mx\r\n250 STARTTLS\r\n", SMTP_STAGE_EHLO },
	{ "220 go\r\n", SMTP_STAGE_TLS },
	{ "250-mx\r\n250 AUTH PLAIN\r\n", SMTP_STAGE_EHLO },
	{ "235 ok\r\n", SMTP_STAGE_AUTH },
	{ "250 sender\r\n", SMTP_STAGE_MAIL },
	{ "250 recipient\r\n", SMTP_STAGE_RCPT },
	{ "354 go\r\n", SMTP_STAGE_DATA },
	{ "250 queued\r\n", SMTP_STAGE_CONTENT },
	{ "221 bye\r\n", SMTP_STAGE_QUIT },
};
#define SESSION (sizeof session / sizeof session[0])

static const char *choose(void *ctx, const char *offered, bool tls, struct err *err) {
	(void)ctx, (void)offered, (void)err;
	return tls ? "PLAIN" : NULL;
}
static int step(void *ctx, struct span challenge, struct buf *response, bool *ret_has,
		struct err *err) {
	(void)ctx, (void)challenge, (void)err;
	*ret_has = true;
	return buf_adds(response, "secret");
}
static int finish(void *ctx, struct err *err) {
	(void)ctx, (void)err;
	return 0;
}
static const struct smtp_auth_ops ops = { choose, step, finish };

struct outcome {
	struct smtp_client_note done, closed;
	unsigned dones, closes, recipients, events_behind;
	struct buf said; /* everything the client wrote */
};

static const struct smtp_recipient bob = { .address = { "bob@example.org", 15 } };
static const struct smtp_transaction mail = {
	.from = { "alice@example.org", 17 },
	.to = &bob,
	.to_count = 1,
};

static void drain(struct smtp_client *c, struct outcome *o) {
	struct span out = smtp_client_output(c);
	buf_add(&o->said, out);
	smtp_client_sent(c, out.len);
}

/* Takes all events and does what a well-behaved caller does. */
static void act(struct smtp_client *c, struct outcome *o) {
	struct smtp_client_note note;
	enum smtp_client_event ev;
	while ((ev = smtp_client_next(c, &note)) != SMTP_CLIENT_NONE) {
		o->events_behind += o->closes;
		if (ev == SMTP_CLIENT_WANT_TLS) {
			drain(c, o);
			smtp_client_tls_done(c);
		} else if (ev == SMTP_CLIENT_READY) {
			smtp_client_begin(c, &mail, NULL);
		} else if (ev == SMTP_CLIENT_WANT_CONTENT) {
			smtp_client_content(c, SPAN("text\r\n"), true);
		} else if (ev == SMTP_CLIENT_RECIPIENT) {
			o->recipients++;
		} else if (ev == SMTP_CLIENT_DONE) {
			o->dones++;
			o->done = note;
			smtp_client_quit(c);
		} else if (ev == SMTP_CLIENT_CLOSED) {
			o->closes++;
			o->closed = note;
		}
	}
	drain(c, o);
}

static struct smtp_client *new_client(void) {
	struct smtp_client_params params = {
		.helo = "me.example",
		.starttls = SMTP_STARTTLS_REQUIRED,
		.auth = &ops,
	};
	return smtp_client_new(&params);
}

/* Plays the first n replies, then `last` (NULL: the connection ends). */
static void play(size_t n, const char *last, struct outcome *o) {
	struct smtp_client *c = new_client();
	memset(o, 0, sizeof *o);
	buf_init(&o->said, 65536);
	for (size_t i = 0; i < n; i++) {
		smtp_client_input(c, span_str(session[i].text));
		act(c, o);
	}
	if (last)
		smtp_client_input(c, span_str(last));
	else
		smtp_client_eof(c, "gone");
	act(c, o);
	act(c, o);
	smtp_client_free(c);
	buf_release(&o->said);
}

static void test_cuts(void) {
	for (size_t i = 0; i < SESSION; i++) {
		struct outcome o;
		enum smtp_stage stage = session[i].stage;
		bool in_mail = stage >= SMTP_STAGE_MAIL && stage <= SMTP_STAGE_CONTENT;
		play(i, NULL, &o);
		ok(o.closes == 1 && o.closed.stage == stage && o.closed.reply.local &&
			   o.events_behind == 0,
		   "cut before reply %zu: closed once, at %s", i, smtp_stage_name(stage));
		ok(o.closed.transaction == (in_mail ? &mail : NULL) &&
			   o.dones == (stage == SMTP_STAGE_QUIT),
		   "cut before reply %zu: the transaction is %s", i,
		   in_mail ? "named" : "not");
		ok(o.closed.uncertain == (stage == SMTP_STAGE_CONTENT),
		   "cut before reply %zu: uncertain only behind the dot", i);
	}
}

static void test_421(void) {
	for (size_t i = 0; i < SESSION; i++) {
		struct outcome o;
		enum smtp_stage stage = session[i].stage;
		bool in_mail = stage >= SMTP_STAGE_MAIL && stage <= SMTP_STAGE_CONTENT;
		play(i, "421 4.3.2 closing\r\n", &o);
		ok(o.closes == 1 && o.closed.stage == stage &&
			   o.closed.reply.code == 421 && !o.closed.reply.local &&
			   !o.closed.uncertain &&
			   o.closed.transaction == (in_mail ? &mail : NULL),
		   "421 as reply %zu closes at %s", i, smtp_stage_name(stage));
	}
}

static void test_refusals(void) {
	static const char *const replies[] = { "550 5.0.0 no\r\n", "451 4.0.0 later\r\n",
					       "500 what\r\n", "502-who\r\n502 what\r\n",
					       "503 5.5.1 now?\r\n" };
	for (size_t i = 0; i < SESSION; i++) {
		for (size_t r = 0; r < sizeof replies / sizeof replies[0]; r++) {
			struct outcome o;
			enum smtp_stage stage = session[i].stage;
			bool in_mail = stage >= SMTP_STAGE_MAIL &&
				       stage <= SMTP_STAGE_CONTENT;
			play(i, replies[r], &o);
			const struct smtp_client_note *n = in_mail ? &o.done : &o.closed;
			ok(o.dones == (in_mail || stage == SMTP_STAGE_QUIT) &&
				   o.closes == !in_mail && n->stage == stage &&
				   !n->reply.local &&
				   n->reply.code / 100 == replies[r][0] - '0',
			   "%.3s as reply %zu ends %s at %s", replies[r], i,
			   in_mail ? "the transaction" : "the session",
			   smtp_stage_name(stage));
		}
	}
}

static void test_nonsense(void) {
	static const char *const replies[] = { "hello\r\n", "\r\n", "999 x\r\n", "25\r\n",
					       "250-a\r\n550 b\r\n" };
	for (size_t i = 0; i < SESSION; i++) {
		for (size_t r = 0; r < sizeof replies / sizeof replies[0]; r++) {
			struct outcome o;
			play(i, replies[r], &o);
			ok(o.closes == 1 && o.closed.reply.local &&
				   o.closed.reply.status.subject == 5 &&
				   o.closed.reply.code < 500 &&
				   o.closed.stage == session[i].stage,
			   "nonsense %zu as reply %zu closes, for now", r, i);
		}
	}
}

/* Secrets and envelopes in clear: none, wherever a server that offers no TLS leads us. */
static void test_clear(void) {
	struct outcome o;
	struct smtp_client *c = new_client();
	memset(&o, 0, sizeof o);
	buf_init(&o.said, 65536);
	smtp_client_input(c, SPAN("220 mx\r\n"));
	act(c, &o);
	smtp_client_input(c, SPAN("250-mx\r\n250-XSTARTTLS\r\n250 AUTH PLAIN\r\n"));
	act(c, &o);
	smtp_client_input(c, SPAN("250 ok\r\n235 ok\r\n250 ok\r\n"));
	act(c, &o);
	is_str(buf_str(&o.said), "EHLO me.example\r\nQUIT\r\n",
	       "without STARTTLS only EHLO and QUIT");
	smtp_client_free(c);
	buf_release(&o.said);
}

#define MANY 600

static struct smtp_client *ready_client(struct outcome *o) {
	struct smtp_client_params params = { .helo = "me.example" };
	struct smtp_client *c = smtp_client_new(&params);
	struct smtp_client_note note;
	memset(o, 0, sizeof *o);
	buf_init(&o->said, 1 << 20);
	smtp_client_input(c, SPAN("220 mx\r\n"));
	smtp_client_next(c, &note);
	drain(c, o);
	smtp_client_input(c, SPAN("250-mx\r\n250 PIPELINING\r\n"));
	smtp_client_next(c, &note);
	buf_reset(&o->said);
	return c;
}

static size_t lines(const struct buf *b) {
	size_t n = 0;
	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

static void test_window(void) {
	static struct smtp_recipient to[MANY];
	struct outcome o;
	for (size_t i = 0; i < MANY; i++)
		to[i] = bob;
	struct smtp_transaction t = { .to = to, .to_count = MANY };
	struct smtp_client *c = ready_client(&o);
	smtp_client_begin(c, &t, NULL);
	drain(c, &o);
	is_int((int64_t)lines(&o.said), SMTP_CLIENT_COMMANDS_MAX,
	       "the window is filled at once");
	size_t most = lines(&o.said), answered = 0;
	while (answered < MANY + 1) {
		smtp_client_input(c, SPAN("250 ok\r\n"));
		answered++;
		act(c, &o);
		if (lines(&o.said) - answered > most)
			most = lines(&o.said) - answered;
	}
	is_int((int64_t)most, SMTP_CLIENT_COMMANDS_MAX, "and never passed");
	is_int(o.recipients, MANY, "each recipient is told once");
	smtp_client_input(c, SPAN("354 go\r\n"));
	act(c, &o);
	smtp_client_input(c, SPAN("250 ok\r\n"));
	act(c, &o);
	ok(o.dones == 1 && o.done.reply.code == 250, "and the message goes out");
	smtp_client_free(c);

	buf_release(&o.said);
	c = ready_client(&o);
	smtp_client_begin(c, &t, NULL);
	for (size_t i = 0; i < SMTP_CLIENT_COMMANDS_MAX; i++) {
		drain(c, &o);
		smtp_client_input(c, SPAN("550 no\r\n"));
		act(c, &o);
	}
	ok(o.dones == 1 && o.done.stage == SMTP_STAGE_MAIL && o.recipients == 0,
	   "a refused MAIL ends a large envelope");
	is_int((int64_t)lines(&o.said), SMTP_CLIENT_COMMANDS_MAX + 1,
	       "without saying the rest of it (and then QUIT)");
	smtp_client_free(c);
	buf_release(&o.said);
}

static void test_bad_envelopes(void) {
	static const struct {
		const char *label;
		struct smtp_recipient to;
		struct span from;
	} bad[] = {
		{ "a line end in the sender",
		  { .address = { "b", 1 } },
		  { "a\r\nRCPT", 7 } },
		{ "a NUL in the sender", { .address = { "b", 1 } }, { "a\0b", 3 } },
		{ "a line feed in a recipient", { .address = { "b\n", 2 } }, { "a", 1 } },
		{ "a line end in NOTIFY",
		  { .address = { "b", 1 }, .notify = { "NEVER\r", 6 } },
		  { "a", 1 } },
	};
	struct outcome o;
	struct smtp_client *c = ready_client(&o);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct smtp_transaction t = { .from = bad[i].from,
					      .to = &bad[i].to,
					      .to_count = 1 };
		struct err err = ERR_INIT;
		ok(smtp_client_begin(c, &t, &err) == -1 && err.kind == ERR_SYNTAX &&
			   smtp_client_output(c).len == 0,
		   "refused, and nothing was sent: %s", bad[i].label);
	}
	struct smtp_transaction none = { .to = &bob, .to_count = 0 };
	ok(smtp_client_begin(c, &none, NULL) == -1, "refused: no recipient");
	ok(smtp_client_content(c, SPAN("x"), true) == -1,
	   "content that nobody wants is refused");
	smtp_client_free(c);
	buf_release(&o.said);
}

int main(void) {
	test_cuts();
	test_421();
	test_refusals();
	test_nonsense();
	test_clear();
	test_window();
	test_bad_envelopes();
	return done_testing();
}
