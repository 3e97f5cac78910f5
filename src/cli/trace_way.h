#ifndef NIGHTMAIL_CLI_TRACE_WAY_H
#define NIGHTMAIL_CLI_TRACE_WAY_H

/*
 * The way of a message: its Received fields, oldest first, when it was where, and how far up
 * they can be believed. A field tells the truth only if a server of ours wrote it, or one that
 * such a server had it from; below that anybody may have written it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "check/finding.h"
#include "mail/received.h"

#define TRACE_HOPS_MAX 200u
#define TRACE_TRUST_MAX 16u

struct trace_options {
	struct span trust[TRACE_TRUST_MAX]; /* hosts and domains of ours */
	unsigned trusted;
	bool plain, color, verbose;
};

struct trace_hop {
	struct received r;
	const char *at;  /* where the field begins in the header */
	bool ours;       /* written by a server that is trusted */
	bool has_delay;  /* a time is known for this hop and for one before it */
	bool skew;       /* earlier than the hop before: a clock is wrong */
	int64_t delay_s; /* since the latest time before it; negative with skew */
};

struct trace_way {
	struct trace_hop *hop; /* oldest first */
	size_t count;
	bool cut; /* there are more; the newest ones are missing */
	bool assumed; /* nobody said whom to trust: it is the organisation that wrote the newest field */
	bool has_total;
	int64_t total_s;      /* from the first to the latest time; skew adds nothing */
	const char *boundary; /* fields that begin before it are believed; NULL: none */
	char self[256];       /* the newest server, for `assumed` */
};

int trace_way_read(struct span header, const struct trace_options *o,
		   struct trace_way *ret, struct err *err);
void trace_way_release(struct trace_way *w);
/* True for a host, or a name below one, that is trusted. */
bool trace_way_trusts(const struct trace_way *w, const struct trace_options *o,
		      struct span host);
/* True when two domains belong to the same organisation. */
bool trace_way_same_org(struct span a, struct span b);
/* Whether an address belongs to a network of its owner alone. */
bool trace_way_is_private(struct span ip);

void trace_way_check(const struct trace_way *w, struct findings *f);
/* Members "hops" and "total_delay". */
void trace_way_json(const struct trace_way *w, struct json *j);
void trace_way_print(const struct trace_way *w, bool plain, struct buf *out);

#include "base/banned.h"

#endif
