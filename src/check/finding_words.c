/*
 * Finding a finding: by its id, by what it is about, by what was mistyped.
 */

#include <string.h>

#include "base/suggest.h"
#include "check/finding_kinds.h"

static const struct {
	const char *prefix; /* or a whole id */
	const char *name;
} areas[] = {
	{ "auth.535", "login" }, { "auth.before_tls", "login" },
	{ "auth.none_after_tls", "login" }, { "auth.ok", "login" },
	{ "alias", "alias" },
	{ "mx", "MX" },          { "ns", "NS" },          { "ptr", "PTR" },
	{ "spf", "SPF" },        { "dkim", "DKIM" },      { "dmarc", "DMARC" },
	{ "sts", "MTA-STS" },    { "tlsrpt", "TLS-RPT" }, { "dane", "DANE" },
	{ "dnssec", "DNSSEC" },  { "bimi", "BIMI" },      { "caa", "CAA" },
	{ "bl", "DNSBL" },       { "parked", "parked" },  { "expect", "expected" },
	{ "auth", "sender" },    { "conn", "connect" },   { "banner", "greeting" },
	{ "ehlo", "EHLO" },      { "tls", "TLS" },        { "policy", "policy" },
	{ "mail", "MAIL" },      { "rcpt", "RCPT" },      { "data", "DATA" },
	{ "relay", "relaying" }, { "size", "size" },      { "quit", "QUIT" },
	{ "date", "date" },
	{ "dup", "header" },     { "from", "header" },    { "hop", "way" },
	{ "spam", "filter" },    { "spoof", "hint" },
};

static const struct finding_kind *kind_at(size_t i) {
	if (i < finding_kinds_domain_count)
		return &finding_kinds_domain[i];
	i -= finding_kinds_domain_count;
	return i < finding_kinds_server_count ? &finding_kinds_server[i] : NULL;
}

const struct finding_kind *finding_kind(struct span id) {
	const struct finding_kind *k;
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++)
		if (span_eq(id, span_str(k->id)))
			return k;
	return NULL;
}

const char *finding_area(const char *id) {
	struct span prefix = span_head(span_str(id), span_find(span_str(id), '.'));
	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		if (strcmp(id, areas[i].prefix) == 0 || span_eq(prefix, span_str(areas[i].prefix)))
			return areas[i].name;
	return "";
}

void finding_list(FILE *out) {
	size_t i = 0, n = 0; /* both parts are sorted */
	while (i < finding_kinds_domain_count || n < finding_kinds_server_count) {
		bool domain = n == finding_kinds_server_count ||
			      (i < finding_kinds_domain_count &&
			       strcmp(finding_kinds_domain[i].id, finding_kinds_server[n].id) < 0);
		fprintf(out, "%s\n",
			domain ? finding_kinds_domain[i++].id : finding_kinds_server[n++].id);
	}
}

const char *finding_nearest(struct span id) {
	struct suggest s = { .word = id };
	const struct finding_kind *k;
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++)
		suggest_try(&s, k->id);
	return s.best;
}
