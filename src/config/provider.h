#ifndef NIGHTMAIL_CONFIG_PROVIDER_H
#define NIGHTMAIL_CONFIG_PROVIDER_H

/* What a relay's provider = NAME stands for. */

#include <stdbool.h>

#include "config/settings.h"

/* Fills what is not set: host, password, mechanisms, end points; and tls, unless it was chosen.
 * -1: out of memory. */
int config_provider_fill(struct config_relay *r, bool tls_chosen);

#endif
