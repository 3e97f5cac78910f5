#ifndef NIGHTMAIL_CLI_EXPLAIN_FINDING_H
#define NIGHTMAIL_CLI_EXPLAIN_FINDING_H

/* Prints what a finding means, or with "all" the ids of all of them: --explain of every
 * diagnosing program. Returns the exit code. */
int explain_finding(const char *program, const char *id);

#include "base/banned.h"

#endif
