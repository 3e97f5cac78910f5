#ifndef NIGHTMAIL_TUI_QUEUE_BODY_H
#define NIGHTMAIL_TUI_QUEUE_BODY_H

/* What there is to read in a message: its texts, and what is attached. */

#include <stdbool.h>

#include "base/span.h"

#define QUEUE_BODY_MAX (512u << 10) /* bytes of text that are shown */

typedef void queue_body_fn(void *ctx, struct span line, bool heading);
/* Calls fn for each line of the message's texts, decoded, and one for each attachment. cut:
 * the message goes on behind these bytes. */
void queue_body(struct span message, bool cut, queue_body_fn *fn, void *ctx);

#endif
