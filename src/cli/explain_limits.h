#ifndef NIGHTMAIL_CLI_EXPLAIN_LIMITS_H
#define NIGHTMAIL_CLI_EXPLAIN_LIMITS_H

/* For `nightmail explain`: the rates and quotas that hold for a way out and how much of them the
 * running daemon has used, and the keys that sign. */

#include "base/span.h"
#include "cli/explain_way.h"
#include "config/settings.h"

struct json;

/* Fills in the limits of each way. */
void explain_limits_find(struct explain_ways *w, const struct settings *s);
/* Appends a limit to a way; NULL: no memory. */
struct explain_limit *explain_limit_add(struct explain_way *w, struct span domain);
/* explain_ask.c: the limits of a way as the daemon has them. */
int explain_limits_ask(struct explain_way *w, const struct settings *s, struct err *err);
void explain_limits_print(const struct explain_way *w);
/* The member "limits". */
void explain_limits_json(struct json *j, const struct explain_way *w);

/* Who signs mail whose From has this domain, in words or as the member "signed". */
void explain_signed_print(const struct settings *s, struct span domain);
void explain_signed_json(struct json *j, const struct settings *s, struct span domain);

#endif
