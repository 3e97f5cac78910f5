#ifndef NIGHTMAIL_CHECK_DNSCHECK_SPF_H
#define NIGHTMAIL_CHECK_DNSCHECK_SPF_H

/* The two halves of the check of SPF; nobody else includes it. */

#include "authres/spf_tree.h"
#include "check/dnscheck.h"

/* What receivers conclude for the i-th address. False: pending. */
bool dnscheck_spf_ip(struct dnscheck *c, size_t i);
/* The text of the record and what stands beside it; record: empty when there is none that can be
 * read. False: pending. */
bool dnscheck_spf_neighbours(struct dnscheck *c, struct span record);
/* Shows where a record cannot be read. */
void dnscheck_spf_point(struct finding *f, struct span record);
/* Puts the one record that mends them to the findings that a record can mend. */
void dnscheck_spf_fixes(struct dnscheck *c, const struct spf_tree *t);

#include "base/banned.h"

#endif
