/*
 * Addresses: what parses has parts that make it up again, what a path or a list gives is
 * an address itself, and the canonical form of a list's address is canonical.
 */

#include "mail/addr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

static void check_parse(struct span s, enum addr_kind kind) {
	struct addr a;
	struct err err = ERR_INIT;
	if (addr_parse(s, kind, &a, &err) != 0) {
		need(err.kind == ERR_SYNTAX || err.kind == ERR_LIMIT);
		return;
	}
	need(s.len > 0 && s.len <= 254 && a.local.p == s.p &&
	     a.local.len <= ADDR_LOCAL_MAX);
	need(a.domain.p ? a.local.len + 1 + a.domain.len == s.len : a.local.len == s.len);
	need(a.domain.p || kind == ADDR_SUBMITTED);
	for (size_t i = 0; i < s.len; i++)
		need((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f);
	AUTO_BUF struct buf plain = BUF_INIT(ADDR_MAX), ascii = BUF_INIT(ADDR_MAX);
	need(addr_local_unquoted(a.local, &plain) == 0 && plain.len <= a.local.len);
	if (a.domain.p && addr_domain_ascii(a.domain, &ascii, NULL) == 0)
		need(!addr_is_utf8(buf_span(&ascii)) && ascii.len > 0);
}

static void check_path(struct span s) {
	struct span in = s, path;
	struct addr a;
	if (!addr_take_path(&in, &path)) {
		need(in.p == s.p && in.len == s.len);
		return;
	}
	need(in.len < s.len && in.p[-1] == '>');
	need(path.len == 0 || addr_parse(path, ADDR_SUBMITTED, &a, NULL) == 0);
}

static int is_same(void *ctx, struct span address, struct span display_name) {
	struct span *want = ctx;
	need(span_eq(address, *want) && display_name.len == 0);
	want->len = 0;
	return 0;
}

static int check_address(void *ctx, struct span address, struct span display_name) {
	struct span *whole = ctx;
	struct addr a;
	need(addr_parse(address, ADDR_SUBMITTED, &a, NULL) == 0);
	need(display_name.len == 0 ||
	     (display_name.p >= whole->p &&
	      display_name.p + display_name.len <= whole->p + whole->len));
	struct span once = address;
	need(addr_list(address, is_same, &once, NULL) == 0 && once.len == 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span s = span_of(data, size);
	check_parse(s, ADDR_SMTP);
	check_parse(s, ADDR_SUBMITTED);
	check_path(s);
	int rc = addr_list(s, check_address, &s, NULL);
	need(rc == 0 || rc == -1);
	return 0;
}
