/*
 * The records that the mail of a domain depends on, as they were answered. Only those below the
 * domain: what others publish may change every day without being the domain's doing. Of TXT
 * records only those that are about mail, of addresses only those of the MX hosts.
 */

#include <stdlib.h>

#include "base/auto.h"
#include "check/dnscheck_state.h"

#define VALUE_MAX (1u << 20)
#define VALUES_MAX 256u

struct visit {
	const struct dnscheck *c;
	dnscheck_record_fn *fn;
	void *ctx;
};

static bool is_below(struct span name, const char *domain) {
	size_t len = strlen(domain);
	return name.len >= len && span_ends_nocase(name, span_str(domain)) &&
	       (name.len == len || name.p[name.len - len - 1] == '.');
}

static bool is_mx_host(const struct dnscheck *c, const char *name) {
	for (size_t i = 0; i < c->facts.mx_count; i++)
		if (strcasecmp(c->facts.mx[i], name) == 0)
			return true;
	return false;
}

/* Not SOA, which changes with the serial number, nor what changes with each signing. */
static bool is_wanted(const struct dnscheck *c, const struct dns_answer *a) {
	static const enum dns_type types[] = { DNS_MX,    DNS_NS,   DNS_TXT,
					       DNS_CNAME, DNS_TLSA, DNS_CAA };
	if (!is_below(span_str(a->name), c->domain) ||
	    span_starts(span_str(a->name), SPAN(DNSCHECK_NO_SELECTOR "._domainkey.")))
		return false;
	if (a->type == DNS_A || a->type == DNS_AAAA)
		return is_mx_host(c, a->name);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (a->type == types[i])
			return true;
	return false;
}

/* A key needs no v=, and everything else that stands beside a selector breaks it. */
static bool is_about_mail(const struct dns_answer *a, struct span rdata) {
	static const struct span versions[] = {
		SPAN_INIT("v=spf1"),     SPAN_INIT("v=DMARC1"), SPAN_INIT("v=STSv1"),
		SPAN_INIT("v=TLSRPTv1"), SPAN_INIT("v=BIMI1"),
	};
	AUTO_BUF struct buf text = BUF_INIT(VALUE_MAX);
	if (a->type != DNS_TXT || strstr(a->name, "._domainkey."))
		return true;
	if (!dns_txt(rdata, &text))
		return false;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (span_starts_nocase(buf_span(&text), versions[i]))
			return true;
	return false;
}

static int by_text(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The order of an answer means nothing. */
static void tell_found(const struct visit *v, const struct dns_answer *a) {
	char *value[VALUES_MAX];
	size_t n = 0;
	for (size_t i = 0; i < a->count && n < VALUES_MAX; i++) {
		AUTO_BUF struct buf text = BUF_INIT(VALUE_MAX);
		if (is_about_mail(a, a->record[i]) &&
		    dns_rdata_add(&text, a->type, a->record[i]) == 0)
			value[n] = buf_take(&text);
		else
			continue;
		n += value[n] != NULL;
	}
	if (n > 1)
		qsort(value, n, sizeof(value[0]), by_text);
	struct dnscheck_record r = { .name = a->name, .type = dns_type_name(a->type) };
	if (n == 0)
		v->fn(v->ctx, &r);
	for (size_t i = 0; i < n; i++) {
		r.value = value[i];
		v->fn(v->ctx, &r);
		free(value[i]);
	}
}

static void look(void *ctx, const struct dns_answer *a) {
	const struct visit *v = ctx;
	if (a->status == DNS_PENDING || a->status == DNS_BADNAME || !is_wanted(v->c, a))
		return;
	if (dns_is_temporary(a))
		v->fn(v->ctx, &(struct dnscheck_record){ .name = a->name,
							 .type = dns_type_name(a->type),
							 .why = a->why });
	else
		tell_found(v, a);
}

void dnscheck_records(const struct dnscheck *c, dnscheck_record_fn *fn, void *ctx) {
	struct visit v = { .c = c, .fn = fn, .ctx = ctx };
	dns_each(c->dns, look, &v);
}
