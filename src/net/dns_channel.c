/*
 * The asking side of a channel to nightmail-resolve. Identifiers run on over all runs, so an
 * answer that comes after its deadline fits no later question.
 */

#include "net/dns_channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dns_frame.h"

#define GRACE_MS 500 /* the resolver has the same deadline, and better words */
#define FRAME_QUESTIONS 100u
#define RESTARTS_MAX 2u

struct channel {
	int fd; /* -1: it ended */
	int64_t deadline_ms;
	uint32_t next_id;
	unsigned resolvers; /* that began to read this channel */
	struct buf in, out;

	/* the run */
	struct dns_question *const *question;
	size_t count, open, sent;
	unsigned restarts;
	struct dns_frame_answer answer;
};

static void fail_all(struct channel *c, const char *why) {
	struct dns_found f = { .status = DNS_SERVFAIL, .why = why };
	for (size_t i = 0; i < c->count; i++)
		dns_settle(c->question[i], &f);
	c->open = 0;
}

static void end(struct channel *c) {
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	fail_all(c, "nightmail-resolve is not there");
}

/* Questions of this run have the identifiers up to next_id. */
static void on_answer(struct channel *c, struct span frame) {
	if (!dns_frame_read_answer(frame, &c->answer))
		return;
	uint32_t index = c->answer.id - (c->next_id - (uint32_t)c->count);
	if (index >= c->count || c->question[index]->answer.status != DNS_PENDING)
		return;
	dns_settle(c->question[index], &c->answer.found);
	c->open--;
}

/* The first resolver reads what waits for it. */
static void on_ready(struct channel *c) {
	if (++c->resolvers == 1 || c->open == 0)
		return;
	if (c->restarts++ == RESTARTS_MAX)
		fail_all(c, "nightmail-resolve ended without an answer");
	c->sent = 0;
}

static void hear(struct channel *c) {
	while (c->fd >= 0) {
		int r = proc_recv(c->fd, &c->in, NULL);
		if (r < 0 && errno == EAGAIN)
			return;
		if (r <= 0) {
			end(c);
			return;
		}
		struct span frame = buf_span(&c->in);
		if (span_take_char(&frame, DNS_FRAME_ANSWER))
			on_answer(c, frame);
		else if (span_take_char(&frame, DNS_FRAME_READY))
			on_ready(c);
	}
}

/* Sends as many as there is room for. */
static void speak(struct channel *c) {
	uint32_t first_id = c->next_id - (uint32_t)c->count;
	while (c->fd >= 0 && c->sent < c->count) {
		size_t i = c->sent;
		buf_reset(&c->out);
		for (unsigned n = 0; i < c->count && n < FRAME_QUESTIONS; i++) {
			const struct dns_answer *a = &c->question[i]->answer;
			if (a->status != DNS_PENDING)
				continue;
			dns_frame_add_question(&c->out, first_id + (uint32_t)i, a->name,
					       a->type);
			n++;
		}
		if (c->out.len > 0 && proc_send(c->fd, buf_span(&c->out), -1) != 0) {
			if (errno != EAGAIN)
				end(c);
			return;
		}
		c->sent = i;
	}
}

static void ask(void *ctx, struct dns_question *const *question, size_t count) {
	struct channel *c = ctx;
	int64_t until = clock_boot_ms() + c->deadline_ms + GRACE_MS;
	c->count = 0;
	hear(c); /* what came too late for an earlier run */
	c->question = question;
	c->count = c->open = count;
	c->next_id += (uint32_t)count;
	c->sent = 0;
	c->restarts = 0;
	if (c->fd < 0)
		end(c);
	while (c->open > 0) {
		int64_t left = until - clock_boot_ms();
		if (left <= 0)
			break;
		speak(c);
		struct pollfd p = {
			.fd = c->fd,
			.events = (short)(c->sent < c->count ? POLLIN | POLLOUT : POLLIN)
		};
		if (c->open > 0 && poll(&p, 1, (int)left) > 0)
			hear(c);
	}
	c->count = c->open = 0;
}

static void close_channel(void *ctx) {
	struct channel *c = ctx;
	if (c->fd >= 0)
		close(c->fd);
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
}

static const struct dns_backend backend = { .ask = ask, .close = close_channel };

struct dns *dns_channel_open(int fd, int64_t deadline_ms, struct err *err) {
	struct channel *c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	c->fd = fd;
	c->deadline_ms = deadline_ms > 0 ? deadline_ms : DNS_DEADLINE_MS;
	buf_init(&c->in, PROC_FRAME_MAX);
	buf_init(&c->out, PROC_FRAME_MAX);
	struct dns *d = dns_new(&backend, c, c->deadline_ms);
	if (!d)
		err_set(err, ERR_MEMORY, "out of memory");
	return d;
}
