#ifndef NIGHTMAIL_CLI_DNS_CHECK_MEMORY_H
#define NIGHTMAIL_CLI_DNS_CHECK_MEMORY_H

/*
 * dns-check --state: what one look cannot show, because it is about two. A line a domain,
 *
 *     mta-sts DOMAIN ID SHA-256-OF-THE-POLICY
 *
 * and lines of other domains stay as they are.
 */

#include "check/dnscheck.h"
#include "base/err.h"

/* Hands what was seen before to the check. A file that is not there is an empty one. */
int dns_check_memory_read(const char *file, struct dnscheck *check, struct err *err);
/* Writes what was seen now, where there is a valid policy. */
int dns_check_memory_write(const char *file, const struct dnscheck *check, struct err *err);

#include "base/banned.h"

#endif
