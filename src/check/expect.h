#ifndef NIGHTMAIL_CHECK_EXPECT_H
#define NIGHTMAIL_CHECK_EXPECT_H

/* Compares DNS with the lines of a zone file: what is missing, and what stands there besides. */

#include "check/finding.h"
#include "net/dns.h"

struct expect;

/* Reads lines "NAME [TTL] [IN] TYPE RDATA", full names with or without the last dot, "@" for
 * `domain`; ';' and '#' begin a comment, parentheses hold several lines together. ERR_SYNTAX
 * names the line. */
struct expect *expect_open(struct span text, const char *domain, struct err *err);
/* Adds a finding for each name and type. False: an answer is pending. */
bool expect_check(const struct expect *e, struct dns *dns, struct findings *ret);
void expect_close(struct expect *e); /* NULL is fine */

/* Asks each name server of the zone by itself for what is expected there, each for at most
 * timeout_ms: what one of them lacks is missing. */
void expect_check_servers(const struct expect *e, struct dns *dns, const char *zone,
			  int64_t timeout_ms, struct findings *ret);

#include "base/banned.h"

#endif
