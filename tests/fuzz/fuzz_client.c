/*
 * The client machine against a hostile server and a caller that does things at any moment.
 * The first byte chooses the parameters; then a byte below 16 is an action of the caller,
 * any other begins a piece of what the server says, up to the next byte below 16 that is
 * not part of a line end.
 *
 * Checked: CLOSED is the last event and comes once; each transaction has at most one end;
 * recipients are told in order; no secret and no envelope in clear where TLS is required. When
 * streaming, a transaction is told as accepted only if MAIL and a recipient were.
 */

#include <stdint.h>
#include <stdlib.h>

#include "smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "c2VjcmV0" /* base64 of "secret" */

static const char *choose(void *ctx, const char *offered, bool tls, struct err *err) {
	(void)ctx;
	if (tls && offered[0])
		return "PLAIN";
	err_set(err, ERR_REMOTE, "none");
	return NULL;
}
static int step(void *ctx, struct span challenge, struct buf *response, bool *ret_has,
		struct err *err) {
	const size_t *initial = ctx;
	*ret_has = true;
	if (challenge.p && challenge.len > 3)
		return err_set(err, ERR_REMOTE, "too long");
	for (size_t i = 0; i < *initial; i++)
		buf_adds(response, "secret");
	return 0;
}
static int finish(void *ctx, struct err *err) {
	(void)ctx, (void)err;
	return 0;
}
static const struct smtp_auth_ops ops = { choose, step, finish };

static const struct smtp_recipient to[] = {
	{ { "b@example.org", 13 }, { "NEVER", 5 }, { "rfc822;b+c@example.org", 22 } },
	{ { "c@example.org", 13 }, { "", 0 }, { "utf-8;\xc3\xbc@example.org", 21 } },
	{ { "d@example.org", 13 }, { "", 0 }, { "", 0 } },
};
static const struct smtp_transaction mails[] = {
	{ .from = { "a@example.org", 13 },
	  .to = to,
	  .to_count = 3,
	  .size = 100,
	  .ret = { "HDRS", 4 } },
	{ .from = { "", 0 },
	  .to = to,
	  .to_count = 1,
	  .envid = { "x=y", 3 },
	  .body_8bit = true },
};

struct run {
	struct smtp_client *c;
	bool want_tls, tls_done, required, closed, stalled;
	size_t next_recipient[2];
	bool under_way[2], any_recipient[2];
	size_t current; /* begun last */
	uint64_t given;
};

static void on_transaction(struct run *r, const struct smtp_client_note *n, bool end) {
	size_t i = (size_t)(n->transaction - mails);
	if (!r->under_way[i])
		abort();
	if (end)
		r->under_way[i] = false;
}

static void drain(struct run *r) {
	struct span out = smtp_client_output(r->c);
	if (out.len > 0 && r->required && !r->tls_done &&
	    (memmem(out.p, out.len, SECRET, 8) || memmem(out.p, out.len, "MAIL", 4)))
		abort();
	if (!r->stalled)
		smtp_client_sent(r->c, out.len);
}

static void act(struct run *r) {
	struct smtp_client_note n;
	enum smtp_client_event ev;
	drain(r);
	while ((ev = smtp_client_next(r->c, &n)) != SMTP_CLIENT_NONE) {
		if (r->closed || !memchr(n.reply.text, 0, sizeof n.reply.text))
			abort();
		if (ev == SMTP_CLIENT_WANT_TLS) {
			r->want_tls = true;
		} else if (ev == SMTP_CLIENT_RECIPIENT) {
			on_transaction(r, &n, false);
			if (n.recipient != r->next_recipient[n.transaction - mails]++)
				abort();
			if (n.reply.code / 100 == 2)
				r->any_recipient[n.transaction - mails] = true;
		} else if (ev == SMTP_CLIENT_LOST) {
			if (!n.uncertain)
				abort();
			on_transaction(r, &n, true);
		} else if (ev == SMTP_CLIENT_DONE) {
			on_transaction(r, &n, true);
			if (smtp_client_streams(r->c) && n.stage == SMTP_STAGE_CONTENT &&
			    n.reply.code < 400 && !r->any_recipient[n.transaction - mails])
				abort();
		} else if (ev == SMTP_CLIENT_CLOSED) {
			r->closed = true;
			if (n.transaction)
				on_transaction(r, &n, false);
			if (n.uncertain && !n.transaction)
				abort();
		}
	}
	drain(r);
}

static void begin(struct run *r, size_t i) {
	bool may = smtp_client_may_begin(r->c);
	if (r->under_way[i])
		return;
	if (smtp_client_begin(r->c, &mails[i], NULL) == 0) {
		if (!may)
			abort();
		r->under_way[i] = true;
		r->any_recipient[i] = false;
		r->next_recipient[i] = 0;
		r->current = i;
		r->given = 0;
	}
}

/* The whole of what is left, as streaming wants it. */
static void give_rest(struct run *r) {
	static const char zeros[100];
	size_t left = (size_t)(mails[r->current].size - r->given);
	if (smtp_client_content(r->c, span_of(zeros, left), true) == 0)
		r->given += left;
}

static void action(struct run *r, uint8_t what) {
	switch (what) {
	case 0:
	case 1:
		begin(r, what);
		break;
	case 2:
		if (r->given + 10 <= mails[r->current].size &&
		    smtp_client_content(r->c, SPAN("..\r\n.\r\nabc"), false) == 0)
			r->given += 10;
		break;
	case 3:
		smtp_client_content(r->c, SPAN(".x\r\n"), true);
		break;
	case 4:
		smtp_client_quit(r->c);
		break;
	case 5:
		smtp_client_tls_done(r->c);
		r->tls_done = r->want_tls;
		break;
	case 6:
		smtp_client_eof(r->c, "gone");
		break;
	case 7:
		r->stalled = true;
		break;
	case 8:
		r->stalled = false;
		break;
	case 11:
		smtp_client_stage(r->c);
		break;
	case 12:
		give_rest(r);
		break;
	case 14:
		smtp_client_abort(r->c, "enough");
		break;
	case 15:
		smtp_client_timeout(r->c, "silence");
		break;
	default:
		break;
	}
	act(r);
}

static bool is_action(uint8_t c) {
	return c < 16 && c != '\r' && c != '\n' && c != '\t';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size == 0)
		return 0;
	size_t initial = data[0] & 16 ? 100 : 1;
	struct smtp_client_params params = {
		.helo = "me.example",
		.starttls = data[0] % 3,
		.tls = data[0] & 4,
		.auth = data[0] & 8 ? &ops : NULL,
		.auth_ctx = &initial,
		.stream = data[0] & 32,
	};
	struct run r = { .c = smtp_client_new(&params) };
	r.required = params.starttls == SMTP_STARTTLS_REQUIRED && !params.tls;
	for (size_t i = 1; i < size;) {
		size_t n = i;
		while (n < size && !is_action(data[n]))
			n++;
		if (n == i) {
			action(&r, data[i++]);
			continue;
		}
		/* A copy of the exact size shows reads behind the end. */
		char *piece = malloc(n - i);
		memcpy(piece, data + i, n - i);
		smtp_client_input(r.c, span_of(piece, n - i));
		free(piece);
		act(&r);
		i = n;
	}
	smtp_client_eof(r.c, "gone");
	act(&r);
	if (!r.closed)
		abort();
	smtp_client_free(r.c);
	return 0;
}
