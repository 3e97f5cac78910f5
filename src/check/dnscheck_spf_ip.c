/* SPF's verdict on the addresses that send, and the record that would be right for them. */

#include <time.h>

#include "base/auto.h"
#include "check/dnscheck_spf.h"
#include "check/dnscheck_state.h"

#define TXT_MAX 65536

/* A term of the domain's own record that should go. */
static bool is_broken(const struct spf_tree *t, struct span term) {
	for (size_t i = 0; i < t->count; i++) {
		const struct spf_node *n = &t->node[i];
		if (n->depth == 0 && span_eq(span_str(n->term), term) &&
		    (n->kind == SPF_PTR || n->state == SPF_NODE_LOOP ||
		     ((n->kind == SPF_A || n->kind == SPF_MX) &&
		      n->state == SPF_NODE_NXDOMAIN) ||
		     (n->kind == SPF_INCLUDE &&
		      (n->state == SPF_NODE_NXDOMAIN || n->state == SPF_NODE_NONE))))
			return true;
	}
	return false;
}

/* True when the domain's own record names the address already. */
static bool names_it(const struct spf_tree *t, const struct inet_addr *ip) {
	for (size_t i = 0; i < t->count; i++) {
		const struct spf_node *n = &t->node[i];
		if (n->depth == 0 && (n->kind == SPF_IP4 || n->kind == SPF_IP6) &&
		    inet_share_prefix(&n->addr, ip,
				      n->kind == SPF_IP4 ? n->prefix4 : n->prefix6))
			return true;
	}
	return false;
}

/* The record with all addresses that send, and without what is broken. */
static void make_record(const struct dnscheck *c, const struct spf_tree *t,
			struct buf *out) {
	struct span rest = buf_span(&t->record), word;
	buf_adds(out, "v=spf1");
	for (size_t i = 0; i < c->ip_count; i++) {
		if (c->facts.ip[i].result == SPF_PASS || names_it(t, &c->ip[i]))
			continue;
		buf_adds(out, c->ip[i].bits == 32 ? " ip4:" : " ip6:");
		inet_addr_add(out, &c->ip[i]);
	}
	if (t->root != SPF_PASS) {
		buf_adds(out, c->ip_count > 0 ? " ~all" : " mx ~all");
		return;
	}
	span_take_word(&rest, &word);
	while (span_take_word(&rest, &word))
		if (!is_broken(t, word))
			buf_addf(out, " %.*s", (int)word.len, word.p);
}

/* What one and the same new record mends. */
static bool is_mended(const char *id) {
	static const char *const ids[] = { "spf.none",         "spf.dangling",
					   "spf.include_none", "spf.loop",
					   "spf.ptr",          "spf.ip_not_covered" };
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (strcmp(id, ids[i]) == 0)
			return true;
	return false;
}

/* The record as it was meant, where a blank or a quote keeps it from being read. */
static const char *meant(const struct dnscheck *c) {
	for (size_t i = 0; i < c->out->count; i++) {
		const struct finding *f = &c->out->at[i];
		if (f->fix && (strcmp(f->kind->id, "spf.leading_space") == 0 ||
			       strcmp(f->kind->id, "spf.quoted_split") == 0))
			return f->fix;
	}
	return NULL;
}

static void use_meant(struct dnscheck *c, const char *fix) {
	for (size_t i = 0; i < c->out->count; i++)
		if (strcmp(c->out->at[i].kind->id, "spf.none") == 0 ||
		    strcmp(c->out->at[i].kind->id, "spf.syntax") == 0)
			finding_fix(&c->out->at[i], "%s", fix);
}

void dnscheck_spf_fixes(struct dnscheck *c, const struct spf_tree *t) {
	AUTO_BUF struct buf record = BUF_INIT(TXT_MAX);
	const char *better = t->root != SPF_PASS ? meant(c) : NULL;
	if (better) {
		use_meant(c, better);
		return;
	}
	if (t->root != SPF_PASS && t->root != SPF_NONE)
		return;
	if (t->root == SPF_NONE && c->ip_count == 0 &&
	    (c->facts.null_mx || dnscheck_is_parked(c)))
		buf_adds(&record, "v=spf1 -all");
	else
		make_record(c, t, &record);
	for (size_t i = 0; i < c->out->count; i++)
		if (is_mended(c->out->at[i].kind->id))
			finding_fix(&c->out->at[i], "%s. TXT \"%s\"", c->domain,
				    buf_str(&record));
}

bool dnscheck_spf_ip(struct dnscheck *c, size_t i) {
	AUTO_BUF struct buf sender = BUF_INIT(512), ip = BUF_INIT(64);
	struct spf_report r;
	inet_addr_add(&ip, &c->ip[i]);
	buf_addf(&sender, "postmaster@%s", c->domain);
	struct spf_query q = {
		.ip = c->ip[i],
		.sender = buf_span(&sender),
		.helo = span_str(c->helo ? c->helo : c->domain),
		.now_s = time(NULL),
	};
	if (spf_check(c->dns, &q, &r) == SPF_PENDING)
		return false;
	c->facts.ip[i].result = r.result;
	snprintf(c->facts.ip[i].term, sizeof(c->facts.ip[i].term), "%.*s",
		 (int)sizeof(c->facts.ip[i].term) - 1, r.term);
	if (r.result == SPF_PASS) {
		finding_add(c->out, "spf.ip_ok", FINDING_OK, buf_str(&ip),
			    "pass by %s (%u lookups, %u void)", r.term, r.lookups,
			    r.voids);
		return true;
	}
	if (r.voids > SPF_VOIDS_MAX && r.voids_lenient <= SPF_VOIDS_MAX) {
		struct spf_report lenient;
		q.lenient_voids = true;
		if (spf_check(c->dns, &q, &lenient) == SPF_PENDING)
			return false;
		if (lenient.result == SPF_PASS) {
			finding_add(
				c->out, "spf.void_v4only", FINDING_WARN, buf_str(&ip),
				"%s when void lookups are counted literally, else pass by %s",
				spf_result_name(r.result), lenient.term);
			return true;
		}
	}
	finding_add(c->out,
		    r.result == SPF_TEMPERROR ? "spf.unknown" : "spf.ip_not_covered",
		    r.result == SPF_TEMPERROR ? FINDING_UNKNOWN : FINDING_FAIL,
		    buf_str(&ip), "%s%s%s", spf_result_name(r.result),
		    r.why[0]    ? ": "
		    : r.term[0] ? " by "
				: "",
		    r.why[0] ? r.why : r.term);
	return true;
}
