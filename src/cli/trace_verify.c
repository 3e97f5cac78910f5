/* Verifying what a message says of itself; see trace_verify.h. */

#include "cli/trace_verify.h"

#include "authres/authres.h"
#include "base/clock.h"
#include "base/term.h"
#include "mail/header.h"

#define PIECE 65536u
#define LINE_MAX_LEN 8192u

int trace_verify(struct span message, unsigned want, struct dns *dns,
		 struct trace_signatures *ret, struct err *err) {
	struct span header = span_head(message, header_block_len(message));
	struct span body = span_from(message, header.len);
	*ret = (struct trace_signatures){ NULL, NULL };
	header_take_empty(&body);
	if ((want & TRACE_DKIM) &&
	    !(ret->dkim = dkim_verify_new(header, clock_wall_ms() / 1000, err)))
		return -1;
	if ((want & TRACE_ARC) && !(ret->arc = arc_new(header, err))) {
		trace_signatures_release(ret);
		return -1;
	}
	for (size_t at = 0; at < body.len; at += PIECE) {
		struct span piece = span_head(span_from(body, at), PIECE);
		if (ret->dkim)
			dkim_verify_feed(ret->dkim, piece);
		if (ret->arc)
			arc_feed(ret->arc, piece);
	}
	if (ret->dkim)
		dkim_verify_end(ret->dkim);
	if (ret->arc)
		arc_end(ret->arc);
	for (bool done = false; !done;) {
		done = !ret->dkim || dkim_verify_run(ret->dkim, dns);
		done &= !ret->arc || arc_run(ret->arc, dns) != ARC_PENDING;
		if (!done && dns_run(dns) == 0)
			done = true;
	}
	return 0;
}

void trace_signatures_release(struct trace_signatures *s) {
	dkim_verify_free(s->dkim);
	arc_free(s->arc);
	*s = (struct trace_signatures){ NULL, NULL };
}

/* --- JSON --- */

static void json_time(struct json *j, const char *key, int64_t s) {
	if (s >= 0)
		json_int(j, key, s);
	else
		json_null(j, key);
}

static const char *algorithm(const struct dkim_sig *s) {
	return s->kind == CRYPTO_ED25519 ? "ed25519-sha256" : "rsa-sha256";
}

static void json_signature(struct json *j, const struct dkim_result *r) {
	const struct dkim_sig *s = &r->sig;
	json_object(j, NULL);
	json_str_or_null(j, "domain", s->domain);
	json_str_or_null(j, "selector", s->selector);
	json_str(j, "result", span_str(dkim_verdict_name(r->verdict)));
	json_str_or_null(j, "reason",
			 r->reason[0] ? span_str(r->reason) : span_of(NULL, 0));
	json_str_or_null(j, "identity", s->identity);
	json_str_or_null(j, "algorithm", tags_value(&s->tags, "a"));
	if (r->bits)
		json_int(j, "bits", r->bits);
	else
		json_null(j, "bits");
	json_bool(j, "testing", r->testing);
	json_int(j, "unsigned_octets", (int64_t)r->uncovered);
	json_time(j, "time", s->domain.p ? s->made_s : -1);
	json_time(j, "expires", s->domain.p ? s->expiry_s : -1);
	json_end(j);
}

static void json_arc(struct json *j, const struct arc *a) {
	enum arc_verdict v = arc_verdict(a);
	json_object(j, "arc");
	json_str(j, "result", span_str(arc_verdict_name(v)));
	json_str_or_null(j, "reason",
			 arc_reason(a)[0] ? span_str(arc_reason(a)) : span_of(NULL, 0));
	json_array(j, "sets");
	for (size_t i = 0; i < arc_count(a); i++) {
		const struct arc_set *set = arc_set(a, i);
		json_object(j, NULL);
		json_int(j, "instance", (int64_t)i + 1);
		json_str(j, "domain", set->seal_sig.domain);
		json_str(j, "selector", set->seal_sig.selector);
		json_str(j, "cv", tags_value(&set->seal_sig.tags, "cv"));
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

void trace_verify_json(struct json *j, const struct trace_signatures *s) {
	if (s->dkim) {
		json_array(j, "dkim");
		for (size_t i = 0; i < dkim_verify_count(s->dkim); i++)
			json_signature(j, dkim_verify_result(s->dkim, i));
		json_end(j);
	}
	if (s->arc)
		json_arc(j, s->arc);
}

/* --- words --- */

static void print_signature(FILE *f, const struct dkim_result *r) {
	const struct dkim_sig *s = &r->sig;
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_LEN);
	buf_addf(&line, "dkim  %-9s ", dkim_verdict_name(r->verdict));
	if (s->domain.len) {
		buf_adds(&line, " d=");
		term_safe(&line, span_head(s->domain, 256));
	}
	if (s->selector.len) {
		buf_adds(&line, " s=");
		term_safe(&line, span_head(s->selector, 256));
	}
	if (r->bits)
		buf_addf(&line, "  %s, %u bits", algorithm(s), r->bits);
	if (r->testing)
		buf_adds(&line, ", in test (t=y)");
	if (r->reason[0])
		buf_addf(&line, "  %s", r->reason);
	fprintf(f, "%s\n", buf_str(&line));
}

void trace_verify_print(FILE *f, const struct trace_signatures *s) {
	for (size_t i = 0; s->dkim && i < dkim_verify_count(s->dkim); i++)
		print_signature(f, dkim_verify_result(s->dkim, i));
	if (s->dkim && dkim_verify_count(s->dkim) == 0)
		fputs("dkim  none       there is no DKIM-Signature\n", f);
	if (s->arc) {
		AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_LEN);
		enum arc_verdict v = arc_verdict(s->arc);
		buf_addf(&line, "arc   %-9s ", arc_verdict_name(v));
		if (arc_count(s->arc))
			buf_addf(&line, " %zu %s", arc_count(s->arc),
				 arc_count(s->arc) == 1 ? "set" : "sets");
		if (arc_reason(s->arc)[0])
			buf_addf(&line, "  %s", arc_reason(s->arc));
		fprintf(f, "%s\n", buf_str(&line));
	}
}

/* --- the field --- */

static void fill_method(struct authres_method *m, const struct dkim_result *r) {
	const struct dkim_sig *s = &r->sig;
	*m = (struct authres_method){
		.method = SPAN("dkim"),
		.result = span_str(dkim_verdict_name(r->verdict)),
		.reason = span_str(r->reason),
	};
	if (s->domain.len)
		m->prop[m->props++] = (struct authres_prop){ SPAN("header"), SPAN("d"),
							     s->domain };
	if (s->selector.len)
		m->prop[m->props++] = (struct authres_prop){ SPAN("header"), SPAN("s"),
							     s->selector };
	if (s->identity.len)
		m->prop[m->props++] = (struct authres_prop){ SPAN("header"), SPAN("i"),
							     s->identity };
}

int trace_verify_field(const struct trace_signatures *s, struct span server,
		       struct buf *out) {
	struct authres a = { .server = server };
	for (size_t i = 0; s->dkim && i < dkim_verify_count(s->dkim); i++)
		fill_method(&a.method[a.count++], dkim_verify_result(s->dkim, i));
	if (s->dkim && a.count == 0)
		a.method[a.count++] = (struct authres_method){ .method = SPAN("dkim"),
							       .result = SPAN("none") };
	if (s->arc)
		a.method[a.count++] = (struct authres_method){
			.method = SPAN("arc"),
			.result = span_str(arc_verdict_name(arc_verdict(s->arc))),
		};
	return authres_write(&a, "\n", out);
}

enum trace_status trace_verify_status(const struct trace_signatures *s) {
	bool pass = false, fail = false, temporary = false;
	for (size_t i = 0; s->dkim && i < dkim_verify_count(s->dkim); i++) {
		enum dkim_verdict v = dkim_verify_result(s->dkim, i)->verdict;
		pass |= v == DKIM_PASS;
		fail |= v == DKIM_FAIL;
		temporary |= v == DKIM_TEMPERROR || v == DKIM_PENDING;
	}
	if (s->arc) {
		enum arc_verdict v = arc_verdict(s->arc);
		pass |= v == ARC_PASS && (!s->dkim || dkim_verify_count(s->dkim) == 0);
		fail |= v == ARC_FAIL;
	}
	if (fail && !pass)
		return TRACE_FAIL;
	return pass ? TRACE_PASS : temporary ? TRACE_UNKNOWN : TRACE_UNSURE;
}
