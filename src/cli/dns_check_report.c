/* How the findings about a domain are told: for people, scripts, monitoring and programs. */

#include "cli/dns_check_report.h"

#include <stdio.h>

#include "base/json.h"
#include "base/term.h"

#define OUTPUT_MAX (8u << 20)

static const char *const dnssec_names[] = {
	[DNSCHECK_DNSSEC_UNKNOWN] = "unknown",
	[DNSCHECK_SECURE] = "secure",
	[DNSCHECK_INSECURE] = "insecure",
	[DNSCHECK_BOGUS] = "bogus",
};

static void add_sts(struct json *j, const struct dnscheck_facts *f) {
	json_object(j, "mta_sts");
	json_str_or_null(j, "status", span_str(f->sts_status));
	json_str_or_null(j, "mode", span_str(f->sts_mode));
	json_end(j);
}

static void add_ip_facts(struct json *j, const struct dnscheck *d) {
	json_array(j, "ip");
	for (size_t i = 0; i < d->ip_count; i++) {
		AUTO_BUF struct buf ip = BUF_INIT(64);
		inet_addr_add(&ip, &d->ip[i]);
		json_object(j, NULL);
		json_str(j, "ip", buf_span(&ip));
		json_str(j, "spf", span_str(spf_result_name(d->facts.ip[i].result)));
		json_str_or_null(j, "term",
				 span_str(d->facts.ip[i].term[0] ? d->facts.ip[i].term
								 : NULL));
		json_end(j);
	}
	json_end(j);
}

static void add_chain(struct json *j, const struct dns_check_result *r) {
	unsigned rounds, questions;
	int64_t slowest_ms;
	dnscheck_chain(r->check->dns, &rounds, &questions, &slowest_ms);
	if (r->check->facts.slowest_ms > slowest_ms)
		slowest_ms = r->check->facts.slowest_ms;
	json_object(j, "chain");
	json_int(j, "length", rounds);
	json_int(j, "questions", questions);
	json_int(j, "slowest_ms", slowest_ms);
	json_int(j, "took_ms", r->took_ms);
	json_end(j);
}

/* --- the records --- */

static void add_record(void *ctx, const struct dnscheck_record *r) {
	struct json *j = ctx;
	json_object(j, NULL);
	json_str(j, "name", span_str(r->name));
	json_str(j, "type", span_str(r->type));
	json_str_or_null(j, "value", span_str(r->value));
	json_str_or_null(j, "why", span_str(r->why));
	json_end(j);
}

/* A line of a zone file, as --expect reads it. */
static void print_record(void *ctx, const struct dnscheck_record *r) {
	(void)ctx;
	if (!r->value)
		return;
	AUTO_BUF struct buf safe = BUF_INIT(OUTPUT_MAX);
	term_safe_again(&safe, span_str(r->value));
	printf("  %s. %s %s\n", r->name, r->type, buf_str(&safe));
}

/* No record's text is "-" or "?". */
static void print_plain_record(void *ctx, const struct dnscheck_record *r) {
	(void)ctx;
	AUTO_BUF struct buf safe = BUF_INIT(OUTPUT_MAX);
	term_safe_again(&safe, span_str(r->why ? "?" : r->value ? r->value : "-"));
	printf("record\t%s\t%s\t%s\n", r->name, r->type, buf_str(&safe));
}

static bool has_records(const struct dns_check_result *r) {
	return r->c->zone && r->c->mode == DNS_CHECK_DOMAIN && !r->c->expect;
}

/* --- all of it --- */

static void print_json(const struct dns_check_result *r) {
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct json j = json_into(&out);
	const struct dnscheck_facts *f = &r->check->facts;
	json_object(&j, NULL);
	json_str(&j, "domain", span_str(r->check->domain));
	if (r->c->mode == DNS_CHECK_DOMAIN && !r->c->expect) {
		json_str(&j, "dnssec", span_str(dnssec_names[f->dnssec]));
		json_bool(&j, "null_mx", f->null_mx);
		json_array(&j, "mx");
		for (size_t i = 0; i < f->mx_count; i++)
			json_str(&j, NULL, span_str(f->mx[i]));
		json_end(&j);
		json_object(&j, "spf");
		json_str_or_null(&j, "record", span_str(f->spf));
		json_int(&j, "lookups", f->spf_lookups);
		json_end(&j);
		json_str_or_null(&j, "dmarc_policy", span_str(f->dmarc));
		json_object(&j, "org_domain");
		json_str_or_null(&j, "rfc9989",
				 span_str(f->org_walk[0] ? f->org_walk : NULL));
		json_str_or_null(&j, "rfc7489",
				 span_str(f->org_list[0] ? f->org_list : NULL));
		json_end(&j);
		add_ip_facts(&j, r->check);
	}
	if (!r->c->expect)
		add_sts(&j, f);
	add_chain(&j, r);
	finding_json(&j, r->findings);
	if (has_records(r)) {
		json_array(&j, "records");
		dnscheck_records(r->check, add_record, &j);
		json_end(&j);
	}
	json_end(&j);
	fwrite(buf_str(&out), 1, out.len, stdout);
	putchar('\n');
}

void dns_check_print(const struct dns_check_result *r) {
	const struct dns_check *c = r->c;
	struct finding_style style = {
		.subject = r->check->domain,
		.color = term_use_color(c->color, stdout),
		.verbose = c->verbose,
	};
	unsigned rounds, questions;
	int64_t slowest_ms, took_ms = r->took_ms;
	if (c->json) {
		print_json(r);
	} else if (c->plain) {
		finding_print_plain(stdout, r->findings);
		if (has_records(r))
			dnscheck_records(r->check, print_plain_record, NULL);
	} else if (c->nagios) {
		finding_print_nagios(stdout, r->findings, r->check->domain, took_ms);
	} else {
		dnscheck_chain(r->check->dns, &rounds, &questions, &slowest_ms);
		printf("%s  (%u question%s in %u round%s, %lld.%01lld s)\n",
		       r->check->domain, questions, questions == 1 ? "" : "s", rounds,
		       rounds == 1 ? "" : "s", (long long)took_ms / 1000,
		       (long long)took_ms % 1000 / 100);
		if (has_records(r))
			dnscheck_records(r->check, print_record, NULL);
		finding_print(stdout, r->findings, &style);
	}
}
