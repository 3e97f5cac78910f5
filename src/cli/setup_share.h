#ifndef NIGHTMAIL_CLI_SETUP_SHARE_H
#define NIGHTMAIL_CLI_SETUP_SHARE_H

/* Two configurations with one queue: the daemon of the second would not start. */

#include "cli/setup.h"

/*
 * Looks whether the queue of the instance that is set up belongs to another one: to the
 * system's, to the person's, or to that of another file in the same folder. Then appends
 * that one's name (safe to show) and returns true. Only --config can get there.
 */
bool setup_shares_queue(struct setup *s, struct buf *ret_with);

#endif
