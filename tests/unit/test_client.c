/* Plays the dialogues of tests/smtp against the client machine; tests/smtp/README has their
 * language. Run from the top of the source tree. */

#include "smtp/client.h"

#include <glob.h>
#include <stdlib.h>

#include "base/auto.h"
#include "smtp/syntax.h"
#include "tap.h"

#define TRANSACTIONS_MAX 4
#define RECIPIENTS_MAX 8
#define DIALOG_MAX (1 << 20)

struct player {
	const char *file;
	unsigned line;
	bool bytewise, failed, stalled;
	char name[160];
	struct smtp_client_params params;
	struct smtp_client *c;
	struct smtp_transaction t[TRANSACTIONS_MAX];
	struct smtp_recipient to[TRANSACTIONS_MAX][RECIPIENTS_MAX];
	size_t transactions;
	struct buf sent;   /* by the client, not looked at yet */
	struct buf events; /* lines, not looked at yet */
	/* the pretended mechanism */
	struct span mechanism, initial;
	bool has_initial, gives_up, unsatisfied;
	char mechanism_name[32];
	char long_initial[600];
};

__attribute__((format(printf, 2, 3))) static void fail(struct player *p, const char *fmt,
						       ...) {
	va_list ap;
	if (!p->failed) {
		printf("# %s:%u: ", p->file, p->line);
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		printf("\n");
	}
	p->failed = true;
}

static const char *fake_choose(void *ctx, const char *offered, bool tls,
			       struct err *err) {
	struct player *p = ctx;
	(void)tls;
	if (!smtp_list_has(offered, span_str(p->mechanism_name))) {
		err_set(err, ERR_REMOTE, "not offered: %s", p->mechanism_name);
		return NULL;
	}
	return p->mechanism_name;
}

static int fake_step(void *ctx, struct span challenge, struct buf *response,
		     bool *ret_has, struct err *err) {
	struct player *p = ctx;
	*ret_has = challenge.p || p->has_initial;
	if (!challenge.p)
		return buf_add(response, p->initial);
	if (p->gives_up)
		return err_set(err, ERR_REMOTE, "gave up");
	buf_adds(response, "re:");
	return buf_add(response, challenge);
}

static int fake_finish(void *ctx, struct err *err) {
	struct player *p = ctx;
	return p->unsatisfied ? err_set(err, ERR_DENIED, "not satisfied") : 0;
}

static const struct smtp_auth_ops fake_auth = { fake_choose, fake_step, fake_finish };

static void use_auth(struct player *p, struct span words) {
	if (!span_take_until(&words, ',', &p->mechanism)) {
		p->mechanism = words;
	} else {
		p->initial = words;
		p->has_initial = true;
	}
	snprintf(p->mechanism_name, sizeof p->mechanism_name, "%.*s",
		 (int)p->mechanism.len, p->mechanism.p);
	p->params.auth = &fake_auth;
	p->params.auth_ctx = p;
}

static void parameter(struct player *p, struct span w) {
	if (span_eq(w, SPAN("tls"))) {
		p->params.tls = true;
	} else if (span_eq(w, SPAN("starttls=required"))) {
		p->params.starttls = SMTP_STARTTLS_REQUIRED;
	} else if (span_eq(w, SPAN("starttls=offered"))) {
		p->params.starttls = SMTP_STARTTLS_IF_OFFERED;
	} else if (span_take_lit(&w, SPAN("auth="))) {
		use_auth(p, w);
	} else if (span_take_lit(&w, SPAN("auth-long="))) {
		use_auth(p, w);
		memset(p->long_initial, 'x', sizeof p->long_initial);
		p->initial = span_of(p->long_initial, sizeof p->long_initial);
		p->has_initial = true;
	} else if (span_eq(w, SPAN("stream"))) {
		p->params.stream = true;
	} else if (span_eq(w, SPAN("lmtp"))) {
		p->params.lmtp = true;
	} else if (span_eq(w, SPAN("auth-gives-up"))) {
		p->gives_up = true;
	} else if (span_eq(w, SPAN("auth-unsatisfied"))) {
		p->unsatisfied = true;
	} else {
		fail(p, "unknown parameter %.*s", (int)w.len, w.p);
	}
}

static void recipients(struct player *p, struct smtp_transaction *t, struct span list) {
	struct smtp_recipient *to = p->to[t - p->t];
	t->to = to;
	while (list.len > 0) {
		struct span one = list;
		if (!span_take_until(&list, ',', &one))
			list.len = 0;
		to[t->to_count++].address = one;
	}
}

static void transaction(struct player *p, struct span words) {
	struct smtp_transaction *t = &p->t[p->transactions++];
	struct smtp_recipient *to = p->to[t - p->t];
	struct span w;
	memset(t, 0, sizeof *t);
	memset(to, 0, sizeof p->to[0]);
	while (span_take_word(&words, &w)) {
		if (span_take_lit(&w, SPAN("from=")))
			t->from = w;
		else if (span_take_lit(&w, SPAN("to=")))
			recipients(p, t, w);
		else if (span_take_lit(&w, SPAN("size=")))
			span_uint(w, UINT64_MAX, &t->size);
		else if (span_eq(w, SPAN("8bit")))
			t->body_8bit = true;
		else if (span_eq(w, SPAN("utf8")))
			t->smtputf8 = true;
		else if (span_eq(w, SPAN("requiretls")))
			t->requiretls = true;
		else if (span_take_lit(&w, SPAN("ret=")))
			t->ret = w;
		else if (span_take_lit(&w, SPAN("envid=")))
			t->envid = w;
		else if (span_take_lit(&w, SPAN("notify=")))
			to[0].notify = w;
		else if (span_take_lit(&w, SPAN("orcpt=")))
			to[0].orcpt = w;
		else
			fail(p, "unknown word %.*s", (int)w.len, w.p);
	}
}

static void start(struct player *p) {
	if (p->c)
		return;
	if (p->transactions == 0)
		transaction(p, SPAN("from=alice@example.org to=bob@example.org"));
	p->c = smtp_client_new(&p->params);
}

static void drain(struct player *p) {
	struct span out = smtp_client_output(p->c);
	if (p->stalled || out.len == 0)
		return;
	buf_add(&p->sent, out);
	/* In two pieces, because a socket takes what it likes. */
	size_t half = out.len / 2;
	smtp_client_sent(p->c, half);
	smtp_client_sent(p->c, out.len - half);
}

static void note_event(struct player *p, enum smtp_client_event ev,
		       const struct smtp_client_note *n) {
	static const char *const names[] = { "NONE",      "WANT_TLS",     "READY",
					     "RECIPIENT", "WANT_CONTENT", "DONE",
					     "LOST",      "CLOSED" };
	struct buf *b = &p->events;
	int number = n->transaction ? (int)(n->transaction - p->t) + 1 : 0;
	buf_adds(b, names[ev]);
	if (ev == SMTP_CLIENT_RECIPIENT || ev == SMTP_CLIENT_DONE ||
	    ev == SMTP_CLIENT_LOST || ev == SMTP_CLIENT_WANT_CONTENT)
		buf_addf(b, " %d", number);
	if (ev == SMTP_CLIENT_RECIPIENT)
		buf_addf(b, " %zu %d", n->recipient, n->reply.code);
	if (ev == SMTP_CLIENT_DONE || ev == SMTP_CLIENT_CLOSED)
		buf_addf(b, " %s %d", smtp_stage_name(n->stage), n->reply.code);
	if (n->reply.local)
		buf_adds(b, " local");
	if (ev == SMTP_CLIENT_CLOSED && number)
		buf_addf(b, " transaction %d", number);
	if (n->uncertain)
		buf_adds(b, " uncertain");
	buf_addf(b, " ~ %s\n", n->reply.text);
}

static void settle(struct player *p) {
	struct smtp_client_note note;
	enum smtp_client_event ev;
	drain(p);
	while ((ev = smtp_client_next(p->c, &note)) != SMTP_CLIENT_NONE)
		note_event(p, ev, &note);
	drain(p);
}

static void server_says(struct player *p, struct span text, bool line) {
	AUTO_BUF struct buf b = BUF_INIT(DIALOG_MAX);
	for (size_t i = 0; i < text.len; i++) {
		static const char from[] = "rn0t", to[] = "\r\n\0\t";
		const char *at = !line && text.p[i] == '\\' && i + 1 < text.len
					 ? memchr(from, text.p[i + 1], 4)
					 : NULL;
		buf_addc(&b, at ? to[at - from] : text.p[i]);
		i += at != NULL;
	}
	if (line)
		buf_adds(&b, "\r\n");
	size_t step = p->bytewise && line ? 1 : b.len;
	for (size_t i = 0; i < b.len; i += step) {
		/* A copy of the exact size, so that sanitizers see reads behind the end. */
		AUTO_FREE char *copy = span_dup(span_of(b.data + i, step));
		smtp_client_input(p->c, span_of(copy, step));
		settle(p);
	}
}

static void content(struct player *p, struct span text, bool last) {
	AUTO_BUF struct buf b = BUF_INIT(DIALOG_MAX);
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '|')
			buf_adds(&b, "\r\n");
		else
			buf_addc(&b, text.p[i]);
	}
	size_t step = p->bytewise ? 1 : b.len;
	for (size_t i = 0; i < b.len; i += step)
		if (smtp_client_content(p->c, span_of(b.data + i, step), false) < 0)
			fail(p, "content was not taken");
	if (last)
		smtp_client_content(p->c, SPAN(""), true);
}

static void begin(struct player *p, struct span words) {
	uint64_t n = 1;
	struct err err = ERR_INIT;
	span_take_uint(&words, TRANSACTIONS_MAX, &n);
	int r = smtp_client_begin(p->c, &p->t[n - 1], &err);
	bool refused = span_eq(words, SPAN(" refused"));
	if (r == 0 ? refused : !refused)
		fail(p, "begin gave %d: %s", r, err.msg);
}

static void action(struct player *p, struct span text) {
	if (span_take_lit(&text, SPAN("begin ")))
		begin(p, text);
	else if (span_take_lit(&text, SPAN("content ")))
		content(p, text, false);
	else if (span_take_lit(&text, SPAN("last")))
		content(p, span_trim(text), true);
	else if (span_eq(text, SPAN("quit")))
		smtp_client_quit(p->c);
	else if (span_eq(text, SPAN("tls")))
		smtp_client_tls_done(p->c);
	else if (span_eq(text, SPAN("eof")))
		smtp_client_eof(p->c, "closed the connection");
	else if (span_eq(text, SPAN("abort")))
		smtp_client_abort(p->c, "ended by us");
	else if (span_eq(text, SPAN("timeout")))
		smtp_client_timeout(p->c, "no answer");
	else if (span_eq(text, SPAN("in-step")) || span_eq(text, SPAN("out-of-step"))) {
		if (smtp_client_out_of_step(p->c) != (text.p[0] == 'o'))
			fail(p, "out_of_step is wrong");
	} else if (span_eq(text, SPAN("stall")))
		p->stalled = true;
	else if (span_eq(text, SPAN("may")) || span_eq(text, SPAN("may-not"))) {
		if (smtp_client_may_begin(p->c) != (text.len == 3))
			fail(p, "may_begin is wrong");
	} else
		fail(p, "unknown action %.*s", (int)text.len, text.p);
	settle(p);
}

static void expect_event(struct player *p, struct span want) {
	struct span queue = buf_span(&p->events), got = SPAN(""), part;
	struct span head = want;
	bool whole = !span_take_until(&head, '~', &part);
	span_take_line(&queue, &got);
	size_t mark = span_find(got, '~');
	struct span event = span_trim(span_head(got, mark)),
		    text = span_from(got, mark + 2);
	if (!span_eq(event, span_trim(whole ? want : part)))
		fail(p, "event is \"%.*s\"", (int)got.len, got.p);
	else if (!whole &&
		 !memmem(text.p, text.len, span_trim(head).p, span_trim(head).len))
		fail(p, "text is \"%.*s\"", (int)text.len, text.p);
	buf_consume(&p->events, p->events.len - queue.len);
}

static void expect_sent(struct player *p, struct span want) {
	struct span queue = buf_span(&p->sent), got = SPAN("");
	if (!span_take_line(&queue, &got))
		fail(p, "the client sent nothing");
	else if (!span_eq(got, want))
		fail(p, "the client sent \"%.*s\"", (int)got.len, got.p);
	buf_consume(&p->sent, p->sent.len - queue.len);
}

/* "{200*ab}" at the end of a line stands for 200 times "ab". */
static struct span expand(struct span text, struct buf *b) {
	struct span rest = text, head, what;
	uint64_t times;
	if (!span_take_until(&rest, '{', &head) ||
	    !span_take_uint(&rest, 100000, &times) || !span_take_char(&rest, '*') ||
	    !span_take_until(&rest, '}', &what))
		return text;
	buf_add(b, head);
	while (times-- > 0)
		buf_add(b, what);
	buf_add(b, rest);
	return buf_span(b);
}

static void play_line(struct player *p, char kind, struct span text) {
	AUTO_BUF struct buf expanded = BUF_INIT(DIALOG_MAX);
	if (kind == 'C' || kind == 'S' || kind == 's')
		text = expand(text, &expanded);
	if (kind != 'P' && kind != 'T')
		start(p);
	switch (kind) {
	case 'P': {
		struct span w;
		while (span_take_word(&text, &w))
			parameter(p, w);
		break;
	}
	case 'T':
		transaction(p, text);
		break;
	case 'S':
		server_says(p, text, true);
		break;
	case 's':
		server_says(p, text, false);
		break;
	case 'A':
		action(p, text);
		break;
	case 'E':
		expect_event(p, text);
		break;
	case 'C':
		expect_sent(p, text);
		break;
	case 'N':
		if (p->sent.len > 0)
			fail(p, "the client sent \"%s\"", buf_str(&p->sent));
		break;
	default:
		fail(p, "unknown line");
	}
}

static void begin_dialog(struct player *p, struct span name) {
	snprintf(p->name, sizeof p->name, "%.*s", (int)name.len, name.p);
	p->params = (struct smtp_client_params){ .helo = "me.example" };
	p->transactions = 0;
	p->failed = p->stalled = p->has_initial = p->gives_up = p->unsatisfied = false;
	p->initial = SPAN("");
	buf_reset(&p->sent);
	buf_reset(&p->events);
}

static void end_dialog(struct player *p) {
	if (!p->c)
		return;
	if (p->sent.len > 0)
		fail(p, "left: the client sent \"%.200s\"", buf_str(&p->sent));
	if (p->events.len > 0)
		fail(p, "left: %.200s", buf_str(&p->events));
	ok(!p->failed, "%s%s", p->name, p->bytewise ? ", byte by byte" : "");
	smtp_client_free(p->c);
	p->c = NULL;
}

static void play_file(struct player *p, struct span text) {
	struct span line;
	p->line = 0;
	while (span_take_line(&text, &line)) {
		p->line++;
		if (line.len == 0 || line.p[0] == '#')
			continue;
		if (span_take_lit(&line, SPAN("== "))) {
			end_dialog(p);
			begin_dialog(p, line);
			continue;
		}
		char kind = line.p[0];
		struct span rest = span_from(line, 1);
		if (!span_take_char(&rest, ':'))
			kind = '?';
		span_take_char(&rest, ' ');
		play_line(p, kind, rest);
	}
	end_dialog(p);
}

static void play_path(struct player *p, const char *path) {
	AUTO_BUF struct buf text = BUF_INIT(DIALOG_MAX);
	FILE *f = fopen(path, "re");
	char piece[4096];
	size_t n;
	if (!f) {
		ok(false, "%s can be read", path);
		return;
	}
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_addm(&text, piece, n);
	fclose(f);
	p->file = path;
	for (int i = 0; i < 2; i++) {
		p->bytewise = i == 1;
		play_file(p, buf_span(&text));
	}
}

int main(void) {
	static struct player p;
	glob_t found;
	buf_init(&p.sent, DIALOG_MAX);
	buf_init(&p.events, DIALOG_MAX);
	if (!ok(glob("tests/smtp/*.dialog", 0, NULL, &found) == 0, "there are dialogues"))
		return done_testing();
	for (size_t i = 0; i < found.gl_pathc; i++)
		play_path(&p, found.gl_pathv[i]);
	globfree(&found);
	buf_release(&p.sent);
	buf_release(&p.events);
	return done_testing();
}
