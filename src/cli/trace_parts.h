#ifndef NIGHTMAIL_CLI_TRACE_PARTS_H
#define NIGHTMAIL_CLI_TRACE_PARTS_H

/* The parts of a message, and its header, as text or as one JSON object. */

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

void trace_parts(struct span message, bool json, struct buf *out);
/* Unfolded and with encoded words decoded. */
void trace_headers(struct span message, bool json, struct buf *out);

#include "base/banned.h"

#endif
