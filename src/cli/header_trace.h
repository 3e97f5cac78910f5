#ifndef NIGHTMAIL_CLI_HEADER_TRACE_H
#define NIGHTMAIL_CLI_HEADER_TRACE_H

/* header-trace, which is `nightmail trace` too: the way of a message, what was found about it
 * on the way, and what can be verified now. */

int header_trace(int argc, char **argv);

#include "base/banned.h"

#endif
