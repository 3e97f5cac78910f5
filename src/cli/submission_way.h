#ifndef NIGHTMAIL_CLI_SUBMISSION_WAY_H
#define NIGHTMAIL_CLI_SUBMISSION_WAY_H

/* Which way into the queue is open for whoever runs this program. */

#include "config/settings.h"
#include "submit/way.h"

/*
 * Straight into the files for root, the spool's owner, and everybody in a queue of their own;
 * else the daemon's socket, and when nobody listens there, nightmail-drop. NULL: none is
 * open, the words say what was tried.
 */
struct way *submission_way(const struct settings *set, struct err *err);

/* True when that way is into the files, by this process. */
bool submission_is_straight(const struct settings *set);

#endif
