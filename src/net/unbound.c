/*
 * libunbound, single-threaded. The context is made anew when the servers change, or when
 * validation turns out to be impossible; questions under way are asked again in the new one.
 * That never happens inside of a callback of the library, but in the next round of the loop.
 *
 * Validation with the system's own trust anchor ends when not even the keys of the root can be
 * had: the servers strip signatures, and every answer would be bogus. A trust anchor that
 * somebody chose is never given up like that.
 *
 * Options must be set before anything finalises the context, and errors of the trust anchor
 * show only then, so it is finalised at the end of open_context().
 */

#include "net/unbound.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "net/dns_message.h"
#include "net/dns_server.h"
#include "net/unbound_event.h"

#define ROOT_KEY "/usr/share/dns/root.key"
#define CLASS_IN 1

struct unbound {
	struct loop *loop;
	struct ub_event_base *events;
	struct ub_ctx *ctx;
	char *server, *anchor;
	bool iterate;
	bool lax;     /* the anchor is the system's */
	bool root_ok; /* its keys were seen with good signatures */
	bool probing, probe_due;
	bool renew;               /* a new context is due */
	bool stripped;            /* validation was given up */
	struct list live;         /* questions */
	struct loop_timer *again; /* for what a callback cannot do */
	struct dns_message message;
};

struct unbound_question {
	struct list node;
	struct unbound *u;
	char *name;
	enum dns_type type;
	int id;
	bool waits; /* for the probe: not asked at present */
	bool *answered;
	unbound_answer_fn *fn;
	void *fn_ctx;
};

static const struct {
	const char *option, *value;
} options[] = {
	{ "verbosity:", "0" },
	{ "do-not-query-localhost:", "no" },
	/* Zones that the library would answer by itself, without asking anybody. */
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
	{ "local-zone:", "localhost. transparent" },
	{ "local-zone:", "test. transparent" },
	{ "local-zone:", "invalid. transparent" },
	{ "local-zone:", "onion. transparent" },
	{ "local-zone:", "home.arpa. transparent" },
	{ "local-zone:", "127.in-addr.arpa. transparent" },
	/* A server that was silent is asked again at once: the deadline is ours. */
	{ "infra-keep-probing:", "yes" },
	/* The first time-out is 50 ms at least, and doubles: so the deadline comes first. */
	{ "outbound-msg-retry:", "8" },
	{ "infra-host-ttl:", "30" },
	/* Each takes a descriptor; the others wait for one. */
	{ "outgoing-range:", "256" },
	{ "num-queries-per-thread:", "4096" },
};

static const char *rcode_name(unsigned rcode) {
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
					     "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
					     "NXRRSET", "NOTAUTH", "NOTZONE" };
	return rcode < sizeof(names) / sizeof(names[0]) ? names[rcode]
							: "an unknown rcode";
}

static int ub_failed(struct err *err, const char *what, int r) {
	return err_set(err, ERR_SYSTEM, "%s: %s", what, ub_strerror(r));
}

/* The servers of /etc/resolv.conf; as for libc, this machine when it names none. */
static int use_resolv_conf(struct ub_ctx *ctx, struct err *err) {
	FILE *f = fopen("/etc/resolv.conf", "re");
	char line[512], at[128];
	unsigned count = 0;
	while (f && fgets(line, sizeof(line), f)) {
		struct span in = span_str(line), word;
		if (!span_take_word(&in, &word) || !span_eq(word, SPAN("nameserver")) ||
		    !span_take_word(&in, &word))
			continue;
		word = span_trim(word);
		snprintf(at, sizeof(at), "%.*s", (int)(word.len < 100 ? word.len : 100),
			 word.p);
		count += ub_ctx_set_fwd(ctx, at) == 0;
	}
	if (f)
		fclose(f);
	if (count > 0)
		return 0;
	int r = ub_ctx_set_fwd(ctx, "127.0.0.1");
	return r == 0 ? 0 : ub_failed(err, "name server", r);
}

static int use_server(struct ub_ctx *ctx, const char *server, struct err *err) {
	AUTO_BUF struct buf at = BUF_INIT(100);
	struct inet_port p;
	if (!dns_server_parse(span_str(server), &p))
		return err_set(err, ERR_SYNTAX, "%s: not the address of a name server",
			       server);
	inet_addr_add(&at, &p.addr);
	buf_addf(&at, "@%u", p.port);
	int r = ub_ctx_set_fwd(ctx, buf_str(&at));
	return r == 0 ? 0 : ub_failed(err, server, r);
}

static int use_anchor(struct unbound *u, struct ub_ctx *ctx, struct err *err) {
	if (!u->anchor || u->stripped)
		return 0;
	if (access(u->anchor, R_OK) != 0)
		return err_sys(err, "trust anchor %s", u->anchor);
	int r = ub_ctx_add_ta_file(ctx, u->anchor);
	return r == 0 ? 0 : ub_failed(err, u->anchor, r);
}

static int configure(struct unbound *u, struct ub_ctx *ctx, struct err *err) {
	int r = ub_ctx_debugout(ctx, NULL);
	if (r == 0)
		r = ub_ctx_debuglevel(ctx, 0);
	/* An option that this version does not have is not missed. */
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		ub_ctx_set_option(ctx, options[i].option, options[i].value);
	if (r != 0)
		return ub_failed(err, "libunbound", r);
	if (u->iterate)
		r = 0;
	else if (u->server)
		r = use_server(ctx, u->server, err);
	else
		r = use_resolv_conf(ctx, err);
	if (r != 0 || use_anchor(u, ctx, err) != 0)
		return -1;
	r = ub_ctx_zone_remove(ctx, "finalise.invalid.");
	if (r == 0)
		return 0;
	if (u->anchor && !u->stripped)
		return err_set(err, ERR_SYNTAX,
			       "trust anchor %s: holds no keys that can be used",
			       u->anchor);
	return ub_failed(err, "libunbound", r);
}

static int open_context(struct unbound *u, struct err *err) {
	struct ub_ctx *ctx = ub_ctx_create_ub_event(u->events);
	if (!ctx)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (configure(u, ctx, err) != 0) {
		ub_ctx_delete(ctx);
		return -1;
	}
	u->ctx = ctx;
	return 0;
}

static void release(struct unbound_question *q) {
	list_remove(&q->node);
	free(q->name);
	free(q);
}

static void tell(struct unbound_question *q, const struct dns_found *found) {
	unbound_answer_fn *fn = q->fn;
	void *ctx = q->fn_ctx;
	if (q->answered)
		*q->answered = true;
	release(q);
	fn(ctx, found);
}

static void fail(struct unbound_question *q, const char *why) {
	struct dns_found found = { .status = DNS_SERVFAIL, .why = why };
	tell(q, &found);
}

static void start(struct unbound_question *q);

/* The keys of the root came, or not. */
static void on_root(void *ctx, int rcode, void *packet, int len, int sec, char *why_bogus,
		    int limited) {
	struct unbound *u = ctx;
	(void)packet;
	(void)len;
	(void)why_bogus;
	(void)limited;
	u->probing = false;
	u->root_ok = rcode == 0 && sec == 2;
	u->stripped = !u->root_ok;
	u->renew = u->stripped;
	loop_timer_set(u->again, 0);
}

/* Without memory to find out, forged stays forged. */
static void probe(struct unbound *u) {
	u->probe_due = false;
	if (ub_resolve_event(u->ctx, ".", DNS_DNSKEY, CLASS_IN, u, on_root, NULL) == 0)
		return;
	u->probing = false;
	u->root_ok = true;
	loop_timer_set(u->again, 0);
}

/* The library must not be entered from its own callback. */
static void want_probe(struct unbound *u) {
	if (u->probing)
		return;
	u->probing = u->probe_due = true;
	loop_timer_set(u->again, 0);
}

static void describe(const struct dns_message *m, int sec, char *why_bogus,
		     struct dns_found *ret) {
	ret->why = NULL;
	ret->secure = sec == 2;
	ret->ttl = m->ttl;
	ret->canonical = m->canonical;
	ret->cnames = m->cnames;
	if (sec == 1) {
		ret->status = DNS_BOGUS;
		ret->why = why_bogus ? why_bogus : "DNSSEC validation failed";
	} else if (m->rcode == 0) {
		ret->status = m->count > 0 ? DNS_FOUND : DNS_NODATA;
		ret->record = m->record;
		ret->count = m->count;
	} else if (m->rcode == 3) {
		ret->status = DNS_NXDOMAIN;
	} else {
		ret->status = DNS_SERVFAIL;
		ret->why = rcode_name(m->rcode);
	}
}

static void on_answer(void *ctx, int rcode, void *packet, int len, int sec,
		      char *why_bogus, int limited) {
	struct unbound_question *q = ctx;
	struct unbound *u = q->u;
	struct dns_message *m = &u->message;
	(void)limited;
	if (sec == 1 && u->lax && !u->root_ok && !u->stripped) {
		q->waits = true;
		want_probe(u);
		return;
	}
	if (rcode != 0 || !packet) {
		fail(q, rcode_name(rcode != 0 ? (unsigned)rcode : 2));
		return;
	}
	struct dns_found found = { .status = DNS_SERVFAIL,
				   .why = "an answer that cannot be read" };
	if (dns_message_read(span_of(packet, (size_t)len), q->name, q->type, m))
		describe(m, sec, why_bogus, &found);
	tell(q, &found);
	buf_release(&m->rdata);
}

static void start(struct unbound_question *q) {
	struct unbound *u = q->u;
	q->waits = false;
	if (!u->ctx || ub_resolve_event(u->ctx, *q->name ? q->name : ".", (int)q->type,
					CLASS_IN, q, on_answer, &q->id) != 0)
		fail(q, "the resolver cannot be started");
}

/* Asks those that wait for the probe, or all, which go to a new context. While the list is walked,
 * callbacks may end any of them. */
static void restart(struct unbound *u, bool all) {
	struct list todo = LIST_INIT(todo), *it, *tmp;
	list_each(it, tmp, &u->live) {
		if (!all && !list_entry(it, struct unbound_question, node)->waits)
			continue;
		list_remove(it);
		list_add_tail(&todo, it);
	}
	while (!list_empty(&todo)) {
		struct list *node = todo.next;
		list_remove(node);
		list_add_tail(&u->live, node);
		start(list_entry(node, struct unbound_question, node));
	}
}

static void on_again(void *ctx) {
	struct unbound *u = ctx;
	struct err err = ERR_INIT;
	if (!u->renew) {
		if (u->probe_due)
			probe(u);
		else
			restart(u, false);
		return;
	}
	u->renew = u->probing = u->probe_due = false;
	if (u->ctx)
		ub_ctx_delete(u->ctx);
	u->ctx = NULL;
	/* Without one every question fails, until the next renewal. */
	open_context(u, &err);
	restart(u, true);
}

static bool copy_text(const char *s, char **ret) {
	*ret = s ? span_dup(span_str(s)) : NULL;
	return !s || *ret;
}

static bool prepare(struct unbound *u, const struct dns_unbound_options *o) {
	const char *anchor = o->trust_anchor;
	const char *root = o->system_anchor ? o->system_anchor : ROOT_KEY;
	if (!anchor && access(root, R_OK) == 0) {
		anchor = root;
		u->lax = true;
	}
	if (anchor && strcmp(anchor, "none") == 0)
		anchor = NULL;
	u->iterate = o->iterate;
	u->events = unbound_events_new(u->loop);
	u->again = loop_timer(u->loop, 0, on_again, u);
	if (u->again)
		loop_timer_stop(u->again);
	return copy_text(o->server, &u->server) && copy_text(anchor, &u->anchor) &&
	       u->events && u->again;
}

struct unbound *unbound_open(struct loop *loop, const struct dns_unbound_options *o,
			     struct err *err) {
	struct unbound *u = calloc(1, sizeof(*u));
	if (!u) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	u->loop = loop;
	list_init(&u->live);
	if (!prepare(u, o)) {
		err_set(err, ERR_MEMORY, "out of memory");
		unbound_close(u);
		return NULL;
	}
	if (open_context(u, err) == 0)
		return u;
	unbound_close(u);
	return NULL;
}

struct unbound_question *unbound_ask(struct unbound *u, const char *name,
				     enum dns_type type, unbound_answer_fn *fn, void *ctx,
				     bool *ret_asked) {
	struct unbound_question *q = calloc(1, sizeof(*q));
	bool answered = false;
	*ret_asked = false;
	if (q)
		q->name = span_dup(span_str(name));
	if (!q || !q->name) {
		free(q);
		return NULL;
	}
	q->u = u;
	q->type = type;
	q->fn = fn;
	q->fn_ctx = ctx;
	q->answered = &answered;
	list_add_tail(&u->live, &q->node);
	*ret_asked = true;
	start(q);
	if (answered)
		return NULL;
	q->answered = NULL;
	return q;
}

void unbound_cancel(struct unbound_question *q) {
	if (!q->waits && q->u->ctx)
		ub_cancel(q->u->ctx, q->id);
	release(q);
}

void unbound_renew(struct unbound *u) {
	u->root_ok = u->stripped = false;
	u->renew = true;
	if (list_empty(&u->live))
		on_again(u);
	else
		loop_timer_set(u->again, 0);
}

const char *unbound_warning(const struct unbound *u) {
	return u->stripped
		       ? "the name server strips the signatures of DNSSEC: answers are not "
			 "validated"
		       : "";
}

bool unbound_has_anchor(const struct unbound *u) {
	return u->anchor != NULL;
}

void unbound_close(struct unbound *u) {
	if (u->ctx)
		ub_ctx_delete(u->ctx);
	while (!list_empty(&u->live))
		release(list_entry(u->live.next, struct unbound_question, node));
	unbound_events_free(u->events);
	loop_timer_free(u->again);
	free(u->server);
	free(u->anchor);
	free(u);
}
