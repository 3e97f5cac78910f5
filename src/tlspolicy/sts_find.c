/* Addresses are asked for by the same DNS as everything else, not by the system's resolver. */

#include "tlspolicy/sts_find.h"

#include <stdio.h>

#include "net/lookup.h"
#include "tlspolicy/sts_fetch.h"

#define HTTPS_PORT 443

bool sts_find_id(struct dns *dns, const char *domain, char ret[STS_ID_MAX + 1]) {
	AUTO_BUF struct buf text = BUF_INIT(65536);
	char name[300];
	size_t found = 0;
	snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	const struct dns_answer *a = dns_ask(dns, span_str(name), DNS_TXT);
	for (size_t i = 0; i < a->count; i++) {
		buf_reset(&text);
		if (dns_txt(a->record[i], &text) && sts_is_record(buf_span(&text)))
			found += sts_record_parse(buf_span(&text), ret, NULL) == 0 ? 1
										   : 2;
	}
	return found == 1;
}

enum sts_found sts_find_policy(struct dns *dns, const char *domain,
			       const struct tls_client *trust, int64_t timeout_ms,
			       struct buf *text, struct sts_policy *ret,
			       struct err *err) {
	char host[300];
	struct net_addrs addrs;
	snprintf(host, sizeof(host), "mta-sts.%s", domain);
	const struct sts_fetch f = { .domain = domain,
				     .addrs = &addrs,
				     .trust = trust,
				     .timeout_ms = timeout_ms };
	if (net_lookup_dns(dns, host, HTTPS_PORT, &addrs, err) != 0)
		return STS_UNREACHABLE;
	if (sts_fetch(&f, text, err) != 0)
		return err->kind == ERR_DENIED ? STS_BAD_CERTIFICATE : STS_UNREACHABLE;
	return sts_policy_parse(buf_span(text), ret, err) == 0 ? STS_FOUND
							       : STS_BAD_POLICY;
}
