/* SASL: every mechanism of the client against the server side, first the two alone, then
 * whole sessions of the two machines; and servers that cheat. */

#include "smtp/auth.h"

#include <stdlib.h>

#include "base/auto.h"
#include "smtp/server.h"
#include "tap.h"

static const char *const mechanisms[] = { "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5",
					  "PLAIN", "LOGIN" };
#define MECHANISMS (sizeof mechanisms / sizeof mechanisms[0])

/* "p\xc3\xa4ss" is not ASCII, and stays what it is under SASLprep. */
#define LOGIN_NAME "alice@example.org"
#define PASSWORD "p\xc3\xa4ss word"

/* A connection that has tls-exporter only; both sides see the same bytes unless somebody stands
 * in the middle. */
static bool has_binding, in_the_middle;

static int bind_to(void *ctx, enum smtp_auth_binding kind, struct buf *out) {
	if (!has_binding || kind != SMTP_AUTH_TLS_EXPORTER)
		return -1;
	return buf_adds(out, ctx && in_the_middle ? "another channel" : "one channel");
}

static struct smtp_auth *new_auth(const char *login, struct span secret, const char *only,
				  struct err *err) {
	return smtp_auth_new(&(struct smtp_auth_options){ .login = login,
							  .secret = secret,
							  .only = only,
							  .host = "mx.example",
							  .port = 587,
							  .binding = bind_to },
			     err);
}

static struct smtp_auth *new_client(const char *login, const char *password,
				    const char *only) {
	struct err err = ERR_INIT;
	struct smtp_auth *a = new_auth(login, span_str(password), only, &err);
	if (!a)
		printf("# %s\n", err.msg);
	return a;
}

/* One exchange as the two machines would carry it: 1 accepted by both, 0 refused by the
 * server, -1 the client gave up, -2 the client did not believe the acceptance. */
static int exchange(struct smtp_auth *a, const char *mechanism, struct err *err) {
	const struct smtp_auth_ops *ops = &smtp_auth_client_ops;
	AUTO_BUF struct buf response = BUF_INIT(4096), challenge = BUF_INIT(4096);
	const char *name = ops->choose(a, mechanism, true, err);
	struct smtp_auth_server *s = smtp_auth_server_new(mechanism, LOGIN_NAME, PASSWORD,
							  err);
	if (s)
		smtp_auth_server_bind(s, bind_to, s);
	struct span to_client = { NULL, 0 };
	int result = -1;
	for (int steps = 0; name && s && steps < 10; steps++) {
		bool has = true;
		buf_reset(&response);
		if (ops->step(a, to_client, &response, &has, err) < 0)
			break;
		struct span to_server = has ? span_of(buf_str(&response), response.len)
					    : (struct span){ NULL, 0 };
		buf_reset(&challenge);
		int r = smtp_auth_server_step(s, to_server, &challenge);
		to_client = span_of(buf_str(&challenge), challenge.len);
		if (r < 0)
			result = 0;
		else if (r > 0)
			result = ops->finish(a, err) == 0 ? 1 : -2;
		if (r != 0)
			break;
	}
	smtp_auth_server_free(s);
	return result;
}

static void test_exchanges(void) {
	for (size_t i = 0; i < MECHANISMS; i++) {
		struct err err = ERR_INIT;
		struct smtp_auth *a = new_client(LOGIN_NAME, PASSWORD, NULL);
		is_int(exchange(a, mechanisms[i], &err), 1,
		       "%s: the right password is accepted", mechanisms[i]);
		is_int(exchange(a, mechanisms[i], &err), 1,
		       "%s: and again by the same client", mechanisms[i]);
		smtp_auth_free(a);

		a = new_client(LOGIN_NAME, "wrong", NULL);
		is_int(exchange(a, mechanisms[i], &err), 0,
		       "%s: a wrong password is refused", mechanisms[i]);
		smtp_auth_free(a);

		a = new_client("mallory@example.org", PASSWORD, NULL);
		is_int(exchange(a, mechanisms[i], &err), 0,
		       "%s: another login is refused", mechanisms[i]);
		smtp_auth_free(a);
	}
}

static void test_choice(void) {
	static const struct {
		const char *label, *only, *offered;
		bool tls;
		const char *want;
	} rows[] = {
		{ "the best one", NULL, "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256",
		  true, "SCRAM-SHA-256" },
		{ "PLAIN before LOGIN", NULL, "LOGIN PLAIN", true, "PLAIN" },
		{ "none that shows the password in clear", NULL, "LOGIN PLAIN", false,
		  NULL },
		{ "one that does not, in clear", NULL, "LOGIN PLAIN CRAM-MD5", false,
		  "CRAM-MD5" },
		{ "the order of the configuration", "login scram-sha-1",
		  "PLAIN LOGIN SCRAM-SHA-1", true, "LOGIN" },
		{ "nothing outside the configuration", "SCRAM-SHA-256", "PLAIN LOGIN",
		  true, NULL },
		{ "configured or not, not in clear", "PLAIN", "PLAIN", false, NULL },
		{ "no mechanism without a password unless it is named", NULL,
		  "GSSAPI XOAUTH2 EXTERNAL", true, NULL },
		{ "EXTERNAL where it is named", "EXTERNAL", "PLAIN EXTERNAL", true, "EXTERNAL" },
		{ "nothing offered", NULL, "", true, NULL },
		{ "no -PLUS without a channel to bind to", NULL, "SCRAM-SHA-256-PLUS", true, NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = ERR_INIT;
		struct smtp_auth *a = new_client(LOGIN_NAME, PASSWORD, rows[i].only);
		const char *got = smtp_auth_client_ops.choose(a, rows[i].offered,
							      rows[i].tls, &err);
		is_str(got, rows[i].want, "choice: %s", rows[i].label);
		if (!rows[i].want)
			ok(err.msg[0], "with words (%s)", err.msg);
		smtp_auth_free(a);
	}
	struct err err = ERR_INIT;
	ok(!new_auth("a", SPAN("b"), "PLAIN ROT13", &err) && err.kind == ERR_SYNTAX,
	   "a mechanism that does not exist is an error at once");
	ok(!new_auth("a", SPAN("b\0c"), NULL, &err) && err.kind == ERR_SYNTAX,
	   "a password with a NUL is an error at once");
}

static void test_binding(void) {
	static const char *const plus[] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS" };
	has_binding = true;
	for (size_t i = 0; i < 2; i++) {
		struct err err = ERR_INIT;
		struct smtp_auth *a = new_client(LOGIN_NAME, PASSWORD, NULL);
		is_int(exchange(a, plus[i], &err), 1, "%s: the same channel is accepted",
		       plus[i]);
		in_the_middle = true;
		is_int(exchange(a, plus[i], &err), 0,
		       "%s: a login that was passed on is refused", plus[i]);
		in_the_middle = false;
		smtp_auth_free(a);
	}
	struct err err = ERR_INIT;
	struct smtp_auth *a = new_client(LOGIN_NAME, PASSWORD, NULL);
	is_int(exchange(a, "SCRAM-SHA-256", &err), 1,
	       "plain SCRAM works where there is a channel to bind to");
	is_str(smtp_auth_client_ops.choose(a, "SCRAM-SHA-256 SCRAM-SHA-1-PLUS", true, &err),
	       "SCRAM-SHA-1-PLUS", "-PLUS is better than none");
	smtp_auth_free(a);
	has_binding = false;
}

static void test_tokens(void) {
	static const struct {
		const char *label, *offered, *only, *want, *first, *farewell;
	} rows[] = {
		{ "both", "PLAIN XOAUTH2 OAUTHBEARER", NULL, "OAUTHBEARER",
		  "n,a=a=2Cb=3Dc@example.org,\1host=mx.example\1port=587\1auth=Bearer tok\1\1",
		  "\1" },
		{ "XOAUTH2", "PLAIN XOAUTH2", NULL, "XOAUTH2",
		  "user=a,b=c@example.org\1auth=Bearer tok\1\1", "" },
		{ "by name", "XOAUTH2 OAUTHBEARER", "XOAUTH2", "XOAUTH2", NULL, "" },
		{ "a password's mechanisms do not get it", "PLAIN LOGIN SCRAM-SHA-256", NULL,
		  NULL, NULL, NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = ERR_INIT;
		const struct smtp_auth_ops *ops = &smtp_auth_client_ops;
		AUTO_BUF struct buf out = BUF_INIT(4096);
		bool has = false;
		struct smtp_auth *a = smtp_auth_new(
			&(struct smtp_auth_options){ .login = "a,b=c@example.org",
						     .secret = SPAN("tok"),
						     .token = true,
						     .only = rows[i].only,
						     .host = "mx.example",
						     .port = 587 },
			&err);
		is_str(ops->choose(a, rows[i].offered, true, &err), rows[i].want, "token: %s",
		       rows[i].label);
		if (!rows[i].want) {
			ok(strstr(err.msg, "token"), "with words (%s)", err.msg);
			smtp_auth_free(a);
			continue;
		}
		is_int(ops->step(a, (struct span){ NULL, 0 }, &out, &has, &err), 0,
		       "%s: one message", rows[i].want);
		if (rows[i].first)
			is_str(buf_str(&out), rows[i].first, "as the server wants it");
		is_int(ops->finish(a, &err), 0, "235 ends it");
		ops->choose(a, rows[i].offered, true, &err);
		ops->step(a, (struct span){ NULL, 0 }, &out, &has, &err);
		buf_reset(&out);
		is_int(ops->step(a, SPAN("{\"status\":\"401\"}"), &out, &has, &err), 0,
		       "a refusal in a challenge is answered");
		is_str(buf_str(&out), rows[i].farewell, "with what lets the server refuse");
		ok(ops->finish(a, &err) != 0, "and counts as no login");
		ok(!ops->choose(a, rows[i].offered, false, &err) && strstr(err.msg, "token"),
		   "never in clear (%s)", err.msg);
		smtp_auth_free(a);
	}
}

/* The client's first message, answered by a server that asks for n rounds. */
static int rounds(const char *n, struct err *err) {
	const struct smtp_auth_ops *ops = &smtp_auth_client_ops;
	struct smtp_auth *a = new_client(LOGIN_NAME, PASSWORD, NULL);
	AUTO_BUF struct buf first = BUF_INIT(4096), challenge = BUF_INIT(4096);
	bool has;
	ops->choose(a, "SCRAM-SHA-256", true, err);
	ops->step(a, (struct span){ NULL, 0 }, &first, &has, err);
	const char *nonce = strstr(buf_str(&first), ",r=");
	buf_addf(&challenge, "r=%sx,s=QSXCR+Q6sek8bf92,i=%s", nonce ? nonce + 3 : "", n);
	int r = ops->step(a, buf_span(&challenge), &first, &has, err);
	if (r == 0 && ops->finish(a, err) == 0)
		r = 99;
	smtp_auth_free(a);
	return r;
}

static void test_cheating(void) {
	struct err err = ERR_INIT;
	is_int(rounds("4096", &err), 0, "SCRAM: the usual number of rounds is done");
	ok(strstr(err.msg, "before it proved"),
	   "SCRAM: 235 before the proof is not believed (%s)", err.msg);
	is_int(rounds("1000001", &err), -1, "SCRAM: more than a million are not");
	ok(err.kind == ERR_LIMIT && strstr(err.msg, "1000001"),
	   "and the words say so (%s)", err.msg);
	is_int(rounds("4000000000", &err), -1, "SCRAM: nor are hours of them");
	is_int(rounds("99999999999999999999999", &err), -1,
	       "SCRAM: nor more than fit a number");
	is_int(rounds("0", &err), -1, "SCRAM: none at all is refused");
	is_int(rounds("-1", &err), -1, "SCRAM: a negative number is refused");

	const struct smtp_auth_ops *ops = &smtp_auth_client_ops;
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct smtp_auth *a = new_client(LOGIN_NAME, PASSWORD, NULL);
	bool has;
	ops->choose(a, "PLAIN", true, &err);
	ops->step(a, (struct span){ NULL, 0 }, &out, &has, &err);
	is_int(ops->step(a, SPAN("more"), &out, &has, &err), -1,
	       "PLAIN: a challenge behind the password is refused");
	ops->choose(a, "SCRAM-SHA-1", true, &err);
	ops->step(a, (struct span){ NULL, 0 }, &out, &has, &err);
	is_int(ops->step(a, SPAN("r=other,s=QSXCR+Q6sek8bf92,i=4096"), &out, &has, &err),
	       -1, "SCRAM: somebody else's nonce is refused");
	ops->choose(a, "SCRAM-SHA-1", true, &err);
	ops->step(a, (struct span){ NULL, 0 }, &out, &has, &err);
	is_int(ops->finish(a, &err), -1,
	       "SCRAM: 235 to the first message is not believed");
	smtp_auth_free(a);

	a = new_client("alice", "\xff\xfe", NULL);
	is_int(exchange(a, "SCRAM-SHA-256", &err), -1,
	       "SCRAM: a password that is not UTF-8 fails");
	ok(strstr(err.msg, "UTF-8"), "and the words say so (%s)", err.msg);
	smtp_auth_free(a);
	ok(!smtp_auth_server_new("GSSAPI", "a", "b", &err),
	   "the server side knows its mechanisms only");
}

/* Two machines and what stands between them. */
struct pair {
	struct smtp_client *c;
	struct smtp_server *s;
	struct smtp_auth_server *auth;
	struct buf received;
	struct smtp_client_note last;
	enum smtp_client_event end; /* DONE or CLOSED */
};

static const struct smtp_recipient to = { .address = { "bob@example.org", 15 } };
static const struct smtp_transaction mail = {
	.from = { "alice@example.org", 17 },
	.to = &to,
	.to_count = 1,
};

static void act_auth(struct pair *p, const struct smtp_server_note *n) {
	AUTO_BUF struct buf challenge = BUF_INIT(4096);
	if (n->text.len > 0) {
		char name[32];
		snprintf(name, sizeof name, "%.*s", (int)n->text.len, n->text.p);
		smtp_auth_server_free(p->auth);
		p->auth = smtp_auth_server_new(name, LOGIN_NAME, PASSWORD, NULL);
	}
	int r = smtp_auth_server_step(p->auth, n->data, &challenge);
	if (r == 0)
		smtp_server_auth_challenge(p->s, buf_span(&challenge));
	else
		smtp_server_auth_done(p->s, r > 0);
}

static void act_server(struct pair *p) {
	struct smtp_server_note n;
	enum smtp_server_event ev;
	while ((ev = smtp_server_next(p->s, &n)) != SMTP_SERVER_NONE) {
		if (ev == SMTP_SERVER_AUTH)
			act_auth(p, &n);
		else if (ev == SMTP_SERVER_CONTENT)
			buf_add(&p->received, n.data);
		else
			smtp_server_answer(p->s, 0, NULL);
	}
}

static void act_client(struct pair *p) {
	struct smtp_client_note n;
	enum smtp_client_event ev;
	while ((ev = smtp_client_next(p->c, &n)) != SMTP_CLIENT_NONE) {
		if (ev == SMTP_CLIENT_READY)
			smtp_client_begin(p->c, &mail, NULL);
		else if (ev == SMTP_CLIENT_WANT_CONTENT)
			smtp_client_content(p->c, SPAN(".dot\r\n..\r\n.\r\nend\r\n"),
					    true);
		else if (ev == SMTP_CLIENT_DONE || ev == SMTP_CLIENT_CLOSED) {
			p->last = n;
			p->end = ev;
		}
	}
}

static void play(struct pair *p, const char *mechanism, const char *password,
		 bool pipelining) {
	struct smtp_auth *a = new_client(LOGIN_NAME, password, NULL);
	struct smtp_client_params cp = {
		.helo = "me.example",
		.tls = true,
		.auth = &smtp_auth_client_ops,
		.auth_ctx = a,
	};
	struct smtp_server_params sp = {
		.host = "mx.example",
		.recipients_max = 10,
		.errors_max = 10,
		.require_auth = true,
		.auth_tls = mechanism,
		.tls = true,
		.pipelining = pipelining,
	};
	memset(p, 0, sizeof *p);
	buf_init(&p->received, 4096);
	p->c = smtp_client_new(&cp);
	p->s = smtp_server_new(&sp);
	for (int i = 0; i < 100 && p->end == SMTP_CLIENT_NONE; i++) {
		struct span out = smtp_server_output(p->s);
		smtp_client_input(p->c, out);
		smtp_server_sent(p->s, out.len);
		act_client(p);
		out = smtp_client_output(p->c);
		smtp_server_input(p->s, out);
		smtp_client_sent(p->c, out.len);
		act_server(p);
	}
	is_str(smtp_client_auth_mechanism(p->c),
	       p->end == SMTP_CLIENT_DONE ? mechanism : NULL,
	       "%s: the machine knows what succeeded", mechanism);
	smtp_client_free(p->c);
	smtp_server_free(p->s);
	smtp_auth_server_free(p->auth);
	smtp_auth_free(a);
}

static void test_machines(void) {
	for (size_t i = 0; i < MECHANISMS; i++) {
		struct pair p;
		play(&p, mechanisms[i], PASSWORD, i % 2);
		ok(p.end == SMTP_CLIENT_DONE && p.last.reply.code == 250 &&
			   p.last.stage == SMTP_STAGE_CONTENT,
		   "%s: the message goes through both machines", mechanisms[i]);
		is_str(buf_str(&p.received), ".dot\r\n..\r\n.\r\nend\r\n",
		       "%s: and is the same behind them", mechanisms[i]);
		buf_release(&p.received);
		play(&p, mechanisms[i], "wrong", i % 2);
		ok(p.end == SMTP_CLIENT_CLOSED && p.last.stage == SMTP_STAGE_AUTH &&
			   p.last.reply.code == 535 && !p.last.reply.local,
		   "%s: a wrong password ends the session at AUTH", mechanisms[i]);
		buf_release(&p.received);
	}
}

int main(void) {
	test_exchanges();
	test_choice();
	test_binding();
	test_tokens();
	test_cheating();
	test_machines();
	return done_testing();
}
