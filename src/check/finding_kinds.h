#ifndef NIGHTMAIL_CHECK_FINDING_KINDS_H
#define NIGHTMAIL_CHECK_FINDING_KINDS_H

/* The table of findings, in its parts. Inside of finding*.c only. */

#include "check/finding.h"

extern const struct finding_kind finding_kinds_domain[], finding_kinds_server[];
extern const size_t finding_kinds_domain_count, finding_kinds_server_count;

#include "base/banned.h"

#endif
