/*
 * Authentication, as recorded and as it is now. A recorded result counts only where a server of
 * ours wrote it: its name is one of ours, and the field stands above the oldest Received that
 * ours wrote; everything below may be forged.
 */

#include "cli/trace_auth.h"

#include "authres/authres.h"
#include "authres/dmarc.h"
#include "authres/spf.h"
#include "base/clock.h"
#include "base/term.h"
#include "base/utf8.h"
#include "cli/trace_hints.h"
#include "mail/addr.h"
#include "mail/header.h"

static void keep(char *to, size_t size, struct span s) {
	size_t n = s.len < size ? s.len : size - 1;
	for (size_t i = 0; i < n; i++)
		to[i] = span_lower(s.p[i]);
	to[n] = '\0';
}

/* What stands behind the "@", or all of it. */
static struct span domain_of(struct span s) {
	size_t at = s.len;
	while (at > 0 && s.p[at - 1] != '@')
		at--;
	return span_from(s, at);
}

/* The row of a method and domain; made when there is none. NULL: no more room. */
static struct trace_auth_row *row_of(struct trace_auth *a, struct span method,
				     struct span domain, struct span selector) {
	for (size_t i = 0; i < a->count; i++) {
		struct trace_auth_row *r = &a->row[i];
		if (span_eq_nocase(method, span_str(r->method)) &&
		    span_eq_nocase(domain, span_str(r->domain)) &&
		    (selector.len == 0 || !r->selector[0] ||
		     span_eq_nocase(selector, span_str(r->selector))))
			return r;
	}
	if (a->count == TRACE_AUTH_ROWS_MAX)
		return NULL;
	struct trace_auth_row *r = &a->row[a->count++];
	*r = (struct trace_auth_row){ .believed = false };
	keep(r->method, sizeof(r->method), method);
	keep(r->domain, sizeof(r->domain), domain);
	keep(r->selector, sizeof(r->selector), selector);
	r->aligned = domain.len > 0 && a->author[0] &&
		     trace_way_same_org(domain, span_str(a->author));
	return r;
}

/* --- as recorded --- */

static struct span method_domain(const struct authres_method *m) {
	static const char *const props[][2] = {
		{ "header", "d" },      { "smtp", "mailfrom" }, { "smtp", "mail" },
		{ "header", "from" },   { "header", "i" },      { "smtp", "helo" },
		{ "smtp", "remote-ip" }
	};
	for (size_t i = 0; i < sizeof(props) / sizeof(props[0]); i++) {
		struct span v = authres_prop(m, props[i][0], props[i][1]);
		if (v.p)
			return domain_of(v);
	}
	return SPAN("");
}

static void note_recorded(struct trace_auth *a, const struct authres *found,
			  bool believed) {
	for (size_t i = 0; i < found->count; i++) {
		const struct authres_method *m = &found->method[i];
		struct trace_auth_row *r = row_of(a, m->method, method_domain(m),
						  authres_prop(m, "header", "s"));
		if (!r || (r->recorded[0] && (r->believed || !believed)))
			continue;
		keep(r->recorded, sizeof(r->recorded), m->result);
		keep(r->server, sizeof(r->server), found->server);
		r->believed = believed;
	}
}

/* The value of NAME=VALUE in Received-SPF (RFC 7208 section 9.1), without quotes; or empty. */
static struct span spf_pair(struct span value, struct span name) {
	for (; value.len > name.len; value = span_from(value, 1)) {
		struct span rest = value;
		size_t n = 0;
		if (!span_take_lit_nocase(&rest, name) || !span_take_char(&rest, '='))
			continue;
		while (rest.len && (rest.p[0] == '"' || rest.p[0] == '<'))
			rest = span_from(rest, 1);
		while (n < rest.len && rest.p[n] && !strchr("\">; \t\r\n", rest.p[n]))
			n++;
		return span_head(rest, n);
	}
	return SPAN("");
}

static void note_received_spf(struct trace_auth *a, struct span value, bool above,
			      const struct trace_way *w, const struct trace_options *o) {
	struct span sender = spf_pair(value, SPAN("envelope-from"));
	struct authres found = { .server = spf_pair(value, SPAN("receiver")), .count = 1 };
	struct authres_method *m = &found.method[0];
	struct span rest = span_trim(value);
	m->method = SPAN("spf");
	m->result = span_head(rest, span_find(rest, ' '));
	m->prop[m->props++] =
		(struct authres_prop){ SPAN("smtp"), SPAN("mailfrom"), sender };
	note_recorded(a, &found,
		      above && (found.server.len == 0 ||
				trace_way_trusts(w, o, found.server)));
}

/* Those at the top were added last, by the server nearest to the reader. */
static void read_recorded(struct trace_auth *a, struct span header,
			  const struct trace_way *w, const struct trace_options *o) {
	struct header_field f;
	header_take_mbox(&header);
	while (header_take(&header, &f)) {
		struct authres found;
		bool above = w->boundary && f.raw.p < w->boundary;
		if (span_eq_nocase(f.name, SPAN("Received-SPF")))
			note_received_spf(a, f.value, above, w, o);
		if (!span_eq_nocase(f.name, SPAN("Authentication-Results")) ||
		    !authres_parse(f.value, &found))
			continue;
		note_recorded(a, &found,
			      above && (found.server.len == 0 ||
					trace_way_trusts(w, o, found.server)));
	}
}

/* --- now --- */

static void note_now(struct trace_auth_row *r, const char *result, const char *reason) {
	if (!r)
		return;
	snprintf(r->now, sizeof(r->now), "%s", result);
	utf8_copy(r->reason, sizeof(r->reason), span_str(reason));
}

/* What the first server of ours saw: the peer, its HELO, the envelope's sender. */
static bool spf_question(struct span header, const struct trace_way *w,
			 struct spf_query *q) {
	const struct received *edge = NULL;
	struct header_field f;
	for (size_t i = w->count; i-- > 0 && w->hop[i].ours;)
		if (w->hop[i].r.ip.len && !trace_way_is_private(w->hop[i].r.ip))
			edge = &w->hop[i].r;
	*q = (struct spf_query){ .now_s = clock_wall_ms() / 1000 };
	if (!edge || !inet_addr_parse(edge->ip, &q->ip) ||
	    !header_find(header, "Return-Path", &f))
		return false;
	q->sender = span_trim(f.value);
	if (q->sender.len >= 2 && q->sender.p[0] == '<')
		q->sender = span_of(q->sender.p + 1, q->sender.len - 2);
	q->helo = edge->helo.len ? edge->helo : edge->from;
	return true;
}

/* Returns whether it passes; *ret_domain is whose record that was. */
static bool spf_now(struct trace_auth *a, const struct spf_query *q, struct dns *dns,
		    struct span *ret_domain) {
	struct spf_report report;
	while (spf_check(dns, q, &report) == SPF_PENDING && dns_run(dns) > 0)
		;
	*ret_domain = domain_of(q->sender.len ? q->sender : q->helo);
	note_now(row_of(a, SPAN("spf"), *ret_domain, SPAN("")),
		 spf_result_name(report.result), report.why);
	return report.result == SPF_PASS;
}

static void dkim_now(struct trace_auth *a, const struct trace_signatures *s) {
	for (size_t i = 0; i < dkim_verify_count(s->dkim); i++) {
		const struct dkim_result *r = dkim_verify_result(s->dkim, i);
		note_now(row_of(a, SPAN("dkim"), r->sig.domain, r->sig.selector),
			 dkim_verdict_name(r->verdict), r->reason);
	}
	if (arc_verdict(s->arc) != ARC_NONE)
		note_now(row_of(a, SPAN("arc"), SPAN(""), SPAN("")),
			 arc_verdict_name(arc_verdict(s->arc)), arc_reason(s->arc));
}

static void dmarc_now(struct trace_auth *a, const struct trace_signatures *s,
		      const struct span *spf, struct dns *dns) {
	struct span passed[DKIM_VERIFY_MAX];
	struct dmarc_report report;
	struct dmarc_query q = { .from = span_str(a->author),
				 .dkim = passed,
				 .spf = spf,
				 .spf_count = spf ? 1 : 0 };
	for (size_t i = 0; i < dkim_verify_count(s->dkim); i++) {
		const struct dkim_result *r = dkim_verify_result(s->dkim, i);
		if (r->verdict == DKIM_PASS)
			passed[q.dkim_count++] = r->sig.domain;
	}
	while (dmarc_check(dns, &q, &report) == DMARC_PENDING && dns_run(dns) > 0)
		;
	note_now(row_of(a, SPAN("dmarc"), span_str(a->author), SPAN("")),
		 dmarc_result_name(report.result), report.why);
}

static int read_now(struct trace_auth *a, struct span message, struct span header,
		    const struct trace_way *w, struct dns *dns, struct err *err) {
	struct trace_signatures s;
	struct spf_query q;
	struct span spf_domain;
	if (trace_verify(message, TRACE_DKIM | TRACE_ARC, dns, &s, err) != 0)
		return -1;
	bool spf = spf_question(header, w, &q) && spf_now(a, &q, dns, &spf_domain);
	dkim_now(a, &s);
	if (a->author[0])
		dmarc_now(a, &s, spf ? &spf_domain : NULL, dns);
	trace_signatures_release(&s);
	return 0;
}

int trace_auth_read(struct span message, const struct trace_way *w,
		    const struct trace_options *o, struct dns *dns,
		    struct trace_auth *ret, struct err *err) {
	AUTO_BUF struct buf author = BUF_INIT(1024);
	struct span header = span_head(message, header_block_len(message));
	*ret = (struct trace_auth){ .count = 0 };
	if (trace_hints_domain(header, "From", &author))
		keep(ret->author, sizeof(ret->author), buf_span(&author));
	read_recorded(ret, header, w, o);
	return dns ? read_now(ret, message, header, w, dns, err) : 0;
}

/* --- what follows --- */

static bool is(const char *a, const char *b) {
	return strcmp(a, b) == 0;
}

/* The result to go by: what was found now, else what a believed server recorded. */
static const char *result_of(const struct trace_auth_row *r) {
	return r->now[0] ? r->now : r->believed ? r->recorded : "";
}

void trace_auth_check(const struct trace_auth *a, struct findings *f) {
	bool pass = false, aligned = false, any = false;
	for (size_t i = 0; i < a->count; i++) {
		const struct trace_auth_row *r = &a->row[i];
		const char *result = result_of(r);
		bool method = is(r->method, "spf") || is(r->method, "dkim");
		any |= result[0] != '\0' && method;
		pass |= is(result, "pass") && method;
		aligned |= is(result, "pass") && method && r->aligned;
		if (r->recorded[0] && !r->believed)
			finding_add(
				f, "auth.unbelieved", FINDING_INFO, r->method,
				"%s says %s, but that server is none of ours, or wrote it below "
				"the trust boundary",
				r->server[0] ? r->server : "a field without a name",
				r->recorded);
		if (is(result, "fail") && (method || is(r->method, "dmarc")))
			finding_add(f, "auth.fail",
				    is(r->method, "dmarc") ? FINDING_FAIL : FINDING_WARN,
				    r->method, "fails for %s%s%s", r->domain,
				    r->reason[0] ? ": " : "", r->reason);
		if (r->believed && is(r->recorded, "pass") && is(r->now, "fail"))
			finding_add(
				f, "auth.changed", FINDING_NOTICE, r->method,
				"passed at %s and fails now: the message was changed since, or "
				"what is published was",
				r->server);
	}
	if (any && pass && !aligned)
		finding_add(f, "auth.unaligned", FINDING_WARN, "From",
			    "nothing that passes is of %s, the author's domain",
			    a->author);
}

/* --- showing --- */

void trace_auth_json(const struct trace_auth *a, struct json *j) {
	json_array(j, "authentication");
	for (size_t i = 0; i < a->count; i++) {
		const struct trace_auth_row *r = &a->row[i];
		json_object(j, NULL);
		json_str(j, "method", span_str(r->method));
		json_str_or_null(j, "domain", span_str(r->domain[0] ? r->domain : NULL));
		json_str_or_null(j, "selector",
				 span_str(r->selector[0] ? r->selector : NULL));
		json_str_or_null(j, "recorded",
				 span_str(r->recorded[0] ? r->recorded : NULL));
		json_str_or_null(j, "recorded_by",
				 span_str(r->server[0] ? r->server : NULL));
		json_bool(j, "believed", r->believed);
		json_str_or_null(j, "now", span_str(r->now[0] ? r->now : NULL));
		json_str_or_null(j, "reason", span_str(r->reason[0] ? r->reason : NULL));
		json_bool(j, "aligned", r->aligned);
		json_end(j);
	}
	json_end(j);
}

static void pad(struct buf *out, const char *text, size_t width) {
	size_t from = out->len;
	term_safe(out, span_str(text));
	while (out->len - from < width)
		buf_addc(out, ' ');
}

void trace_auth_print(const struct trace_auth *a, bool plain, struct buf *out) {
	if (a->count && !plain)
		buf_adds(
			out,
			"\nAUTH   DOMAIN                       RECORDED          NOW       "
			"ALIGNED\n");
	for (size_t i = 0; i < a->count; i++) {
		const struct trace_auth_row *r = &a->row[i];
		char recorded[24];
		snprintf(recorded, sizeof(recorded), "%s%s",
			 r->recorded[0] ? r->recorded : "-",
			 r->recorded[0] && !r->believed ? " (hearsay)" : "");
		if (plain)
			buf_adds(out, "auth\t");
		pad(out, r->method, plain ? 0 : 6);
		buf_addc(out, plain ? '\t' : ' ');
		pad(out, r->domain[0] ? r->domain : "-", plain ? 0 : 28);
		buf_addc(out, plain ? '\t' : ' ');
		pad(out, recorded, plain ? 0 : 17);
		buf_addc(out, plain ? '\t' : ' ');
		pad(out, r->now[0] ? r->now : "-", plain ? 0 : 9);
		buf_addf(out, "%c%s\n", plain ? '\t' : ' ', r->aligned ? "yes" : "no");
		if (!plain && r->reason[0] && !is(r->now, "pass"))
			buf_addf(out, "       %s\n", r->reason);
	}
}
