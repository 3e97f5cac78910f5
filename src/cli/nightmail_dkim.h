#ifndef NIGHTMAIL_CLI_NIGHTMAIL_DKIM_H
#define NIGHTMAIL_CLI_NIGHTMAIL_DKIM_H

/* nightmail dkim sign|verify|keygen|record|check */

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "net/crypto.h"

int nightmail_dkim(int argc, char **argv);

#define DKIM_CLI_KEYS_MAX 8u

struct dkim_call {
	const char *domain[DKIM_CLI_KEYS_MAX], *selector[DKIM_CLI_KEYS_MAX];
	const char *key[DKIM_CLI_KEYS_MAX];
	size_t domains, selectors, keys;
	const char *canon, *identity, *valid, *algorithm, *bits, *resolver, *authres,
		*config;
	bool json;
	char *const *files; /* what stands behind the options */
	size_t file_count;
};

/* Each returns an exit code. */
int nightmail_dkim_keygen(const struct dkim_call *c);
int nightmail_dkim_record(const struct dkim_call *c);
int nightmail_dkim_check(const struct dkim_call *c);

/* Reads a private key that may be of anybody's rights: a person named it. */
struct crypto_private *nightmail_dkim_key(const char *path, struct err *err);

#include "base/banned.h"

#endif
