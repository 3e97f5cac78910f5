/*
 * Addresses by the rules of rewrite.h. An alias is walked depth first with the chain of
 * names that led here, so a loop is seen where it closes; a name that lists itself ends
 * there, as with other mail systems, where that means the mailbox of that name.
 */

#include "mail/rewrite.h"

#include "base/term.h"
#include "mail/addr.h"

#define DEPTH_MAX 16
#define VISITS_MAX 4096 /* names and addresses looked at for one recipient */

/* --- whose address is it --- */

static bool is_localhost(struct span domain) {
	return domain.len == 0 || span_eq_nocase(domain, SPAN("localhost")) ||
	       span_eq_nocase(domain, SPAN("localhost.localdomain"));
}

static bool is_ours(const struct rewrite_rules *r, struct span domain) {
	return is_localhost(domain) ||
	       (r->host.len > 0 && span_eq_nocase(domain, r->host));
}

/* "*" fits senders alone: no recipient's domain is to be replaced whatever it is. */
static bool masked(const struct rewrite_rules *r, struct span domain, bool sender) {
	struct span rest = r->masquerade, pattern;
	while (span_take_word(&rest, &pattern)) {
		if (span_eq(pattern, SPAN("*"))) {
			if (sender)
				return true;
		} else if (span_take_char(&pattern, '*')) {
			if (domain.len > pattern.len && span_ends_nocase(domain, pattern))
				return true;
		} else if (span_eq_nocase(domain, pattern)) {
			return true;
		}
	}
	return false;
}

static bool split(struct span address, struct addr *ret) {
	return addr_parse(address, ADDR_SUBMITTED, ret, NULL) == 0;
}

static void add_at(struct buf *out, struct span local, struct span domain) {
	buf_add(out, local);
	if (domain.len == 0)
		return;
	buf_addc(out, '@');
	buf_add(out, domain);
}

bool rewrite_concerns(const struct rewrite_rules *r, struct span address) {
	struct addr a;
	return address.len > 0 && split(address, &a) && is_ours(r, a.domain);
}

/* --- recipients --- */

struct walk {
	const struct rewrite_rules *rules;
	struct fixup_recipients *out;
	struct span chain[DEPTH_MAX]; /* names that led here */
	unsigned depth, visits;
	struct err *err;
};

static bool is_root(struct span name) {
	return span_eq_nocase(name, SPAN("root")) ||
	       span_eq_nocase(name, SPAN("postmaster"));
}

static enum rewrite_result give(struct walk *w, struct span address) {
	struct err why = ERR_INIT;
	if (fixup_recipients_add(w->out, address, REWRITE_RECIPIENTS_MAX, &why) == 0)
		return REWRITE_DONE;
	if (w->err)
		*w->err = why;
	return why.kind == ERR_LIMIT ? REWRITE_FAULTY : REWRITE_LATER;
}

static enum rewrite_result unknown(struct walk *w, struct span name) {
	AUTO_BUF struct buf shown = BUF_INIT(256);
	term_safe(&shown, span_head(name, 64));
	err_set(w->err, ERR_MISSING,
		"local name \"%s\" has no address: it is not in the aliases, and root is not set",
		buf_str(&shown));
	return REWRITE_UNKNOWN;
}

static enum rewrite_result visit(struct walk *w, struct span address);

static enum rewrite_result follow(struct walk *w, const struct aliases_entry *e,
				  struct span name) {
	const struct aliases *aliases = w->rules->aliases;
	const char *fault = aliases_fault(aliases, e);
	enum rewrite_result result = REWRITE_DONE;
	if (fault) {
		err_set(w->err, ERR_SYNTAX, "%s", fault);
		return REWRITE_FAULTY;
	}
	if (w->depth == DEPTH_MAX || w->visits + e->count > VISITS_MAX) {
		err_set(w->err, ERR_LIMIT,
			"the aliases of \"%.*s\" never end, or are too many",
			(int)w->chain[0].len, w->chain[0].p);
		return REWRITE_FAULTY;
	}
	w->chain[w->depth++] = name;
	struct span target = aliases_target(aliases, e, 0);
	for (size_t i = 0; i < e->count && result == REWRITE_DONE; i++) {
		result = visit(w, target);
		target = span_str(target.p + target.len + 1);
	}
	w->depth--;
	return result;
}

static bool leads_back(struct walk *w, struct span name, enum rewrite_result *ret) {
	for (unsigned i = 0; i < w->depth; i++) {
		if (!span_eq_nocase(w->chain[i], name))
			continue;
		*ret = REWRITE_DONE;
		if (i + 1 == w->depth) /* "bob: bob, carol" */
			return true;
		err_set(w->err, ERR_SYNTAX, "the alias \"%.*s\" leads back to itself",
			(int)name.len, name.p);
		*ret = REWRITE_FAULTY;
		return true;
	}
	return false;
}

/* A local name at the end of its aliases. */
static enum rewrite_result settle(struct walk *w, const struct addr *a,
				  struct span name) {
	const struct rewrite_rules *r = w->rules;
	const struct aliases_entry *root = NULL;
	AUTO_BUF struct buf full = BUF_INIT(ADDR_MAX);
	bool bare = is_localhost(a->domain);
	if (r->root.len > 0 && (bare || is_root(name)))
		return give(w, r->root);
	if (r->aliases && (bare || is_root(name)) && !span_eq_nocase(name, SPAN("root")))
		root = aliases_find(r->aliases, SPAN("root"));
	if (root && w->depth < DEPTH_MAX)
		return follow(w, root, SPAN("root"));
	if (!bare) { /* the host may be called like a domain that has its mail elsewhere */
		add_at(&full, a->local, a->domain);
		return give(w, buf_span(&full));
	}
	if (r->domain.len == 0 || span_eq_nocase(r->domain, r->host) ||
	    is_localhost(r->domain))
		return unknown(w, name);
	add_at(&full, a->local, r->domain);
	return give(w, buf_span(&full));
}

static enum rewrite_result visit(struct walk *w, struct span address) {
	AUTO_BUF struct buf name = BUF_INIT(2 * ADDR_LOCAL_MAX);
	enum rewrite_result result;
	struct addr a;
	w->visits++;
	if (!split(address, &a) || !is_ours(w->rules, a.domain))
		return give(w, address);
	if (w->rules->trouble) {
		err_set(w->err, ERR_SYSTEM, "the aliases cannot be used: %s",
			w->rules->trouble);
		return REWRITE_LATER;
	}
	addr_local_unquoted(a.local, &name);
	const struct aliases_entry *e = w->rules->aliases
						? aliases_find(w->rules->aliases,
							       buf_span(&name))
						: NULL;
	/* With an address for root in the configuration, that counts. */
	if (e && w->rules->root.len > 0 && span_eq_nocase(buf_span(&name), SPAN("root")))
		e = NULL;
	if (!e)
		return settle(w, &a, buf_span(&name));
	if (leads_back(w, buf_span(&name), &result)) {
		if (result == REWRITE_DONE)
			return settle(w, &a, buf_span(&name));
		return result;
	}
	return follow(w, e, buf_span(&name));
}

enum rewrite_result rewrite_recipient(const struct rewrite_rules *r, struct span address,
				      struct fixup_recipients *out, struct err *err) {
	struct walk w = { .rules = r, .out = out, .err = err };
	return visit(&w, address);
}

/* --- senders and fields --- */

/* True for a sender that stands for this machine and not for a person elsewhere. */
static bool is_own_sender(const struct rewrite_rules *r, const struct addr *a) {
	return is_ours(r, a->domain) || masked(r, a->domain, true);
}

static void complete(const struct rewrite_rules *r, const struct addr *a, bool sender,
		     struct buf *out) {
	bool replace = is_localhost(a->domain) || masked(r, a->domain, sender);
	add_at(out, a->local, replace && r->domain.len > 0 ? r->domain : a->domain);
}

void rewrite_sender(const struct rewrite_rules *r, struct span address, struct buf *out) {
	struct addr a;
	if (address.len == 0 || !split(address, &a))
		buf_add(out, address);
	else if (is_own_sender(r, &a) && r->envelope_from.len > 0)
		buf_add(out, r->envelope_from);
	else if (is_own_sender(r, &a) && r->from.len > 0)
		buf_add(out, r->from);
	else
		complete(r, &a, true, out);
}

/* Where mail for it goes, if that is one address: then it is what people should see. */
static bool add_single(const struct rewrite_rules *r, struct span address,
		       struct buf *out) {
	struct fixup_recipients to = { .count = 0 };
	bool single = rewrite_recipient(r, address, &to, NULL) == REWRITE_DONE &&
		      to.count == 1;
	if (single)
		buf_adds(out, to.address[0]);
	fixup_recipients_release(&to);
	return single;
}

void rewrite_in_field(const struct rewrite_rules *r, enum rewrite_field field,
		      struct span address, struct buf *out) {
	struct addr a;
	if (!split(address, &a))
		buf_add(out, address);
	else if (field == REWRITE_FROM && r->from.len > 0 && is_own_sender(r, &a))
		buf_add(out, r->from);
	else if (field == REWRITE_FROM || !is_ours(r, a.domain) ||
		 !add_single(r, address, out))
		complete(r, &a, field == REWRITE_FROM, out);
}
