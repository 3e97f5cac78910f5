/* The SPF record as a tree with its counts, and its verdict on the addresses that send. */

#include <stdlib.h>

#include "authres/spf_tree.h"
#include "base/auto.h"
#include "check/dnscheck_spf.h"
#include "check/dnscheck_state.h"

#define TXT_MAX 65536
#define LOOKUPS_NEAR 8
#define HUGE4 8 /* prefixes up to these are nearly everybody */
#define HUGE6 16

static struct finding *add(struct dnscheck *c, const char *id, enum finding_severity s,
			   const char *text) {
	return finding_add(c->out, id, s, c->domain, "%s", text);
}

/* --- the record without its includes --- */

static void check_end(struct dnscheck *c, const struct spf_record *r) {
	struct span rest = r->terms;
	struct spf_term t;
	bool after_all = false;
	for (; spf_take_term(&rest, &t, NULL) > 0;) {
		if (after_all && t.qualifier)
			finding_add(c->out, "spf.after_all", FINDING_NOTICE, c->domain,
				    "%.*s stands behind all", (int)t.text.len, t.text.p);
		if (t.kind != SPF_ALL || after_all)
			continue;
		after_all = true;
		if (t.qualifier == '?')
			add(c, "spf.neutral_all", FINDING_WARN,
			    "the record ends with ?all");
		if (t.qualifier == '-')
			add(c, "spf.hardfail", FINDING_INFO, "the record ends with -all");
	}
	if (r->redirect.p && r->has_all)
		add(c, "spf.redirect_with_all", FINDING_NOTICE,
		    "redirect is not followed, because there is an all");
	if (!r->redirect.p && !r->has_all)
		add(c, "spf.no_all", FINDING_WARN,
		    "the record has neither all nor redirect");
}

/* --- the tree --- */

/* Lets everybody in: +all, ip4:0.0.0.0/0, a/0 and what is nearly that. */
static bool is_for_all(const struct spf_node *n) {
	if (n->qualifier != '+')
		return false;
	switch (n->kind) {
	case SPF_ALL:
		return true;
	case SPF_IP4:
		return n->prefix4 < HUGE4;
	case SPF_IP6:
		return n->prefix6 < HUGE6;
	case SPF_A:
	case SPF_MX:
		return n->prefix4 < HUGE4 || n->prefix6 < HUGE6;
	case SPF_INCLUDE:
	case SPF_PTR:
	case SPF_EXISTS:
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_OTHER:
		break;
	}
	return false;
}

/* A term whose name, or the name that it is an alias for, is not there: can anybody have it? False:
 * pending. */
static bool check_missing(struct dnscheck *c, const struct spf_node *n) {
	enum dns_type type = n->kind == SPF_A ? DNS_A : n->kind == SPF_MX ? DNS_MX : DNS_TXT;
	const struct dns_answer *a = dns_get(c->dns, span_str(n->domain), type);
	bool unregistered;
	if (!dnscheck_is_unregistered(c, a->canonical, &unregistered))
		return false;
	if (unregistered)
		finding_add(c->out, "spf.dangling", FINDING_FAIL, c->domain,
			    "%s (in %s): nobody has registered %s", n->term, n->in,
			    a->canonical);
	else if (n->kind == SPF_INCLUDE || n->kind == SPF_REDIRECT)
		finding_add(c->out, "spf.include_none", FINDING_FAIL, c->domain,
			    "%s (in %s): the name does not exist", n->term, n->in);
	return true;
}

/* An include or redirect that does not work. */
static void check_record_node(struct dnscheck *c, const struct spf_node *n) {
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	switch (n->state) {
	case SPF_NODE_NONE:
	case SPF_NODE_BADNAME:
		finding_add(c->out, "spf.include_none", FINDING_FAIL, c->domain,
			    "%s (in %s): there is no SPF record", n->term, n->in);
		break;
	case SPF_NODE_MULTIPLE:
		finding_add(c->out, "spf.multiple", FINDING_FAIL, n->domain,
			    "there are several SPF records");
		break;
	case SPF_NODE_SYNTAX:
		if (spf_fetch(c->dns, span_str(n->domain), &text) == SPF_PASS)
			dnscheck_spf_point(finding_add(c->out, "spf.syntax", FINDING_FAIL,
						       n->domain, "%s", n->words),
					   buf_span(&text));
		break;
	case SPF_NODE_LOOP:
		finding_add(c->out, "spf.loop", FINDING_FAIL, c->domain,
			    "%s (in %s) leads back to itself", n->term, n->in);
		break;
	case SPF_NODE_OK:
	case SPF_NODE_NXDOMAIN:
	case SPF_NODE_TEMPORARY:
	case SPF_NODE_MACRO:
		break;
	}
}

/* False: pending. */
static bool check_node(struct dnscheck *c, const struct spf_node *n) {
	if (is_for_all(n))
		finding_add(c->out, "spf.plus_all", FINDING_FAIL, c->domain,
			    "%s (in %s) lets nearly everybody send", n->term, n->in);
	if (n->kind == SPF_PTR)
		finding_add(c->out, "spf.ptr", FINDING_WARN, c->domain, "%s (in %s)",
			    n->term, n->in);
	if (n->kind == SPF_MX && n->hosts > SPF_NAMES_MAX)
		finding_add(c->out, "spf.mx_gt10", FINDING_FAIL, c->domain,
			    "%s (in %s): %u hosts", n->term, n->in, n->hosts);
	if (n->state == SPF_NODE_TEMPORARY)
		finding_add(c->out, "spf.unknown", FINDING_UNKNOWN, c->domain,
			    "%s (in %s): %s", n->term, n->in, n->words);
	if (n->state == SPF_NODE_MACRO)
		finding_add(c->out, "spf.macro", FINDING_INFO, c->domain, "%s (in %s)",
			    n->term, n->in);
	if (n->kind == SPF_INCLUDE || n->kind == SPF_REDIRECT)
		check_record_node(c, n);
	return n->state != SPF_NODE_NXDOMAIN || n->kind == SPF_EXISTS ||
	       check_missing(c, n);
}

static void check_counts(struct dnscheck *c, const struct spf_tree *t) {
	unsigned strict = t->voids4 > t->voids6 ? t->voids4 : t->voids6;
	if (t->lookups > SPF_LOOKUPS_MAX)
		finding_add(c->out, "spf.lookups", FINDING_FAIL, c->domain,
			    "%u lookups at worst, of %d", t->lookups, SPF_LOOKUPS_MAX);
	else if (t->lookups > LOOKUPS_NEAR)
		finding_add(c->out, "spf.lookups", FINDING_WARN, c->domain,
			    "%u lookups of %d: one include that grows breaks the record",
			    t->lookups, SPF_LOOKUPS_MAX);
	else if (t->lookups == LOOKUPS_NEAR)
		finding_add(c->out, "spf.lookups", FINDING_NOTICE, c->domain,
			    "%u lookups of %d", t->lookups, SPF_LOOKUPS_MAX);
	if (t->voids > SPF_VOIDS_MAX || t->voids4 > SPF_VOIDS_MAX)
		finding_add(c->out, "spf.void", FINDING_FAIL, c->domain,
			    "%u names without records, of %d that may be", strict,
			    SPF_VOIDS_MAX);
	else if (strict > SPF_VOIDS_MAX)
		finding_add(
			c->out, "spf.void_v4only", FINDING_NOTICE, c->domain,
			"%u hosts have no IPv6 address; a literal count fails mail by IPv6",
			t->voids6);
}

static const char *const node_words[] = {
	[SPF_NODE_OK] = "",
	[SPF_NODE_NXDOMAIN] = "  <- does not exist",
	[SPF_NODE_NONE] = "  <- has no record",
	[SPF_NODE_MULTIPLE] = "  <- several records",
	[SPF_NODE_SYNTAX] = "  <- cannot be read",
	[SPF_NODE_TEMPORARY] = "  <- DNS does not answer",
	[SPF_NODE_LOOP] = "  <- leads back",
	[SPF_NODE_MACRO] = "  (depends on the message)",
	[SPF_NODE_BADNAME] = "  <- is no name",
};

static void draw(const struct spf_tree *t, struct buf *out) {
	buf_add(out, buf_span(&t->record));
	for (size_t i = 0; i < t->count; i++) {
		const struct spf_node *n = &t->node[i];
		if (!spf_asks_dns(n->kind))
			continue;
		buf_addf(out, "\n%*s|- %s  %u%s", (int)n->depth * 3, "", n->term,
			 n->lookups, node_words[n->state]);
	}
	if (t->cut)
		buf_adds(out, "\n... and more");
}

/* --- the whole --- */

static void no_record(struct dnscheck *c, const struct spf_tree *t) {
	c->facts.spf = spf_result_name(t->root);
	if (t->root == SPF_TEMPERROR)
		finding_add(c->out, "spf.unknown", FINDING_UNKNOWN, c->domain, "TXT: %s",
			    t->words);
	else if (t->root == SPF_NONE)
		add(c, "spf.none", FINDING_FAIL, "there is no SPF record");
	else if (t->record.len > 0 &&
		 strcmp(t->words, "there is more than one SPF record") != 0)
		dnscheck_spf_point(finding_add(c->out, "spf.syntax", FINDING_FAIL,
					       c->domain, "%s", t->words),
				   buf_span(&t->record));
	else
		add(c, "spf.multiple", FINDING_FAIL, t->words);
}

static bool check_tree(struct dnscheck *c, const struct spf_tree *t) {
	AUTO_BUF struct buf drawn = BUF_INIT(1 << 20);
	struct spf_record record;
	bool all = true;
	spf_record_parse(buf_span(&t->record), &record, NULL, NULL);
	c->facts.spf = "found";
	c->facts.spf_lookups = t->lookups;
	check_end(c, &record);
	for (size_t i = 0; i < t->count; i++)
		all = check_node(c, &t->node[i]) && all;
	check_counts(c, t);
	bool good = finding_worst(c->out) < FINDING_WARN;
	draw(t, &drawn);
	finding_show(finding_add(c->out, good ? "spf.ok" : "spf.tree",
				 good ? FINDING_OK : FINDING_INFO, c->domain,
				 "%u of %d lookups at worst, %u void", t->lookups,
				 SPF_LOOKUPS_MAX, t->voids),
		     buf_span(&drawn));
	return dnscheck_spf_neighbours(c, buf_span(&t->record)) && all;
}

bool dnscheck_spf(struct dnscheck *c) {
	struct spf_tree *t = calloc(1, sizeof(*t));
	bool all = t && spf_tree_build(c->dns, c->domain, t);
	if (!t)
		c->out->failed = true;
	if (t && t->root == SPF_PASS)
		all = check_tree(c, t) && all;
	else if (all)
		no_record(c, t);
	if (t && (t->root == SPF_NONE || t->root == SPF_PERMERROR))
		all = dnscheck_spf_neighbours(c, SPAN("")) && all;
	for (size_t i = 0; t && i < c->ip_count; i++)
		all = dnscheck_spf_ip(c, i) && all;
	if (all && t)
		dnscheck_spf_fixes(c, t);
	if (t)
		spf_tree_release(t);
	free(t);
	return all || !t;
}
