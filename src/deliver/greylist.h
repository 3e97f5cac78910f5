#ifndef NIGHTMAIL_DELIVER_GREYLIST_H
#define NIGHTMAIL_DELIVER_GREYLIST_H

/* Greylisting (RFC 6647): which 4xx replies are it, and when they want us back. Pure. */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "smtp/reply.h"

#define GREYLIST_FREE 3u /* greylisted tries that do not count */

/* True for a reply that defers strangers for a while, and says so in one of the known ways. */
bool greylist_is(const struct smtp_reply *reply);

/* The delay that the reply names ("try again in 300 seconds", "in 00:04:57", "retry in 10m"),
 * in ms, clipped to 10 s .. 1 h; 5 min when it names none. */
int64_t greylist_delay_ms(struct span reply_text);

#endif
