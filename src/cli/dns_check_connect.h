#ifndef NIGHTMAIL_CLI_DNS_CHECK_CONNECT_H
#define NIGHTMAIL_CLI_DNS_CHECK_CONNECT_H

/* dns-check --connect: are the MX hosts there, and who issued their certificates? */

#include "check/dnscheck.h"
#include "cli/dns_check.h"

/* After dnscheck_run(): connects to port 25 of all MX hosts at once and says EHLO and STARTTLS to
 * those that answer. The check must then run again. */
void dns_check_connect(const struct dns_check *c, struct dnscheck *check);

#include "base/banned.h"

#endif
