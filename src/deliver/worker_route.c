/*
 * From the recipients of a slice to addresses on the wire. Each goes through the rules
 * of mail/rewrite.h first; then a domain with U-labels becomes A-labels where the server has no
 * SMTPUTF8. Both happen at each attempt, so that changed configuration helps mail that is
 * queued already.
 *
 * An alias with several addresses is one recipient with several routes, all of them in one
 * transaction. Which of them have the message is recorded when not all do, so that the
 * next attempt leaves those out.
 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "deliver/worker_state.h"
#include "mail/addr.h"

void worker_route_clear(struct worker_job *job) {
	for (size_t i = 0; i < job->owned_count; i++)
		free(job->owned[i]);
	job->owned_count = job->wires = job->routes = job->parts = job->sendable = 0;
}

/* Makes room for one more in the array that *array points to. */
static bool grow(void *array, size_t count, size_t *cap, size_t size) {
	void *old, *grown;
	if (count < *cap)
		return true;
	size_t more = *cap ? *cap * 2 : 16;
	memcpy(&old, array, sizeof(old));
	grown = reallocarray(old, more, size);
	if (!grown)
		return false;
	memcpy(array, &grown, sizeof(grown));
	*cap = more;
	return true;
}

/* --- one address --- */

static bool is_plain(struct span s) {
	return s.len == 0 || !addr_is_utf8(s);
}

/* Appends the address as this server takes it. */
static int to_ascii(const struct worker *w, struct span address, struct buf *out,
		    struct smtp_reply *ret_why) {
	struct addr parts;
	struct err err = ERR_INIT;
	if (addr_parse(address, ADDR_SUBMITTED, &parts, &err) != 0)
		return buf_add(out,
			       address); /* the server's words are better than ours */
	if (addr_is_utf8(parts.local)) {
		*ret_why = smtp_reply_local(
			553, 6, 7,
			"%s takes only addresses in ASCII (it does not offer SMTPUTF8)",
			w->peer);
		return -1;
	}
	buf_add(out, parts.local);
	buf_addc(out, '@');
	if (addr_domain_ascii(parts.domain, out, &err) != 0) {
		*ret_why = smtp_reply_local(553, 1, 2, "%s", err.msg);
		return -1;
	}
	return 0;
}

/* How an address goes on the wire: *ret_owned stays NULL where that is as it is. */
static int wire_address(const struct worker *w, struct span address, char **ret_owned,
			struct smtp_reply *ret_why) {
	AUTO_BUF struct buf out = BUF_INIT(4 * ADDR_MAX);
	if (is_plain(address) || w->ext.smtputf8)
		return 0;
	if (to_ascii(w, address, &out, ret_why) != 0)
		return -1;
	*ret_owned = buf_take(&out);
	if (*ret_owned)
		return 0;
	*ret_why = smtp_reply_local(451, 3, 0, "out of memory");
	return -1;
}

/* --- which lane --- */

void worker_route_begin(struct worker *w, const struct worker_job *job) {
	buf_reset(&w->sender);
	rewrite_sender(&w->rules.rewrite, queue_claim_message(job->claim)->env.from, &w->sender);
}

/* True for an address whose domain has to wait for its quota. */
static bool waits(const struct worker_job *job, struct span address) {
	char destination[ROUTE_DESTINATION_MAX + 1];
	struct span rest = span_str(job->except), one;
	if (rest.len == 0 || !route_destination(address, destination))
		return false;
	while (span_take_word(&rest, &one))
		if (span_eq(one, span_str(destination)))
			return true;
	return false;
}

/* The manager asks the same of the same rules (place.c). */
static bool is_here(const struct worker *w, const struct worker_job *job,
		    struct span address) {
	const struct wire_worker *p = w->params;
	const struct route_table table = { p->route, p->route_count, p->relays };
	const struct route_query query = {
		.sender = buf_span(&w->sender),
		.recipient = address,
		.uid = queue_claim_message(job->claim)->env.uid,
		.relay = queue_claim_message(job->claim)->env.relay,
	};
	char destination[ROUTE_DESTINATION_MAX + 1];
	if (waits(job, address))
		return false;
	if (!p->relays) /* there is one lane */
		return true;
	struct route_choice choice = route_find(&table, &query);
	if (!span_eq(choice.name, span_str(p->relay.name)))
		return false;
	if (!config_is_per_domain(&p->relay))
		return true;
	route_destination(address, destination);
	return strcmp(destination, p->destination ? p->destination : "") == 0;
}

/* True when that address of an alias has the message, as it is recorded: as on the wire. */
static bool has_reached(const struct worker *w, const struct worker_job *job, size_t index,
			struct span address) {
	AUTO_FREE char *owned = NULL;
	struct smtp_reply why;
	if (wire_address(w, address, &owned, &why) != 0)
		return false;
	return journal_has_reached(&queue_claim_message(job->claim)->journal, index,
				   owned ? span_str(owned) : address);
}

/* A name that nobody knows has no lane: whoever finds it says so. */
enum worker_here worker_route_here(struct worker *w, const struct worker_job *job,
				   size_t index) {
	struct span address = queue_claim_message(job->claim)->env.to[index].address;
	struct fixup_recipients list = { .count = 0 };
	struct err err = ERR_INIT;
	bool here = false, elsewhere = false;
	if (!w->params->relays && !job->except)
		return HERE;
	if (!rewrite_concerns(&w->rules.rewrite, address))
		return is_here(w, job, address) ? HERE : ELSEWHERE;
	if (rewrite_recipient(&w->rules.rewrite, address, &list, &err) != REWRITE_DONE)
		list.count = 0;
	for (size_t i = 0; i < list.count; i++) {
		struct span one = span_str(list.address[i]);
		if (has_reached(w, job, index, one))
			continue;
		if (is_here(w, job, one))
			here = true;
		else
			elsewhere = true;
	}
	fixup_recipients_release(&list);
	return !elsewhere ? HERE : here ? HERE_AND_ELSEWHERE : ELSEWHERE;
}

int worker_route_sender(struct worker *w, struct worker_job *job,
			struct smtp_reply *ret_why) {
	struct span from = queue_claim_message(job->claim)->env.from;
	AUTO_BUF struct buf out = BUF_INIT(4 * ADDR_MAX);
	AUTO_FREE char *rewritten = NULL;
	rewrite_sender(&w->rules.rewrite, from, &out);
	if (out.len > 0 && !span_eq(buf_span(&out), from)) {
		rewritten = buf_take(&out);
		if (!rewritten) {
			*ret_why = smtp_reply_local(451, 3, 0, "out of memory");
			return -1;
		}
		from = span_str(rewritten);
	}
	if (wire_address(w, from, &job->from, ret_why) != 0)
		return -1;
	if (!job->from)
		job->from = take_ptr(&rewritten);
	return 0;
}

/* --- one recipient --- */

static struct span notify_words(unsigned notify) {
	static const char *const words[8] = {
		"",      "SUCCESS",       "FAILURE",       "SUCCESS,FAILURE",
		"DELAY", "SUCCESS,DELAY", "FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"
	};
	return notify & NOTIFY_NEVER ? SPAN("NEVER") : span_str(words[notify >> 1 & 7]);
}

static size_t find_wire(const struct worker_job *job, const struct worker_part *part,
			struct span address) {
	size_t i = part->first_wire;
	while (i < job->wires && !span_eq(job->wire[i].address, address))
		i++;
	return i;
}

/* Adds a route of the next sendable recipient to the part. */
static bool add_route(struct worker_job *job, struct worker_part *part,
		      struct span address) {
	size_t k = job->sendable;
	size_t wire = part->expanded ? find_wire(job, part, address) : job->wires;
	const struct envelope_recipient *to =
		&queue_claim_message(job->claim)->env.to[job->to[k].index];
	if (!grow(&job->route, job->routes, &job->route_cap, sizeof(*job->route)) ||
	    !grow(&job->wire, job->wires, &job->wire_cap, sizeof(*job->wire)))
		return false;
	if (wire == job->wires)
		job->wire[job->wires++] = (struct smtp_recipient){
			.address = address,
			.notify = notify_words(to->notify),
			.orcpt = to->orcpt,
		};
	job->route[job->routes++] = (struct worker_route){ .to = k, .wire = wire };
	return true;
}

static bool keep(struct worker_job *job, char *address) {
	if (!grow(&job->owned, job->owned_count, &job->owned_cap, sizeof(*job->owned))) {
		free(address);
		return false;
	}
	job->owned[job->owned_count++] = address;
	return true;
}

/* Adds a route to an address of an alias, if it has not the message yet. */
static int add_address(struct worker *w, struct worker_job *job, struct worker_part *part,
		       const char *address, struct smtp_reply *ret_why) {
	char *owned = NULL;
	if (wire_address(w, span_str(address), &owned, ret_why) != 0)
		return -1;
	if (!owned)
		owned = span_dup(span_str(address));
	if (owned && keep(job, owned) &&
	    (journal_has_reached(&queue_claim_message(job->claim)->journal,
				 job->to[job->sendable].index, span_str(owned)) ||
	     add_route(job, part, span_str(owned))))
		return 0;
	*ret_why = smtp_reply_local(451, 3, 0, "out of memory");
	return -1;
}

static enum worker_verdict verdict_of(const struct smtp_reply *why) {
	return why->code < 300   ? VERDICT_DELIVERED
	       : why->code < 500 ? VERDICT_LATER
				 : VERDICT_FAILED;
}

/* A local name, or another that the rules know. VERDICT_NONE: it has routes now. */
static enum worker_verdict expand(struct worker *w, struct worker_job *job,
				  struct worker_part *part, struct span address,
				  struct smtp_reply *ret_why) {
	struct fixup_recipients list = { .count = 0 };
	struct err err = ERR_INIT;
	size_t before = job->routes;
	enum rewrite_result result = rewrite_recipient(&w->rules.rewrite, address, &list, &err);
	enum worker_verdict verdict = VERDICT_NONE;
	part->expanded = true;
	if (result == REWRITE_LATER) {
		*ret_why = smtp_reply_local(451, 3, 0, "%s", err.msg);
		verdict = VERDICT_LATER;
	} else if (result != REWRITE_DONE) {
		*ret_why = smtp_reply_local(450, 1, 1, "%s", err.msg);
		verdict = VERDICT_HELD;
	}
	bool all = !job->to[job->sendable].elsewhere;
	for (size_t i = 0; verdict == VERDICT_NONE && i < list.count; i++)
		if ((all || is_here(w, job, span_str(list.address[i]))) &&
		    add_address(w, job, part, list.address[i], ret_why) != 0)
			verdict = verdict_of(ret_why);
	if (verdict == VERDICT_NONE && job->routes == before) {
		*ret_why = smtp_reply_local(250, 0, 0,
					    "every address of the alias has it");
		verdict = VERDICT_DELIVERED;
	}
	if (verdict != VERDICT_NONE)
		job->routes =
			before; /* a wire without a route is cut off by the caller */
	fixup_recipients_release(&list);
	return verdict;
}

static enum worker_verdict route(struct worker *w, struct worker_job *job,
				 struct worker_part *part, struct smtp_reply *ret_why) {
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	struct span address = env->to[job->to[job->sendable].index].address;
	size_t wires = job->wires;
	enum worker_verdict verdict;
	char *owned = NULL;
	if (rewrite_concerns(&w->rules.rewrite, address)) {
		verdict = expand(w, job, part, address, ret_why);
		if (verdict != VERDICT_NONE)
			job->wires = wires;
		return verdict;
	}
	if (wire_address(w, address, &owned, ret_why) != 0)
		return verdict_of(ret_why);
	if ((!owned || keep(job, owned)) &&
	    add_route(job, part, owned ? span_str(owned) : address))
		return VERDICT_NONE;
	*ret_why = smtp_reply_local(451, 3, 0, "out of memory");
	return VERDICT_LATER;
}

/* --- all of them --- */

/* NULL: there are as many transactions as a slice can have. */
static struct worker_part *part_for_next(const struct worker *w, struct worker_job *job) {
	const struct envelope *env = &queue_claim_message(job->claim)->env;
	struct worker_part *last = &job->part[job->parts > 0 ? job->parts - 1 : 0];
	struct span address = env->to[job->to[job->sendable].index].address;
	if (job->parts > 0 && !worker_part_is_full(w, job, last, address))
		return last;
	bool spent = job->parts > 0 &&
		     w->window.parts + job->parts >= worker_session_left(w);
	if (spent || job->parts == WORKER_PARTS_MAX)
		return NULL;
	job->part[job->parts] = (struct worker_part){
		.job = job,
		.first = job->sendable,
		.first_route = job->routes,
		.first_wire = job->wires,
	};
	return &job->part[job->parts++];
}

/* The recipients that have no transaction go with the next slice. */
static void cut_slice(struct worker_job *job, size_t todo) {
	struct worker_recipient *to = &job->to[job->sendable];
	job->next = to->index;
	job->more = true;
	memmove(to, to + todo, (job->count - job->sendable - todo) * sizeof(*to));
	job->count -= todo;
}

/* Moves what cannot be sent behind the rest; both keep their order. */
static void move_back(struct worker_job *job) {
	struct worker_recipient *to = &job->to[job->sendable], moved = *to;
	memmove(to, to + 1, (job->count - job->sendable - 1) * sizeof(*to));
	job->to[job->count - 1] = moved;
}

static void make_transactions(struct worker *w, struct worker_job *job) {
	const struct queue_message *m = queue_claim_message(job->claim);
	struct span from = job->from ? span_str(job->from) : m->env.from;
	bool head_8bit = addr_is_utf8(buf_span(&job->head));
	bool utf8 = addr_is_utf8(from) || m->env.smtputf8 || head_8bit;
	for (size_t i = 0; i < job->wires && !utf8; i++)
		utf8 = addr_is_utf8(job->wire[i].address);
	for (size_t i = 0; i < job->parts; i++) {
		struct worker_part *p = &job->part[i];
		const struct worker_part *next = i + 1 < job->parts ? p + 1 : NULL;
		p->count = (next ? next->first : job->sendable) - p->first;
		p->routes = (next ? next->first_route : job->routes) - p->first_route;
		p->t = (struct smtp_transaction){
			.from = from,
			.to = job->wire + p->first_wire,
			.to_count = (next ? next->first_wire : job->wires) -
				    p->first_wire,
			.size = worker_size(job),
			.body_8bit = m->env.body_8bit || head_8bit,
			.smtputf8 = utf8 && w->ext.smtputf8,
			.requiretls = m->env.requiretls,
			.ret = m->env.ret,
			.envid = m->env.envid,
			.user = p,
		};
	}
}

void worker_route_all(struct worker *w, struct worker_job *job) {
	struct smtp_reply why;
	size_t todo = job->count;
	for (; todo > 0; todo--) {
		struct worker_part *part = part_for_next(w, job);
		if (!part)
			break;
		enum worker_verdict verdict = route(w, job, part, &why);
		if (verdict == VERDICT_NONE) {
			job->sendable++;
			continue;
		}
		worker_judge(job, &job->to[job->sendable], verdict, &why);
		move_back(job);
	}
	if (todo > 0)
		cut_slice(job, todo);
	if (job->parts > 0 && job->part[job->parts - 1].first == job->sendable)
		job->parts--; /* begun for recipients that were refused */
	make_transactions(w, job);
}
