#ifndef NIGHTMAIL_DELIVER_MANAGER_H
#define NIGHTMAIL_DELIVER_MANAGER_H

/*
 * The queue manager: owns the spool and decides when what is tried. It reads each message's
 * record, keeps due times, has nightmail-deliver start workers, hands messages to them,
 * makes notices, and answers the control socket. No network, no secrets here.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/settings.h"

struct manager;

/*
 * Takes the spool and opens the sockets. file: what --config said, absolute, or NULL; settings:
 * loaded from it, taken over also on failure; complaints: what config_load() said against them
 * (then nothing is delivered until a reload), or empty. The spool's directories exist.
 */
struct manager *manager_new(const char *file, struct settings *settings,
	const struct buf *complaints, struct err *err);
/* Runs until SIGTERM or SIGINT. Returns the exit code. */
int manager_run(struct manager *m);
void manager_free(struct manager *m);

#endif
