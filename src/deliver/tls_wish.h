#ifndef NIGHTMAIL_DELIVER_TLS_WISH_H
#define NIGHTMAIL_DELIVER_TLS_WISH_H

/* What a relay's configuration asks of its connections, as tlspolicy_decide() wants it: for the
 * worker that delivers and for who shows what it would do. */

#include "config/settings.h"
#include "tlspolicy/decide.h"

enum tlspolicy_wish tls_wish(const struct config_relay *r);

#include "base/banned.h"

#endif
