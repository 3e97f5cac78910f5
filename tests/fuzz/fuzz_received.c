/*
 * What header-trace reads besides signatures: Received, dates, Authentication-Results, and the
 * whole page, none of which may let a byte through that a terminal obeys.
 */

#include "mail/received.h"

#include <stdlib.h>
#include <string.h>

#include "authres/authres.h"
#include "base/term.h"
#include "cli/trace_parts.h"
#include "cli/trace_report.h"
#include "mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

static void inside(struct span s, struct span whole) {
	need(s.len == 0 || (s.p >= whole.p && s.p + s.len <= whole.p + whole.len));
}

static void check_received(struct span in) {
	struct received r;
	if (received_parse(in, &r) == 0) {
		struct span text = buf_span(&r.text);
		const struct span all[] = { r.from, r.helo,  r.rdns, r.ip,
					    r.by,   r.with,  r.via,  r.id,
					    r.for_, r.ident, r.tls,  r.cipher };
		struct inet_addr a;
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			inside(all[i], text);
		need(r.ip.len == 0 || inet_addr_parse(r.ip, &a));
		received_is_tls(&r);
	}
	received_release(&r);
}

static void check_date(struct span in) {
	int64_t s;
	if (date_parse(in, &s))
		need(s > -INT64_C(100000000000) && s < INT64_C(1000000000000));
}

static void check_authres(struct span in) {
	AUTO_BUF struct buf out = BUF_INIT(8u << 20);
	struct authres a, again;
	if (!authres_parse(in, &a))
		return;
	inside(a.server, in);
	for (size_t i = 0; i < a.count; i++) {
		inside(a.method[i].method, in);
		inside(a.method[i].result, in);
		inside(a.method[i].reason, in);
		need(a.method[i].props <= AUTHRES_PROPS_MAX);
		for (size_t k = 0; k < a.method[i].props; k++)
			inside(a.method[i].prop[k].value, in);
	}
	authres_write(&a, "\n", &out);
	authres_parse(buf_span(&out), &again);
}

static void check_page(struct span message) {
	struct trace_options o = { .trusted = 0, .plain = message.len % 2 };
	for (int view = 0; view < 3; view++) {
		AUTO_BUF struct buf out = BUF_INIT(64u << 20);
		struct span rest;
		uint32_t cp;
		if (view == 0)
			trace_report(message, &o, NULL, false, &out, NULL);
		else if (view == 1)
			trace_parts(message, false, &out);
		else
			trace_headers(message, false, &out);
		rest = buf_span(&out);
		while (rest.len && span_take_utf8(&rest, &cp))
			need(cp == '\n' || cp == '\t' || !term_unsafe(cp));
		need(rest.len == 0);
	}
}

/* The first byte chooses. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span in = span_of(data, size);
	if (size == 0)
		return 0;
	in = span_from(in, 1);
	if (data[0] == 'd')
		check_date(in);
	else if (data[0] == 'a')
		check_authres(in);
	else if (data[0] == 'p')
		check_page(in);
	else
		check_received(in);
	return 0;
}
