#ifndef NIGHTMAIL_AUTHRES_PSL_H
#define NIGHTMAIL_AUTHRES_PSL_H

/* The public suffix list: the system's (package publicsuffix), else what libpsl brought. */

#include <stdbool.h>

#include "base/span.h"

/* The organisational domain (RFC 7489 section 3.2): the public suffix and one label. Lower case;
 * U-labels stay. False for a public suffix itself, and for what is no domain. */
bool psl_org_domain(struct span domain, char ret[256]);

#include "base/banned.h"

#endif
