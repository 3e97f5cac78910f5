/* The page of header-trace: who, when, the way, authentication, filters, findings. */

#include "cli/trace_report.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/term.h"
#include "cli/trace_auth.h"
#include "cli/trace_hints.h"
#include "cli/trace_vendor.h"
#include "mail/decode.h"
#include "mail/header.h"

#define VALUE_MAX (64u << 10)
#define SHOWN_MAX 200u

struct report {
	struct span header;
	const struct trace_options *o;
	struct trace_way way;
	struct trace_auth auth;
	struct findings findings;
	struct buf *out;
	struct json j;
};

/* --- filters --- */

static void weigh_vendor(void *ctx, const struct trace_vendor_note *n) {
	struct report *r = ctx;
	if (n->spam)
		finding_add(&r->findings, "spam.marked", FINDING_WARN, n->vendor,
			    "%.*s%s%.*s: %s", (int)n->part.len,
			    n->part.len ? n->part.p : "", n->part.len ? " is " : "",
			    (int)n->value.len, n->value.p, n->means ? n->means : "");
}

static void json_vendor(void *ctx, const struct trace_vendor_note *n) {
	struct report *r = ctx;
	json_object(&r->j, NULL);
	json_str(&r->j, "vendor", span_str(n->vendor));
	json_str(&r->j, "field", n->field);
	json_str_or_null(&r->j, "part", n->part.len ? n->part : span_of(NULL, 0));
	json_str(&r->j, "value", n->value);
	json_str_or_null(&r->j, "means", span_str(n->means));
	json_bool(&r->j, "spam", n->spam);
	json_end(&r->j);
}

static void print_vendor(void *ctx, const struct trace_vendor_note *n) {
	struct report *r = ctx;
	buf_addf(r->out, r->o->plain ? "filter\t%s\t" : "  %-13s", n->vendor);
	term_safe(r->out, n->part.len ? n->part : n->field);
	buf_adds(r->out, r->o->plain ? "\t" : ": ");
	term_safe(r->out, span_head(n->value, SHOWN_MAX));
	if (n->means)
		buf_addf(r->out, "%s%s", r->o->plain ? "\t" : "  ", n->means);
	buf_addc(r->out, '\n');
}

static void count_vendor(void *ctx, const struct trace_vendor_note *n) {
	size_t *count = ctx;
	(void)n;
	++*count;
}

/* --- as JSON --- */

static void json_field(struct report *r, const char *key, const char *name) {
	AUTO_BUF struct buf text = BUF_INIT(VALUE_MAX);
	struct header_field f;
	bool there = header_find(r->header, name, &f);
	if (there)
		decode_words(&text, f.value);
	json_str_or_null(&r->j, key, there ? buf_span(&text) : span_of(NULL, 0));
}

static void show_json(struct report *r) {
	json_object(&r->j, NULL);
	json_field(r, "from", "From");
	json_field(r, "to", "To");
	json_field(r, "subject", "Subject");
	json_field(r, "date", "Date");
	json_field(r, "message_id", "Message-ID");
	trace_way_json(&r->way, &r->j);
	trace_auth_json(&r->auth, &r->j);
	json_array(&r->j, "filters");
	trace_vendor_each(r->header, json_vendor, r);
	json_end(&r->j);
	finding_json(&r->j, &r->findings);
	json_end(&r->j);
	buf_addc(r->out, '\n');
}

/* --- in words --- */

static void print_field(struct report *r, const char *name) {
	AUTO_BUF struct buf text = BUF_INIT(VALUE_MAX);
	struct header_field f;
	if (!header_find(r->header, name, &f))
		return;
	decode_words(&text, f.value);
	buf_addf(r->out, r->o->plain ? "%s\t" : "%-8s ", name);
	term_safe(r->out, span_head(buf_span(&text), SHOWN_MAX));
	buf_addc(r->out, '\n');
}

static int print_findings(struct report *r) {
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	const struct finding_style style = { .subject = "",
					     .color = r->o->color,
					     .verbose = r->o->verbose };
	if (!f)
		return -1;
	if (r->o->plain)
		finding_print_plain(f, &r->findings);
	else
		finding_print(f, &r->findings, &style);
	fclose(f);
	return buf_addm(r->out, text, size);
}

static int show_words(struct report *r) {
	AUTO_BUF struct buf total = BUF_INIT(128);
	size_t notes = 0;
	print_field(r, "From");
	print_field(r, "To");
	print_field(r, "Subject");
	print_field(r, "Date");
	if (!r->o->plain) {
		if (r->way.has_total)
			term_duration(&total, r->way.total_s * 1000);
		buf_addf(r->out, "%-8s %zu %s%s%s\n\n", "Way", r->way.count,
			 r->way.count == 1 ? "hop" : "hops", total.len ? ", " : "",
			 buf_str(&total));
	}
	trace_way_print(&r->way, r->o->plain, r->out);
	trace_auth_print(&r->auth, r->o->plain, r->out);
	trace_vendor_each(r->header, count_vendor, &notes);
	if (notes && !r->o->plain)
		buf_adds(r->out, "\nFILTERS\n");
	trace_vendor_each(r->header, print_vendor, r);
	if (!r->o->plain)
		buf_addc(r->out, '\n');
	return print_findings(r);
}

int trace_report(struct span message, const struct trace_options *o, struct dns *dns,
		 bool json, struct buf *out, struct err *err) {
	struct report r = { .o = o, .out = out, .j = json_into(out) };
	r.header = span_head(message, header_block_len(message));
	if (trace_way_read(r.header, o, &r.way, err) != 0)
		return -1;
	int status = trace_auth_read(message, &r.way, o, dns, &r.auth, err);
	if (status == 0) {
		trace_way_check(&r.way, &r.findings);
		trace_auth_check(&r.auth, &r.findings);
		trace_hints_check(r.header, &r.way, clock_wall_ms() / 1000, &r.findings);
		trace_vendor_each(r.header, weigh_vendor, &r);
		if (json)
			show_json(&r);
		else
			show_words(&r);
		status = finding_exit(&r.findings);
	}
	if (status >= 0 && buf_failed(out))
		status = err_set(err, ERR_LIMIT, "too much to show");
	finding_clear(&r.findings);
	trace_way_release(&r.way);
	return status;
}
