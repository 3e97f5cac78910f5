#ifndef NIGHTMAIL_CLI_SETUP_PROBE_H
#define NIGHTMAIL_CLI_SETUP_PROBE_H

/* Would this relay take mail from us? Everything but the mail is tried. */

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "config/settings.h"

/*
 * Connects to the relay's hosts in turn until one lets us in: TLS by the relay's policy, EHLO,
 * login, QUIT. Appends what was found to report, a line each, safe to show. -1 with words of
 * the last host when none does.
 */
int setup_probe(const struct config_relay *relay, const char *helo, struct span password,
		struct buf *report, struct err *err);

#endif
