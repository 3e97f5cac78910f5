#ifndef NIGHTMAIL_CLI_SEND_WAIT_H
#define NIGHTMAIL_CLI_SEND_WAIT_H

/*
 * Following a message that was just queued, by the daemon's events (control/control.h), until
 * it has left the queue. What happens meanwhile is told on stderr when that is a terminal.
 */

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "queue/id.h"

#define SEND_WAIT_DEFAULT_MS (5 * 60 * 1000)

/*
 * Returns EX_OK: delivered to everybody; EX_UNAVAILABLE: given up for somebody, or deleted;
 * EX_TEMPFAIL: it is queued still, because the time is over or nobody may be asked. All but the
 * first are told on stderr; json: {"id","outcome","reply","seconds"} on stdout, outcome being
 * delivered, bounced, deleted, dead, removed or queued.
 */
int send_wait(const struct settings *settings, const struct queue_id *id, int64_t timeout_ms,
	      bool json);
/* "90", "90s", "5m", "2h" as milliseconds; at most a year. */
bool send_wait_parse(const char *text, int64_t *ret_ms);

#endif
