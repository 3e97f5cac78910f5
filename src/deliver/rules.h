#ifndef NIGHTMAIL_DELIVER_RULES_H
#define NIGHTMAIL_DELIVER_RULES_H

/*
 * The rules by which addresses are rewritten (mail/rewrite.h), with the aliases as they stand
 * in their file now. Used by the manager, which looks where mail goes, and by the workers.
 */

#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "mail/aliases.h"
#include "mail/rewrite.h"

struct rules {
	struct rewrite_rules rewrite;
	struct aliases aliases;
	struct stat st; /* of the file they were read from */
	int64_t tried_ms;
	char words[ERR_MSG_SIZE];
};

/* Reads the aliases at `path` (NULL: there are none) unless they are those that were read
 * before. While they cannot be read local names wait, and all other mail goes. quiet: what
 * is wrong with them is logged by another process. True when they were read anew. */
bool rules_refresh(struct rules *r, const char *path, bool quiet);
void rules_release(struct rules *r);

#endif
