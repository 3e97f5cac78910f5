/*
 * Signatures: whatever a message says, verifying ends; canonical forms do not depend on where a
 * body is cut; what a key or a field is read as lies in what was given.
 */

#include "authres/dkim_verify.h"

#include <stdlib.h>
#include <string.h>

#include "authres/arc.h"
#include "mail/header.h"
#include "net/dns_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char zone[] = "s._domainkey.example.org TXT \"k=ed25519; "
			   "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";

static void need(bool held) {
	if (!held)
		abort();
}

static void collect(void *ctx, struct span piece) {
	need(buf_add(ctx, piece) == 0);
}

static void canon(enum canon kind, struct span body, size_t step, struct buf *out) {
	struct canon_body b;
	canon_body_init(&b, kind, CANON_NO_LIMIT, collect, out);
	for (size_t at = 0; at < body.len; at += step)
		canon_body_feed(&b, span_head(span_from(body, at), step));
	canon_body_end(&b);
	need(b.total == out->len);
}

static void check_canon(struct span body) {
	for (int k = CANON_SIMPLE; k <= CANON_RELAXED; k++) {
		AUTO_BUF struct buf whole = BUF_INIT(8u << 20), cut = BUF_INIT(8u << 20);
		canon((enum canon)k, body, body.len ? body.len : 1, &whole);
		canon((enum canon)k, body, 3, &cut);
		need(span_eq(buf_span(&whole), buf_span(&cut)));
		/* a canonical body is its own canonical form, but for what relaxed makes empty */
		if (whole.len > 0) {
			AUTO_BUF struct buf again = BUF_INIT(8u << 20);
			canon((enum canon)k, buf_span(&whole), 7, &again);
			need(span_eq(buf_span(&whole), buf_span(&again)));
		}
	}
}

static void check_message(struct span message) {
	struct span header = span_head(message, header_block_len(message));
	struct span body = span_from(message, header.len);
	struct dns *dns = dns_table_open(span_of(zone, sizeof(zone) - 1), NULL);
	struct dkim_verify *v = dkim_verify_new(header, 1700000000, NULL);
	struct arc *a = arc_new(header, NULL);
	need(dns != NULL);
	if (v) {
		dkim_verify_feed(v, body);
		dkim_verify_end(v);
		while (!dkim_verify_run(v, dns))
			need(dns_run(dns) > 0);
		for (size_t i = 0; i < dkim_verify_count(v); i++)
			need(dkim_verify_result(v, i)->verdict != DKIM_PENDING);
	}
	if (a) {
		arc_feed(a, body);
		arc_end(a);
		while (arc_run(a, dns) == ARC_PENDING)
			need(dns_run(dns) > 0);
		need(arc_verdict(a) != ARC_PASS); /* nobody has the key */
	}
	arc_free(a);
	dkim_verify_free(v);
	dns_close(dns);
}

/* The first byte chooses. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span in = span_of(data, size);
	struct dkim_key key;
	if (size == 0)
		return 0;
	in = span_from(in, 1);
	if (data[0] == 'k') {
		if (dkim_key_parse(in, &key, NULL) == 0)
			need(key.revoked == (key.key == NULL));
		dkim_key_release(&key);
	} else if (data[0] == 'b') {
		check_canon(in);
	} else {
		check_message(in);
	}
	return 0;
}
