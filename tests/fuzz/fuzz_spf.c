/*
 * SPF records: what the grammar takes is taken apart again without remainder, and evaluating a
 * record that strangers wrote for a sender that strangers wrote ends, within the limits.
 */

#include "authres/spf_tree.h"

#include <stdlib.h>

#include "base/auto.h"
#include "net/dns_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUNDS_MAX 40

/* The record under two names, so that it may include itself, and as an explanation. */
static struct dns *zone_of(struct span record) {
	static const char *const names[] = { "a.example", "b.example", "_x.a.example" };
	AUTO_BUF struct buf table = BUF_INIT(1 << 20);
	for (size_t i = 0; i < 3; i++) {
		buf_addf(&table, "%s TXT \"", names[i]);
		for (size_t k = 0; k < record.len && k < 255; k++)
			buf_addf(&table, "\\%03u", (unsigned)(uint8_t)record.p[k]);
		buf_adds(&table, "\"\n");
	}
	buf_adds(&table,
		 "a.example MX 1 b.example\na.example A 192.0.2.1\n"
		 "1.2.0.192.in-addr.arpa PTR a.example\nb.example AAAA !servfail\n");
	return dns_table_open(buf_span(&table), NULL);
}

static void parse(struct span record) {
	struct spf_record r;
	struct spf_term t;
	size_t at = 0;
	int got;
	if (spf_record_parse(record, &r, &at, NULL) != 0) {
		if (at > record.len)
			abort();
		return;
	}
	for (struct span rest = r.terms; (got = spf_take_term(&rest, &t, NULL)) != 0;)
		if (got < 0 || t.text.len == 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span in = span_of(data, size), record = in, sender = SPAN("");
	struct spf_report r;
	span_take_until(&record, '\0', &sender);
	parse(record);
	struct dns *dns = zone_of(record);
	if (!dns)
		abort();
	struct spf_query q = { .sender = sender.len > 0 ? sender : SPAN("x@a.example"),
			       .helo = SPAN("a.example"),
			       .ip = { .bits = size % 2 ? 32 : 128,
				       .byte = { 192, 0, 2, 1 } } };
	int rounds = 0;
	while (spf_check(dns, &q, &r) == SPF_PENDING && dns_run(dns) > 0)
		if (++rounds > ROUNDS_MAX)
			abort();
	if (r.result == SPF_PENDING || r.lookups > SPF_LOOKUPS_MAX + 1 ||
	    strchr(r.why, '\033'))
		abort();
	struct spf_tree *t = calloc(1, sizeof(*t));
	for (rounds = 0; t && !spf_tree_build(dns, "a.example", t) && dns_run(dns) > 0;
	     rounds++)
		spf_tree_release(t);
	if (t)
		spf_tree_release(t);
	free(t);
	dns_close(dns);
	return 0;
}
