/*
 * The tree of an SPF record. What is pending does not hold the neighbours up, so one round of
 * questions opens a whole level.
 */

#include "authres/spf_tree.h"

#include "authres/spf_state.h"
#include "base/auto.h"
#include "base/term.h"

#define RECORD_MAX 65536

struct build {
	struct dns *dns;
	struct spf_tree *tree;
	const char *path[SPF_TREE_DEPTH_MAX]; /* records that are open */
	unsigned depth;
	bool pending;
};

static void show(char *out, size_t size, struct span s) {
	AUTO_BUF struct buf safe = BUF_INIT(4096);
	term_safe(&safe, span_head(s, size / 2));
	snprintf(out, size, "%s", buf_str(&safe));
}

/* The state that an answer means for the term that asked. */
static void judge(struct build *b, struct spf_node *n, const struct dns_answer *a) {
	if (a->status == DNS_PENDING)
		b->pending = true;
	else if (dns_is_temporary(a)) {
		n->state = SPF_NODE_TEMPORARY;
		show(n->words, sizeof(n->words), span_str(a->why));
	} else if (a->status == DNS_NXDOMAIN)
		n->state = SPF_NODE_NXDOMAIN;
	else if (a->status == DNS_BADNAME)
		n->state = SPF_NODE_BADNAME;
}

static void add_host(struct build *b, struct spf_node *n, struct span name) {
	const struct dns_answer *v4 = dns_get(b->dns, name, DNS_A);
	const struct dns_answer *v6 = dns_get(b->dns, name, DNS_AAAA);
	b->tree->voids4 += spf_is_void(v4);
	b->tree->voids6 += spf_is_void(v6);
	b->tree->voids += spf_is_void(v4) && spf_is_void(v6);
	judge(b, n, v4);
	judge(b, n, v6);
	if (spf_is_void(v4) && spf_is_void(v6) && n->state == SPF_NODE_OK)
		n->state = SPF_NODE_NONE;
}

static void add_mx(struct build *b, struct spf_node *n, struct span name) {
	const struct dns_answer *a = dns_get(b->dns, name, DNS_MX);
	struct dns_mx mx;
	judge(b, n, a);
	if (spf_is_void(a)) {
		b->tree->voids++;
		b->tree->voids4++;
		b->tree->voids6++;
		if (n->state == SPF_NODE_OK)
			n->state = SPF_NODE_NONE;
	}
	n->hosts = (unsigned)a->count;
	for (size_t i = 0; i < a->count && i < SPF_NAMES_MAX; i++)
		if (dns_mx(a->record[i], &mx) && mx.host[0]) {
			struct spf_node host = { .state = SPF_NODE_OK };
			add_host(b, &host, span_str(mx.host));
		}
}

static void add_exists(struct build *b, struct spf_node *n, struct span name) {
	const struct dns_answer *a = dns_get(b->dns, name, DNS_A);
	judge(b, n, a);
	if (!spf_is_void(a))
		return;
	b->tree->voids++;
	b->tree->voids4++;
	b->tree->voids6++;
	if (n->state == SPF_NODE_OK)
		n->state = SPF_NODE_NONE;
}

static void add_record(struct build *b, const char *domain, struct span text);

/* Descends into the record of an include or redirect. */
static void descend(struct build *b, struct spf_node *n) {
	AUTO_BUF struct buf text = BUF_INIT(RECORD_MAX);
	const struct dns_answer *a = dns_get(b->dns, span_str(n->domain), DNS_TXT);
	for (unsigned i = 0; i < b->depth; i++)
		if (strcmp(b->path[i], n->domain) == 0) {
			n->state = SPF_NODE_LOOP;
			return;
		}
	judge(b, n, a);
	if (spf_is_void(a)) {
		b->tree->voids++;
		b->tree->voids4++;
		b->tree->voids6++;
	}
	enum spf_result r = spf_fetch(b->dns, span_str(n->domain), &text);
	if (r == SPF_NONE && n->state == SPF_NODE_OK)
		n->state = SPF_NODE_NONE;
	if (r == SPF_PERMERROR)
		n->state = SPF_NODE_MULTIPLE;
	if (r != SPF_PASS)
		return;
	struct spf_record record;
	struct err err = ERR_INIT;
	if (spf_record_parse(buf_span(&text), &record, NULL, &err) != 0) {
		n->state = SPF_NODE_SYNTAX;
		snprintf(n->words, sizeof(n->words), "%.*s", (int)sizeof(n->words) - 1,
			 err.msg);
		return;
	}
	unsigned before = b->tree->lookups;
	add_record(b, n->domain, buf_span(&text));
	n->lookups += b->tree->lookups - before;
}

/* The name a term asks for; false: it has macros. */
static bool target(const struct spf_term *t, const char *domain, char ret[256]) {
	if (!t->domain.p) {
		snprintf(ret, 256, "%s", domain);
		return true;
	}
	if (spf_has_macro(t->domain))
		return false;
	if (!dns_name_parse(t->domain, ret))
		ret[0] = '\0';
	return true;
}

static void add_term(struct build *b, const struct spf_term *t, const char *domain) {
	struct spf_tree *tree = b->tree;
	bool asks = spf_asks_dns(t->kind);
	if (tree->count == SPF_TREE_MAX || tree->lookups == SPF_TREE_LOOKUPS_MAX) {
		tree->cut = true; /* nobody asks for all of that */
		return;
	}
	struct spf_node *n = &tree->node[tree->count++];
	*n = (struct spf_node){ .depth = b->depth - 1,
				.kind = t->kind,
				.qualifier = t->qualifier,
				.prefix4 = t->prefix4,
				.prefix6 = t->prefix6,
				.addr = t->addr };
	show(n->term, sizeof(n->term), t->text);
	snprintf(n->in, sizeof(n->in), "%s", domain);
	if (!asks)
		return;
	n->lookups = 1;
	tree->lookups++;
	if (!target(t, domain, n->domain)) {
		n->state = SPF_NODE_MACRO;
		return;
	}
	struct span name = span_str(n->domain);
	if (name.len == 0)
		n->state = SPF_NODE_BADNAME;
	else if (t->kind == SPF_A)
		add_host(b, n, name);
	else if (t->kind == SPF_MX)
		add_mx(b, n, name);
	else if (t->kind == SPF_EXISTS)
		add_exists(b, n, name);
	else if (t->kind != SPF_PTR)
		descend(b, n);
}

static void add_record(struct build *b, const char *domain, struct span text) {
	struct spf_record record;
	struct spf_term t;
	if (b->depth == SPF_TREE_DEPTH_MAX) { /* more than ten lookups by far */
		b->tree->cut = true;
		return;
	}
	if (spf_record_parse(text, &record, NULL, NULL) != 0)
		return;
	b->path[b->depth++] = domain;
	for (struct span rest = record.terms; spf_take_term(&rest, &t, NULL) > 0;)
		if (t.kind < SPF_REDIRECT)
			add_term(b, &t, domain);
	for (struct span rest = record.terms; spf_take_term(&rest, &t, NULL) > 0;)
		if (t.kind == SPF_REDIRECT && !record.has_all)
			add_term(b, &t, domain);
	b->depth--;
}

bool spf_tree_build(struct dns *dns, const char *domain, struct spf_tree *ret) {
	struct build b = { .dns = dns, .tree = ret };
	struct spf_record record;
	struct err err = ERR_INIT;
	memset(ret, 0, sizeof(*ret));
	buf_init(&ret->record, RECORD_MAX);
	ret->root = spf_fetch(dns, span_str(domain), &ret->record);
	if (ret->root == SPF_PENDING)
		return false;
	if (ret->root == SPF_TEMPERROR)
		show(ret->words, sizeof(ret->words),
		     span_str(dns_get(dns, span_str(domain), DNS_TXT)->why));
	if (ret->root == SPF_PERMERROR)
		snprintf(ret->words, sizeof(ret->words),
			 "there is more than one SPF record");
	if (ret->root != SPF_PASS)
		return true;
	if (spf_record_parse(buf_span(&ret->record), &record, NULL, &err) != 0) {
		ret->root = SPF_PERMERROR;
		snprintf(ret->words, sizeof(ret->words), "%.*s",
			 (int)sizeof(ret->words) - 1, err.msg);
		return true;
	}
	add_record(&b, domain, buf_span(&ret->record));
	return !b.pending;
}

void spf_tree_release(struct spf_tree *t) {
	buf_release(&t->record);
}
