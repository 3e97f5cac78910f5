#ifndef NIGHTMAIL_DELIVER_OFFERS_H
#define NIGHTMAIL_DELIVER_OFFERS_H

/*
 * The strongest login mechanism that each server of a relay has ever offered: who offers less
 * later may be somebody else. "HOST MECHANISM HOST MECHANISM ...". Pure.
 */

#include <stddef.h>

#include "base/span.h"

/* The mechanism remembered for this host, or an empty span. */
struct span offers_find(struct span list, struct span host);
/* Sets the host's, in a string of `size` bytes; the oldest hosts make room. */
void offers_set(char *list, size_t size, struct span host, struct span mechanism);

#endif
