/*
 * What a worker knows of how addresses are rewritten: the keys come with its order, the
 * aliases are looked at before each window.
 */

#include "deliver/worker_state.h"

void worker_rules(struct worker *w) {
	const struct wire_worker *p = w->params;
	struct rewrite_rules *r = &w->rules.rewrite;
	r->host = span_str(p->hostname);
	r->domain = span_str(p->domain);
	r->root = span_str(p->root);
	r->from = span_str(p->from);
	r->envelope_from = span_str(p->envelope_from);
	r->masquerade = span_str(p->masquerade);
	rules_refresh(&w->rules, p->aliases, false);
}

void worker_rules_release(struct worker *w) {
	rules_release(&w->rules);
}
