#ifndef NIGHTMAIL_AUTHRES_SPF_TREE_H
#define NIGHTMAIL_AUTHRES_SPF_TREE_H

/*
 * An SPF record with all that it includes, evaluated for nobody: what a sender that matches
 * nothing makes receivers ask. Each include is descended into as often as it stands there,
 * because evaluation counts it so (RFC 7208 section 4.6.4).
 */

#include "authres/spf.h"

#define SPF_TREE_MAX 192
#define SPF_TREE_DEPTH_MAX 12
#define SPF_TREE_LOOKUPS_MAX 50

enum spf_node_state {
	SPF_NODE_OK,
	SPF_NODE_NXDOMAIN, /* the name does not exist */
	SPF_NODE_NONE,     /* include, redirect: no SPF record; others: no address */
	SPF_NODE_MULTIPLE, /* several SPF records */
	SPF_NODE_SYNTAX,
	SPF_NODE_TEMPORARY,
	SPF_NODE_LOOP,  /* leads back to a record above */
	SPF_NODE_MACRO, /* depends on the message: not followed */
	SPF_NODE_BADNAME
};

struct spf_node {
	unsigned depth; /* 0: a term of the domain's own record */
	enum spf_kind kind;
	char qualifier;
	enum spf_node_state state;
	unsigned lookups; /* this term and all below it */
	unsigned hosts;   /* mx: how many */
	uint8_t prefix4, prefix6;
	struct inet_addr addr; /* ip4, ip6 */
	char term[160];        /* as written, cut */
	char domain[256];      /* expanded; "" when it has macros */
	char in[256];          /* whose record it stands in */
	char words[160];       /* SYNTAX, TEMPORARY: why, safe to show */
};

struct spf_tree {
	struct spf_node node[SPF_TREE_MAX];
	size_t count;
	bool cut;         /* there is more than fits */
	unsigned lookups; /* of all of it */
	unsigned voids; /* names with neither A nor AAAA, and what else does not exist */
	unsigned voids4,
		voids6; /* the same counted literally, for a client of that family */
	enum spf_result
		root;      /* spf_fetch() of the domain; PERMERROR for bad syntax too */
	char words[200];   /* why root is no PASS */
	struct buf record; /* the domain's own record */
};

/* False: pending. Release with spf_tree_release() in both cases. */
bool spf_tree_build(struct dns *dns, const char *domain, struct spf_tree *ret);
void spf_tree_release(struct spf_tree *t);

#include "base/banned.h"

#endif
