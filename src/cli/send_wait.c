/*
 * send --wait. The message was queued by whatever way; here the daemon is asked for its
 * events, as words, and asked again when the connection ends without an end of the message: one
 * that nightmail-drop left is not known until it was picked up, and the daemon itself may not
 * run yet, or stop for a moment.
 */

#include "cli/send_wait.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/term.h"
#include "cli/cli.h"
#include "control/control.h"

#define LINE_CEILING (256u << 10)
#define READ_SIZE 16384u
#define ASK_TIMEOUT_MS 30000
#define AGAIN_MS 200
#define UNKNOWN_MS 10000 /* so long a message may not be known to the daemon yet */
#define YEAR_MS (365LL * 24 * 3600 * 1000)

static const char program[] = "send";

struct waiting {
	const char *path;
	struct queue_id id;
	int64_t begun_ms, until_ms, unknown_until_ms;
	bool progress; /* told to a terminal */
	bool alone;    /* there is no daemon, which was told */
	bool over;
	char outcome[32];
	char reply[512]; /* what was said last */
};

/* One event: its kind and the words that are looked at here. */
struct event {
	struct span what;
	struct buf to, host, reply, relay, state, outcome, by, new_id;
	int64_t next_s, queue_ms, connect_ms, send_ms;
};

static void event_release(struct event *e) {
	struct buf *const texts[] = { &e->to,    &e->host,    &e->reply, &e->relay,
				      &e->state, &e->outcome, &e->by,    &e->new_id };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		buf_release(texts[i]);
}

static void read_event(struct span line, struct event *e) {
	const struct {
		const char *key;
		struct buf *text;
		int64_t *number;
	} words[] = {
		{ "to", &e->to, NULL },           { "host", &e->host, NULL },
		{ "reply", &e->reply, NULL },     { "relay", &e->relay, NULL },
		{ "state", &e->state, NULL },     { "outcome", &e->outcome, NULL },
		{ "by", &e->by, NULL },           { "new", &e->new_id, NULL },
		{ "next", NULL, &e->next_s },     { "queue_ms", NULL, &e->queue_ms },
		{ "connect_ms", NULL, &e->connect_ms }, { "send_ms", NULL, &e->send_ms },
	};
	struct span key, value;
	uint64_t n;
	codec_word_take(&line, &e->what, &value);
	while (codec_word_take(&line, &key, &value)) {
		for (size_t i = 0; value.p && i < sizeof(words) / sizeof(words[0]); i++) {
			if (!span_eq(key, span_str(words[i].key)))
				continue;
			if (words[i].text)
				codec_percent_decode(words[i].text, value);
			else if (span_uint(value, INT64_MAX, &n))
				*words[i].number = (int64_t)n;
		}
	}
}

/* --- what a person sees --- */

static void add_part(struct buf *out, const char *before, const struct buf *text) {
	if (text->len == 0)
		return;
	buf_adds(out, before);
	buf_add(out, buf_span(text));
}

static void add_ms(struct buf *out, const char *words, int64_t ms) {
	buf_addf(out, "%s%lld.%02d s", words, (long long)(ms / 1000), (int)(ms % 1000 / 10));
}

static void add_delivered(struct buf *out, const struct event *e) {
	add_ms(out, " (queued ", e->queue_ms);
	add_ms(out, ", connecting ", e->connect_ms);
	add_ms(out, ", sending ", e->send_ms);
	buf_addc(out, ')');
}

static void add_next(struct buf *out, int64_t next_s) {
	int64_t ms = next_s * 1000 - clock_wall_ms();
	buf_adds(out, "next try in ");
	term_duration(out, ms > 1000 ? ms : 1000);
}

/* "delivered to <a@b.example> by mx1.example[192.0.2.1]: 250 2.0.0 ok (...)" */
static void describe(struct buf *out, const struct event *e) {
	if (span_eq(e->what, SPAN("waits"))) {
		add_next(out, e->next_s);
		return;
	}
	if (span_eq(e->what, SPAN("started")))
		buf_adds(out, "being delivered");
	else if (span_eq(e->what, SPAN("state")))
		buf_add(out, buf_span(&e->state));
	else
		buf_add(out, e->what);
	if (!span_eq(e->what, SPAN("state")) && !span_eq(e->what, SPAN("queued"))) {
		add_part(out, span_eq(e->what, SPAN("delivered")) ? " to " : " for ", &e->to);
		add_part(out, " by ", &e->by);
	}
	add_part(out, ", ", &e->host);
	if (e->host.len == 0)
		add_part(out, ", relay ", &e->relay);
	add_part(out, ": ", &e->reply);
	if (span_eq(e->what, SPAN("delivered")))
		add_delivered(out, e);
	if (span_eq(e->what, SPAN("state")) && e->next_s > clock_wall_ms() / 1000) {
		buf_adds(out, "; ");
		add_next(out, e->next_s);
	}
}

static void tell(const struct waiting *w, const struct event *e) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_CEILING);
	if (!w->progress)
		return;
	describe(&line, e);
	term_print(stderr, buf_span(&line));
	fputc('\n', stderr);
}

/* --- following --- */

static void keep_text(char *out, size_t size, const struct buf *text) {
	snprintf(out, size, "%.*s", (int)text->len, buf_str(text));
}

static void hear(struct waiting *w, struct span line) {
	struct event e = { .next_s = 0 };
	struct buf *const texts[] = { &e.to,    &e.host,    &e.reply, &e.relay,
				      &e.state, &e.outcome, &e.by,    &e.new_id };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		buf_init(texts[i], LINE_CEILING);
	read_event(line, &e);
	bool gone = span_eq(e.what, SPAN("gone"));
	bool dead = span_eq(e.what, SPAN("state")) && span_eq(buf_span(&e.state), SPAN("dead"));
	if (e.reply.len > 0)
		keep_text(w->reply, sizeof(w->reply), &e.reply);
	w->unknown_until_ms = 0;
	if (gone && span_eq(buf_span(&e.outcome), SPAN("edited")) &&
	    queue_id_parse(buf_span(&e.new_id), &w->id)) {
		w->unknown_until_ms = clock_boot_ms() + UNKNOWN_MS; /* goes on as another */
	} else if (gone || dead) {
		w->over = true;
		keep_text(w->outcome, sizeof(w->outcome), dead ? &e.state : &e.outcome);
	} else {
		tell(w, &e);
	}
	event_release(&e);
}

/* Reads until the last line. 0: it came, with what the daemon says in *err; -1 otherwise. */
static int follow(struct waiting *w, int fd, struct err *err) {
	AUTO_BUF struct buf in = BUF_INIT(LINE_CEILING);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = w->until_ms - clock_boot_ms();
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT, "the time is over");
		if (poll(&p, 1, left < INT32_MAX ? (int)left : INT32_MAX) <= 0)
			continue;
		char *room = buf_room(&in, READ_SIZE);
		ssize_t n = room ? recv(fd, room, READ_SIZE, 0) : 0;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return err_set(err, ERR_MISSING, "nightmaild stopped");
		buf_grew(&in, (size_t)n);
		struct span rest = buf_span(&in), line;
		while (span_find(rest, '\n') < rest.len && span_take_line(&rest, &line)) {
			bool last;
			if (control_verdict(line, &last, err) != 0 || last)
				return 0;
			hear(w, line);
		}
		buf_consume(&in, in.len - rest.len);
	}
}

/* Asks once. -1: there is nobody to ask, or the time is over. */
static int ask(struct waiting *w, struct err *err) {
	AUTO_BUF struct buf request = BUF_INIT(1024);
	struct queue_id_text text = queue_id_text(&w->id);
	buf_addf(&request, "events id=%s format=words", text.s);
	AUTO_FD int fd = control_open(w->path, buf_span(&request), ASK_TIMEOUT_MS, err);
	return fd < 0 ? -1 : follow(w, fd, err);
}

/* The daemon is started, or started again: what it does not know then it has yet to look for. */
static void await_daemon(struct waiting *w, const struct err *err) {
	w->unknown_until_ms = clock_boot_ms() + UNKNOWN_MS;
	if (w->progress && !w->alone)
		fprintf(stderr, "%s; waiting for it\n", err->msg);
	w->alone = true;
}

/* A message that the daemon does not know is on its way to it, or left long ago. */
static bool asks_again(const struct waiting *w, const struct err *err) {
	int64_t now = clock_boot_ms();
	if (err->kind == ERR_DENIED || now >= w->until_ms)
		return false;
	if (err->kind == ERR_MISSING && now >= w->unknown_until_ms)
		return false;
	usleep(AGAIN_MS * 1000);
	return true;
}

static int wait_for_end(struct waiting *w, struct err *err) {
	do {
		*err = (struct err)ERR_INIT;
		if (ask(w, err) == 0)
			w->alone = false;
		else if (err->kind == ERR_MISSING)
			await_daemon(w, err);
	} while (!w->over && asks_again(w, err));
	return w->over ? 0 : -1;
}

/* --- the result --- */

static void print_json(const struct waiting *w) {
	AUTO_BUF struct buf out = BUF_INIT(8192);
	struct queue_id_text text = queue_id_text(&w->id);
	struct json j = json_into(&out);
	json_object(&j, NULL);
	json_str(&j, "id", span_str(text.s));
	json_str(&j, "outcome", w->over ? span_str(w->outcome) : SPAN("queued"));
	json_str_or_null(&j, "reply", w->reply[0] ? span_str(w->reply) : span_str(NULL));
	json_ms(&j, "seconds", clock_boot_ms() - w->begun_ms);
	json_end(&j);
	puts(buf_str(&out));
}

static int report(const struct waiting *w, const struct err *err) {
	struct queue_id_text id = queue_id_text(&w->id);
	if (!w->over)
		return cli_fail(program, EX_TEMPFAIL, "not delivered yet, queued as %s: %s%s%s", id.s,
				err->msg, w->reply[0] ? "; last: " : "", w->reply);
	if (strcmp(w->outcome, "delivered") == 0)
		return EX_OK;
	return cli_fail(program, EX_UNAVAILABLE, "%s: %s%s%s", id.s, w->outcome,
			w->reply[0] ? ": " : "", w->reply);
}

int send_wait(const struct settings *settings, const struct queue_id *id, int64_t timeout_ms,
	      bool json) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	struct err err = ERR_INIT;
	int64_t now = clock_boot_ms();
	buf_addf(&path, "%s/control", settings->rundir);
	struct waiting w = {
		.path = buf_str(&path),
		.id = *id,
		.begun_ms = now,
		.until_ms = now + timeout_ms,
		.unknown_until_ms = now + UNKNOWN_MS,
		.progress = isatty(STDERR_FILENO),
	};
	fflush(stdout);
	wait_for_end(&w, &err);
	if (json)
		print_json(&w);
	return report(&w, &err);
}

bool send_wait_parse(const char *text, int64_t *ret_ms) {
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	struct span s = span_str(text);
	uint64_t n;
	int64_t ms = 1000;
	if (!span_take_uint(&s, UINT32_MAX, &n))
		return false;
	for (size_t i = 0; s.len > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (!span_take_char(&s, units[i].unit))
			continue;
		ms = units[i].ms;
		break;
	}
	*ret_ms = (int64_t)n * ms;
	return s.len == 0 && *ret_ms <= YEAR_MS;
}
