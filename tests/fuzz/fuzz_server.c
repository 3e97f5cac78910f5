/*
 * The server machine: the first and third byte choose what is offered and how the input is
 * cut, the second what the caller answers. Checked: replies are whole lines without control
 * bytes, content that is said to have no flaw has none, also across the chunks of BDAT, no
 * more is given out than may be, and no event follows the last one.
 */

#include <stdint.h>
#include <stdlib.h>

#include "smtp/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct smtp_server *s;
	uint8_t mood;
	uint64_t max;
	bool lenient;
	unsigned count;
	bool over, in_mail;
	size_t recipients;
	bool bare, nul, after_cr; /* of the content so far */
	uint64_t content;
};

static void check_output(struct smtp_server *s) {
	struct span out = smtp_server_output(s), line, rest = out;
	if (out.len > 0 && out.p[out.len - 1] != '\n')
		abort();
	while (span_take_line(&rest, &line)) {
		if (line.len < 4 || line.p[0] < '2' || line.p[0] > '5')
			abort();
		for (size_t i = 0; i < line.len; i++)
			if ((unsigned char)line.p[i] < ' ')
				abort();
	}
	smtp_server_sent(s, out.len);
}

static bool answer(struct run *r) {
	bool yes = (r->mood >> (r->count++ % 8) & 1) == 0;
	if (yes)
		smtp_server_answer(r->s, 0, NULL);
	else
		smtp_server_answer(r->s, r->count % 50 == 49 ? 421 : 550,
				   "5.0.0 no\r\n250 yes");
	return yes;
}

static void begin_content(struct run *r) {
	r->bare = r->nul = r->after_cr = false;
	r->content = 0;
}

static void on_content(struct run *r, struct span data) {
	if (data.len == 0)
		abort();
	for (size_t i = 0; i < data.len; i++) {
		if (r->after_cr != (data.p[i] == '\n'))
			r->bare = true;
		r->after_cr = data.p[i] == '\r';
		r->nul |= data.p[i] == '\0';
	}
	r->content += data.len;
	if (r->max && r->content > r->max)
		abort();
}

static void on_data_end(struct run *r, enum smtp_server_flaw flaw) {
	bool bare = (r->bare || r->after_cr) && !r->lenient;
	if (flaw == SMTP_FLAW_NONE && (bare || r->nul))
		abort();
	answer(r);
	r->in_mail = false;
}

static void on_event(struct run *r, enum smtp_server_event ev,
		     const struct smtp_server_note *n) {
	if (ev == SMTP_SERVER_HELO) {
		answer(r);
	} else if (ev == SMTP_SERVER_MAIL) {
		if (r->in_mail)
			abort();
		r->in_mail = answer(r);
		r->recipients = 0;
	} else if (ev == SMTP_SERVER_RCPT) {
		if (!r->in_mail || n->path.len == 0)
			abort();
		r->recipients += answer(r);
	} else if (ev == SMTP_SERVER_DATA) {
		if (!r->in_mail || r->recipients == 0)
			abort();
		begin_content(r);
		answer(r);
	} else if (ev == SMTP_SERVER_CONTENT) {
		on_content(r, n->data);
	} else if (ev == SMTP_SERVER_DATA_END) {
		on_data_end(r, n->flaw);
	} else if (ev == SMTP_SERVER_RESET) {
		r->in_mail = false;
	} else if (ev == SMTP_SERVER_AUTH) {
		if (r->count++ % 3 == 0)
			smtp_server_auth_challenge(r->s, SPAN("x"));
		else
			smtp_server_auth_done(r->s, r->count % 2);
	} else if (ev == SMTP_SERVER_WANT_TLS) {
		smtp_server_tls_done(r->s);
		r->in_mail = false;
	} else {
		r->over = true;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 3)
		return 0;
	struct smtp_server_params params = {
		.host = "mx.example",
		.size_max = data[0] & 1 ? 50 : 0,
		.recipients_max = 3,
		.errors_max = 20,
		.offer_starttls = data[0] & 2,
		.require_tls = data[0] & 4,
		.require_auth = data[0] & 8,
		.auth_clear = data[0] & 16 ? "PLAIN LOGIN" : NULL,
		.auth_tls = data[0] & 32 ? "PLAIN" : NULL,
		.pipelining = true,
		.eightbitmime = data[0] & 64,
		.smtputf8 = data[0] & 64,
		.dsn = data[0] & 128,
		.chunking = (data[2] & 16) == 0,
		.lenient_newlines = data[2] & 32,
		.idle_max = data[2] & 64 ? 5 : 0,
	};
	struct run r = {
		.s = smtp_server_new(&params),
		.mood = data[1],
		.max = params.size_max,
		.lenient = params.lenient_newlines,
	};
	size_t step = data[2] % 16 ? data[2] % 16u : size;
	for (size_t i = 3; i < size; i += step) {
		size_t n = size - i < step ? size - i : step;
		char *piece = malloc(n);
		memcpy(piece, data + i, n);
		smtp_server_input(r.s, span_of(piece, n));
		free(piece);
		struct smtp_server_note note;
		enum smtp_server_event ev;
		while ((ev = smtp_server_next(r.s, &note)) != SMTP_SERVER_NONE) {
			if (r.over)
				abort();
			on_event(&r, ev, &note);
		}
		check_output(r.s);
	}
	smtp_server_free(r.s);
	return 0;
}
