#ifndef NIGHTMAIL_CLI_SETUP_MAIL_H
#define NIGHTMAIL_CLI_SETUP_MAIL_H

/* A test mail through the queue and the daemon, as any program's mail goes. */

#include "config/settings.h"

/*
 * Makes a running daemon read its configuration again; without one does nothing. Complaints of
 * the daemon go to stderr.
 */
void setup_mail_reload(const char *program, const struct settings *settings);

/*
 * Queues a short message to the address and waits, at most a minute, for what becomes of it.
 * Says it in words on stdout or stderr. Returns EX_OK when the relay took it, EX_UNAVAILABLE
 * when it refused it, EX_TEMPFAIL when it still waits, else why it was not queued.
 */
int setup_mail_test(const char *program, const struct settings *settings,
		    const char *address);

#endif
