#ifndef NIGHTMAIL_CLI_NIGHTMAIL_TLSRPT_H
#define NIGHTMAIL_CLI_NIGHTMAIL_TLSRPT_H

/* nightmail tlsrpt: what was counted of TLS (RFC 8460), today or on an earlier day. argv[0] is
 * the word, the options follow; returns the exit code. */
int nightmail_tlsrpt(int argc, char **argv);

#include "base/banned.h"

#endif
