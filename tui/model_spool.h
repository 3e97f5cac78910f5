#ifndef NIGHTMAIL_TUI_MODEL_SPOOL_H
#define NIGHTMAIL_TUI_MODEL_SPOOL_H

/*
 * The queue without a daemon: a child process reads it, changes nothing and takes no lock,
 * and answers `list all=1` and `show id=ID` in the lines of the control socket. So a slow
 * disk never stops the screen.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

/* Starts the child. *ret_fd is non-blocking and the caller's, *ret_pid is to be reaped. The
 * child ends when the descriptor is closed. */
int model_spool_ask(const char *dir, bool deliverable, struct span request, int *ret_fd,
		    pid_t *ret_pid, struct err *err);

#endif
