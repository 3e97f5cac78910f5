#ifndef NIGHTMAIL_CLI_MAILQ_H
#define NIGHTMAIL_CLI_MAILQ_H

/* What the files of mailq share: one call of it, and the commands. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/term.h"
#include "cli/mailq_source.h"
#include "config/settings.h"

struct mailq {
	const char *config;
	bool all, json, body, repair; /* options */
	enum term_color color;
	const char *const *ids; /* operands behind the command */
	size_t count;
	struct settings settings;
	bool deliverable; /* the configuration is sound */
};

/* The commands; each returns the exit code. */
int mailq_list(struct mailq *m);
int mailq_show(struct mailq *m);
int mailq_check(struct mailq *m);
/* flush, hold, release, delete, bounce */
int mailq_apply(struct mailq *m, const char *verb);

#endif
