#ifndef NIGHTMAIL_CREDS_GRANT_H
#define NIGHTMAIL_CREDS_GRANT_H

/*
 * How long a grant of OAuth 2.0 holds (the refresh token), where its server says so. It stands in
 * a file beside the tokens and is no secret, so that the daemon can warn in time and need not
 * read tokens: "TOKENS.ends" for TOKENS.json.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* Seconds since 1970; until_s 0: nobody knows, and there is no file. */
int grant_write(const char *tokens, int64_t from_s, int64_t until_s, struct err *err);
/* False: nobody knows. */
bool grant_read(const char *tokens, int64_t *ret_from_s, int64_t *ret_until_s);
/* The file of tokens that a reference to a secret names; NULL: it names something else. */
const char *grant_tokens(const char *ref);
/* What stands in the file; pure. */
bool grant_parse(struct span text, int64_t *ret_from_s, int64_t *ret_until_s);

#include "base/banned.h"

#endif
