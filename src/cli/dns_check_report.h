#ifndef NIGHTMAIL_CLI_DNS_CHECK_REPORT_H
#define NIGHTMAIL_CLI_DNS_CHECK_REPORT_H

/* What dns-check DOMAIN prints. */

#include "check/dnscheck.h"
#include "cli/dns_check.h"

struct dns_check_result {
	const struct dns_check *c;
	const struct dnscheck *check;
	const struct findings *findings;
	int64_t took_ms;
};

void dns_check_print(const struct dns_check_result *r);

#include "base/banned.h"

#endif
