/*
 * The struct dns of a tool: libunbound in this process, run until everything of one dns_run()
 * is answered or its deadline is over.
 */

#include "net/dns_unbound.h"

#include <stdlib.h>

#include "net/unbound.h"

struct inside {
	struct loop *loop;
	struct unbound *unbound;
	struct loop_timer *deadline;
	int64_t deadline_ms;
	size_t open; /* questions of this run without an answer */
};

/* One question of a run. */
struct asked {
	struct inside *in;
	struct dns_question *q;
	struct unbound_question *id; /* NULL: answered */
};

static void on_deadline(void *ctx) {
	loop_stop(((struct inside *)ctx)->loop, 0);
}

static void on_answer(void *ctx, const struct dns_found *found) {
	struct asked *a = ctx;
	a->id = NULL;
	dns_settle(a->q, found);
	if (--a->in->open == 0)
		loop_stop(a->in->loop, 0);
}

static void ask(void *ctx, struct dns_question *const *question, size_t count) {
	struct inside *in = ctx;
	struct asked *asked = calloc(count, sizeof(*asked));
	bool good;
	if (!asked)
		return;
	in->open = count + 1; /* one more than there are, until all of them were asked */
	for (size_t i = 0; i < count; i++) {
		asked[i] = (struct asked){ .in = in, .q = question[i] };
		struct unbound_question *id = unbound_ask(in->unbound,
							  question[i]->answer.name,
							  question[i]->answer.type,
							  on_answer, &asked[i], &good);
		asked[i].id = id;
		in->open -= !good;
	}
	if (--in->open > 0) {
		loop_timer_set(in->deadline, in->deadline_ms);
		loop_run(in->loop);
		loop_timer_stop(in->deadline);
	}
	for (size_t i = 0; i < count; i++)
		if (asked[i].id)
			unbound_cancel(asked[i].id);
	free(asked);
}

static void forget(void *ctx) {
	unbound_renew(((struct inside *)ctx)->unbound);
}

static void close_inside(void *ctx) {
	struct inside *in = ctx;
	if (in->unbound)
		unbound_close(in->unbound);
	loop_timer_free(in->deadline);
	loop_free(in->loop);
	free(in);
}

static const char *warning(void *ctx) {
	const struct unbound *u = ((struct inside *)ctx)->unbound;
	return unbound_has_anchor(u)
		       ? unbound_warning(u)
		       : "there is no trust anchor (package dns-root-data)";
}

static const struct dns_backend backend = {
	.ask = ask,
	.forget = forget,
	.close = close_inside,
	.warning = warning,
};

static int prepare(struct inside *in, const struct dns_unbound_options *o,
		   struct err *err) {
	in->deadline_ms = o->deadline_ms > 0 ? o->deadline_ms : DNS_DEADLINE_MS;
	in->loop = loop_new();
	in->deadline = in->loop ? loop_timer(in->loop, 0, on_deadline, in) : NULL;
	if (!in->deadline)
		return err_set(err, ERR_MEMORY, "out of memory");
	loop_timer_stop(in->deadline);
	in->unbound = unbound_open(in->loop, o, err);
	return in->unbound ? 0 : -1;
}

struct dns *dns_unbound_open(const struct dns_unbound_options *o, struct err *err) {
	struct inside *in = calloc(1, sizeof(*in));
	if (!in) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	if (prepare(in, o, err) != 0) {
		close_inside(in);
		return NULL;
	}
	struct dns *d = dns_new(&backend, in, in->deadline_ms);
	if (!d)
		err_set(err, ERR_MEMORY, "out of memory");
	return d;
}
