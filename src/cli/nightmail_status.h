#ifndef NIGHTMAIL_CLI_NIGHTMAIL_STATUS_H
#define NIGHTMAIL_CLI_NIGHTMAIL_STATUS_H

#include "control/control.h"

/* Asks the daemon of this configuration (one with errors still names its queue); fn gets each line
 * of the answer. Says what goes wrong; returns the exit code. */
int nightmail_ask(const char *program, const char *config, struct span request,
		  control_line_fn *fn, void *ctx);

/* nightmail status and nightmail reload: what the running daemon says. argv[0] is the word,
 * the options follow. Both return the exit code. */
int nightmail_status(int argc, char **argv);
int nightmail_reload(int argc, char **argv);
int nightmail_relay(int argc, char **argv);

#endif
