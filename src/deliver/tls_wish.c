/* See tls_wish.h. */

#include "deliver/tls_wish.h"

enum tlspolicy_wish tls_wish(const struct config_relay *r) {
	switch (r->tls) {
	case CONFIG_TLS_NONE:
		return TLSPOLICY_WISH_NONE;
	case CONFIG_TLS_OPPORTUNISTIC:
		return TLSPOLICY_WISH_OPPORTUNISTIC;
	case CONFIG_TLS_DANE:
		return TLSPOLICY_WISH_DANE;
	case CONFIG_TLS_STARTTLS:
	case CONFIG_TLS_IMPLICIT:
		break;
	}
	return r->pin ? TLSPOLICY_WISH_PIN : TLSPOLICY_WISH_VERIFY;
}
