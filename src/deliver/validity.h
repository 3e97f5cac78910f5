#ifndef NIGHTMAIL_DELIVER_VALIDITY_H
#define NIGHTMAIL_DELIVER_VALIDITY_H

/*
 * How long certificates and grants hold, and when it is time to say that they end. The
 * certificates that a relay's servers showed are remembered as text, one server after the other:
 * "HOST FROM,UNTIL,SEEN HOST FROM,UNTIL,SEEN ...", in seconds since 1970. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct validity {
	int64_t from_s, until_s; /* seconds since 1970; until_s 0: it does not end, or nobody knows */
};

enum validity_level {
	VALIDITY_FINE,
	VALIDITY_LOW,  /* less than 20 % of it are left */
	VALIDITY_LAST, /* less than 5 %, or none */
};
enum validity_level validity_level(const struct validity *v, int64_t now_s);

/* Remembers the certificate of a server in a list of `size` bytes; those seen last stay. True:
 * the list says something new, which is worth to be kept. */
bool validity_note(char *list, size_t size, struct span host, const struct validity *v,
		   int64_t now_s);
/* Takes the next server off the list whose certificate ends. One that nobody has met for a
 * while does not count: it may be gone. */
bool validity_next(struct span *list, int64_t now_s, struct span *ret_host,
		   struct validity *ret);

#include "base/banned.h"

#endif
