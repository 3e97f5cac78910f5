#ifndef NIGHTMAIL_DELIVER_PARENT_TRUST_H
#define NIGHTMAIL_DELIVER_PARENT_TRUST_H

/* What nightmail-deliver has loaded for TLS: authorities and our own certificates. */

#include "base/err.h"
#include "config/settings.h"
#include "net/tls.h"

struct trusts;

struct trusts *trusts_new(void); /* NULL: out of memory */
void trusts_free(struct trusts *t);
/* What a relay needs, loaded once and again when one of its files has changed; the caller's forked
 * children share it. *ret is NULL for a relay without TLS. */
int trusts_find(struct trusts *t, const struct config_relay *r, struct tls_client **ret,
		struct err *err);

#include "base/banned.h"

#endif
